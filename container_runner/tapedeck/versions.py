"""What a run's bytes depend on besides its inputs; stated here, where no array library is needed to read it.

The control plane writes both into the run manifest; `tapedeck.engine` and `tapedeck.metrics` export them as theirs.
"""

from __future__ import annotations

ENGINE_VERSION = "1"  # another number: the same decisions may give other fills
METRIC_SCHEMA = 1  # another number: a metric changed its name or its convention

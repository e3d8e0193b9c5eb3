"""``python -m tapedeck``."""

from __future__ import annotations

import sys

from tapedeck.cli import main

if __name__ == "__main__":
    sys.exit(main())

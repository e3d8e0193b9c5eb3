"""The CDK app: `python app.py` synthesises the whole platform, offline, into build/cdk.out (or $CDK_OUTDIR)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = False  # the CDK is 30 MB of source: unless compiled once, each start takes 6 s more

import aws_cdk as cdk  # noqa: E402  after the line above

from infra import platform, settings  # noqa: E402

ROOT = Path(__file__).resolve().parent


def context() -> dict[str, object]:
    """Return cdk.json's context: the CDK command line reads it, a direct run does not."""
    loaded: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return loaded


def main() -> None:
    """Build every stack and write the assembly; raises what the CDK's own validation finds."""
    outdir = os.environ.get("CDK_OUTDIR") or str(ROOT / "build" / "cdk.out")
    values = context()
    app = cdk.App(outdir=outdir, context=values)
    platform.build(app, settings.load(values))
    app.synth()


if __name__ == "__main__":
    main()

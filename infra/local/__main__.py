"""The local stack by hand: `python -m infra.local up`, `down`, `status` or `doctor`."""

from __future__ import annotations

import argparse
import os
import sys

from infra.local import background, doctor
from infra.local.child import StartError
from infra.local.deploy import DeployError
from infra.local.ports import PortTakenError

COMMANDS = {
    "up": background.up,
    "down": background.down,
    "status": background.status,
    "doctor": doctor.main,
    "supervise": background.supervise,  # what `up` leaves running
}
STARTING = {"up", "supervise"}


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--allow-weak-sandbox",
        action="store_true",
        default=os.environ.get("TAPEDECK_ALLOW_WEAK_SANDBOX") == "1",
        help="for code that you trust, where gVisor does not run: bubblewrap; every result says so"
        " (or TAPEDECK_ALLOW_WEAK_SANDBOX=1)",
    )
    asked = parser.parse_args(arguments)
    options = {"allow_weak_sandbox": asked.allow_weak_sandbox} if asked.command in STARTING else {}
    try:
        return COMMANDS[asked.command](**options)
    except (DeployError, PortTakenError, StartError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

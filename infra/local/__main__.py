"""The local stack by hand: `python -m infra.local up`, `down`, `status` or `doctor`."""

from __future__ import annotations

import argparse
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


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    try:
        return COMMANDS[parser.parse_args(arguments).command]()
    except (DeployError, PortTakenError, StartError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line's half that talks to a platform: submit, jobs, logs, report, cancel.

Where the platform is stands in `TAPEDECK_API_URL`; who calls, where every AWS tool looks (environment, profile).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session

from tapedeck.client import ApiError, Client

FOLLOW_SECONDS = 2 * 3600 + 600  # a run's own limit, and some time to start and to render


class RemoteError(Exception):
    """The platform cannot be called as things are; the message says what to do."""


def add_commands(commands: Any, parameter: Callable[[str], tuple[str, object]]) -> None:
    """Add the subcommands to an argparse parser; each sets `act`, called with the parsed arguments."""
    submit = commands.add_parser("submit", help="hand in a strategy to the platform")
    submit.add_argument("file", type=Path)
    submit.add_argument("--param", action="append", default=[], type=parameter, metavar="NAME=VALUE")
    submit.add_argument("--audit", action="store_true", help="look for look-ahead after the run")
    submit.add_argument("--token", help="the same token and file give the same job")
    submit.add_argument("--follow", action="store_true", help="wait for the run's end and its report")
    submit.set_defaults(act=_submit)
    jobs = commands.add_parser("jobs", help="list your runs, newest first")
    jobs.set_defaults(act=_jobs)
    for name, act, told in (
        ("logs", _logs, "print what a run has written so far"),
        ("report", _report, "fetch a run's report"),
        ("cancel", _cancel, "cancel a run"),
    ):
        command = commands.add_parser(name, help=told)
        command.add_argument("job")
        command.set_defaults(act=act)
        if name == "report":
            command.add_argument("--out", type=Path, default=Path("report"), help="folder (default: report)")


def act(asked: argparse.Namespace) -> int:
    """Run a subcommand; 0, 1 when the run failed, 2 when the platform refused the call."""
    return call(lambda client: asked.act(client, asked))


def call(work: Callable[[Client], int]) -> int:
    """Return what `work` returns; 2 when the platform refused the call: then why is on stderr."""
    try:
        return work(_client())
    except ApiError as error:
        place = f" (line {error.error['line']})" if error.error.get("line") else ""
        print(f"{error.error.get('code', error.status)}: {error}{place}", file=sys.stderr)
    except RemoteError as error:
        print(error, file=sys.stderr)
    return 2


def _client() -> Client:
    url = os.environ.get("TAPEDECK_API_URL")
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    if not url or credentials is None:
        raise RemoteError("Set TAPEDECK_API_URL to the platform's address, and AWS credentials as for any AWS tool.")
    return Client(url, credentials, region=session.get_config_variable("region") or "us-east-1")


def _submit(client: Client, asked: argparse.Namespace) -> int:
    audit = {"audit": True} if asked.audit else {}
    state = client.submit(asked.file, {"params": dict(asked.param), **audit}, token=asked.token)
    print(state["job_id"])
    if not asked.follow:
        return 0
    state = client.wait(state["job_id"], timeout_s=FOLLOW_SECONDS, on_change=_progress)
    print(f"\r{_line(state)}", file=sys.stderr)
    return 0 if state["status"] == "COMPLETED" else 1


def _progress(state: dict[str, Any]) -> None:
    print(f"\r{_line(state)}", end="", file=sys.stderr, flush=True)


def _jobs(client: Client, _: argparse.Namespace) -> int:
    for state in client.jobs()["backtests"]:
        print(f"{state['job_id']}  {_line(state)}")
    return 0


def _logs(client: Client, asked: argparse.Namespace) -> int:
    for line in client.logs(asked.job):
        print(f"{line['stream']} {line['text']}")
    return 0


def _report(client: Client, asked: argparse.Namespace) -> int:
    paths = client.download(asked.job, asked.out)
    print("\n".join(map(str, paths)) if paths else "there is no report (yet)")
    return 0 if paths else 1


def _cancel(client: Client, asked: argparse.Namespace) -> int:
    print(client.cancel(asked.job)["status"])
    return 0


def _line(state: dict[str, Any]) -> str:
    done = state["progress"] or {"done": 0, "total": 0}
    share = done["done"] / done["total"] if done["total"] else 0.0
    failure = f"  {state['failure']['kind']}: {state['failure']['message']}" if state["failure"] else ""
    causality = f"  {state['causality']}" if state.get("causality") in ("audited", "leaked") else ""
    return f"{state['name']:<24} {state['status']:<10} {share:4.0%}{causality}{failure}"

"""The stack that `make up` leaves running: a supervisor process, found again by a file in its state directory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from infra.local.child import StartError
from infra.local.people import ROLES, Login
from infra.local.ports import Ports
from infra.local.stack import ROOT, Stack
from infra.local.synth import synthesise
from infra.local.vendor_sample import DROP, vendor_csv

BUILD = ROOT / "build"
STATE = Path(os.environ.get("TAPEDECK_STATE") or BUILD / "local")
_FILE = STATE / "stack.json"
_LOG = STATE.with_suffix(".log")
_START_LIMIT_S = 120.0
_END_LIMIT_S = 60.0
_RENEW_S = 3600.0
"""How often the credentials in the file are renewed; they are good for longer."""


def up(*, allow_weak_sandbox: bool = False) -> int:
    """Start the stack, unless it runs, and print how to use it."""
    told = running()
    if told is None:
        Ports.from_environment().claim()
        print("synthesise the app")
        synthesise(ROOT, BUILD / "cdk.out")
        told = _launch(["--allow-weak-sandbox"] if allow_weak_sandbox else [])
    print(instructions(told))
    return 0


def down() -> int:
    """End the stack and remove its state."""
    told = running()
    if told is None:
        print("no stack is running")
    else:
        os.kill(told["pid"], signal.SIGTERM)
        deadline = time.monotonic() + _END_LIMIT_S
        while running() is not None:
            if time.monotonic() > deadline:
                raise StartError(f"pid {told['pid']} did not end in {_END_LIMIT_S:.0f} s; its log is {_LOG}")
            time.sleep(0.05)
        print("the stack has ended")
    shutil.rmtree(STATE, ignore_errors=True)
    _LOG.unlink(missing_ok=True)
    return 0


def status() -> int:
    """Print how to use the running stack; 3 when there is none."""
    told = running()
    print("no stack is running" if told is None else instructions(told))
    return 3 if told is None else 0


def running() -> dict[str, Any] | None:
    """Return what the supervisor wrote down, if it is alive."""
    try:
        told: dict[str, Any] = json.loads(_FILE.read_text())
    except FileNotFoundError:
        return None
    return told if _started(told["pid"]) == told["started"] else None


def supervise(*, allow_weak_sandbox: bool = False) -> int:
    """Run the stack until SIGTERM."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())

    def say(step: str) -> None:
        print(step, flush=True)

    with Stack(BUILD / "cdk.out", STATE, allow_weak_sandbox=allow_weak_sandbox, say=say) as stack:
        _write(stack)
        while not ending.wait(_RENEW_S):
            _write(stack)
    return 0


def instructions(told: dict[str, Any]) -> str:
    """Return endpoints, credentials and three commands to try."""
    cli = f"{ROOT / '.venv/bin/python'} -m tapedeck"
    drop = f"boto3.client('s3').upload_file('{told['prices']}', '{told['vendor_bucket']}', '{DROP}')"
    return f"""
The stack is running (pid {told["pid"]}); `make down` ends it.
  API           {told["api"]}
  AWS endpoint  {told["endpoint"]}
  database      {told["database"]}
  logs          {told["logs"]}

You are alice, a researcher; AWS_PROFILE=bob is another one, dana owns the market data, otto operates:
  export AWS_ENDPOINT_URL={told["endpoint"]} AWS_REGION={told["region"]} AWS_PROFILE=alice
  export AWS_SHARED_CREDENTIALS_FILE={told["credentials"]} TAPEDECK_API_URL={told["api"]}
  export PYTHONPATH={ROOT / "container_runner"}

Publish prices as the data owner, hand in a strategy, fetch its report:
  AWS_PROFILE=dana {ROOT / ".venv/bin/python"} -c "import boto3; {drop}"
  {cli} submit examples/crossover.py --follow
  {cli} report $({cli} jobs | head -1 | cut -d' ' -f1) --out build/report
"""


def _launch(options: list[str]) -> dict[str, Any]:
    """Start the supervisor and wait until the stack is ready; it goes on when this process ends."""
    with _LOG.open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "supervise", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    print("start the stack")
    deadline = time.monotonic() + _START_LIMIT_S
    while (told := running()) is None:
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise StartError(f"the stack did not start; its log is {_LOG}\n{_LOG.read_text()}")
        time.sleep(0.1)
    return told


def _write(stack: Stack) -> None:
    """Write down who runs what where, and fresh credentials of all people."""
    credentials = STATE / "credentials"
    profiles = "".join(_profile(person, stack.credentials(person)) for person in ROLES)
    _replace(credentials, profiles)
    prices = STATE / "prices.csv"
    prices.write_bytes(vendor_csv())
    told = {
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "api": stack.api,
        "endpoint": stack.endpoint_url,
        "region": stack.region,
        "database": stack.database_dsn,
        "logs": str(stack.logs_dir),
        "credentials": str(credentials),
        "vendor_bucket": stack.bucket("VendorDrop"),
        "prices": str(prices),
    }
    _replace(_FILE, json.dumps(told, indent=1))


def _profile(person: str, login: Login) -> str:
    """Return a person's part of an AWS credentials file."""
    return (
        f"[{person}]\naws_access_key_id = {login.access_key}\n"
        f"aws_secret_access_key = {login.secret_key}\naws_session_token = {login.token}\n"
    )


def _replace(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _started(pid: int) -> str | None:
    """Return when the process began, in clock ticks since boot: with the pid it names one process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]  # a zombie has ended

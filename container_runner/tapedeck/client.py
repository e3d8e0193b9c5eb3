"""The platform's HTTP API from Python: signed calls, waiting, downloads.

Needs botocore (`pip install tapedeck[client]`): it is not part of a strategy's environment.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
REPORT_DONE = frozenset({"READY", "FAILED"})


class ApiError(Exception):
    """The platform refused a call: `status` is HTTP's, `error` the service's JSON."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", f"HTTP {status}"))
        self.status = status
        self.error = error


class Client:
    """Calls the API at `url` (ends in the stage, without a slash) as the holder of `credentials`."""

    def __init__(self, url: str, credentials: Credentials, *, region: str = "us-east-1") -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._region = region
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=35))

    def submit(self, path: Path, params: dict[str, Any] | None = None, *, token: str | None = None) -> dict[str, Any]:
        """Hand in the strategy file at `path` and return the job; the same `token` and file give the same job."""
        body, kind = urllib3.encode_multipart_formdata(
            {"code": (path.name, path.read_bytes()), "params": json.dumps(params or {})}
        )
        headers = {"Content-Type": kind, "Client-Request-Token": token or str(uuid.uuid4())}
        return self._json("POST", "/v1/backtest", body=body, headers=headers)

    def get(self, job: str) -> dict[str, Any]:
        """Return a job's status, progress, failure, metrics and times."""
        return self._json("GET", f"/v1/backtest/{job}")

    def jobs(self, **filters: str) -> dict[str, Any]:
        """Return the caller's jobs, newest first, one page."""
        return self._json("GET", "/v1/backtest", query=filters)

    def logs(self, job: str) -> Iterator[dict[str, Any]]:
        """Yield the lines that the strategy has written so far."""
        after: str | None = None
        for _ in range(100_000):  # a page holds at least one line
            page = self._json("GET", f"/v1/backtest/{job}/logs", query={"after": after} if after else {})
            yield from page["lines"]
            if not page["lines"] or page["next"] is None:
                return
            after = str(page["next"])

    def results(self, job: str) -> dict[str, Any]:
        """Return metrics and links to the artifacts."""
        return self._json("GET", f"/v1/backtest/{job}/results")

    def report(self, job: str) -> dict[str, Any]:
        """Return the report's status and links to its files."""
        return self._json("GET", f"/v1/backtest/{job}/report")

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job that has not ended."""
        return self._json("POST", f"/v1/backtest/{job}/cancel")

    def snapshots(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """Return the snapshots of a dataset, or of all, the newest first."""
        listed: list[dict[str, Any]] = self._json("GET", "/v1/snapshots", query=_dataset(dataset))["snapshots"]
        return listed

    def snapshot(self, reference: str, *, dataset: str | None = None, diff: str | None = None) -> dict[str, Any]:
        """Return a snapshot by what names it, with its universes; with `diff` what leads from that other one to it.

        "latest" and "as_of:" a time need the `dataset`.
        """
        query = {**_dataset(dataset), **({"diff": diff} if diff else {})}
        return self._json("GET", f"/v1/snapshots/{quote(reference)}", query=query)

    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets, each with its newest snapshot."""
        listed: list[dict[str, Any]] = self._json("GET", "/v1/datasets")["datasets"]
        return listed

    def universe(self, reference: str, name: str, *, dataset: str | None = None) -> list[str]:
        """Return the symbols of a snapshot's universe, sorted; "*" has all."""
        path = f"/v1/snapshots/{quote(reference)}/universes/{quote(name)}"
        symbols: list[str] = self._json("GET", path, query=_dataset(dataset))["symbols"]
        return symbols

    def withdraw_snapshot(self, reference: str, reason: str, *, dataset: str | None = None) -> dict[str, Any]:
        """Withdraw a snapshot, as an operator: no new run resolves to it."""
        return self._tell_snapshot(reference, "withdraw", {"reason": reason}, dataset)

    def name_snapshot(self, reference: str, name: str | None, *, dataset: str | None = None) -> dict[str, Any]:
        """Give a snapshot a name, as an operator; None takes it away."""
        return self._tell_snapshot(reference, "name", {"name": name}, dataset)

    def _tell_snapshot(self, reference: str, what: str, said: object, dataset: str | None) -> dict[str, Any]:
        return self._json(
            "POST",
            f"/v1/snapshots/{quote(reference)}/{what}",
            query=_dataset(dataset),
            body=json.dumps(said).encode(),
            headers={"Content-Type": "application/json"},
        )

    def wait(
        self, job: str, *, timeout_s: float, on_change: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any]:
        """Return the job once it has ended and its report is there; raises `TimeoutError`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = self.get(job)
            on_change(state)
            if state["status"] in TERMINAL and (
                state["status"] != "COMPLETED" or state["report_status"] in REPORT_DONE
            ):
                return state
            time.sleep(0.25)
        raise TimeoutError(f"job {job} has not ended after {timeout_s:g} s; its status is {state['status']}")

    def download(self, job: str, folder: Path) -> list[Path]:
        """Store every file of the report, however large, below `folder` and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        files = self.report(job)["files"]
        paths = {name: folder / Path(name).name for name in files}
        for name, url in files.items():
            self._save(url, paths[name], f"{name} of the report")
        return list(paths.values())

    def _save(self, url: str, path: Path, what: str) -> None:
        """Stream what a link reads into a file, which appears when it is whole."""
        part = path.with_name(f"{path.name}.part")
        answer = self._http.request("GET", url, preload_content=False)
        try:
            if answer.status != 200:
                raise ApiError(answer.status, {"message": f"cannot read {what}"})
            with part.open("wb") as file:
                for body in answer.stream(1 << 20):
                    file.write(body)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
            answer.close()

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        url = self._url + path + (f"?{urlencode(sorted(query.items()))}" if query else "")
        request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        answer = self._http.request(method, url, body=body, headers=dict(request.headers.items()))
        try:
            parsed = json.loads(answer.data)
        except ValueError:
            parsed = {"message": answer.data[:200].decode("utf-8", "replace")}
        if answer.status >= 400:
            raise ApiError(answer.status, parsed.get("error", parsed))
        result: dict[str, Any] = parsed
        return result


def _dataset(name: str | None) -> dict[str, str]:
    return {"dataset": name} if name else {}

"""Runs Lambda functions, each in its own processes: kept warm, killed at the timeout, replaced when they die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from infra.local import worker
from infra.local.wires import Function

_INIT_LIMIT_S = 60.0
"""Time to import a function; AWS gives 10 s, but here all functions share two cores."""
_RESPONSE_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous answer, as on AWS."""


class FunctionError(Exception):
    """An invocation failed; `error_type` is Lambda's name for how."""

    def __init__(self, function: str, error_type: str, message: str, log: Path) -> None:
        super().__init__(f"{function} failed with {error_type}: {message} (log: {log})")
        self.function = function
        self.error_type = error_type
        self.message = message
        self.log = log


class StoppedError(FunctionError):
    """The stack is ending."""

    def __init__(self, function: str) -> None:
        super().__init__(function, "Service.Stopped", "the stack is ending", Path())


class Worker:
    """One process of one function; answers one request at a time, after `load`."""

    def __init__(self, function: Function, environment: Mapping[str, str], log: Path, pycache: Path) -> None:
        self._function = function
        self._log = log
        ours, theirs = socket.socketpair()
        self._connection = ours
        settings = {
            "paths": [str(function.task_root), *(str(layer / "python") for layer in function.layers)],
            "handler": function.handler,
            "name": function.name,
            "arn": function.arn,
            "memory_mb": function.memory_mb,
        }
        # Compiled files go elsewhere: the assembly's directories must keep the bytes that would be deployed.
        interpreter = [sys.executable, "-I", "-S", "-u", "-X", f"pycache_prefix={pycache}"]
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                [*interpreter, worker.__file__, str(theirs.fileno()), json.dumps(settings)],
                cwd=function.task_root,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def load(self) -> None:
        """Wait until the function is imported; raises FunctionError."""
        self._answer(_INIT_LIMIT_S, "Runtime.InitError")

    @property
    def alive(self) -> bool:
        """Whether the process can take another request."""
        return self._process.poll() is None

    def invoke(self, event: object, timeout_s: float) -> Any:
        """Run the handler on `event`; raises FunctionError. At a timeout or a crash the process is gone."""
        request = {"event": event, "id": str(uuid.uuid4()), "deadline": time.time() + timeout_s}
        return self._request(request, timeout_s)

    def modules(self) -> dict[str, str]:
        """Return the file of each module that the process has loaded."""
        loaded = self._request({"modules": True}, 10)
        return dict(loaded)

    def stop(self) -> None:
        """End the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def _request(self, message: object, timeout_s: float) -> Any:
        try:
            self._connection.settimeout(timeout_s)
            worker.send(self._connection, message)
        except OSError:
            self.stop()
            raise self._error("Runtime.ExitError", "the process was gone") from None
        return self._answer(timeout_s, "Sandbox.Timedout")

    def _answer(self, timeout_s: float, error_type: str) -> Any:
        try:
            self._connection.settimeout(timeout_s)
            answer = worker.receive(self._connection)
        except TimeoutError:
            self.stop()
            raise self._error(error_type, f"task timed out after {timeout_s:.2f} seconds") from None
        except OSError:
            answer = None
        if answer is None:
            self.stop()
            raise self._error("Runtime.ExitError", f"the process left with code {self._process.returncode}")
        if "error" in answer:
            raise self._error(answer["error"]["errorType"], answer["error"]["errorMessage"])
        return answer["result"]

    def _error(self, error_type: str, message: str) -> FunctionError:
        return FunctionError(self._function.name, error_type, message, self._log)


class Pool:
    """The workers of one function; at most `function.workers` requests run at once, the others wait."""

    def __init__(self, function: Function, start: Callable[[], Worker]) -> None:
        self.function = function
        self._start = start
        self._slots = threading.BoundedSemaphore(function.workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._stopped = False

    @contextmanager
    def borrow(self) -> Iterator[Worker]:
        """Give a worker, warm if there is one; one that died meanwhile is not kept. Raises FunctionError."""
        with self._slots:
            chosen, warm = self._take()
            usable = False
            try:
                if not warm:
                    chosen.load()
                usable = True
                yield chosen
            finally:
                with self._lock:
                    self._busy.discard(chosen)
                    keep = usable and chosen.alive and not self._stopped
                    if keep:
                        self._idle.append(chosen)
                if not keep:
                    chosen.stop()

    def stop(self) -> None:
        """End all workers, the busy ones too; none starts after it."""
        with self._lock:
            self._stopped = True
            workers, self._idle = [*self._idle, *self._busy], []
        for each in workers:
            each.stop()

    def _take(self) -> tuple[Worker, bool]:
        """Return a worker, now busy, and whether it is warm."""
        with self._lock:
            if self._stopped:
                raise StoppedError(self.function.name)
            chosen, warm = None, True
            while self._idle and chosen is None:
                candidate = self._idle.pop()
                if candidate.alive:
                    chosen = candidate
                else:
                    candidate.stop()
            if chosen is None:
                chosen, warm = self._start(), False
            self._busy.add(chosen)
            return chosen, warm


class Workers:
    """All functions of the stack, called by name."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        environment: Callable[[Function], Mapping[str, str]],
        logs: Path,
        pycache: Path,
    ) -> None:
        def starter(function: Function) -> Callable[[], Worker]:
            return lambda: Worker(function, environment(function), self.log(function.name), pycache)

        self._logs = logs
        self._pools = {name: Pool(function, starter(function)) for name, function in functions.items()}

    def log(self, name: str) -> Path:
        """Return the log file of a function."""
        return self._logs / f"{name}.log"

    def invoke(self, name: str, event: object, timeout_s: float | None = None) -> Any:
        """Run a function for at most its own timeout, or `timeout_s` if that is less; raises FunctionError."""
        pool = self._pools[name]
        limit = min(pool.function.timeout_s, timeout_s or pool.function.timeout_s)
        with pool.borrow() as chosen:
            result = chosen.invoke(event, limit)
        if len(json.dumps(result)) > _RESPONSE_LIMIT:
            message = f"the response is over {_RESPONSE_LIMIT} bytes"
            raise FunctionError(name, "Function.ResponseSizeTooLarge", message, self.log(name))
        return result

    def modules(self, name: str) -> dict[str, str]:
        """Return the file of each module that a worker of the function has loaded."""
        with self._pools[name].borrow() as chosen:
            return chosen.modules()

    def warm(self, names: Iterable[str]) -> None:
        """Start one worker of each of these functions, one after the other; who cannot start says so when called."""
        for name in names:
            with suppress(FunctionError), self._pools[name].borrow():
                pass

    def stop(self) -> None:
        """End all workers."""
        for pool in self._pools.values():
            pool.stop()

"""WSGI applications on 127.0.0.1, each on threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that answers a PUT of nothing: boto3 sends `Expect: 100-continue` with an empty body too.

    waitress marks every request that expects a continue as incomplete; one without a body would then never be served.
    """

    def send_continue(self) -> None:
        """Send 100 Continue, and keep a request complete that was so before."""
        request, completed = self.request, self.request.completed
        super().send_continue()
        request.completed = completed


@contextmanager
def serving(app: Callable[..., Any], *, port: int = 0, threads: int = 16, max_body: int = 1 << 30) -> Iterator[int]:
    """Serve `app` until the block ends; gives the port. Raises OSError when the port is taken."""
    server = create_server(
        app, host="127.0.0.1", port=port, threads=threads, max_request_body_size=max_body, ident="tapedeck"
    )
    server.channel_class = _Channel
    thread = threading.Thread(target=server.run, name=f"serving {server.effective_port}", daemon=True)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        # Everything is closed by the server's own thread, which ends when nothing is left to wait for.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(5)
        server.task_dispatcher.shutdown(timeout=5)

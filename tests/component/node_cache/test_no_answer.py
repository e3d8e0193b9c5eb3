"""A daemon that is dead, silent, slow or wrong costs a run a moment, once."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sidecar.near import NodeCache
from tests.component.node_cache.daemon import running, started
from tests.component.node_cache.market import Market, Watched

pytestmark = pytest.mark.usefixtures("nothing_kept")


@pytest.mark.parametrize("state", ["dead", "silent", "error", "nonsense", "short", "no port"])
def test_a_daemon_that_does_not_answer_is_asked_once(
    tmp_path: Path, market: Market, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MARGIN_S", 0.1)
    monkeypatch.setattr("sidecar.near._WAIT_MS", 100)
    with running(tmp_path / "cache", market.store) as daemon:
        url = daemon.url if state != "no port" else "http://127.0.0.1"
        asked: list[int] = []

        def held(_: object) -> list[bool]:
            asked.append(1)
            if state == "silent":
                time.sleep(0.6)
            elif state == "error":
                raise OSError("broken")
            return [True] * (1 if state == "short" else 0)

        monkeypatch.setattr(daemon.server.node, "held", held)
        if state == "dead":
            daemon.server.socket.close()
        near = NodeCache(url, daemon.folder)
        for _ in range(3):
            assert market.reads_right(near)
        assert len(asked) <= 1
        assert market.store.gets == 12
        if state == "dead":
            daemon.server.socket = type(daemon.server.socket)()  # serve_forever's selector ends with it


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", b"HTTP/1.1 200 OK\r\n"])
def test_a_daemon_that_hangs_is_waited_for_once(
    tmp_path: Path, market: Market, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MARGIN_S", 0.1)
    monkeypatch.setattr("sidecar.near._WAIT_MS", 100)
    held = []

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)  # and never another byte
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        near = NodeCache(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
        for _ in range(2):
            assert market.reads_right(near)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(held) == 1
    held[0].close()


def test_a_daemon_that_comes_later_is_found(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        url = daemon.url
    near = NodeCache(url, tmp_path / "cache")
    assert market.reads_right(near)
    with running(tmp_path / "cache", market.store) as daemon:
        near._address = near._address._replace(netloc=daemon.url.removeprefix("http://"))
        assert market.reads_right(near)
        assert daemon.told()["requests"] == 0  # the pause is not over
        near._not_before = 0.0
        assert market.reads_right(near)
        assert daemon.told()["made"] == 2


def held_up(market: Market) -> tuple[Watched, threading.Event]:
    """The market's store, whose months come when the event lets them go."""
    slow, let_go = Watched(market.store.root), threading.Event()
    slow.before = lambda: (let_go.wait(20), None)[1]
    return slow, let_go


def test_a_slow_s3_makes_the_daemon_answer_what_it_has_and_make_the_rest_later(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MOST_WAIT_MS", 50)
    slow, let_go = held_up(market)
    with running(tmp_path / "cache", slow) as daemon:
        assert market.reads_right(daemon.near())
        assert market.store.gets == 4
        assert daemon.told()["absent"] == 2
        let_go.set()
        while daemon.told()["made"] < 2:
            time.sleep(0.01)
        assert market.reads_right(daemon.near())
        assert (market.store.gets, slow.gets) == (4, 4)


def test_a_daemon_that_gives_nothing_three_times_is_not_asked_again(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MOST_WAIT_MS", 1)
    slow, let_go = held_up(market)
    with running(tmp_path / "cache", slow) as daemon:
        near = daemon.near()
        for _ in range(5):
            assert market.reads_right(near)
        assert daemon.told()["requests"] == 3 * 2
        let_go.set()


def test_a_daemon_killed_in_the_middle_leaves_whole_files_and_the_run_goes_on(tmp_path: Path, market: Market) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    with started(folder, market.store.root) as (process, url):
        near = NodeCache(url, folder)
        killer = threading.Timer(0.05, process.kill)
        killer.start()
        assert market.reads_right(near)
        killer.join()
        assert market.reads_right(near)
    with started(folder, market.store.root) as (process, url):
        assert market.reads_right(NodeCache(url, folder))
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert json.loads(said.splitlines()[-1])["corrupt"] == 0
    assert not list(folder.rglob(".new-*"))

import os
import socket

import pytest

from infra.local.ports import HOST, Ports, PortTakenError, owner


def test_free_ports_are_chosen_where_none_is_asked_for() -> None:
    ports = Ports.any().claim()
    chosen = {ports.gateway, ports.aws, ports.cluster, ports.postgres}
    assert len(chosen) == 4
    assert 0 not in chosen


def test_a_taken_port_is_named_with_its_owner_and_the_way_out() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert owner(port) == os.getpid()
        expected = rf"port {port} is taken by pid {os.getpid()} \(.*\); .*TAPEDECK_PORT_AWS="
        with pytest.raises(PortTakenError, match=expected):
            Ports(0, port, 0, 0, 0).claim()


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEDECK_PORT_CLUSTER", "9402")
    assert Ports.from_environment() == Ports(gateway=8400, aws=8401, cluster=9402, postgres=8403)

"""Tries every way out: TCP, UDP, DNS, raw and odd sockets, the 32-bit door, a listener that is open on the host."""

import socket

from report import attempt, call

from tapedeck import Strategy

KINDS = {
    "TCP": (socket.AF_INET, socket.SOCK_STREAM),
    "TCP over IPv6": (socket.AF_INET6, socket.SOCK_STREAM),
    "UDP": (socket.AF_INET, socket.SOCK_DGRAM),
    "raw IP": (socket.AF_INET, socket.SOCK_RAW),
    "packets": (socket.AF_PACKET, socket.SOCK_RAW),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW),
    "vsock": (socket.AF_VSOCK, socket.SOCK_STREAM),
}


class Network(Strategy):
    fields = ("close",)
    port: int = 9  # of a listener on the host, which is open
    abstract: str = "nobody"  # the name of another, a Unix socket's without a file

    def weights(self, bars):
        for name, kind in KINDS.items():
            attempt(f"{name} socket", lambda kind=kind: socket.socket(*kind).close())
        attempt("TCP socket by its number", lambda: call(41, 2, 1, 0))
        attempt("TCP socket by its x32 number", lambda: call(0x40000000 | 41, 2, 1, 0))
        attempt("TCP to the host's listener", self.tcp)
        attempt("UDP to the host's listener", self.udp)
        attempt("Unix socket of the host", self.unix)
        attempt("DNS", lambda: socket.getaddrinfo("example.com", 443))
        attempt("io_uring", lambda: call(425, 8, 0))
        return bars.close * 0

    def tcp(self):
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            return connection.recv(16)

    def udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            return sender.sendto(b"escaped", ("127.0.0.1", self.port))

    def unix(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect("\0" + self.abstract)

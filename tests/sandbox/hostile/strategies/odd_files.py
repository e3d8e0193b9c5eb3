"""Leaves in its folder what a careless collector trips over: links, pipes, folders, sockets, names of every kind."""

import os
import socket
from pathlib import Path

from report import attempt

from tapedeck import Strategy

OUT = Path("/exchange/out")
FAKE_LOG = "log-stdout-{:06}.bin"


def name_it(name):
    fd = os.open(os.fsencode(OUT) + b"/" + name, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(fd, b"root:x:0:0\n")
    os.close(fd)


class OddFiles(Strategy):
    fields = ("close",)
    calls = 0

    def weights(self, bars):
        self.calls += 1
        if self.calls == 1:
            for number, target in enumerate(("/etc/passwd", "/proc/self/environ", "/var/run/secrets/tapedeck/token")):
                link = OUT / FAKE_LOG.format(900_000 + number)
                attempt(f"a log that is a link to {target}", lambda link=link, target=target: link.symlink_to(target))
            attempt("a log that is a pipe", lambda: os.mkfifo(OUT / FAKE_LOG.format(900_010)))
            attempt("a log that is a folder", lambda: os.mkdir(OUT / FAKE_LOG.format(900_011)))
            attempt("a log that is a socket", self.socket)
            attempt("a log with two names", self.hard_link)
            attempt("a log of a terabyte", self.terabyte)
            attempt("a log that nobody may read", self.unreadable)
            attempt("a loop of links", self.loop)
            for name in (
                b"\xff\xfe\xfd",
                b"new\nline",
                b"-rf",
                b"\x1b[2J",
                b"a" * 255,
                b"\xe2\x80\xae.txt",
                b"$(id)",
                b" ",
            ):
                attempt(f"the name {name[:12]!r}", lambda name=name: name_it(name))
            attempt("deep folders", self.deep)
        return (bars.close > 100.0) / bars.width

    @staticmethod
    def socket():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(OUT / "log-stderr-900012.bin"))

    @staticmethod
    def hard_link():
        (OUT / "one").write_text("root:x:0:0\n")
        os.link(OUT / "one", OUT / FAKE_LOG.format(900_020))

    @staticmethod
    def terabyte():
        with (OUT / FAKE_LOG.format(900_021)).open("wb") as file:
            os.ftruncate(file.fileno(), 30 << 20)

    @staticmethod
    def unreadable():
        path = OUT / FAKE_LOG.format(900_022)
        path.write_text("root:x:0:0\n")
        path.chmod(0)

    @staticmethod
    def loop():
        (OUT / "a").symlink_to("b")
        (OUT / "b").symlink_to("a")
        (OUT / FAKE_LOG.format(900_023)).symlink_to("a")

    @staticmethod
    def deep():
        folder = OUT
        for _ in range(60):
            folder /= "d"
            folder.mkdir()

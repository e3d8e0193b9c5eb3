"""Reads what belongs to the host: accounts, keys, the platform's checkout, a secret that this very user could read."""

from pathlib import Path

from report import attempt

from tapedeck import Strategy

PATHS = (
    "/etc/shadow",
    "/root/.ssh/id_rsa",
    "/root/.aws/credentials",
    "/home",
    "/var/log",
    "/var/run/secrets/tapedeck/token",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/var/lib/tapedeck/cache",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/usr/bin/python3",
    "/bin/sh",
    "/opt/tapedeck/sidecar/attempt.py",
    "/opt/tapedeck/backtest",
)


class HostFiles(Strategy):
    fields = ("close",)
    canary: str = "/nowhere"  # a file of the host that everybody may read

    def weights(self, bars):
        for path in PATHS:
            attempt(f"stat {path}", Path(path).stat)
        attempt("read the host's canary", Path(self.canary).read_text)
        for way in ("/proc/1/root", "/proc/self/root", "/../../..", "/dev/../.."):
            attempt(f"read the host's canary by {way}", Path(way + self.canary).read_text)
        return bars.close * 0

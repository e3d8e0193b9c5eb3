"""Asks the cloud's metadata and credential addresses for a role."""

import socket

from report import attempt

from tapedeck import Strategy

ADDRESSES = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254")


class Metadata(Strategy):
    fields = ("close",)

    def weights(self, bars):
        for address in ADDRESSES:
            attempt(f"connect {address}", lambda address=address: socket.create_connection((address, 80), 1).close())
        return bars.close * 0

"""Fails with a message that would like to be run where it is shown."""

from tapedeck import Strategy


class Shown(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED to be shown", flush=True)
        raise ValueError(
            "<script>alert(1)</script> \x1b[2J\x1b]0;x\x07 \u202egpj.exe\u202c =cmd|' /C calc'!A0 \x00 \ud800" * 300
        )

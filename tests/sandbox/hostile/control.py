"""Tries attacks on this machine without a defence: as a user of its own, who owns nothing, in mounts of its own.

`python control.py STRATEGIES UID FACTS`: FACTS is JSON with the listeners' names and with a file and a folder to be
harmed. Only what harms nobody is tried; the rest of each strategy is passed over.
"""

import encodings.idna  # noqa: F401 - what is imported later must be readable by the other user
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

folder, uid, facts = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
sys.path.insert(0, folder)

import disk  # noqa: E402
import host_files  # noqa: E402
import killing  # noqa: E402
import library  # noqa: E402
import mounts  # noqa: E402
import network  # noqa: E402
import numpy as np  # noqa: E402
import report  # noqa: E402
import tracing  # noqa: E402

SAFE = {
    host_files: ("read the host's canary",),
    network: ("TCP socket", "UDP socket", "TCP to the host's listener", "Unix socket of the host"),
    killing: ("see a process that is not ours",),
    library: ("write the contract", "make the contract writable", "remove the contract"),
    tracing: ("ptrace attach to the parent",),
    disk: (f"a sparse terabyte in {facts['folder']}",),
    mounts: ("unshare user and mounts", "mount a tmpfs"),
}


class Bars:
    close = np.zeros((1, 1))


def main() -> None:
    report.call("unshare", mounts.NEW_MOUNTS)
    report.call("mount", b"none", b"/", None, 0x44000, None)  # private, all the way down
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    victim = subprocess.Popen(["/bin/sleep", "60"], stdout=subprocess.DEVNULL)
    os.getppid = lambda: victim.pid
    library.TARGETS = {"the contract": facts["file"]}
    try:
        for module, wanted in SAFE.items():
            module.attempt = lambda what, act, wanted=wanted: report.attempt(what, act) if what in wanted else None
            [title] = [name for name in vars(module) if name.lower() == module.__name__.replace("_", "")]
            attack = vars(module)[title]()
            for name in ("canary", "port", "abstract"):
                setattr(attack, name, facts[name])
            if module is disk:
                report.attempt(SAFE[disk][0], lambda attack=attack: attack.sparse(Path(facts["folder"])))
            else:
                attack.weights(Bars)
    finally:
        os.kill(victim.pid, signal.SIGKILL)  # `victim.kill` would first wait, and take its being traced for its end
        victim.wait()


main()

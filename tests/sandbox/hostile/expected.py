"""What must be seen of each attack that its run outlives: (attempts, as a pattern; how each must end); first match.

`DONE` alone is an attempt that found nothing. What a run may do to itself is allowed, and said here.
"""

EXPECTED: dict[str, list[tuple[str, str]]] = {
    "host_files": [("stat *", "ENOENT"), ("*/proc/1/root", "EACCES"), ("read the host's canary*", "ENOENT")],
    "environment": [("the parent's memory", "EACCES"), ("the names *", "DONE *"), ("*", "DONE")],
    "metadata": [("connect *", "EPERM")],
    "network": [
        ("Unix socket of the host", "EINVAL|ECONNREFUSED"),
        ("DNS", "gaierror -3"),  # EAI_AGAIN: no resolver was reached
        ("*", "EPERM"),
    ],
    "mounts": [("clone3", "ENOSYS"), ("*", "EPERM")],
    "tracing": [("*", "EPERM")],
    "killing": [("kill every other process", "DONE"), ("see a process that is not ours", "DONE")],
    "library": [
        ("make NumPy writable", "EPERM|EROFS"),  # the environment is root's: the user is asked before the mount
        ("make the interpreter writable", "EPERM|EROFS"),
        ("make the standard library writable", "EPERM|EROFS"),
        ("* NumPy", "EACCES|EROFS"),
        ("* the interpreter", "EACCES|EROFS"),
        ("* the standard library", "EACCES|EROFS"),
        ("add a *", "EACCES|EROFS"),
        ("write the root", "EACCES|EROFS"),
        ("remove the contract", "EACCES|EROFS"),  # its folder is the root's
        ("write /etc", "EACCES|EROFS"),
        ("*", "EROFS"),  # the platform's files are its own here, by uid: the mount says no
    ],
    "poison": [
        ("write into the bars", "ValueError"),
        ("make the bars writable", "ValueError"),
        ("link the bars outwards", "EXDEV"),
        ("see another job's exchange", "DONE"),
        ("see another job's folder", "ENOENT"),
        ("write the node's cache", "ENOENT"),
        ("write *.*", "EACCES|EROFS"),
        ("truncate *", "EACCES|EROFS"),
        ("*", "EROFS"),
    ],
    "devices": [
        ("open /dev/*", "ENOENT"),
        ("*made in /tmp", "EACCES|EPERM|ENXIO"),  # the sentry lets it be made; its mount is nodev
        ("*made in /exchange/out", "EPERM"),
        ("write /sys/fs/cgroup/*", "ENOENT"),
        ("write *", "EACCES"),
        ("type into the terminal", "ENOTTY"),
    ],
    "clock": [("*", "EPERM")],
    "shadowing": [
        ("shadow modules of the platform's own interpreter", "DONE"),
        ("shadow modules of a plain interpreter", "DONE *'sandbox'*'tapedeck'*"),  # the control
    ],
    "processes": [("fork without end", "EAGAIN"), ("start threads without end", "RuntimeError")],
    "memory": [("*", "MemoryError")],
    "disk": [
        ("a sparse terabyte in *", "EFBIG"),
        ("one huge file in *", "EFBIG"),
        ("many big files in *", "ENOSPC"),
        ("many small files in *", "ENOSPC"),
        ("open files without end", "EMFILE"),
    ],
}

# Under gVisor but without the launcher: what only the launcher stops succeeds, or gets further.
WITHOUT_LAUNCHER: dict[str, list[tuple[str, str]]] = {
    "network": [
        ("TCP socket", "DONE"),
        ("TCP over IPv6 socket", "DONE"),
        ("UDP socket", "DONE"),
        ("netlink socket", "DONE"),
        ("TCP socket by its number", "DONE *"),
        ("UDP to the host's listener", "DONE 7"),
        ("TCP to the host's listener", "ECONNREFUSED"),  # its own loopback: gVisor's network is empty
    ],
    "mounts": [("unshare user and mounts", "DONE *"), ("chroot", "DONE *")],
    "processes": [("fork without end", "DONE '90 children'"), ("start threads without end", "DONE '90 threads'")],
}

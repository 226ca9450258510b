"""Become an unprivileged user who goes down with the parent, then run the given program.

Run as `python -I -S _launch.py PARENT_PID MODE PROGRAM ARGUMENTS...`, never imported by the server:
what it does to its own process can't be undone. MODE is one of

- `plain`: as we are;
- `namespace`: in a user namespace where our user is `nobody`;
- `user:UID:GID`: as that user.

Exit codes of its own: 125 when the user can't be changed, 126 when the program can't be run.
"""

import ctypes
import os
import signal
import sys

NO_USER = 125
NO_PROGRAM = 126
NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def main(parent: int, mode: str, program: str, arguments: list[str]) -> None:
    """Replace this process; returns only by an exit code of the two above."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        change_user(libc, mode)
    except OSError as error:
        fail(NO_USER, error)
    # Set after the change of user, which clears it.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit(NO_USER)
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - the caller chose the program
    except OSError as error:
        fail(NO_PROGRAM, error)


def change_user(libc: ctypes.CDLL, mode: str) -> None:
    """Drop what the mode says must be dropped. Raises OSError when the kernel refuses."""
    if mode == "namespace":
        enter_namespace(libc)
    elif mode.startswith("user:"):
        _, uid, gid = mode.split(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))


def enter_namespace(libc: ctypes.CDLL) -> None:
    """Our user and group appear as `nobody` from here on, with no power outside."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def fail(code: int, error: OSError) -> None:
    """Say why, and end."""
    sys.stderr.write(f"{error.strerror}\n")
    sys.exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])

"""Program: replace itself by a command that gets a signal from the kernel when the process that started it dies.

    python -I -S tether.py PARENT_PID SIGNAL USER_ID:GROUP_ID|- COMMAND [ARGUMENT…]

This is a program rather than a `preexec_fn` because code between fork and exec may deadlock when the parent has
threads. The request is made to Linux (`PR_SET_PDEATHSIG`); elsewhere the command is started without it. It survives
exec, but not a change of user, which is why changing to an unprivileged user happens here too, before it. The kernel's
"parent" is the *thread* that started us: start long-lived children from threads that live as long.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command; whatever prevents it is said on standard error, with a status other than 0."""
    parent, signal_number, user, command = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    # Load libc before giving up rights: the unprivileged user may not be able to read this interpreter's files.
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        user_id, group_id = (int(part) for part in user.split(":"))
        os.setgroups([])
        os.setgid(group_id)
        os.setuid(user_id)
    if sys.platform == "linux":
        if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
            sys.exit(f"{command[0]}: cannot be tied to its parent: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent:  # it died before the request was made
            sys.exit(f"{command[0]}: not started, because the process that asked for it is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])

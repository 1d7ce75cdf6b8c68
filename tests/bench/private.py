"""Mounts that only this process and its children see."""
import os

from lab.netns import checked, libc

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
TRACEFS = "/sys/kernel/tracing"


def own_mounts() -> None:
    """A mount namespace of our own, with tracefs in it. Nothing is left behind by any kind of end."""
    checked(libc.unshare(CLONE_NEWNS), "making a mount namespace")
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "keeping mounts to ourselves")
    if not os.path.exists(os.path.join(TRACEFS, "events")):
        checked(libc.mount(b"tracefs", TRACEFS.encode(), b"tracefs", 0, None), "mounting tracefs")

"""Where things are: all that is made lies below native/build."""
import os

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(REPOSITORY, "native", "build", "bench")
WORK = os.path.join(PROGRAMS, "work")
EVENTS = os.path.join(WORK, "events")  # recorded ones, as libtcpretrans gives them


def program(name: str) -> str:
    return os.path.join(PROGRAMS, name)

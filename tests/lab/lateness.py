"""How late this machine is, while a test judges times."""
import threading
import time
from contextlib import contextmanager
from typing import Iterator, List


@contextmanager
def lateness() -> Iterator[List[float]]:
    """The longest time that this machine kept a thread waiting."""
    worst, over = [0.0], threading.Event()

    def look() -> None:
        while not over.is_set():
            asleep = time.monotonic()
            over.wait(0.05)
            worst[0] = max(worst[0], time.monotonic() - asleep - 0.05)
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield worst
    finally:
        over.set()
        watcher.join()

"""A real Prometheus server as a child of the test, and how to ask it, and whom it scrapes."""
import http.client
import json
import os
import re
import shutil
import socket
import time
import urllib.parse
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from .commands import Child

Rows = List[Dict[str, Any]]

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: {rules}
scrape_configs: [{{job_name: retrans, static_configs: [{{targets: ["{target}"]}}]}}]
"""


def served_at(child: Child) -> Tuple[str, int]:
    """Where `retrans metrics` says that it serves."""
    child.wait_tracing()
    found = re.search(r"http://\[?([^\]/]+)\]?:([0-9]+)/metrics", "\n".join(child.err.text))
    assert found, child.err.text
    return found.group(1), int(found.group(2))


def get(place: Tuple[str, int], path: str = "/metrics", made: Optional[socket.socket] = None,
        **headers: str) -> Tuple[int, str]:
    """(status, text) of a page; over the connection `made`, if there is one already."""
    talk = http.client.HTTPConnection(*place, timeout=10)
    talk.sock = made
    try:
        talk.request("GET", path, headers=headers)
        answer = talk.getresponse()
        return answer.status, answer.read().decode("utf-8")
    finally:
        talk.close()


def values(text: str, name: str, **labels: str) -> List[float]:
    """Of the metric's series that have these labels, in an exposition."""
    wanted = {'%s="%s"' % item for item in labels.items()}
    rows = re.findall(r"^%s(?:\{(.*)\})? (\S+)$" % name, text, re.MULTILINE)
    return [float(value) for has, value in rows if wanted <= set(re.findall(r'\w+="[^"]*"', has))]


class Prometheus:
    """`with Prometheus(folder, target) as server:` scrapes `target` each second."""

    def __init__(self, folder: Any, target: Tuple[str, int], rules: str = "") -> None:
        program = shutil.which("prometheus")
        assert program, "install prometheus, or run `make -C native test FULL=1`, which does"
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(target="%s:%d" % target, rules=json.dumps([rules] if rules else [])))
        self.place = ("127.0.0.1", free_port())
        self.child = Child([
            program, "--config.file=%s" % config, "--storage.tsdb.path=%s" % (folder / "data"),
            "--web.listen-address=%s:%d" % self.place, "--log.level=warn"], cwd=str(folder),
            env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"})

    def __enter__(self) -> "Prometheus":
        try:
            self.child.wait_for(self._is_ready, "ready Prometheus", 60)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.child.__exit__(kind, error, trace)

    def _is_ready(self) -> bool:
        try:
            return get(self.place, "/-/ready")[0] == 200
        except OSError:
            return False

    def ask(self, query: str) -> Rows:
        """The result of an instant query; a query that it refuses is an error."""
        status, text = get(self.place, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        answer = json.loads(text)
        assert (status, answer["status"]) == (200, "success"), (query, text)
        found = answer["data"]["result"]
        assert isinstance(found, list)
        return found

    def number(self, query: str) -> float:
        """The one value of a query's result."""
        return number_of(self.ask(query))

    def wait(self, query: str, enough: Callable[[Rows], bool], seconds: float = 20) -> Rows:
        """Ask until the result is enough."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.ask(query)
            if enough(found):
                return found
            assert time.monotonic() < deadline, "{} is {}".format(query, found)
            time.sleep(0.2)

    def wait_number(self, query: str, value: float) -> float:
        """Wait until the query's one value is this."""
        return number_of(self.wait(query, lambda found: bool(found) and number_of(found) == value))


def number_of(found: Rows) -> float:
    (row,) = found
    return float(row["value"][1])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

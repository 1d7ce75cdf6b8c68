"""Chromium without a window, driven over its own pipe: pages, what they say, and pictures of them."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Dict, List, Optional, Type

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
          "--remote-debugging-pipe")
_SECONDS = 60.0


class Browser:
    """One tab. It runs in a network namespace without any way out, as on a laptop that is offline."""

    def __init__(self) -> None:
        self.requests: List[str] = []
        """URLs that the page asked for."""
        self.complaints: List[str] = []
        """Exceptions, and what the console and the log have of warnings and errors."""
        self._number = 0
        self._session: Optional[str] = None
        self._left = b""
        self._folder = tempfile.mkdtemp(prefix="browser-")
        theirs, self._to = os.pipe()
        self._from, answers = os.pipe()
        # It reads from 3 and writes to 4; the shell gets them under numbers that are neither.
        given = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (theirs, answers)]
        try:
            self._process = subprocess.Popen(
                ["unshare", "--net", "bash", "-c", 'exec "$@" 3<&{} 4>&{}'.format(*given), "bash", "chromium", *_FLAGS,
                 "--user-data-dir=" + self._folder, "about:blank"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=given)
        finally:
            for descriptor in given + [theirs, answers]:
                os.close(descriptor)
        tabs = self.ask("Target.getTargets")["targetInfos"]
        target = next(tab["targetId"] for tab in tabs if tab["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            self._session = None
            self.ask("Browser.close")
            self._process.wait(10)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            os.close(self._to)
            os.close(self._from)
            shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, path: str, width: int = 1280, dark: bool = False) -> None:
        """Show a file, until all of it is there."""
        self.requests.clear()
        self.complaints.clear()
        self.size(width)
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Page.navigate", url="file://" + os.path.abspath(path))
        deadline = time.monotonic() + _SECONDS
        while self.value("location.protocol + document.readyState") != "file:complete":
            assert time.monotonic() < deadline, "the page does not come to an end"
            time.sleep(0.05)

    def size(self, width: int, height: int = 900) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def value(self, expression: str) -> Any:
        """What that gives in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, path: str) -> bytes:
        """A PNG of the whole page."""
        made = base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])
        with open(path, "wb") as file:
            file.write(made)
        return made

    def printed(self, path: str) -> bytes:
        """A PDF."""
        made = base64.b64decode(self.ask("Page.printToPDF", printBackground=False)["data"])
        with open(path, "wb") as file:
            file.write(made)
        return made

    def ask(self, method: str, **parameters: Any) -> Dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode("utf-8") + b"\0")
        deadline = time.monotonic() + _SECONDS
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: Dict[str, Any] = answer["result"]
                return result
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _next(self, deadline: float) -> Dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            read = os.read(self._from, 1 << 20)
            assert read, "Chromium ended by itself"
            self._left += read
        message, _, self._left = self._left.partition(b"\0")
        parsed: Dict[str, Any] = json.loads(message.decode("utf-8"))
        return parsed

    def _note(self, method: str, parameters: Dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("warning", "error"):
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("warning", "error", "assert"):
            self.complaints.append(json.dumps(parameters["args"]))

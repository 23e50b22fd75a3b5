"""A headless Chromium for tests of pages, over the DevTools protocol and two pipes: no port, no further package."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from select import select

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = f"no browser: none of {', '.join(PROGRAMS)} is on the path (Debian: apt-get install chromium)"


def program():
    """The browser's path, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class PageError(Exception):
    """A script of the page failed, or never came to an end."""


class Browser:
    """One page at a time; a context, which ends the browser."""

    def __init__(self, width=1400, height=900):
        self.folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()

        def three_and_four():  # where the browser looks for its pipes
            one, other = os.dup(to_browser), os.dup(from_browser)
            os.dup2(one, 3)
            os.dup2(other, 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb"]
        flags += [f"--user-data-dir={self.folder.name}", f"--window-size={width},{height}", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            [program(), *flags, "about:blank"],
            preexec_fn=three_and_four,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.buffer, self.session = 0, b"", None
        self.frames = []  # sessions of the frames that have a process of their own
        self.errors = []  # what the console of the page says of errors and warnings
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.loaded = []  # addresses that the page asked for
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.send(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        os.close(self.out)
        os.close(self.into)
        self.folder.cleanup()

    def send(self, method, *, session=None, **params):
        """A command, and its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session or self.session:
            message["sessionId"] = session or self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def read(self, timeout=30):
        while b"\0" not in self.buffer:
            if not select([self.into], [], [], timeout)[0]:
                raise PageError("the browser does not answer")
            part = os.read(self.into, 1 << 20)
            if not part:
                raise PageError("the browser is gone")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def note(self, event):
        """Keep what an event says of errors, and of what is loaded."""
        params = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(str([arg.get("value") for arg in params["args"]]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif event["method"] == "Network.requestWillBeSent":
            self.loaded.append(params["request"]["url"])
        elif event["method"] == "Target.attachedToTarget" and params["targetInfo"]["type"] == "iframe":
            self.frames.append(params["sessionId"])
        elif event["method"] == "Page.javascriptDialogOpening":
            self.errors.append(f"a dialog: {params['message']}")

    def open(self, path):
        """Load a file; returns the seconds until the page stands, its script included."""
        self.errors.clear()
        self.loaded.clear()
        begin = time.perf_counter()
        self.send("Page.bringToFront")  # keys go to the page that has the focus
        address = Path(path).resolve().as_uri()
        self.send("Page.navigate", url=address)
        while self.run("document.readyState === 'complete' && location.href") != address:
            time.sleep(0.01)
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        return time.perf_counter() - begin

    def run(self, script, *, session=None):
        """What an expression of JavaScript gives; promises are waited for."""
        told = self.send("Runtime.evaluate", session=session, expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return told["result"].get("value")

    def press(self, key):
        """A key, down and up."""
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector):
        """A click of the mouse in the middle of an element."""
        x, y = self.run(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def resize(self, width, height, *, dark=False, mobile=False):
        """Another window, and what the reader's system prefers."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        prefers = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=prefers)

    def screenshot(self, path):
        """What the window shows, as PNG."""
        Path(path).write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

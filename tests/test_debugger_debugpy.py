"""An IDE on backprop: sessions with the real debugpy over the Debug Adapter Protocol, which VS Code speaks."""

import ast
import inspect
import json
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager

import numpy as np
import pytest

from scripts import HALTING, HELLO, environment, hello, written
from tinygrad_seq import sweep
from tinygrad_seq.ops import elementwise

pytest.importorskip("debugpy", reason="debugpy is not installed: pip install debugpy")

PATIENCE = 30.0  # seconds for any answer


class Client:
    """As much of an IDE as a test needs: requests, and the events that come in between."""

    def __init__(self, connection):
        connection.settimeout(PATIENCE)
        self.stream = connection.makefile("rwb")
        self.events = deque()
        self.responses = {}
        self.sent = 0

    def send(self, command, **arguments):
        """A request; its number, to wait for the response by."""
        self.sent += 1
        message = {"seq": self.sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self.stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.stream.flush()
        return self.sent

    def read(self):
        """One message, put where it belongs."""
        length = 0
        while line := self.stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        message = json.loads(self.stream.read(length))
        if message["type"] == "response":
            self.responses[message["request_seq"]] = message
        elif message["type"] == "event":
            self.events.append(message)

    def response(self, number):
        """What was answered to a request."""
        while number not in self.responses:
            self.read()
        answer = self.responses.pop(number)
        assert answer["success"], answer
        return answer.get("body", {})

    def ask(self, command, **arguments):
        """A request and its answer."""
        return self.response(self.send(command, **arguments))

    def wait(self, *kinds):
        """The next event of these kinds."""
        while True:
            while self.events:
                event = self.events.popleft()
                if event["event"] in kinds:
                    return event
            self.read()

    # ---- where the program has stopped ----

    def stopped(self):
        """The frames of the thread that has stopped, innermost first."""
        self.thread = self.wait("stopped")["body"]["threadId"]
        return self.frames()

    def frames(self):
        return self.ask("stackTrace", threadId=self.thread)["stackFrames"]

    def step_in(self):
        self.ask("stepIn", threadId=self.thread)
        return self.stopped()[0]

    def variables(self, frame):
        """The local variables as the IDE lists them: the text of each."""
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        reference = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Locals")
        listed = self.ask("variables", variablesReference=reference)["variables"]
        return {one["name"]: one["value"] for one in listed}

    def value(self, expression, frame):
        """What an expression is in a frame, through JSON."""
        text = f"__import__('json').dumps({expression})"
        return json.loads(ast.literal_eval(self.ask("evaluate", expression=text, frameId=frame["id"])["result"]))


@contextmanager
def debugging(program, folder, breakpoints=()):
    """A client of a program that has begun; breakpoints: (file or None for the program, line or None, condition)."""
    path, here = written(program, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}",
         "--wait-for-client", path],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=environment(folder),
    )  # fmt: skip
    try:
        with connected(port, process) as connection:
            client = Client(connection)
            client.ask("initialize", adapterID="tests", pathFormat="path")
            attached = client.send("attach", justMyCode=False)
            client.wait("initialized")
            for file, line, condition in breakpoints:
                asked = {"line": line or here} | ({"condition": condition} if condition else {})
                client.ask("setBreakpoints", source={"path": str(file or path)}, breakpoints=[asked])
            client.ask("configurationDone")
            client.response(attached)
            yield client
    finally:
        process.kill()
        process.wait(PATIENCE)


def connected(port, process):
    """A connection to debugpy as soon as it listens."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError:
            assert process.poll() is None, process.returncode
            assert time.monotonic() < until, "debugpy does not listen"
            time.sleep(0.05)


def finish(client):
    """Let the program run to its end."""
    client.ask("continue", threadId=client.thread)
    return client.wait("stopped", "terminated")["event"]


def test_a_breakpoint_in_a_rule_with_a_condition_on_the_node(tmp_path):
    """It is hit at that node alone; g, out and node are there to read, in the list of variables and by asking."""
    line = inspect.getsourcelines(elementwise.tanh_vjp)[1] + 1
    with debugging(HELLO, tmp_path, [(elementwise.__file__, line, "node.t == 3 and node.name == 'C̃'")]) as client:
        frames = client.stopped()
        listed = client.variables(frames[0])
        g, out, t, said = client.value("[g.tolist(), out.tolist(), node.t, repr(node)]", frames[0])
        last = finish(client)
    (visit,) = [v for v in sweep(hello()) if v.node.t == 3 and v.node.name == "C̃"]

    assert [frame["name"] for frame in frames[:4]] == ["tanh_vjp", "tanh_part_vjp", "descend", "backward"]
    assert {"g", "out", "x"} <= listed.keys()
    assert listed["g"].startswith("array([")
    np.testing.assert_array_equal(g, visit.grad)
    np.testing.assert_array_equal(out, visit.node.data)
    assert (t, said) == (3, repr(visit.node))
    assert last == "terminated"


def test_step_into_leads_from_backward_to_the_rule(tmp_path):
    """An IDE counts no calls and returns: fewer steps than in pdb, through the engine alone."""
    with debugging(HELLO, tmp_path, [(None, None, None)]) as client:
        client.stopped()
        way = []
        while not way or not way[-1].endswith("_vjp"):
            way.append(client.step_in()["name"])
            assert len(way) <= 20, way

    assert [*dict.fromkeys(way)] == ["backward", "seed", "descend", "add_vjp"]


def test_breakpoint_on_stops_the_ide_before_the_rule(tmp_path):
    """Python's `breakpoint()` is debugpy's: a step or two lead into the rule."""
    with debugging(HALTING, tmp_path) as client:
        frames = client.stopped()
        t = client.value("node.t", frames[0])
        entered = [client.step_in()["name"] for _ in range(2)]

    assert (frames[0]["name"], t) == ("applied", 3)
    assert "tanh_vjp" in entered

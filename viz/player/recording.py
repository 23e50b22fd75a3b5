"""A record and its sweep as what a page can hold: nodes, visits, what each sent to which, in numbers of four digits."""

from __future__ import annotations

import linecache
from collections import defaultdict
from typing import Any

from tinygrad_seq.backprop import Visit, sweep
from tinygrad_seq.debugger.view import inputs_of, short
from tinygrad_seq.errors import GradientError
from tinygrad_seq.gradflow import magnitude
from tinygrad_seq.graph import Node
from tinygrad_seq.ops.mathematics import rule_of

from ..pictures.labels import visible
from .arrays import digits, said_of
from .stages import Subject

__all__ = ["Recording"]

AROUND = 2  # lines of source before and after the one that made a node
PIECES = 24  # of the steps that a picture passes over: as many events are told of them
FORWARD, BACKWARD = "forward", "backward"
STATES = ("h", "s", "C")


class Recording:
    """What a page tells of a record: `content`, as something that JSON can hold.

    A node is *told* with all its numbers if it is drawn in some picture of the page.  What is passed over is summed
    up: an event for each piece of it.  `place` has the number that each told node has on the page.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        told = [i for i in range(len(subject.nodes)) if self.is_told(i)]
        self.place = {i: k for k, i in enumerate(told)}
        self.index = {id(node): i for i, node in enumerate(subject.nodes)}
        self.rules: dict[Any, int] = {}
        self.sources: dict[tuple[str, int], int] = {}
        self.nodes = [self.node(i) for i in told]
        self.events: dict[str, list[Any]] = {FORWARD: [], BACKWARD: []}
        self.at: dict[str, dict[int, int]] = {FORWARD: {}, BACKWARD: {}}  # node → its event
        self.norms: dict[str, dict[int, float]] = {FORWARD: {}, BACKWARD: {}}
        for i, node in enumerate(subject.nodes):
            self.happen(FORWARD, i, node.data)
        self.walk_back()

    def is_told(self, i: int) -> bool:
        """Whether all of a node is told: it is drawn, or is part of something that is."""
        c = self.subject.column[i]
        return c not in self.subject.gaps if c is not None else not (self.subject.gaps and i in self.subject.merged)

    @property
    def content(self) -> dict[str, Any]:
        """All there is to tell."""
        loss = self.subject.roots[0]
        return {
            "loss": visible(loss.name or "loss"),
            "nodes": self.nodes,
            "events": {way: events for way, events in self.events.items() if events},
            "rules": [self.rule(op) for op in self.rules],
            "sources": [source(*key) for key in self.sources],
            "steps": self.subject.steps,
            "stretches": self.subject.stretches,
            "series": self.series(),
        }

    def node(self, i: int) -> dict[str, Any]:
        """A node: what it is, from what it was made, and its value."""
        node, subject = self.subject.nodes[i], self.subject
        told: dict[str, Any] = {"name": visible(subject.names[i]), "value": said_of(node.data)}
        if subject.column[i] is not None:
            told["column"] = subject.column[i]
        if node.scope:
            told["scope"] = visible(node.scope)
        if node.source:
            told["source"] = self.sources.setdefault((node.filename, node.lineno), len(self.sources))
        if not node.requires_grad:
            told["constant"] = 1
        if node.op is not None:
            told["op"] = self.rules.setdefault(node.op, len(self.rules))
            if node.fixed:
                told["fixed"] = visible(", ".join(f"{key}={short(value)}" for key, value in node.fixed.items()))
            told["inputs"] = [self.place.get(self.index[id(x)], visible(self.name(x))) for x in node.inputs]
            letters = [letter for letter, _ in inputs_of(node)]
            if letters != list(rule_of(node.op).inputs):
                told["letters"] = letters
        return told

    def name(self, node: Node) -> str:
        """What a node is called."""
        return self.subject.names[self.index[id(node)]]

    def rule(self, op: Any) -> dict[str, Any]:
        """The formulas of an op; the code of its derivative where that is more than an expression."""
        rule = rule_of(op)
        told: dict[str, Any] = {"op": visible(op.name), "inputs": rule.inputs, "forward": visible(rule.forward)}
        if rule.vjp:
            return told | {"vjp": [visible(one) for one in rule.vjp]}
        return told | {"code": code(rule.source)}

    def happen(self, way: str, i: int, value: Any) -> None:
        """The turn of node i: an event of its own, or a part of the one for what is passed over."""
        self.norms[way][i] = magnitude(value)
        events = self.events[way]
        if i in self.place:
            events.append(self.place[i])
        else:
            gap = self.subject.gaps.get(c) if (c := self.subject.column[i]) is not None else None
            piece = -1
            if gap is not None and c is not None:
                length = gap.last - gap.first + 1
                piece = (c - gap.first) * min(PIECES, length) // length
            last = events[-1] if events else None
            if not isinstance(last, dict) or (last["gap"], last["piece"]) != (gap.id if gap else "", piece):
                last = {"gap": gap.id if gap else "", "piece": piece, "visits": 0, "columns": [c, c]}
                events.append(last)
            last["visits"] += 1
            if c is not None:
                last["columns"] = [min(last["columns"][0], c), max(last["columns"][1], c)]
        self.at[way][i] = len(events) - 1

    def walk_back(self) -> None:
        """The visits of the sweep: gradients, what was sent, and what it has added up to."""
        count = [0] * len(self.subject.nodes)  # how many send something to each
        for node in self.subject.nodes:
            for x in node.inputs:
                count[self.index[id(x)]] += 1
        totals: dict[int, Any] = {}
        unseen: dict[int, tuple[int, Any]] = defaultdict(lambda: (0, 0.0))  # from what is not told: how many, their sum
        try:
            if len(self.subject.roots) > 1:
                return
            for visit in sweep(self.subject.roots[0]):
                i = self.index[id(visit.node)]
                self.happen(BACKWARD, i, visit.grad)
                self.send(visit, i, count, totals, unseen)
                if i in self.place:
                    told = self.nodes[self.place[i]]
                    told["grad"] = said_of(visit.grad)
                    if i in unseen:
                        several, part = unseen[i]
                        told["unseen"] = {"count": several, "part": said_of(part)}
        except GradientError:  # no scalar, or nothing that requires a gradient: there is only a way forward
            return

    def send(
        self, visit: Visit, i: int, count: list[int], totals: dict[int, Any], unseen: dict[int, tuple[int, Any]]
    ) -> None:
        """What a node sends to each of its inputs, with the total so far where an input gets several."""
        sends: list[Any] = []
        for n, x in enumerate(visit.node.inputs):
            to = self.index[id(x)]
            wanted = to in self.place or i in self.place
            part = visit.contribution(n) if wanted else None
            if part is None:
                sends.append(0)
                continue
            told: dict[str, Any] = {}
            if count[to] > 1 and to in self.place:
                several, total = totals.get(to, (0, 0.0))
                totals[to] = several + 1, total + part
                told = {"of": several + 1, "total": digits(magnitude(totals[to][1]))}
            if i in self.place:
                sends.append({"part": said_of(part), **told})
            elif to in self.place:
                several, total = unseen[to]
                unseen[to] = several + 1, total + part
        if i in self.place and any(sends):
            self.nodes[self.place[i]]["sends"] = sends

    def series(self) -> list[dict[str, Any]]:
        """Each quantity that has a name and a place in time: by column its events, and how large it is."""
        subject = self.subject
        found: dict[tuple[str, str, str], dict[int, int]] = {}
        for i, stem in enumerate(subject.stems):
            c = subject.column[i]
            if stem and c is not None and (subject.nodes[i].t == subject.steps[c]):
                found.setdefault((subject.stretches[c], subject.nodes[i].scope, stem), {})[c] = i
        told = []
        for (stretch, scope, stem), nodes in found.items():
            path = f"{scope}/{stem}" if scope else stem
            label = path if not stretch or scope.split("/")[0] == stretch else f"{stretch}: {path}"
            one: dict[str, Any] = {"name": visible(stem), "path": visible(label), "columns": list(nodes)}
            for way in (FORWARD, BACKWARD):
                at, norms = self.at[way], self.norms[way]
                one[way] = [
                    [at[i], digits(norms[i])] if i in at else 0 for i in nodes.values()
                ]  # 0: the walk does not come there
            told.append(one)
        most = max((len(one["columns"]) for one in told), default=0)
        told.sort(key=lambda one: (len(one["columns"]) < most / 2, rank(one)))
        return together([one for one in told if rank(one) < len(STATES)], subject.stretches) + told


def rank(series: dict[str, Any]) -> int:
    """States, by the letters that they usually have, before all else."""
    return STATES.index(series["name"]) if series["name"] in STATES else len(STATES)


def together(states: list[dict[str, Any]], stretches: list[str]) -> list[dict[str, Any]]:
    """Of several stretches of time the states as one series, such as an encoder's h and its decoder's s; or none."""
    first: dict[str, dict[str, Any]] = {}
    for one in states:
        first.setdefault(stretches[one["columns"][0]], one)
    if len(first) < 2:
        return []
    chosen = sorted(first.values(), key=lambda one: one["columns"][0])
    joined: dict[str, Any] = {key: [x for one in chosen for x in one[key]] for key in ("columns", FORWARD, BACKWARD)}
    name = ", ".join(dict.fromkeys(one["name"] for one in chosen))
    return [{"name": name, "path": ", ".join(one["path"] for one in chosen), **joined}]


def source(filename: str, number: int) -> dict[str, Any]:
    """The lines around one line of a file, from `first`; none where the file is not there."""
    lines = [linecache.getline(filename, n) for n in range(max(1, number - AROUND), number + AROUND + 1)]
    name = visible(filename.replace("\\", "/").rpartition("/")[2])
    return {"file": name, "line": number, "first": max(1, number - AROUND), "lines": dedented([s for s in lines if s])}


def code(text: str) -> list[str]:
    """Lines of code that nothing can hide in."""
    return [visible(line.expandtabs(4).rstrip()) for line in text.splitlines()]


def dedented(lines: list[str]) -> list[str]:
    """Lines without the space that all of them begin with."""
    shown = code("".join(line if line.endswith("\n") else line + "\n" for line in lines))
    margin = min((len(line) - len(line.lstrip()) for line in shown if line), default=0)
    return [line[margin:] for line in shown]

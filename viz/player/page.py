"""The page of a picture: one HTML document with its levels of detail, the record, and a player; it needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

from ..pictures.labels import visible
from ..pictures.svg import to_svg
from .recording import Recording
from .stages import Stage, Subject
from .theme import PageTheme

__all__ = ["player_page"]

NAMES = {"steps": "Steps", "modules": "Modules", "ops": "Ops", "picture": "Picture"}
SCRIPTS = ("parts.js", "stage.js", "details.js", "bars.js", "player.js", "reader.js")
# What a script could do with these in it: end the element it stands in, or, in older readers of JSON, a line.
INERT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def player_page(subject: Subject, stages: Mapping[str, Callable[[], Stage]], level: str, title: str) -> str:
    """The page of a record, an HTML document that opens at one of its levels.

    stages: the picture of each level, from the coarsest to the finest.

    Nothing in it is anything but text to a browser, whatever a node or a token is called: names are escaped, the record
    lies in the page as data, and the page itself allows no script but its own.
    """
    made = {name: stage() for name, stage in stages.items()}
    recording = Recording(subject)
    theme = PageTheme()
    sheets = "".join(
        f'<section class="sheet" data-level="{name}"{"" if name == level else " hidden"} tabindex="0" '
        f'aria-label="Picture: {NAMES[name]}">{drawn(stage, name, theme)}</section>\n'
        for name, stage in made.items()
    )
    content = {**recording.content, "stages": {name: placed(stage, recording) for name, stage in made.items()}}
    style = text_of("player.css") + theme.css
    script = '"use strict";\n(() => {\n' + "\n".join(map(text_of, SCRIPTS)) + "})();\n"
    levels = "".join(
        f'<button type="button" data-level="{name}" aria-pressed="{str(name == level).lower()}">{NAMES[name]}</button>'
        for name in made
    )
    choice = f'<div class="group" role="group" aria-label="Level of detail">{levels}</div>' if len(made) > 1 else ""
    words = {
        "title": escape(visible(title)),
        "dark": ' class="dark"' if made[level].picture.theme.name == "dark" else "",
        "policy": f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; "
        "base-uri 'none'; form-action 'none'",
        "levels": choice,
        "style": style,
        "script": script,
        "sheets": sheets,
        "record": as_json(content),
    }
    page = text_of("player.html")
    return "".join(words.get(part, part) if n % 2 else part for n, part in enumerate(page.split("@@")))


def drawn(stage: Stage, level: str, theme: PageTheme) -> str:
    """A picture in the colours of the page."""
    return to_svg(replace(stage.picture, theme=theme), prefix=level + "-")


def placed(stage: Stage, recording: Recording) -> dict[str, Any]:
    """Where the told nodes stand in a picture.

    boxes: ids.  nodes: of each told node its boxes, by place in `boxes`, and its badge, as -1 - its place in `shared`.
    badges: of each badge, in drawing order, the place of its node in `shared`, or -1.  ends: of each line, in drawing
    order, the boxes that it joins, or -1.
    """
    boxes: dict[str, int] = {}
    shared: dict[int, int] = {}
    badges = [-1 if of is None else shared.setdefault(of, len(shared)) for of in stage.badges]
    nodes = []
    for i in recording.place:
        at = stage.shown.get(i, i)
        places = [boxes.setdefault(box, len(boxes)) for box in stage.boxes.get(i, ())]
        nodes.append([*places, -1 - shared[at]] if at in shared else places)
    ends = [[boxes.get(one, -1), boxes.get(other, -1)] for one, other in stage.ends]
    columns = recording.subject.ids
    return {"boxes": list(boxes), "nodes": nodes, "badges": badges, "ends": ends, "columns": columns}


def as_json(content: Any) -> str:
    """Data as it may stand in a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(INERT)


def digest(text: str) -> str:
    """What a content security policy calls a script, or a style, by its content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def text_of(name: str) -> str:
    """A file of this package."""
    return files(__package__).joinpath(name).read_text("utf-8")

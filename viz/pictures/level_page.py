"""An unrolled picture as one HTML page, with its levels of detail by click: it needs no other file and no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files

from .labels import visible
from .picture import Picture
from .svg import to_svg

NAMES = {"steps": "Steps", "modules": "Modules", "ops": "Ops", "picture": "Picture"}


def level_page(pictures: Mapping[str, Callable[[], Picture]], level: str, title: str) -> str:
    """The page of a record, an HTML document that opens at one of its levels.

    pictures: the picture of each level, from the coarsest to the finest.
    """
    made = {name: picture() for name, picture in pictures.items()}
    theme = made[level].theme
    buttons = "".join(
        f'<button type="button" data-level="{name}" aria-pressed="{str(name == level).lower()}">{NAMES[name]}</button>'
        for name in made
    )
    sheets = "".join(
        f'<section class="sheet" data-level="{name}"{"" if name == level else " hidden"} tabindex="0" '
        f'aria-label="{NAMES[name]}">{to_svg(picture, prefix=name + "-")}</section>\n'
        for name, picture in made.items()
    )
    several = len(made) > 1
    choice = f'<div class="levels" role="group" aria-label="Level of detail">{buttons}</div>\n' if several else ""
    keys = "Click a box to look inside, Escape to come back; 1, 2, 3 are the levels, " if several else ""
    folder = files(__package__)
    return f"""<!DOCTYPE html>
<html lang="en" class="{theme.name}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(visible(title))}</title>
<style>
{folder.joinpath("level_page.css").read_text("utf-8")}</style>
</head>
<body>
<header>
<h1>{escape(visible(title))}</h1>
{choice}<div class="zoom" role="group" aria-label="Size">
<button type="button" data-zoom="0.8" aria-label="Smaller">−</button>
<button type="button" data-zoom="1.25" aria-label="Larger">+</button>
<button type="button" data-zoom="0">Fit</button></div>
<p>{keys}+ and − change the size.</p>
</header>
<main>
{sheets}</main>
<script>
{folder.joinpath("level_page.js").read_text("utf-8")}</script>
</body>
</html>
"""

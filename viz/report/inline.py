"""A picture inside a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

__all__ = ["inline"]

LARGER = 2.0  # than its own size a picture does not become
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def inline(svg: str, said: str, own: str) -> str:
    """An SVG document as part of a page: as wide as there is room, with ids of its own, and described.

    own: what its ids begin with; no other picture of the page may have the same.
    """
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    ids: set[str] = set()
    for element in list(root.iter()):
        for child in list(element):
            if child.tag == f"{{{SVG}}}metadata":
                element.remove(child)
        for name, value in list(element.attrib.items()):
            if name == "id" and value in ids:
                del element.attrib[name]  # Matplotlib gives two pictures of the same pixels one name
            elif name == "id":
                ids.add(value)
                element.set(name, f"{own}-{value}")
            elif name.endswith("href") and value.startswith("#"):
                element.set(name, f"#{own}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{own}-"))
    width = float(re.match(r"[\d.]+|$", root.attrib.get("width", ""))[0] or 800)  # type: ignore[index] # it always matches
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("style", f"--own: {LARGER * width:.0f}px; max-width: var(--own)")
    root.set("role", "img")
    root.set("aria-label", said)
    return ElementTree.tostring(root, encoding="unicode")

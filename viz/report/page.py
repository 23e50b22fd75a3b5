"""The report as one HTML page: it needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from .inline import inline
from .markup import formula, html
from .texts import Texts

__all__ = ["SIGNS", "report_page"]

SIGNS = {"holds": "✓", "partly": "◐", "fails": "✗"}
Pictures = Mapping[str, str]


def report_page(
    chapters: Iterable[Any], pictures: Pictures, texts: Texts, *, command: str, version: str, short: bool = False
) -> str:
    """The page of a tour, an HTML document.

    chapters: of what was measured.  Each has a `name`, under which the texts have a chapter; `values`, the numbers
    and words that these name; `tables`, of rows, each a mapping of values; and `outcomes`, for each claim "holds",
    "partly" or "fails".  pictures: by the names that the texts give them, SVG documents, or the name of a file that
    lies beside the page; what a chapter shows and is not there is left out.
    command: that made it.  version: of the library.  short: whether less was measured than usual, which the page says.
    """
    told = list(chapters)
    title, lead = html(texts["page.title"]), texts.html(texts["page.lead"], {})
    if short:
        lead += f"</p><p>{texts.html(texts['page.short'], {})}"
    contents = "".join(
        f'<li><a href="#{html(one.name)}">{texts.html(texts[f"chapters.{one.name}.title"], one.values)}</a></li>'
        for one in told
    )
    sections = "".join(section(chapter, pictures, texts) for chapter in told)
    end = texts.html(texts["page.made"], {"command": command, "version": version})
    return f"""<!DOCTYPE html>
<html lang="{texts.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{files(__package__).joinpath("page.css").read_text("utf-8")}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="lead">{lead}</p>
<nav aria-label="{html(texts["page.contents"])}"><ol>{contents}</ol></nav>
</header>
{sections}<footer>
<p>{end}</p>
</footer>
</main>
</body>
</html>
"""


def section(chapter: Any, pictures: Pictures, texts: Texts) -> str:
    """A chapter: its title, and its blocks in the order of the text."""
    about = texts[f"chapters.{chapter.name}"]
    title = texts.html(about["title"], chapter.values)
    blocks = "".join(block(one, chapter, pictures, texts) for one in about["blocks"])
    return f'<section id="{html(chapter.name)}">\n<h2>{title}</h2>\n{blocks}</section>\n'


def block(about: Mapping[str, Any], chapter: Any, pictures: Pictures, texts: Texts) -> str:
    """One block of a chapter; nothing where its condition, `if`, is not met, or its picture was not made."""
    values = chapter.values
    if "if" in about and not values.get(about["if"]):
        return ""
    if "heading" in about:
        return f"<h3>{texts.html(about['heading'], values)}</h3>\n"
    if "text" in about:
        return f"<p>{texts.html(about['text'], values)}</p>\n"
    if "equations" in about:
        lines = [formula(line) for line in about["equations"]]
        return f'<div class="equations">{"".join(f"<div>{line}</div>" for line in lines)}</div>\n'
    if "claim" in about:
        return claim(about, chapter, texts)
    if "figure" in about:
        return figure(about, chapter, pictures, texts)
    if "table" in about:
        return table(about, chapter, texts)
    return samples(chapter.tables.get(about["samples"], []), about, texts)


def claim(about: Mapping[str, Any], chapter: Any, texts: Texts) -> str:
    """What the lecture says, and what the measurement says to it."""
    if about["claim"] not in chapter.outcomes:
        return ""
    outcome = chapter.outcomes[about["claim"]]
    values = {**chapter.values, "outcome": outcome}
    said, found = texts.html(about["says"], values), texts.html(about["found"], values)
    return (
        f'<div class="claim {outcome}"><p class="says"><span>{html(texts["words.lecture"])}</span> {said}</p>'
        f'<p class="found"><span>{SIGNS[outcome]} {html(texts[f"outcomes.{outcome}"])}</span> {found}</p></div>\n'
    )


def figure(about: Mapping[str, Any], chapter: Any, pictures: Pictures, texts: Texts) -> str:
    """A picture with its caption, and where it lies as a file."""
    name = about["figure"]
    if name not in pictures:
        return ""
    picture, said = pictures[name], texts.plain(about["said"], chapter.values)
    beside = [("svg", f"{name}.svg"), ("png", f"{name}.png")]
    if picture.lstrip().startswith("<"):
        shown = inline(picture, said, name)
        if about.get("kind", "chart") == "unrolled":
            beside.insert(0, (texts["words.player"], f"{name}.html"))
        else:
            beside.append(("csv", f"{name}.csv"))
    else:
        shown, beside = f'<img src="{html(picture)}" alt="{html(said)}">', [("gif", picture)]
    links = " ".join(f'<a href="{html(path)}">{ending}</a>' for ending, path in beside)
    caption = texts.html(about["caption"], chapter.values)
    return (
        f'<figure class="{about.get("kind", "chart")}"><div class="sheet" tabindex="0">{shown}</div>'
        f'<figcaption>{caption} <span class="files">{links}</span></figcaption></figure>\n'
    )


def table(about: Mapping[str, Any], chapter: Any, texts: Texts) -> str:
    """A table: its columns are pairs of a head and what stands in each row below it."""
    rows = chapter.tables.get(about["table"])
    if not rows:
        return ""
    columns, values = about["columns"], chapter.values
    above = "".join(f'<th colspan="{width}">{texts.html(head, values)}</th>' for head, width in about.get("above", []))
    heads = "".join(f"<th>{texts.html(head, values)}</th>" for head, *_ in columns)
    body = "".join(
        f"<tr>{''.join(cell(column, {**values, **row}, texts) for column in columns)}</tr>\n" for row in rows
    )
    note = f'<p class="note">{texts.html(about["note"], values)}</p>\n' if "note" in about else ""
    return (
        f'<div class="wide" tabindex="0"><table>\n<thead>\n{f"<tr>{above}</tr>" if above else ""}<tr>{heads}</tr>\n'
        f"</thead>\n<tbody>\n{body}</tbody>\n</table></div>\n{note}"
    )


def cell(column: list[str], values: Mapping[str, Any], texts: Texts) -> str:
    """A cell; its column may say what kind it is: "token", "name", or of a token whether it is right by a value."""
    _, content, *kinds = column
    kind = kinds[0] + (" wrong" if len(kinds) > 1 and not values[kinds[1]] else "") if kinds else ""
    opened = f'<td class="{kind}">' if kind else "<td>"
    return f"{opened}{texts.html(content, values)}</td>"


def samples(rows: list[Any], about: Mapping[str, Any], texts: Texts) -> str:
    """Texts that a model wrote, each with how it came about."""
    made = []
    for row in rows:
        how = texts.html(about["how"], row)
        said = f"<b>{html(row['prompt'])}</b>" + "\n".join(map(html, row["text"].split("\n")))
        made.append(f'<blockquote><div class="how">{how}</div><pre>{said}</pre></blockquote>\n')
    return "".join(made)

"""The report in a real browser: no error, every picture loads, and it fits a telephone.

Runs where Chromium or Chrome is installed.
"""

import re
import shutil
import subprocess

import pytest

from tours import drawn, page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--enable-logging=stderr", "--hide-scrollbars",
)  # fmt: skip
PROBE = """<script>
addEventListener("error", event => document.body.dataset.failed = event.message || event.target.src, true);
addEventListener("load", () => {
  const wide = document.documentElement.clientWidth;
  const rooms = [...document.querySelectorAll(".sheet, .wide, .equations")];
  const inside = element => rooms.some(room => room !== element && room.contains(element));
  const over = [...document.querySelectorAll("body *")].filter(
    element => !inside(element) && element.getBoundingClientRect().right > wide + 1);
  const broken = [...document.images].filter(image => !image.complete || !image.naturalWidth);
  const flat = [...document.querySelectorAll("figure svg")].filter(svg => svg.getBoundingClientRect().height < 40);
  Object.assign(document.body.dataset, {
    wide, page: document.documentElement.scrollWidth, over: over.map(element => element.outerHTML.slice(0, 80)),
    broken: broken.length, images: document.images.length, flat: flat.length,
    figures: document.querySelectorAll("figure svg").length,
  });
});
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("tour"),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser of some width makes of the page in a language: what it found out, and what it complained of."""

    def look(language, width):
        folder = tmp_path_factory.mktemp("report")
        for name, content in drawn()[1].items():
            (folder / name).write_bytes(content)
        # A window cannot be as narrow as a telephone: the page lies in a frame that is.
        (folder / "index.html").write_text(page(language).replace("</head>", PROBE + "</head>"), "utf-8")
        (folder / "frame.html").write_text(
            '<!DOCTYPE html><body style="margin:0"><iframe src="index.html" '
            f'style="border:0;width:{width}px;height:900px">'
            "</iframe><script>addEventListener('load', () => { const inner = document.querySelector('iframe')"
            ".contentDocument.body; Object.assign(document.body.dataset, inner.dataset) })</script>", "utf-8",
        )  # fmt: skip
        command = [BROWSER, *OPTIONS, "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
                   "--virtual-time-budget=4000", "--dump-dom", (folder / "frame.html").as_uri()]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        found = dict(re.findall(r'data-(\w+)="([^"]*)"', done.stdout[: done.stdout.index("<iframe")]))
        return found, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return look


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_all(seen, language, width):
    """No error on the console, every picture loads and has room, nothing is wider than the screen."""
    found, complaints = seen(language, width)

    assert complaints == []
    assert "failed" not in found
    assert found["wide"] == str(width)
    assert found["page"] == str(width)
    assert found["over"] == ""
    assert (found["broken"], found["flat"]) == ("0", "0")
    assert found["images"] == "1"
    assert int(found["figures"]) > 20

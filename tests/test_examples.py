"""Every example that a reader meets runs: in docstrings, in README.md, in docs/."""

import doctest
import importlib
import re

import pytest

from house import ROOT, modules

# pytest --doctest-modules would import models/rnn.py a second time, as `models.rnn`: here each is what it installs as.
MODULES = [name for name, path in modules().items() if ">>> " in path.read_text("utf-8")]
BLOCK = re.compile(r"^```(?:python|pycon|py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
    if BLOCK.search(path.read_text("utf-8"))
]


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    """What an example saves goes where it bothers nobody."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    """Each `>>>` in a docstring prints what the next line says."""
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)

    assert attempted > 0, "an example stands where doctest does not see it"
    assert failed == 0, "see the output captured above"


def run_page(text: str, page: str) -> list[str]:
    """Run the ```python blocks of a page one after the other, with prompts or without; what failed, in words."""
    names = {"__name__": page}
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in BLOCK.finditer(text):
        code, line = block[1], text.count("\n", 0, block.start(1))
        if ">>> " in code:
            examples = doctest.DocTestParser().get_doctest(code, names, page, page, line)
            runner.run(examples, out=failures.append, clear_globs=False)
            names.update(examples.globs)
        else:
            exec(compile("\n" * line + code, page, "exec"), names)
    return failures


@pytest.mark.parametrize("page", PAGES)
def test_examples_in_pages_run(page):
    """Who types a page's Python from its top to its end sees what the page says."""
    assert run_page((ROOT / page).read_text("utf-8"), page) == []


def test_a_wrong_example_is_found():
    """An example that prints something else fails, also after a block without prompts; so does one that raises."""
    page = "```python\nx = 1\n```\ntext\n```python\n>>> x + 1\n{}\n```\n"

    assert run_page(page.format(2), "right.md") == []
    assert "line 6, in wrong.md" in "".join(run_page(page.format(3), "wrong.md"))
    with pytest.raises(ZeroDivisionError):
        run_page("```python\n1 / 0\n```\n", "raises.md")

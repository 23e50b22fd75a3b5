"""Every example that a reader meets runs: in docstrings, in README.md, in docs/."""

import doctest
import importlib
import linecache
import re
from pathlib import Path

import pytest

from commands import forget
from house import ROOT, modules

# pytest --doctest-modules would import models/rnn.py a second time, as `models.rnn`: here each is what it installs as.
MODULES = [name for name, path in modules().items() if ">>> " in path.read_text("utf-8")]
BLOCK = re.compile(r"^```(?:python|pycon|py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
    if BLOCK.search(path.read_text("utf-8"))
]


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    """What an example saves goes where it bothers nobody, and can be imported there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    forget(tmp_path)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    """Each `>>>` in a docstring prints what the next line says."""
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)

    assert attempted > 0, "an example stands where doctest does not see it"
    assert failed == 0, "see the output captured above"


def run_page(text: str, page: str) -> list[str]:
    """Run the ```python blocks of a page one after the other, with prompts or without; what failed, in words.

    A block that begins with the name of a file, as in `# my_ops.py`, is written to that file before it runs.
    """
    names = {"__name__": page}
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in BLOCK.finditer(text):
        code, line = block[1], text.count("\n", 0, block.start(1))
        file = FILE.match(code)
        if ">>> " in code:
            examples = doctest.DocTestParser().get_doctest(code, names, page, page, line)
            runner.run(examples, out=failures.append, clear_globs=False)
            names.update(examples.globs)
        elif file is not None:
            Path(file[1]).write_text(code, "utf-8")
            linecache.checkcache(file[1])
            exec(compile(code, file[1], "exec"), names)
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


def test_a_block_with_the_name_of_a_file_is_that_file(tmp_path):
    """What it defines is known by the file's name and lines, also after a later block has written it anew."""
    page = "```python\n# my_own.py\ndef f():\n    return 1\n```\n```python\n>>> f.__code__.co_filename, f()\n{}\n```\n"

    assert run_page(page.format("('my_own.py', 1)"), "one.md") == []
    assert run_page(page.format("('my_own.py', 2)").replace("return 1", "return 2"), "other.md") == []
    assert (tmp_path / "my_own.py").read_text() == "# my_own.py\ndef f():\n    return 2\n"

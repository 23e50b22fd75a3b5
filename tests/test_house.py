"""The rules of the house: who may import whom, what `import tinygrad_seq` costs, what is documented."""

import subprocess
import sys
from pathlib import Path

import pytest

from house import PACKAGES, ROOT, broken_rules, floor_of, modules, undocumented

# From the foundation to the roof. A module imports only from the rows above its own in this table; two in one row do
# not know each other. A folder is one name: "ops" is all of tinygrad_seq/ops/.
LAYERS = [
    ["errors", "hooks", "rng", "source"],
    ["ops"],
    ["graph"],
    ["anomaly"],
    ["backprop"],
    ["record"],
    ["functional"],
    ["data", "numpy_functions"],
    ["tensor"],
    ["value"],
    ["autograd", "nn", "optim", "checkpoint", "trace"],
    ["gradflow"],
    ["debugger"],
    ["tinygrad_seq"],  # __init__.py, the shop window
    ["models", "viz"],
    ["testing"],  # draws what went wrong, and goes over the package's own models
    ["cli", "pytest_plugin"],
    ["__main__"],
]


def test_the_house_keeps_its_rules():
    """Imports point up the table, relative inside a package and absolute across, never in a circle, never hidden."""
    assert broken_rules(LAYERS) == []


def test_the_house_is_not_empty():
    """The rules are held over all three packages."""
    assert {floor_of(name) for name in modules()} >= {"tinygrad_seq", "models", "viz", "errors", "graph", "tensor"}


BAD_HOUSES = {
    "upstairs": (
        {"tinygrad_seq/graph.py": "from .tensor import Tensor"},
        "tinygrad_seq/graph.py:1: graph must not know tensor",
    ),
    "upstairs inside a function": (
        {"tinygrad_seq/graph.py": "def f():\n    from .tensor import Tensor"},
        "tinygrad_seq/graph.py:2: graph must not know tensor",
    ),
    "upstairs for types": (
        {"tinygrad_seq/graph.py": "if TYPE_CHECKING:\n    from .tensor import Tensor"},
        "tinygrad_seq/graph.py:2: graph must not know tensor",
    ),
    "neighbours": (
        {"tinygrad_seq/trace.py": "from . import debugger", "tinygrad_seq/debugger.py": ""},
        "tinygrad_seq/trace.py:1: trace must not know debugger",
    ),
    "a model draws itself": (
        {"models/rnn.py": "from tinygrad_seq.viz import draw", "viz/__init__.py": ""},
        "models/rnn.py:1: models must not know viz",
    ),
    "viz knows a model": (
        {"viz/page.py": "import tinygrad_seq.models.rnn", "models/rnn.py": ""},
        "viz/page.py:1: viz must not know models",
    ),
    "the engine knows a model": (
        {"tinygrad_seq/nn.py": "from tinygrad_seq import models", "models/__init__.py": ""},
        "tinygrad_seq/nn.py:1: nn must not know models",
    ),
    "the shop window from inside": (
        {"tinygrad_seq/nn.py": "from . import Tensor", "tinygrad_seq/__init__.py": "from .tensor import Tensor"},
        "tinygrad_seq/nn.py:1: nn must not know tinygrad_seq",
    ),
    "a circle in one package": (
        {"models/a.py": "from .b import y", "models/b.py": "def f():\n    from . import a"},
        "import circle: tinygrad_seq.models.",
    ),
    "a circle through a package's front": (
        {"viz/__init__.py": "from .chart import plot", "viz/chart.py": "from . import COLOURS"},
        "import circle: tinygrad_seq.viz",
    ),
    "absolute inside a package": (
        {"models/a.py": "", "models/b.py": "from tinygrad_seq.models.a import x"},
        "models/b.py:1: imports tinygrad_seq.models.a of its own package",
    ),
    "relative out of a package": (
        {"viz/page.py": "from ..tensor import Tensor"},
        "viz/page.py:1: a relative import leaves the package",
    ),
    "the folder's name for the package's": (
        {"tinygrad_seq/cli.py": "from models import RNN"},
        "tinygrad_seq/cli.py:1: imports models: its name is tinygrad_seq.models",
    ),
    "an import that hides": (
        {"tinygrad_seq/graph.py": "import importlib\nimportlib.import_module('tinygrad_seq.tensor')"},
        "tinygrad_seq/graph.py:2: write an import as an import statement",
    ),
    "a name that says nothing": (
        {"viz/utils.py": ""},
        "viz/utils.py: a module is named after what it is about",
    ),
    "a module without a layer": (
        {"tinygrad_seq/profiler.py": ""},
        "tinygrad_seq/profiler.py: no layer has 'profiler': add it to LAYERS",
    ),
}


def build(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(("files", "complaint"), BAD_HOUSES.values(), ids=BAD_HOUSES)
def test_a_bad_house_is_told_off(tmp_path, files, complaint):
    """Each broken rule is reported, with file and line."""
    broken = broken_rules(LAYERS, build(tmp_path, {"tinygrad_seq/tensor.py": "", **files}))

    assert [line for line in broken if line.startswith(complaint)]


def test_a_good_house_is_left_alone(tmp_path):
    """What the rules allow is not complained about: types both ways in a package, the roof, neighbours in a folder."""
    files = {
        "tinygrad_seq/__init__.py": "from . import nn\nfrom .tensor import Tensor",
        "tinygrad_seq/nn.py": "import numpy\nfrom .tensor import Tensor",
        "tinygrad_seq/ops/__init__.py": "from .matrix import matmul",
        "tinygrad_seq/ops/matrix.py": "from ..errors import ShapeError\nfrom . import parts",
        "tinygrad_seq/ops/parts.py": "if TYPE_CHECKING:\n    from .matrix import matmul",
        "tinygrad_seq/errors.py": "",
        "tinygrad_seq/tensor.py": "",
        "tinygrad_seq/cli.py": "def main():\n    from tinygrad_seq.models import RNN\n    import tinygrad_seq.viz",
        "models/__init__.py": "from .rnn import RNN",
        "models/rnn.py": "from tinygrad_seq import Tensor, nn\nfrom tinygrad_seq.errors import ShapeError",
        "viz/__init__.py": "",
    }

    assert broken_rules(LAYERS, build(tmp_path, files)) == []


def test_importing_the_engine_loads_numpy_and_nothing_heavier():
    """`import tinygrad_seq` takes NumPy and the standard library; charts, tables and tests wait until asked for."""
    program = (
        "import sys, numpy; before = {*sys.modules}; import tinygrad_seq\n"
        "print(*(name for name, m in sys.modules.items() if name not in before and getattr(m, '__file__', None)))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    others = {name for name in loaded if name.split(".")[0] not in {"numpy", "tinygrad_seq", *sys.stdlib_module_names}}
    assert "tinygrad_seq" in loaded
    assert others | {name for name in loaded if floor_of(name) in {"models", "viz", "cli"}} == set()


@pytest.mark.parametrize("name", modules())
def test_what_is_public_is_documented(name):
    """Every public module, class and function says what it is; an op's functions read as their equation."""
    assert undocumented(modules()[name], mathematics=floor_of(name) == "ops") == []


def test_a_missing_docstring_is_found(tmp_path):
    """Public is what `__all__` lists, or what has no underscore."""
    named = build(tmp_path, {"m/named.py": "__all__ = ['_f']\ndef _f(): pass\ndef g(): pass"}) / "m/named.py"
    bare = build(tmp_path, {"m/bare.py": "'''Doc.'''\ndef _f(): pass\ndef g(): pass\nclass C: pass"}) / "m/bare.py"

    assert undocumented(named) == ["module", "_f"]
    assert undocumented(bare) == ["g", "C"]
    assert undocumented(bare, mathematics=True) == ["C"]


def test_no_file_names_a_place_that_only_one_machine_has():
    """A reader's machine has none of the folders that somebody developed in."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    folders = [f"/{name}/".encode() for name in ("tmp", "root", "work")] + [b"../" + b"shared"]
    files = [ROOT / name for name in listed if name and not name.startswith(".ci/")]

    named = {
        path.relative_to(ROOT).as_posix(): folder.decode()
        for path in files
        if path.is_file() and b"\0" not in (content := path.read_bytes())
        for folder in folders
        if folder in content
    }
    assert len(files) > len(PACKAGES)
    assert named == {}

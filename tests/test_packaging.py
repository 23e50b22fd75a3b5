"""What `pip install` gives: one wheel, with everything in it, and `tinygrad_seq` alone at its top."""

import os
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

import tinygrad_seq
import tinygrad_seq.models
import tinygrad_seq.viz
from house import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: the checkout stays as it is, and nothing old in its build/ gets in."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in PACKAGES.values():
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out, copy]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    return ZipFile(next(out.glob("*.whl")))


@pytest.fixture(scope="module")
def dist_info(wheel):
    """Reads a file of the wheel's metadata."""
    folder = next(name for name in wheel.namelist() if ".dist-info/" in name).split("/")[0]
    return lambda name: wheel.read(f"{folder}/{name}").decode()


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The wheel as pip would lay it out."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def python(program: str, *, cwd: Path, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheel_has_one_top(wheel):
    """Only `tinygrad_seq` goes into site-packages: a package called `models` breaks other people's projects."""
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"tinygrad_seq"}


def test_the_wheel_has_every_file(wheel):
    """Whatever lies in the three folders is in the wheel: no subpackage and no data file is forgotten."""
    expected = {
        (Path(*package.split(".")) / path.relative_to(ROOT / folder)).as_posix()
        for package, folder in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert in_wheel == expected, "compare `packages` and `package-data` in pyproject.toml"


def test_every_package_is_a_package():
    """A folder with modules has an `__init__.py`, and pyproject.toml lists it: an editable install would hide it."""
    folders = {
        ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
        for package, folder in PACKAGES.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    regular = {
        ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
        for package, folder in PACKAGES.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]

    assert regular == folders
    assert sorted(listed) == sorted(folders)


def test_type_checkers_are_told(wheel):
    """`py.typed` at the top covers the packages below it."""
    assert "tinygrad_seq/py.typed" in wheel.namelist()


def test_the_wheel_works_alone(site, tmp_path):
    """Installed away from the checkout, everything imports, from the wheel and nowhere else."""
    program = (
        "import tinygrad_seq, tinygrad_seq.models, tinygrad_seq.viz, tinygrad_seq.cli, sys\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('tinygrad_seq')), sep='\\n')"
    )
    files = python(program, cwd=tmp_path, path=str(site)).splitlines()

    assert len(files) > 4
    assert [name for name in files if not Path(name).is_relative_to(site)] == []


def test_the_command_is_there(dist_info):
    """`tinygrad-seq` starts `tinygrad_seq.cli.main`."""
    scripts = ConfigParser()
    scripts.read_string(dist_info("entry_points.txt"))

    assert dict(scripts["console_scripts"]) == {"tinygrad-seq": "tinygrad_seq.cli:main"}


def test_the_metadata_is_true(dist_info):
    """Version, licence and README are those of the checkout; who only uses the library installs no test tools."""
    metadata = message_from_string(dist_info("METADATA"))
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]

    assert metadata["Version"] == tinygrad_seq.__version__
    assert metadata["License-Expression"] == "MIT"
    assert dist_info("licenses/LICENSE") == (ROOT / "LICENSE").read_text("utf-8")
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()
    assert [line for line in needed if line.startswith(("pytest", "hypothesis", "torch", "ruff", "mypy"))] == []


def test_the_folders_of_a_clone_import_by_their_own_names():
    """In the root of a clone `import models` and `import viz` work too, and do not load a second copy of themselves."""
    loaded = python("import sys, models, viz; print(*sys.modules)", cwd=ROOT).split()

    assert {"models", "viz"} <= set(loaded)
    assert [name for name in loaded if name.startswith(("tinygrad_seq.models", "tinygrad_seq.viz"))] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_suite_tests_this_checkout(package):
    """The install is editable: what is edited is what is tested, under one name."""
    assert Path(sys.modules[package].__file__) == ROOT / PACKAGES[package] / "__init__.py"
    assert not {"models", "viz"} & set(sys.modules)

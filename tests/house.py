"""The source tree, read and not run: who imports whom, and what breaks the house rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = {"tinygrad_seq": "tinygrad_seq", "tinygrad_seq.models": "models", "tinygrad_seq.viz": "viz"}
VAGUE = {"common", "helper", "helpers", "misc", "util", "utils"}


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The file of each module, by the name it is imported by: "tinygrad_seq.models.rnn"."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def package_of(name: str) -> str:
    """Which of the three packages a module is in; "" where in none."""
    return next((package for package in reversed(PACKAGES) if f"{name}.".startswith(f"{package}.")), "")


def floor_of(name: str) -> str:
    """What the table of layers calls a module: "tinygrad_seq.ops.matrix" is on the floor of "ops"."""
    return [*name.split("."), name][1] if "." in name else name


class Import(NamedTuple):
    """`importer` imports `target`, both by their full names, in line `line`."""

    importer: str
    target: str
    line: int
    relative: bool
    types_only: bool  # under `if TYPE_CHECKING:`


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[Import]:
    """What a module imports of the project, also inside functions."""

    def full_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        parts = name.split(".") + ["__init__"] * (path.name == "__init__.py")
        base = ".".join(parts[: -node.level] if node.level else [])
        base = ".".join(part for part in (base, node.module) if part)
        for alias in node.names:
            yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base

    def visit(node: ast.AST, types_only: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            relative = isinstance(node, ast.ImportFrom) and node.level > 0
            for target in full_names(node):
                if relative or target.split(".")[0] in {"tinygrad_seq", "models", "viz"}:
                    yield Import(name, target, node.lineno, relative, types_only)
        checks = isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for child in ast.iter_child_nodes(node):
            yield from visit(child, types_only or (checks and child in node.body))

    return visit(parse(path), types_only=False)


def broken_rules(layers: Sequence[Sequence[str]], root: Path = ROOT) -> list[str]:
    """What in the tree breaks the rules of the house, a line each, beginning with the place.

    layers: names from the foundation to the roof; those in one row must not know each other.
    """
    known = modules(root)
    row = {name: height for height, names in enumerate(layers) for name in names}
    broken = []
    needs: dict[str, set[str]] = {}

    for name, path in known.items():
        place = path.relative_to(root).as_posix()
        if floor_of(name) not in row:
            broken.append(f"{place}: no layer has {floor_of(name)!r}: add it to LAYERS in tests/test_house.py")
        if path.stem in VAGUE or path.parent.name in VAGUE:
            broken.append(f"{place}: a module is named after what it is about, not {path.stem!r}")
        for line in calls_of({"import_module", "__import__"}, path):
            broken.append(f"{place}:{line}: write an import as an import statement, where it can be seen")

        for found in imports(name, path, known):
            here = f"{place}:{found.line}"
            home, theirs = package_of(name), package_of(found.target)
            if found.target.split(".")[0] in {"models", "viz"}:
                broken.append(f"{here}: imports {found.target}: its name is tinygrad_seq.{found.target}")
                continue
            if found.relative and home != theirs:
                broken.append(f"{here}: a relative import leaves the package: write {found.target} in full")
            if not found.relative and home == theirs:
                broken.append(f"{here}: imports {found.target} of its own package: relatively, please")
            lower, higher = row.get(floor_of(found.target), -1), row.get(floor_of(name), len(layers))
            if floor_of(found.target) != floor_of(name) and not lower < higher:
                broken.append(f"{here}: {floor_of(name)} must not know {floor_of(found.target)}, which is not below it")
            if not found.types_only and found.target != name:
                needs.setdefault(name, set()).add(found.target)

    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        broken.append(f"import circle: {' → '.join(reversed(error.args[1]))}")
    return broken


def calls_of(functions: set[str], path: Path) -> list[int]:
    """The lines in which a file calls one of the functions."""
    calls = (node for node in ast.walk(parse(path)) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if ast.unparse(call.func).split(".")[-1] in functions]


def undocumented(path: Path, *, mathematics: bool = False) -> list[str]:
    """The public names of a module that have no docstring; "module" for the module itself.

    Public is what `__all__` lists, or without one what has no underscore.
    mathematics: functions need none, they read as their equation.
    """
    tree = parse(path)
    listed = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed = {element.value for element in ast.walk(node.value) if isinstance(element, ast.Constant)}
    silent = [] if ast.get_docstring(tree) else ["module"]
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        public = node.name in listed if listed is not None else not node.name.startswith("_")
        needs_one = public and not (mathematics and not isinstance(node, ast.ClassDef))
        if needs_one and not ast.get_docstring(node):
            silent.append(node.name)
    return silent

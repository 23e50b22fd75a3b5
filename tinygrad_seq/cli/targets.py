"""What `tinygrad-seq check` is told to check: the object that `module:object` names, or all that a module has."""

from __future__ import annotations

import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click

__all__ = ["NotCheckedError", "loaded", "place_of", "resolved"]

SHOWN = 8  # names that a message lists


class NotCheckedError(click.ClickException):
    """Something cannot be checked as asked: wrong usage."""

    exit_code = 2


def resolved(target: str) -> tuple[ModuleType, Any, str]:
    """The module, the object in it (None where the whole module is meant), and what to call it.

    target: "module:object", "folder/file.py:object", or without an object.  Raises NotCheckedError.
    """
    name, colon, attributes = target.partition(":")
    if len(name) == 1 and attributes[:1] in ("\\", "/"):  # the drive of a path
        rest, colon, attributes = attributes.partition(":")
        name = f"{name}:{rest}"
    if not name or (colon and not attributes):
        raise NotCheckedError(f"{target!r} is not module:object, such as my_ops.py:softsign, or a module alone")
    module = loaded(name)
    if not attributes:
        return module, None, name
    found: Any = module
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            there = [key for key in dir(found) if not key.startswith("_")]
            raise NotCheckedError(
                f"{name} has no {attributes!r}: {guess(attribute, there) or listed(there) or 'it is empty'}"
            ) from None
    return module, found, attributes


def loaded(name: str) -> ModuleType:
    """The module of that name, or of that file; this folder is looked in, too.  Raises NotCheckedError."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        if name.endswith(".py") or "/" in name or os.sep in name:
            return of_file(Path(name))
        if not all(part.isidentifier() for part in name.split(".")):
            raise NotCheckedError(f"{name!r} is no module: write it as in an import, or give a file, my_ops.py")
        module: ModuleType = pkgutil.resolve_name(f"{name}:")
    except (NotCheckedError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise NotCheckedError(why_not(name, error)) from None
        files = [path.stem for path in Path().glob("*.py")]
        hint = f"{name}.py is" if name in files else guess(name, files)
        raise NotCheckedError(
            f"there is no module {name!r}: {hint or 'give one that Python can import from here, or a file, my_ops.py'}"
        ) from None
    except (Exception, SystemExit) as error:
        raise NotCheckedError(why_not(name, error)) from None
    return module


def of_file(path: Path) -> ModuleType:
    """The module in a file, which may import what lies beside it.  Raises NotCheckedError."""
    if not path.is_file():
        beside = [one.as_posix() for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise NotCheckedError(f"there is no file {str(path)!r}: {guess(path.as_posix(), beside) or 'look at the path'}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    there = sys.modules.get(path.stem)
    if there is not None and os.path.realpath(getattr(there, "__file__", "") or "") == os.path.realpath(path):
        return there
    name = path.stem if there is None else f"{path.stem}_to_check"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotCheckedError(f"{str(path)!r} is no Python file: it should end in .py")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise NotCheckedError(why_not(str(path), error)) from None
    return module


# ---- what is said --------------------------------------------------------------------


def why_not(name: str, error: BaseException) -> str:
    """Why a module cannot be imported: what it raised, and at which of its lines."""
    if isinstance(error, SyntaxError):
        line = f"\n    {(error.text or '').strip()}" if error.text else ""
        return f"{name} is not Python ({os.path.basename(error.filename or '?')}:{error.lineno}): {error.msg}{line}"
    return f"{name} cannot be imported: {told(error)}"


def told(error: BaseException) -> str:
    """What was raised, and the user's line that it went through last, with its text."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_users(frame.filename)]
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    if not own:
        return said
    return f"{said} ({os.path.basename(own[-1].filename)}:{own[-1].lineno})\n    {own[-1].line}"


def place_of(error: BaseException) -> str:
    """The user's line that an error went through last, as "my_ops.py:12"; "" where there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    return f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else ""


def is_users(filename: str) -> bool:
    """Whether a file is neither of this package, nor of Python's own, nor of what is installed."""
    if filename.startswith("<"):
        return False
    installed = sysconfig.get_paths()
    others = [os.path.dirname(os.path.dirname(__file__)), *(installed[key] for key in ("stdlib", "purelib", "platlib"))]
    return not os.path.realpath(filename).startswith(tuple(os.path.realpath(folder) + os.sep for folder in others))


def guess(name: str, known: Iterable[str]) -> str:
    """Which of the known names was probably meant; "" where none is like it."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def listed(names: list[str]) -> str:
    """What there is, at most so many names that one reads them."""
    return f"there is {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}" if names else ""

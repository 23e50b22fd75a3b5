"""`debug`: step through the backprop of a loss, at a prompt or on the whole screen."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec

from ..errors import DataError
from ..graph import Node
from .prompt import Prompt
from .session import Session

__all__ = ["debug", "full_screen"]


def debug(
    loss: Node, *, forward: bool = False, gradient: object = None, commands: Iterable[str] | None = None,
    tui: bool = False,
) -> Session:  # fmt: skip
    """Step through backprop of a loss at a prompt; gives the session back, as it was left.

    forward: go through the computation instead.  gradient: to begin with where the loss is no scalar.  commands: lines
    to be done instead of what is typed.  tui: on the whole screen of a terminal instead, see `full_screen`.
    """
    if tui and commands is not None:
        raise DataError("debug takes commands at the prompt, not on the whole screen: leave out commands, or tui=True")
    session = Session(loss, forward=forward, gradient=gradient)
    if tui:
        full_screen(session)
    else:
        Prompt(session).go(commands)
    return session


def full_screen(session: Session) -> None:
    """Show a session on the whole screen, until its user quits.

    Raises DataError where textual is not installed, or where there is no terminal.
    """
    if find_spec("textual") is None:
        raise DataError("the full-screen debugger takes the package textual: pip install 'tinygrad-seq[tui]'")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise DataError("the full-screen debugger needs a terminal, and input or output is none: use the prompt")
    from .screen import FullScreen  # here, since textual takes longer to load than all the debugger, and is an extra

    FullScreen(session).run()

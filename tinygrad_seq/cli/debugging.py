"""`tinygrad-seq debug`: step through the backprop of a model at a prompt."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..debugger import Prompt, Session, full_screen
from ..debugger.view import name_of
from ..graph import Graph, Node
from .asking import chosen_run, record_asked_for, record_options

__all__ = ["debug_command", "node_called"]


@click.command("debug")
@record_options
@click.option("--of", "name", metavar="NAME", help="Begin with this node, such as L_4, in place of the whole loss.")
@click.option("--forward", is_flag=True, help="Go through the computation, not through backprop.")
@click.option("--commands", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Commands to do, a line each; then the program ends.")  # fmt: skip
@click.option("--tui", is_flag=True, help="On the whole screen: source, graph, arrays, bars over time.")
def debug_command(
    folder: str | None, name: str | None, forward: bool, commands: str | None, tui: bool, **given: Any
) -> None:
    """Step through backprop, node by node, at a prompt like pdb's.

    \b
    tinygrad-seq debug --model lstm --text HELLO
    (backprop) break C norm<1e-2       stop where the gradient along C falls under a hundredth
    (backprop) continue
    (backprop) back 2                  nothing is computed again: it is looked at again
    (backprop) explain h_3             who sent what

    help lists the commands, `help break` what one can stop at.  Commands may also come through a pipe.
    """
    if tui and commands is not None:
        raise click.UsageError("--commands is for the prompt: leave out --tui, or type them there after a colon")
    asked = {name: x for name, x in given.items() if x not in (None, False)}
    with threadpool_limits(1):
        recorded = record_asked_for(asked, chosen_run(folder, asked))
        start = recorded.loss if name is None else node_called(recorded.loss, name)
        session = Session(start, forward=forward)
        if tui:
            full_screen(session)
            return
        prompt = Prompt(session)
        if commands is not None:
            prompt.go(Path(commands).read_text("utf-8").splitlines())
        else:
            prompt.go(None if sys.stdin.isatty() else sys.stdin)


def node_called(loss: Node, name: str) -> Node:
    """The newest node of a record that has a name, with its step where it has one.  Raises UsageError for none."""
    named = {name_of(node): node for node in Graph(loss) if node.name and node.requires_grad}
    if name not in named:
        near = get_close_matches(name, named, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(list(named)[-12:])}"
        raise click.UsageError(f"--of {name!r} is not in the record: {hint}")
    return named[name]

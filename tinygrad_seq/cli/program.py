"""The program: its commands, what its exit codes mean, and that no failure shows a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from .. import __version__
from ..errors import TinygradSeqError
from .catalogue import tasks_command
from .checking import check_command
from .debugging import debug_command
from .drawing import draw_command
from .flow import flow_command
from .generation import generate_command
from .tour import tour_command
from .training import train_command
from .translation import translate_command

__all__ = ["main"]


class Commands(click.Group):
    """A group of commands that says which of them was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names.  Raises UsageError."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near:
                raise
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {near[0]!r}?", ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tinygrad-seq")
def commands() -> None:
    """See how sequence models learn, and how their gradients flow through time.

    \b
    tinygrad-seq tour                                see gradients go through time
    tinygrad-seq flow --untrained                    and how far they come
    tinygrad-seq draw --model lstm --text HELLO      see what a model computes
    tinygrad-seq debug --model lstm --text HELLO     step back through it
    tinygrad-seq check my_ops.py                     see if gradients are right
    tinygrad-seq tasks                               see what there is to learn
    tinygrad-seq train dates --attention additive    train a model
    tinygrad-seq translate "21 octobre 2045"         use it
    """


for command in (
    tour_command, flow_command, draw_command, debug_command, check_command, tasks_command, train_command,
    generate_command, translate_command,
):  # fmt: skip
    commands.add_command(command)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ‖ shows ?
    try:
        code = commands.main(args, prog_name="tinygrad-seq", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ or error  # click raises its Abort from the interrupt
        if not cause.args:  # else it is said already, with how to go on
            click.echo("Interrupted", err=True)
        code = 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (TinygradSeqError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        code = 1
    sys.exit(code)

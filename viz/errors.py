"""The errors of drawing. Each says what was expected, what was given, and what to do."""

from __future__ import annotations

from tinygrad_seq.errors import TinygradSeqError


class GraphvizMissingError(TinygradSeqError, RuntimeError):
    """No Graphviz program that can do what was asked for."""


class GraphvizFailedError(TinygradSeqError, RuntimeError):
    """The Graphviz program was found, and gave no answer."""


class NoTimeStepsError(TinygradSeqError, ValueError):
    """A record outside of time cannot be unrolled."""


class NoTimeStepsWarning(UserWarning):
    """A record outside of time is drawn as a graph of ops instead."""


class MissingFontWarning(UserWarning):
    """No font of this machine has the letters of a script, such as Hangul; said once for each script."""


class UnknownFormatError(TinygradSeqError, ValueError):
    """A file name with an ending that no writer knows."""


class PictureTooLargeError(TinygradSeqError, ValueError):
    """More nodes or pixels than can be read or held."""


class SaveError(TinygradSeqError, OSError):
    """The folder or file cannot be written."""

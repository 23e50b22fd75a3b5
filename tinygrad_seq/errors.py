"""The errors of the engine. Each is also the built-in kind that a NumPy user would catch."""

__all__ = [
    "AnomalyError",
    "CheckpointError",
    "DataError",
    "DtypeError",
    "GradientError",
    "NoDerivativeError",
    "NonFiniteError",
    "ReadOnlyError",
    "SequenceError",
    "ShapeError",
    "StaleGraphError",
    "SweepError",
    "TinygradSeqError",
    "UnknownNameError",
    "UnknownTokenError",
    "VjpError",
]


class TinygradSeqError(Exception):
    """Anything that this library raises on purpose."""


class ShapeError(TinygradSeqError, ValueError):
    """Shapes that do not fit together."""


class DataError(TinygradSeqError, ValueError):
    """Data that no tensor can be made of, or a value outside its range."""


class DtypeError(TinygradSeqError, TypeError):
    """A dtype that the operation has no meaning for."""


class ReadOnlyError(TinygradSeqError, TypeError):
    """An attempt to change what the record holds."""


class NoDerivativeError(TinygradSeqError, TypeError):
    """A function that has no derivative here was asked to pass a gradient."""


class GradientError(TinygradSeqError, RuntimeError):
    """A backward pass that cannot be done as asked."""


class StaleGraphError(GradientError):
    """The data of a leaf was replaced after the graph was made from it."""


class VjpError(GradientError):
    """A derivative rule gave back something that cannot be a gradient of its inputs."""


class AnomalyError(TinygradSeqError, ArithmeticError):
    """`detect_anomaly` met a NaN or an infinity."""


class NonFiniteError(GradientError):
    """A NaN or infinite gradient reached something that must not take it."""


class SequenceError(TinygradSeqError, ValueError):
    """A sequence that cannot be stepped through, such as an empty one."""


class SweepError(TinygradSeqError, RuntimeError):
    """Many runs, of which some failed, or could not be made where they were to be made."""


class CheckpointError(TinygradSeqError, ValueError):
    """A file of weights, or a checkpoint, that cannot be read or does not fit."""


class UnknownTokenError(TinygradSeqError, KeyError):
    """A token that the vocabulary does not have."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return self.args[0] if self.args else ""


class UnknownNameError(TinygradSeqError, KeyError):
    """A name that is not in the record, or not there alone."""

    __str__ = UnknownTokenError.__str__

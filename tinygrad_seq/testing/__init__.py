"""Property tests of gradients that say where they are wrong: the op, its input, the place, and the line of its rule.

    check_op(softsign)                                  # one op and its rule, alone
    gradcheck(model, [x, W])                            # a function: its rules, one by one, if the whole is wrong
    check_module(layer, x); check_recurrent(cell)       # and what layers and cells promise besides

and the strategies that they are fed from: arrays, sequences, ragged batches, whole random programs.
"""

try:
    import hypothesis as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'tinygrad_seq.testing needs hypothesis, which is not installed: pip install "tinygrad-seq[testing]"',
        name=error.name,
    ) from None

from .faults import Fault
from .functions.gradients import gradcheck
from .layers.modules import check_module
from .layers.recurrence import check_recurrent
from .program.drawing import Program, programs
from .properties import gradient_property
from .reports import GradientCheckError, Report
from .rules.single import check_op
from .strategies import (
    Case,
    arrays,
    broadcastable_shapes,
    of,
    ragged_batches,
    recurrent_params,
    shapes,
    tensors,
    token_sequences,
    values,
    vocabularies,
)

__all__ = [
    "Case",
    "Fault",
    "GradientCheckError",
    "Program",
    "Report",
    "arrays",
    "broadcastable_shapes",
    "check_module",
    "check_op",
    "check_recurrent",
    "gradcheck",
    "gradient_property",
    "of",
    "programs",
    "ragged_batches",
    "recurrent_params",
    "shapes",
    "tensors",
    "token_sequences",
    "values",
    "vocabularies",
]

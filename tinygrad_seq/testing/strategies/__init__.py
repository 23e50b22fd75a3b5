"""What hypothesis draws examples from: numbers, shapes, arrays, tensors, texts, batches, and calls of a function.

Everything shrinks to what is simple: few axes, zeros, the C order, one token.  `find` shows to what:

>>> from hypothesis import find
>>> from tinygrad_seq.testing.strategies import arrays, broadcastable_shapes, tensors
>>> find(broadcastable_shapes(2), lambda shapes: shapes[0] != shapes[1])
((1,), ())
>>> find(arrays((2, 2)), lambda x: x[0, 1] != 0)
array([[0., 1.],
       [0., 0.]])
>>> find(tensors(name="x"), lambda x: x.ndim == 1 and x.size > 0)
Tensor([0.], name='x', requires_grad=True)
"""

from .cases import Case, of
from .data import LAYOUTS, arrays, laid_out, leaf, tensors, values
from .dimensions import (
    ANY,
    FULL,
    LONG,
    SOLID,
    VECTOR,
    Shape,
    booleans,
    broadcastable_shapes,
    indices,
    masks,
    one_axis,
    shapes,
    some_axes,
)
from .elements import (
    AWAY,
    DISTINCT,
    DTYPES,
    LEFT,
    POSITIVE,
    REAL,
    RIGHT,
    UNIT,
    Distinct,
    Elements,
    numbers,
    quarters,
    special_values,
)
from .sequences import (
    CHARACTERS,
    ROLES,
    WORDS,
    RaggedBatch,
    ragged_batches,
    recurrent_params,
    texts,
    token_sequences,
    vocabularies,
)

__all__ = [
    "ANY",
    "AWAY",
    "CHARACTERS",
    "DISTINCT",
    "DTYPES",
    "FULL",
    "LAYOUTS",
    "LEFT",
    "LONG",
    "POSITIVE",
    "REAL",
    "RIGHT",
    "ROLES",
    "SOLID",
    "UNIT",
    "VECTOR",
    "WORDS",
    "Case",
    "Distinct",
    "Elements",
    "RaggedBatch",
    "Shape",
    "arrays",
    "booleans",
    "broadcastable_shapes",
    "indices",
    "laid_out",
    "leaf",
    "masks",
    "numbers",
    "of",
    "one_axis",
    "quarters",
    "ragged_batches",
    "recurrent_params",
    "shapes",
    "some_axes",
    "special_values",
    "tensors",
    "texts",
    "token_sequences",
    "values",
    "vocabularies",
]

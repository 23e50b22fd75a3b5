"""Pictures of records: the unrolled graph, the op graph, and charts of gradient over time.

Each reads a record that any model left, and changes nothing in it.
"""

from .attention_map import plot_attention
from .charts import plot_gradient_flow, plot_parts
from .drawing import Drawing
from .errors import (
    GraphvizFailedError,
    GraphvizMissingError,
    NoTimeStepsError,
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
)
from .history import plot_history
from .op_graph import draw_dot, draw_graph
from .unrolled import draw_unrolled

__all__ = [
    "Drawing",
    "GraphvizFailedError",
    "GraphvizMissingError",
    "NoTimeStepsError",
    "PictureTooLargeError",
    "SaveError",
    "UnknownFormatError",
    "draw_dot",
    "draw_graph",
    "draw_unrolled",
    "plot_attention",
    "plot_gradient_flow",
    "plot_history",
    "plot_parts",
]

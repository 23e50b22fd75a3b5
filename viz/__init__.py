"""Pictures of records: the unrolled graph, the op graph, and charts of gradient over time.

Each reads a record that any model left, and changes nothing in it.
"""

from .charts.attention_map import plot_attention
from .charts.attention_maps import plot_attention_heads, plot_attention_over_training
from .charts.attention_table import save_attention_csv
from .charts.chart_file import save_chart
from .charts.gates import plot_gates
from .charts.gradient import plot_gradient_flow, plot_parts
from .charts.histograms import plot_histograms
from .charts.history import plot_history
from .errors import (
    GraphvizFailedError,
    GraphvizMissingError,
    NoTimeStepsError,
    NoTimeStepsWarning,
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
)
from .folding.fold import fold
from .folding.loops import Folded, Loop
from .op_graph.draw import draw_graph
from .op_graph.micrograd import draw_dot
from .pictures.drawing import Drawing
from .unrolled.draw import draw_unrolled

__all__ = [
    "Drawing",
    "Folded",
    "GraphvizFailedError",
    "GraphvizMissingError",
    "Loop",
    "NoTimeStepsError",
    "NoTimeStepsWarning",
    "PictureTooLargeError",
    "SaveError",
    "UnknownFormatError",
    "draw_dot",
    "draw_graph",
    "draw_unrolled",
    "fold",
    "plot_attention",
    "plot_attention_heads",
    "plot_attention_over_training",
    "plot_gates",
    "plot_gradient_flow",
    "plot_histograms",
    "plot_history",
    "plot_parts",
    "save_attention_csv",
    "save_chart",
]

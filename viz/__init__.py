"""Pictures of records: the unrolled graph, the op graph, and charts of gradient over time.

Each reads a record that any model left, and changes nothing in it.
"""

from .attention_map import plot_attention
from .attention_maps import plot_attention_heads, plot_attention_over_training
from .attention_table import save_attention_csv
from .chart_file import save_chart
from .charts import plot_gradient_flow, plot_parts
from .drawing import Drawing
from .errors import (
    GraphvizFailedError,
    GraphvizMissingError,
    NoTimeStepsError,
    NoTimeStepsWarning,
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
)
from .folding import fold
from .gates import plot_gates
from .histograms import plot_histograms
from .history import plot_history
from .loops import Folded, Loop
from .micrograd import draw_dot
from .op_graph import draw_graph
from .unrolled import draw_unrolled

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

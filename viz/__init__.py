"""Pictures of records: the unrolled graph, the op graph, and charts of gradient over time.

Each reads a record that any model left, and changes nothing in it.
"""

from .charts.animation import animate_gradient_flow
from .charts.attention_map import plot_attention
from .charts.attention_maps import plot_attention_heads, plot_attention_over_training
from .charts.attention_table import save_attention_csv
from .charts.chart import Chart
from .charts.chart_file import save_chart
from .charts.complexity import plot_complexity
from .charts.distance import plot_distance
from .charts.gates import plot_gates
from .charts.gradient import plot_gradient_flow
from .charts.histograms import plot_histograms
from .charts.history import plot_history
from .charts.influence import plot_influence
from .charts.memory import plot_memory
from .charts.parts import plot_parts
from .charts.saturation import plot_saturation
from .charts.singular import plot_singular_values
from .errors import (
    GraphvizFailedError,
    GraphvizMissingError,
    MissingFontWarning,
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
    "Chart",
    "Drawing",
    "Folded",
    "GraphvizFailedError",
    "GraphvizMissingError",
    "Loop",
    "MissingFontWarning",
    "NoTimeStepsError",
    "NoTimeStepsWarning",
    "PictureTooLargeError",
    "SaveError",
    "UnknownFormatError",
    "animate_gradient_flow",
    "draw_dot",
    "draw_graph",
    "draw_unrolled",
    "fold",
    "plot_attention",
    "plot_attention_heads",
    "plot_attention_over_training",
    "plot_complexity",
    "plot_distance",
    "plot_gates",
    "plot_gradient_flow",
    "plot_histograms",
    "plot_history",
    "plot_influence",
    "plot_memory",
    "plot_parts",
    "plot_saturation",
    "plot_singular_values",
    "save_attention_csv",
    "save_chart",
]

"""Weights of attention to draw, with their tokens; and what a drawn map shows."""

import numpy as np
from hypothesis import strategies as st
from matplotlib.collections import PolyCollection

WEIGHTS = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
SHARE = st.floats(0, 1) | st.just(0.0)
TOKEN = (
    st.text(max_size=6) | st.integers() | st.sampled_from(["a,b", '"', "\r\n", "한국어", "=1+1", "@x", "+", "-", " "])
)


@st.composite
def maps(draw, weight=SHARE, count=None):
    """Weights, source tokens and target tokens that fit."""
    source, target = draw(st.lists(TOKEN, min_size=1, max_size=5)), draw(st.lists(TOKEN, min_size=1, max_size=5))
    shape = (*(() if count is None else (draw(count),)), len(target), len(source))
    numbers = draw(st.lists(weight, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.reshape(np.array(numbers, float), shape), source, target


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def hatched(ax):
    """The cells (row, column) that are grey and hatched."""
    boxes = [path.get_extents() for c in ax.collections if isinstance(c, PolyCollection) for path in c.get_paths()]
    return {(round(b.y0 + 0.5), n) for b in boxes for n in range(round(b.x0 + 0.5), round(b.x1 + 0.5))}


def maps_of(figure):
    return [ax for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]

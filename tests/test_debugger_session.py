"""A scripted session over the LSTM of the lecture: PyTorch's numbers, and the pages in docs/sessions."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from house import ROOT
from tinygrad_seq.debugger import Session
from tinygrad_seq.models import LSTM, ManyToMany

DATA = Path(__file__).parent / "data" / "debugger.npz"
PAGES = runpy.run_path(str(ROOT / "docs" / "sessions"), run_name="sessions")


def of_the_last_letter():
    """The session, and what PyTorch's hooks saw for the same weights."""
    numbers = np.load(DATA)
    model = ManyToMany(LSTM(4, 16), 4)
    prefix = "param/"
    model.load_state_dict({k.removeprefix(prefix): numbers[k] for k in numbers.files if k.startswith(prefix)})
    losses = model.losses(np.array([0, 1, 2, 2]), np.array([1, 2, 2, 3]))
    return Session(losses[-1]), numbers


def test_it_breaks_where_the_gradient_falls_goes_back_and_shows_the_numbers_of_pytorch():
    """Where ‖∂L_4/∂h_t‖ falls under a threshold, two visits back, and at every h and C: the numbers of hooks."""
    session, numbers = of_the_last_letter()
    session.break_("h norm<0.04")
    stop = session.run()

    assert (stop.reason, stop.moment.node.t) == ("breakpoint", 2)
    np.testing.assert_allclose(stop.moment.grad, numbers["h"][1], rtol=1e-12)
    here = stop.moment.number
    assert session.back(2).moment.number == here - 2
    assert session.step(2).moment is stop.moment
    session.delete(1)
    session.restart()
    seen = 0
    while session.step().reason != "end":
        node = session.now.node
        if node.name in ("h", "C") and node.t is not None:
            np.testing.assert_allclose(session.now.grad, numbers[node.name][node.t - 1], rtol=1e-11, atol=1e-18)
            seen += 1
    assert seen == 8


@pytest.mark.parametrize("name", PAGES["PAGES"])
def test_a_page_of_a_session_is_what_the_debugger_says(name):
    """docs/sessions is generated: `python docs/sessions` after a change that is wanted."""
    kept = (ROOT / "docs" / "sessions" / f"{name}.md").read_text("utf-8")

    assert PAGES["page"](name) == kept
    assert "***" not in kept

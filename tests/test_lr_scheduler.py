"""tinygrad_seq.optim.lr_scheduler: the curves are PyTorch's and their formulas', and a schedule can be stopped."""

import json
from math import cos, nan, pi
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Parameter, optim
from tinygrad_seq.errors import DataError
from tinygrad_seq.optim import lr_scheduler

DATA = Path(__file__).parent / "data"
MORE = {name: array for name, array in np.load(DATA / "optim_more.npz").items() if name.startswith("[")}


def rates(make, steps, lr=0.1):
    """(learning rate, momentum) of every step under a schedule."""
    optimiser = optim.SGD([Parameter([0.0])], lr=lr, momentum=0.9)
    schedule = make(optimiser)
    found = []
    for _ in range(steps):
        found.append((optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["momentum"]))
        optimiser.step()
        schedule.step()
    return np.array(found)


# ---- PyTorch's numbers ----------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in MORE if json.loads(case)[0].endswith(("LR", "Restarts"))])
def test_schedules_follow_pytorch(case):
    """The learning rate (and momentum) of 29 steps, to 1e-15."""
    name, settings = json.loads(case)

    found = rates(lambda optimiser: getattr(optim.lr_scheduler, name)(optimiser, **settings), 29)

    np.testing.assert_allclose(found, MORE[case], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("case", "make"),
    [
        ("sched_step", lambda o: optim.lr_scheduler.StepLR(o, 5, 0.3)),
        ("sched_cosine", lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=1e-4)),
        (
            "sched_warmup_lambda",
            lambda o: optim.lr_scheduler.LambdaLR(o, lambda t: min((t + 1) ** -0.5, (t + 1) * 10**-1.5)),
        ),
    ],
)
def test_schedules_give_the_reference_curves(case, make):
    """Steps, a cosine, and the Transformer's warm-up as a function: 25 steps to 1e-12."""
    np.testing.assert_allclose(rates(make, 25)[:, 0], np.load(DATA / f"{case}.npz")["out/lr"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in MORE if "Plateau" in case])
def test_a_plateau_reduces_the_rate_as_in_pytorch(case):
    """40 measures, three ways of telling what is better."""
    optimiser = optim.SGD([Parameter([0.0])], lr=0.1)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimiser, **json.loads(case)[1])
    found = []
    for measure in np.load(DATA / "optim_more.npz")["measures"]:
        schedule.step(measure)
        found.append(optimiser.param_groups[0]["lr"])

    assert found == MORE[case].tolist()


# ---- formulas, and stopping in between --------------------------------------------------

SCHEDULES = {
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (t + 1)),
    "step": lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5),
    "multistep": lambda o: lr_scheduler.MultiStepLR(o, [0, 2, 7], gamma=0.5),
    "constant": lambda o: lr_scheduler.ConstantLR(o, 0.25, 6),
    "linear": lambda o: lr_scheduler.LinearLR(o, 0.1, 0.7, 8),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 7, eta_min=0.01),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.5, 25),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.2, 1.0, 4), lr_scheduler.CosineAnnealingLR(o, 10)], [4]
    ),
}
FORMULAS = {
    "lambda": lambda t: 1 / (t + 1),
    "step": lambda t: 0.5 ** (t // 3),
    "multistep": lambda t: 0.5 ** sum(t >= m for m in (0, 2, 7)),
    "constant": lambda t: 0.25 if t < 6 else 1,
    "linear": lambda t: 0.1 + 0.6 * min(t, 8) / 8,
    "exponential": lambda t: 0.9**t,
    "cosine": lambda t: 0.1 + 0.9 * (1 + cos(pi * t / 7)) / 2,
    "sequence": lambda t: 0.2 + 0.8 * t / 4 if t < 4 else (1 + cos(pi * (t - 4) / 10)) / 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_follows_its_formula(name):
    """What is computed from the rate before is what the docstring says of t, over 24 steps."""
    found = rates(SCHEDULES[name], 24)[:, 0]

    np.testing.assert_allclose(found, [0.1 * FORMULAS[name](t) for t in range(24)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_schedule_goes_on_as_if_never_stopped(name):
    """Optimiser and schedule saved after 9 steps, as JSON, and loaded into new ones, give the next 12 of 21 rates."""

    def go(optimiser, schedule, steps):
        for _ in range(steps):
            optimiser.step()
            schedule.step()
            yield schedule.get_last_lr(), optimiser.param_groups[0]["betas"]

    def build(lr):
        optimiser = optim.Adam([Parameter([0.0])], lr)
        return optimiser, SCHEDULES[name](optimiser)

    expected = list(go(*build(0.1), 21))[9:]
    stopped = build(0.1)
    list(go(*stopped, 9))
    saved = json.loads(json.dumps([x.state_dict() for x in stopped]))
    resumed = build(0.3)
    for x, state in zip(resumed, saved):
        x.load_state_dict(state)

    assert list(go(*resumed, 12)) == expected


@given(st.floats(0.01, 1), st.integers(1, 300), st.floats(1e-6, 10))
def test_a_linear_schedule_to_zero_ends_there(start, total, lr):
    """Rounding on the way takes no rate below 0, which the optimiser would refuse."""
    found = rates(lambda o: lr_scheduler.LinearLR(o, start, 0.0, total), total + 3, lr)[:, 0]

    assert (found >= 0).all()
    np.testing.assert_allclose(found[-3:], 0, atol=1e-12 * lr)


def test_schedules_work_one_after_the_other_on_one_optimiser():
    """Two schedules on one optimiser multiply what they do, as in PyTorch."""
    optimiser = optim.SGD([Parameter([0.0])], lr=1.0)
    both = [lr_scheduler.StepLR(optimiser, 2, 0.5), lr_scheduler.ExponentialLR(optimiser, 0.9)]
    for _ in range(7):
        optimiser.step()
        for schedule in both:
            schedule.step()

    assert np.isclose(optimiser.param_groups[0]["lr"], 0.5**3 * 0.9**7)


@given(st.integers(1, 40), st.floats(0, 1), st.booleans(), st.sampled_from(["cos", "linear"]))
def test_one_cycle_goes_up_to_its_peak_and_down(total, part, three_phase, how):
    """Whatever the share of the rise, also none or all: every rate lies between the lowest and the highest."""
    found = rates(
        lambda o: lr_scheduler.OneCycleLR(
            o, 0.5, total, pct_start=part, three_phase=three_phase and part <= 0.5, anneal_strategy=how
        ),
        total,
    )

    assert ((found[:, 0] >= 0.5 / 25e4 - 1e-15) & (found[:, 0] <= 0.5 + 1e-15)).all()
    assert ((found[:, 1] >= 0.85 - 1e-15) & (found[:, 1] <= 0.95 + 1e-15)).all()


def test_groups_keep_their_rates_apart():
    """A schedule works on the rate of each group; a list of functions is one for each."""
    optimiser = optim.SGD([{"params": [Parameter([0.0])], "lr": 1.0}, {"params": [Parameter([0.0])]}], lr=0.1)
    schedule = lr_scheduler.LambdaLR(optimiser, [lambda t: 1.0, lambda t: 0.5**t])
    for _ in range(2):
        optimiser.step()
        schedule.step()

    assert schedule.get_last_lr() == [group["lr"] for group in optimiser.param_groups] == [1.0, 0.025]


def test_a_schedule_that_goes_first_says_so():
    """Stepping the schedule before the optimiser would lose the first rate: a warning says what to do."""
    schedule = lr_scheduler.StepLR(optim.SGD([Parameter([0.0])]), 2)

    with pytest.warns(UserWarning, match=r"call optimizer.step\(\) first"):
        schedule.step()


def test_a_rate_that_a_schedule_spoils_stops_the_step():
    """A rate that is NaN or negative, set by a schedule or by hand, is refused before anything moves."""
    w = Parameter([1.0])
    w.grad = [1.0]
    optimiser = optim.SGD([w], lr=0.1)
    schedule = lr_scheduler.LambdaLR(optimiser, lambda t: nan if t else 1.0)
    optimiser.step()
    schedule.step()

    with pytest.raises(DataError, match=r"lr must be .*got nan"):
        optimiser.step()
    optimiser.param_groups[0]["lr"] = -1.0
    with pytest.raises(DataError, match=r"lr must be .*got -1\.0"):
        optimiser.step()
    assert w.data.tolist() == [0.9]

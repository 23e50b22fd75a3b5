"""tinygrad_seq.gradflow.trend: the verdict on a series over time, and the numbers it stands on."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq import Parameter, Tensor, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.gradflow import Decay, Series, per_step, verdict

KINDS = {"vanishing", "exploding", "steady", "uneven", "cut", "zero", "not finite", "too short"}
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


def back(factor, T):
    """Norms of t = 1 … T that one step back multiplies by the factor."""
    return factor ** np.arange(T - 1, -1, -1.0)


# ---- the fit ---------------------------------------------------------------------------


@given(st.floats(0.05, 20), st.integers(3, 60), st.floats(1e-6, 1e6))
def test_an_exponential_gives_its_own_factor(factor, T, scale):
    """Norms that fall by one factor have that factor, its half-life, and all of their variance on the line."""
    decay = verdict(scale * back(factor, T)).decay

    assert decay.factor == pytest.approx(factor, rel=1e-9)
    assert decay.r2 == pytest.approx(1)
    assert (decay.first, decay.last) == (1, T)
    assert decay.ratio == pytest.approx(factor ** (T - 1), rel=1e-9)
    if factor < 0.999:
        assert decay.half_life == pytest.approx(math.log(2) / -math.log(factor), rel=1e-6)
    if factor > 1.001:
        assert decay.half_life == math.inf
        assert decay.doubling == pytest.approx(math.log(2) / math.log(factor), rel=1e-6)


@given(st.floats(0.2, 5), st.integers(3, 40), st.floats(1e-3, 1e3), st.integers(0, 5))
def test_the_unit_and_the_first_step_do_not_matter(factor, T, scale, later):
    """A series times a number, or at other steps, has the same kind and factor."""
    assume(abs(math.log(factor)) > 1e-3)
    plain, other = (
        verdict(back(factor, T)),
        verdict(Series("h", range(1 + later, T + 1 + later), scale * back(factor, T))),
    )

    assert other.kind == plain.kind
    assert other.decay.factor == pytest.approx(plain.decay.factor)
    assert other.decay.first == plain.decay.first + later


@given(st.floats(0.3, 3), st.integers(4, 40))
def test_backward_in_time_is_the_opposite(factor, T):
    """A series turned round has one over its factor; what vanishes explodes."""
    assume(abs(math.log(factor)) > 1e-3)
    one, other = verdict(back(factor, T)), verdict(back(factor, T)[::-1])

    assert one.decay.factor * other.decay.factor == pytest.approx(1)
    opposite = {"vanishing": "exploding", "exploding": "vanishing", "steady": "steady"}
    assert other.kind in (opposite[one.kind], "steady")  # at less than a tenth a step, 1 / 0.9 is more than 1.1


@given(st.lists(st.floats(0.3, 0.9), min_size=2, max_size=8), st.integers(4, 30))
def test_runs_are_averaged_by_their_logarithms(factors, T):
    """The factor of several runs is the geometric mean of theirs; the interval has it inside, at equal ratios."""
    found = verdict([back(factor, T) for factor in factors])

    mean = math.exp(np.mean(np.log(factors)))
    assert found.decay.factor == pytest.approx(mean)
    assert found.decay.low * (1 - 1e-9) <= mean <= found.decay.high * (1 + 1e-9)
    assert found.decay.low * found.decay.high == pytest.approx(mean**2)
    assert found.evidence["runs"] == len(factors)


@pytest.mark.parametrize(("runs", "quantile"), [(2, 12.7062), (4, 3.1824), (6, 2.5706), (11, 2.2281), (31, 2.0423)])
def test_the_interval_is_student_s(runs, quantile):
    """Its half width is t · s / √n, with the quantiles of the printed tables."""
    factors = np.linspace(0.4, 0.8, runs)
    decay = verdict([back(factor, 9) for factor in factors]).decay

    width = quantile * np.log(factors).std(ddof=1) / math.sqrt(runs)
    assert math.log(decay.high / decay.low) == pytest.approx(2 * width, rel=2e-3)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Of 400 sets of 5 noisy runs, about 95 % have the true factor in their interval."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        decay = verdict(back(0.8, 20) * rng.lognormal(0, 0.5, (5, 20))).decay
        inside += decay.low <= 0.8 <= decay.high

    assert 0.91 <= inside / 400 <= 0.985


def test_one_run_has_no_interval():
    """Nothing is known about what other seeds would give."""
    decay = verdict(back(0.5, 9)).decay

    assert math.isnan(decay.low)
    assert math.isnan(decay.high)


# ---- the kinds -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("norms", "sentence"),
    [
        (back(0.63, 50), "vanishing: the gradient falls 0.63× a step from t=50 to t=1 (half-life 1.5 steps)"),
        (back(1.3, 50), "exploding: the gradient grows 1.3× a step from t=50 to t=1 (it doubles every 2.6 steps)"),
        (np.ones(5), "steady: the gradient at t=1 is 1 of that at t=5 (1× a step)"),
        (back(0.98, 50), "steady: the gradient at t=1 is 0.37 of that at t=50 (0.98× a step)"),
        (back(0.98, 500), "vanishing: the gradient falls 0.98× a step from t=500 to t=1 (half-life 34 steps)"),
        (back(0.63, 5), "vanishing: the gradient falls 0.63× a step from t=5 to t=1 (half-life 1.5 steps)"),
        (
            np.zeros(9),
            (
                "zero: the gradient is exactly 0 at every step: no path that is not cut, and no weight that is not 0, "
                "leads there"
            ),
        ),
        ([0, 0, 0, 0, 4.9], "cut: the gradient reaches back to t=5, and is exactly 0 before it"),
        (
            np.r_[np.zeros(40), np.ones(10)],
            (
                "cut: the gradient reaches back to t=41, and is exactly 0 before it; from t=50 to t=41 it changes 1× a "
                "step"
            ),
        ),
        (
            [1, np.nan, np.inf, 2, 3],
            "not finite: going back it is first infinite or NaN at t=3, and at 2 of 5 steps in all",
        ),
        ([1, 2], "too short: a trend takes 3 steps whose norm is not 0 and has all its digits, got 2"),
        (
            10.0 ** -np.abs(np.arange(-10, 11)),
            (
                "uneven: the gradient follows no exponential from t=21 to t=1: it is largest at t=11, 1e+05 times the "
                "median, and varies 1e+10-fold"
            ),
        ),
        (
            np.r_[np.full(49, 0.01), 1],
            "steady: the gradient at t=1 is 1 of that at t=49 (1× a step); without the last step, which stands out",
        ),
        (
            1e-12 ** np.arange(49, -1, -1.0),
            (
                "vanishing: the gradient falls 1e-12× a step from t=50 to t=25 (half-life 0.025 steps), and is too "
                "small for floating point before t=24"
            ),
        ),
        (
            [back(0.5, 9)] * 3,
            (
                "vanishing: the gradient falls 0.5× a step from t=9 to t=1 (half-life 1 steps; 95 % interval 0.5 to "
                "0.5), in all 3 runs"
            ),
        ),
        ([back(0.5, 9), back(2.0, 9)], "uneven: of 2 runs, 1 is vanishing, 1 is exploding"),
    ],
)
def test_the_sentence(norms, sentence):
    """What is said of each kind, with its numbers."""
    assert str(verdict(norms)) == sentence


@given(st.integers(0, 1000), st.integers(5, 60))
def test_noise_about_a_constant_is_never_a_trend(seed, T):
    """Norms that scatter by a few tenths about one value neither vanish nor explode."""
    noise = np.random.default_rng(seed).lognormal(0, 0.15, max(T, 12))

    assert verdict(noise).kind == "steady"


@given(st.integers(0, 1000), st.floats(0.3, 0.8))
def test_the_head_s_own_gradient_is_no_decay(seed, factor):
    """A last step far above or below the line of the rest changes neither kind nor factor, and is mentioned."""
    norms = back(factor, 30)
    norms[-1] *= 100 if seed % 2 else 0.01

    found = verdict(norms)

    assert found.decay.factor == pytest.approx(factor)
    assert found.decay.last == 29
    assert "without the last step" in str(found)


def test_a_step_in_the_middle_that_stands_out_is_not_left_out():
    """A spike that is not at the end makes a flat series uneven, and is named."""
    norms = np.ones(41)
    norms[20] = 50

    found = verdict(norms)

    assert found.kind == "uneven"
    assert found.evidence["at"] == 21


def test_what_runs_out_of_digits_is_not_fitted():
    """Float32 gradients lose digits below 1e-38: those norms are not fitted, and the zeros before them are no cut."""
    h = Tensor(np.ones(3, np.float32), requires_grad=True)
    for _, x in steps([np.float32(0.1)] * 60):
        h = (h * x).named("h")

    found = per_step(h.sum(), "h").verdict()

    assert found.kind == "vanishing"
    assert found.decay.factor == pytest.approx(0.1, rel=1e-5)
    assert found.decay.first > 60 - 40
    assert found.evidence["underflow"] < found.decay.first


def test_a_majority_of_runs_decides():
    """Four runs that vanish and one that is not finite: the sentence says four of five."""
    found = verdict([back(0.5, 9)] * 4 + [[np.nan] * 9])

    assert found.kind == "vanishing"
    assert str(found).endswith("in 4 of 5 runs")
    assert (found.evidence["runs"], found.evidence["agreeing"]) == (5, 4)


def test_a_linear_recurrence_decays_by_its_factor():
    """h_t = ρ h_{t-1} Q with an orthogonal Q: the fitted decay is ρ to rounding."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    W, h = Parameter(0.7 * Q), Tensor(np.ones((1, 5)))
    for _, x in steps(np.random.default_rng(1).normal(size=(40, 1, 5))):
        h = (h @ W + x).named("h")

    decay = per_step(h.sum(), "h").verdict().decay

    assert decay.factor == pytest.approx(0.7, rel=1e-12)
    assert decay.r2 == pytest.approx(1)


def test_a_dead_recurrence_has_a_verdict():
    """Weights of 0: the gradient reaches the last step alone."""
    W, h = Parameter(np.zeros((3, 3))), Tensor(np.ones((1, 3)))
    for _, x in steps(np.ones((6, 1, 3))):
        h = F.tanh(h @ W + x).named("h")

    assert per_step(h.sum(), "h").verdict().kind == "cut"


# ---- anything ---------------------------------------------------------------------------


@given(npst.arrays(float, npst.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=8), elements=ANY_FLOAT))
def test_any_numbers_have_a_verdict(norms):
    """Zeros, NaN, infinities, denormals, one step or none: a known kind, a sentence, plain numbers, never an error."""
    found = verdict(norms)

    assert found.kind in KINDS
    assert str(found).startswith(f"{found.kind}: ")
    assert repr(found) == f"Verdict({found})"
    assert all(type(value) in (int, float) for value in found.evidence.values())
    assert found.decay is None or isinstance(found.decay, Decay)
    assert found.kind not in ("vanishing", "exploding", "steady") or found.decay or "underflow" in found.evidence


@given(npst.arrays(npst.scalar_dtypes().filter(lambda d: d.kind in "biufc"), st.integers(0, 8)))
def test_any_dtype_has_a_verdict(norms):
    """Booleans, integers, half and long floats, and complex numbers by their magnitude."""
    assert verdict(norms).kind in KINDS


def test_runs_come_in_any_packing():
    """A list of series, of arrays, of lists, a matrix and a generator are the same runs."""
    runs = [back(0.5, 7), back(0.6, 7)]
    series = [Series("h", range(1, 8), run) for run in runs]

    packed = [series, runs, [run.tolist() for run in runs], np.array(runs), (run for run in runs)]
    assert len({str(verdict(each)) for each in packed}) == 1


def test_what_it_is_called_can_be_said():
    """The sentence speaks of what was measured."""
    assert "‖∂C_t‖ falls" in str(verdict(back(0.5, 9), what="‖∂C_t‖"))
    assert "it falls" in str(Series("h", range(1, 10), back(0.5, 9)).verdict(what="it"))


@pytest.mark.parametrize(
    ("series", "error"),
    [
        ("vanishing", DataError),
        (None, DataError),
        (["a", "b"], DataError),
        (3.0, ShapeError),
        (np.ones((2, 2, 2)), ShapeError),
    ],
)
def test_what_is_no_series_is_refused(series, error):
    """Words, one number, or three axes are told what is expected."""
    with pytest.raises(error, match="a verdict needs"):
        verdict(series)

"""tinygrad_seq.optim: the updates are PyTorch's, a step is all or nothing, and nonsense is refused."""

import json
from itertools import count
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, Value, nn, optim
from tinygrad_seq.errors import DataError, NonFiniteError, ShapeError, StaleGraphError
from tinygrad_seq.optim import lr_scheduler

DATA = Path(__file__).parent / "data"
FIXED = {  # reference file: the optimiser and its settings
    "opt_adam": (optim.Adam, {"lr": 0.01}),
    "opt_adam_wd": (optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    "opt_nadam": (optim.NAdam, {"lr": 0.01}),
    "opt_adadelta": (optim.Adadelta, {}),
    "opt_rmsprop_centered_mom": (optim.RMSprop, {"lr": 0.01, "centered": True, "momentum": 0.5, "alpha": 0.9}),
}
ROSENBROCK = {
    "opt_rosen_sgd": (optim.SGD, {}),
    "opt_rosen_sgd_mom_wd_damp": (optim.SGD, {"momentum": 0.9, "weight_decay": 0.01, "dampening": 0.1}),
    "opt_rosen_adam": (optim.Adam, {}),
    "opt_rosen_adam_b": (optim.Adam, {"betas": (0.5, 0.9), "eps": 1e-3}),
    "opt_rosen_adamw_wd": (optim.AdamW, {"weight_decay": 0.3}),
    "opt_rosen_adagrad": (optim.Adagrad, {}),
    "opt_rosen_rmsprop_centered_mom": (optim.RMSprop, {"centered": True, "momentum": 0.5, "alpha": 0.9}),
}
MORE = {name: array for name, array in np.load(DATA / "optim_more.npz").items() if name.startswith("[")}
ALL = [optim.SGD, optim.RMSprop, optim.Adagrad, optim.Adam, optim.AdamW, optim.NAdam, optim.Adadelta]


def quadratic(w):
    """A bowl that is steeper along its later axes."""
    return (w * w * (np.arange(w.size, dtype=w.dtype) + 1)).sum()


def descend(optimiser, w, steps):
    for _ in range(steps):
        optimiser.zero_grad()
        quadratic(w).backward()
        optimiser.step()


# ---- PyTorch's numbers ----------------------------------------------------------------


@pytest.mark.parametrize("case", FIXED)
def test_given_gradients_move_parameters_as_in_pytorch(case):
    """20 steps on fixed gradients, two parameters: every one to 1e-12."""
    ref, (kind, settings) = np.load(DATA / f"{case}.npz"), FIXED[case]
    a, b = Parameter(ref["param/a0"]), Parameter(ref["param/b0"])
    optimiser = kind([a, b], **settings)

    for ga, gb, a_t, b_t in zip(ref["in/ga"], ref["in/gb"], ref["out/a"], ref["out/b"], strict=True):
        a.grad, b.grad = ga, gb
        optimiser.step()
        np.testing.assert_allclose(a.data, a_t, rtol=0, atol=1e-12)
        np.testing.assert_allclose(b.data, b_t, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", ROSENBROCK)
def test_a_closed_loop_follows_pytorch(case):
    """20 steps down Rosenbrock's valley, gradients from our own engine: every one to 1e-12."""
    ref, (kind, settings) = np.load(DATA / f"{case}.npz"), ROSENBROCK[case]
    p = Parameter(ref["param/p0"])
    optimiser = kind([p], lr=1e-3, **settings)

    for p_t in ref["out/p"]:
        optimiser.zero_grad()
        ((1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2).backward()
        optimiser.step()
        np.testing.assert_allclose(p.data, p_t, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in MORE if hasattr(optim, json.loads(case)[0])])
def test_the_other_settings_follow_pytorch(case):
    """Nesterov, amsgrad, maximize, lr_decay and their like: 20 steps to 1e-12."""
    name, settings = json.loads(case)
    ref = np.load(DATA / "optim_more.npz")
    w = Parameter(ref["start"])
    optimiser = getattr(optim, name)([w], lr=0.01, **settings)

    for g, w_t in zip(ref["gradients"], MORE[case], strict=True):
        w.grad = g
        optimiser.step()
        np.testing.assert_allclose(w.data, w_t, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("case", "max_norm", "norm_type"), [
    ("clip_l2", 1.0, 2.0), ("clip_l2_noop", 100.0, 2.0), ("clip_inf", 0.5, float("inf")),
])
def test_clipping_follows_pytorch(case, max_norm, norm_type):
    """The norm before, and the gradients after."""
    ref = np.load(DATA / f"{case}.npz")
    params = [Parameter(np.zeros_like(ref[f"in/g{i}"])) for i in range(3)]
    for i, p in enumerate(params):
        p.grad = ref[f"in/g{i}"]

    norm = optim.clip_grad_norm_(params, max_norm, norm_type)

    assert np.isclose(norm, ref["out/norm"], rtol=1e-12)
    for i, p in enumerate(params):
        np.testing.assert_allclose(p.grad, ref[f"out/g{i}"], rtol=0, atol=1e-12)


# ---- properties -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_every_optimiser_goes_down(kind):
    """100 small steps lower a convex function, for tensors of either dtype and for a Value."""
    for dtype in (np.float32, np.float64):
        w = Parameter(np.array([1.0, -2.0, 0.5], dtype))
        before = quadratic(w).item()
        descend(kind([w], lr=1e-2), w, 100)
        assert quadratic(w).item() < before
        assert w.dtype == dtype
    v = Value(1.0)
    optimiser = kind([v], lr=1e-2)
    for _ in range(20):
        optimiser.zero_grad()
        (v * v).backward()
        optimiser.step()
    assert 0 < v.data < 1
    assert type(v.data) is float


@pytest.mark.parametrize("kind", ALL)
def test_a_saved_state_goes_on_to_the_same_bits(kind):
    """10 steps, save, load into a new optimiser, 10 more: the same bits as 20 without a stop."""
    w = Parameter([1.0, -2.0])
    descend(kind([w], lr=0.03), w, 20)

    a = Parameter([1.0, -2.0])
    first = kind([a], lr=0.03)
    descend(first, a, 10)
    b = Parameter(a.data)
    second = kind([b], lr=0.5)
    second.load_state_dict(first.state_dict())
    descend(second, b, 10)

    assert b.data.tobytes() == w.data.tobytes()


@pytest.mark.parametrize("kind", ALL)
def test_a_saved_state_stays_what_it_was(kind):
    """Training on does not change a state that was taken before, and nobody can write into it."""
    w = Parameter([1.0, -2.0])
    optimiser = kind([w], **({"momentum": 0.9} if kind is optim.SGD else {}))
    descend(optimiser, w, 3)
    state = optimiser.state_dict()
    before = {name: np.copy(x) for name, x in state["state"][0].items()}
    descend(optimiser, w, 3)

    assert before
    assert all(np.array_equal(before[name], x) for name, x in state["state"][0].items())
    assert not any(x.flags.writeable for x in state["state"][0].values() if isinstance(x, np.ndarray))


def test_a_state_of_pytorch_is_understood():
    """PyTorch's counters are arrays without axes, and its groups have settings that we do not."""
    w = Parameter([1.0, -2.0])
    optimiser = optim.Adam([w], lr=0.1)
    descend(optimiser, w, 2)
    state = optimiser.state_dict()
    foreign = {
        "state": {0: {**state["state"][0], "step": np.float32(2)}},
        "param_groups": [{**state["param_groups"][0], "foreach": None, "capturable": False}],
    }
    twin = Parameter(w.data)
    other = optim.Adam([twin])
    other.load_state_dict(foreign)
    for o, p in ((optimiser, w), (other, twin)):
        descend(o, p, 2)

    assert w.data.tobytes() == twin.data.tobytes()


def test_adamw_stays_adamw():
    """Decoupled decay is the same by either name, and the state of an Adam does not turn an AdamW into one."""
    a, b, c = (Parameter([1.0, -2.0]) for _ in range(3))
    plain = optim.Adam([c], weight_decay=0.3)
    kinds = [optim.Adam([a], weight_decay=0.3, decoupled_weight_decay=True), optim.AdamW([b])]
    kinds[1].load_state_dict(plain.state_dict())
    for optimiser, p in zip([*kinds, plain], (a, b, c)):
        descend(optimiser, p, 5)

    assert a.data.tolist() == b.data.tolist() != c.data.tolist()


@pytest.mark.parametrize("kind", ALL)
def test_float32_stays_float32(kind):
    """Data, and what is remembered of it, whatever NumPy numbers the settings are; also without axes."""
    for shape in ((), (3,)):
        w = Parameter(np.ones(shape, np.float32))
        setting = "momentum" if kind is optim.SGD else "eps"
        optimiser = kind([w], lr=np.float64(0.01), **{setting: np.float64(1e-6)})
        for _ in range(3):
            w.grad = np.full(shape, 0.5)
            optimiser.step()
        arrays = [x for x in optimiser.state_dict()["state"][0].values() if isinstance(x, np.ndarray)]

        assert arrays
        assert {x.dtype for x in [w.data, *arrays]} == {np.dtype(np.float32)}
        assert {x.shape for x in [w.data, *arrays]} == {shape}


def test_a_centered_average_does_not_round_below_zero():
    """RMSprop on equal gradients, whose variance is 0: no root of a negative number."""
    for alpha in (0.0, 0.5, 0.9):
        w = Parameter(np.ones(100))
        optimiser = optim.RMSprop([w], lr=1e-3, alpha=alpha, centered=True, eps=1e-3)
        for _ in range(500):
            w.grad = np.linspace(0.1, 1, 100) ** 3
            optimiser.step()

        assert np.isfinite(w.data).all()


def test_a_step_can_compute_the_loss_itself():
    """A closure is called before the step, which gives back what it returns."""
    w = Parameter([1.0])
    optimiser = optim.SGD([w], lr=0.25)

    def closure():
        optimiser.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert [optimiser.step(closure).item() for _ in range(3)] == [1, 0.25, 0.0625]


def test_gradients_are_forgotten_or_made_zero():
    """zero_grad makes them None, as in PyTorch, or zero where that is asked for."""
    w, unused = Parameter([1.0, 2.0]), Parameter([1.0])
    optimiser = optim.SGD([w, unused])
    w.grad = [1.0, 1.0]
    optimiser.zero_grad(set_to_none=False)

    assert (w.grad.tolist(), unused.grad) == ([0, 0], None)
    optimiser.zero_grad()
    assert w.grad is None


@pytest.mark.parametrize("kind", ALL)
def test_groups_equal_separate_optimisers(kind):
    """Two groups with learning rates of their own move as two optimisers would."""
    together = [Parameter([1.0]), Parameter([2.0])]
    apart = [Parameter([1.0]), Parameter([2.0])]
    one = kind([{"params": together[:1], "lr": 0.1}, {"params": together[1:]}], lr=0.01)
    two = [kind(apart[:1], lr=0.1), kind(apart[1:], lr=0.01)]

    for w, optimiser in ((together[0], one), (apart[0], two[0]), (apart[1], two[1])):
        descend(optimiser, w, 5)
    one.zero_grad()
    descend(one, together[1], 5)

    assert [w.data.tolist() for w in together] == [w.data.tolist() for w in apart]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6), st.floats(0.01, 10), st.sampled_from([1.0, 2.0, np.inf]))
def test_clipping_keeps_the_direction_and_never_adds(g, max_norm, p):
    """Clipped gradients are the old ones times a number from 0 to 1, of norm max_norm at most."""
    w = Parameter(np.zeros(len(g)))
    w.grad = np.array(g)

    before = optim.clip_grad_norm_([w], max_norm, p)

    assert np.isclose(before, np.linalg.norm(g, p))
    assert np.linalg.norm(w.grad, p) <= max_norm * (1 + 1e-12)
    scale = w.grad / np.where(np.array(g) == 0, 1, g)
    assert ((scale >= 0) & (scale <= 1)).all()


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-30, 1e30, 1e200, 1e307])
@pytest.mark.parametrize("p", [1, 2, 3.5, np.inf])
def test_a_norm_is_right_where_its_powers_are_not(size, p):
    """Squares that overflow or vanish do no harm: the norm of a gradient of 1e-200 is not 0, that of 1e200 not inf."""
    w = Parameter(np.zeros(4))
    w.grad = np.full(4, size)
    found = optim.clip_grad_norm_([w], 1.0, p)

    assert np.isclose(found / size, 4 ** (1 / p), rtol=1e-6)
    assert np.linalg.norm(w.grad, p) <= 1 + 1e-9


def test_clipping_takes_one_norm_over_all():
    """Tensors of either dtype, a Value and what has no gradient together: the norm is that of one long vector."""
    a, b, v, unused = Parameter(np.zeros(2, np.float32)), Parameter([0.0]), Value(0.0), Parameter([0.0])
    a.grad, b.grad, v.grad = [1, 2], [4], 10.0

    assert optim.clip_grad_norm_(iter([a, b, v, unused]), 1.1) == 11
    assert (a.grad.dtype, type(v.grad), unused.grad) == (np.float32, float, None)
    np.testing.assert_allclose([*a.grad, *b.grad, v.grad], [0.1, 0.2, 0.4, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (lambda w: optim.clip_grad_norm_([w], -1.0), "max_norm must be .*got -1.0"),
        (lambda w: optim.clip_grad_norm_([w], nan), "max_norm must be .*got nan"),
        (lambda w: optim.clip_grad_norm_([w], 1.0, 0), "norm_type must be .*got 0"),
        (lambda w: optim.clip_grad_value_([w], -1.0), "clip_value must be .*got -1.0"),
        (lambda w: optim.clip_grad_norm_(nn.Linear(1, 1), 1.0), r"module.parameters\(\)"),
        (lambda w: optim.clip_grad_value_([w, w.grad], 1.0), "number 1 is a ndarray"),
    ],
)
def test_nonsense_is_not_clipped(clip, message):
    """What cannot be clipped to or by is named, and the gradient stays."""
    w = Parameter([1.0])
    w.grad = [3.0]

    with pytest.raises(DataError, match=message):
        clip(w)
    assert w.grad.tolist() == [3]


def test_clipping_nothing_is_reported():
    """A generator that was used up would clip nothing in silence."""
    with pytest.warns(UserWarning, match="clips nothing"):
        assert optim.clip_grad_norm_(iter([]), 1.0) == 0


def test_clipping_by_value():
    """Every element is kept within the limits; a shared gradient array is not written into."""
    a, b = Parameter([1.0]), Parameter([1.0])
    (a + b).sum().backward()

    optim.clip_grad_value_([a], 0.25)

    assert (a.grad.tolist(), b.grad.tolist()) == ([0.25], [1.0])


def test_a_step_replaces_data_and_leaves_the_record():
    """What the loss was made from stays as it was, and a second backward of the old graph is refused."""
    w = Parameter([1.0, 2.0])
    loss = quadratic(w)
    old = w.data
    loss.backward()

    optim.SGD([w], lr=0.1).step()

    assert old.tolist() == [1, 2]
    assert not w.data.flags.writeable
    with pytest.raises(StaleGraphError, match="given new data"):
        loss.backward()


def test_a_failing_update_moves_no_parameter():
    """When one parameter's update fails, all keep their data, and the error says whose it was."""

    class Fails(optim.SGD):
        def update(self, w, g, state, group):
            if w.size == 1:
                raise ArithmeticError("on purpose")
            return super().update(w, g, state, group)

    a, b = Parameter([1.0, 2.0]), Parameter([1.0], name="b")
    a.grad, b.grad = [1.0, 1.0], [1.0]
    optimiser = Fails([a, b], lr=0.1, momentum=0.9)

    with pytest.raises(ArithmeticError) as caught:
        optimiser.step()

    assert "for b" in caught.value.__notes__[0]
    assert a.data.tolist() == [1, 2]
    assert optimiser.state == {}


def test_an_interrupt_in_a_step_changes_nothing():
    """Ctrl-C while the step is computed leaves every parameter and all that is remembered as it was."""
    calls = count()

    class Interrupted(optim.Adam):
        def update(self, w, g, state, group):
            if next(calls) == 5:
                raise KeyboardInterrupt
            return super().update(w, g, state, group)

    params = [Parameter([1.0]), Parameter([2.0])]
    optimiser = Interrupted(params, lr=0.1)
    for p in params:
        p.grad = [1.0]
    optimiser.step()
    optimiser.step()
    before = [p.data for p in params], optimiser.state_dict()["state"]

    with pytest.raises(KeyboardInterrupt):
        optimiser.step()
    assert ([p.data for p in params], optimiser.state_dict()["state"]) == before


# ---- what must not pass ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_stopped(kind, bad):
    """By default the step raises and names the parameter; asked to, it is left out, counted and reported once."""
    w, b = Parameter([1.0], name="w"), Parameter([1.0])
    w.grad, b.grad = [bad], [1.0]

    with pytest.raises(NonFiniteError, match=r"gradient of w .*1 (NaN|infinite) of 1 values"):
        kind([b, w], lr=0.1).step()
    lenient = kind([b, w], lr=0.1, error_if_nonfinite=False)
    with pytest.warns(UserWarning, match="left out"):
        lenient.step()
    lenient.step()

    assert lenient.skipped == 2
    assert (w.data.tolist(), b.data.tolist()) == ([1], [1])


def test_a_huge_gradient_is_not_taken_for_an_infinite_one():
    """Finite elements whose squares overflow are finite."""
    for dtype, size in ((np.float64, 1e300), (np.float32, 1e30)):
        w = Parameter(np.ones(3, dtype))
        w.grad = np.full(3, size)
        optim.SGD([w], lr=1 / size).step()

        np.testing.assert_allclose(w.data, 0, atol=1e-6)


def test_a_parameter_is_called_by_the_name_it_was_given_with():
    """With named_parameters, groups too, messages use the path; the state keeps the names."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimiser = optim.SGD([{"params": net.named_parameters(), "lr": 0.5}])
    for p in net.parameters():
        p.grad = np.ones(p.shape)
    bad = list(net.named_parameters())[-1]
    bad[1].grad = np.full(bad[1].shape, nan)

    with pytest.raises(NonFiniteError, match=f"gradient of {bad[0]} "):
        optimiser.step()
    assert optimiser.state_dict()["param_groups"][0]["param_names"] == [name for name, _ in net.named_parameters()]


def test_clipping_can_refuse_what_is_not_finite():
    """error_if_nonfinite raises; without it the norm says so and nothing is scaled."""
    w = Parameter([1.0, 1.0])
    w.grad = [np.nan, 1.0]

    with pytest.raises(NonFiniteError, match="finite gradients"):
        optim.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert np.isnan(optim.clip_grad_norm_([w], 1.0))
    assert w.grad[1] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda w: optim.SGD([w, w]), "listed a second time"),
        (lambda w: optim.SGD([{"params": [w]}, {"params": [w]}]), "listed a second time"),
        (lambda w: optim.SGD([w], lr=-0.1), "lr must be .*got -0.1"),
        (lambda w: optim.Adam([w], lr=float("nan")), "lr must be .*got nan"),
        (lambda w: optim.Adam([w], betas=(0.9, 1.0)), r"betas\[1\] must be .*got 1.0"),
        (lambda w: optim.Adam([w], eps=-1), "eps must be"),
        (lambda w: optim.SGD([w], momentum=-1), "momentum must be"),
        (lambda w: optim.SGD([w], nesterov=True), "nesterov=True needs a momentum"),
        (lambda w: optim.SGD([]), "at least one parameter"),
        (lambda w: optim.SGD(w), "put it in brackets"),
        (lambda w: optim.SGD([w * 2]), "was made by mul"),
        (lambda w: optim.SGD([Tensor([1.0])]), "requires a gradient"),
        (lambda w: optim.SGD([np.zeros(3)]), "make it a Parameter"),
        (lambda w: optim.lr_scheduler.StepLR(optim.SGD([w]), 0), "step_size must be a whole number"),
        (lambda w: optim.lr_scheduler.StepLR("sgd", 3), "needs an optimiser"),
        (lambda w: optim.SGD(nn.Linear(1, 1)), r"module.parameters\(\)"),
        (lambda w: optim.SGD({w}), "an order that stays"),
        (lambda w: optim.SGD({"params": [w]}), "a list with a dict in it"),
        (lambda w: optim.SGD([{"lr": 0.1}]), 'a dict with "params"'),
        (lambda w: optim.SGD([("w", w), Parameter([1.0])]), "have names, or none"),
        (lambda w: optim.SGD([w], lr="0.1"), "lr must be .*got '0.1'"),
        (lambda w: optim.SGD([w], lr=inf), "lr must be .*got inf"),
        (lambda w: optim.SGD([w], momentum=0.9, dampening=0.1, nesterov=True), "nesterov=True needs a momentum"),
        (lambda w: optim.SGD([w], weight_decay=nan), "weight_decay must be .*got nan"),
        (lambda w: optim.SGD([{"params": [w], "momentum": -1}]), "momentum must be .*got -1"),
        (lambda w: optim.Adam([w], betas=0.9), "betas must be a pair of numbers, got 0.9"),
        (lambda w: optim.RMSprop([w], alpha=1.5), "alpha must be a number from 0 to 1, got 1.5"),
        (lambda w: optim.Adadelta([w], rho=-0.1), "rho must be .*got -0.1"),
        (lambda w: optim.Adagrad([w], lr_decay=-1), "lr_decay must be .*got -1"),
        (lambda w: lr_scheduler.LambdaLR(optim.SGD([w]), [min, max]), "needs one for each of the 1 groups, got 2"),
        (lambda w: lr_scheduler.LinearLR(optim.SGD([w]), 0.0), "start_factor must be above 0"),
        (lambda w: lr_scheduler.ConstantLR(optim.SGD([w]), 2.0), "factor must be .*got 2.0"),
        (lambda w: lr_scheduler.ExponentialLR(optim.SGD([w]), nan), "gamma must be .*got nan"),
        (lambda w: lr_scheduler.CosineAnnealingLR(optim.SGD([w]), 2.5), "T_max must be a whole number .*got 2.5"),
        (lambda w: lr_scheduler.OneCycleLR(optim.SGD([w]), 0.1), "needs total_steps"),
        (lambda w: lr_scheduler.OneCycleLR(optim.Adagrad([w]), 0.1, 9), "no momentum to cycle"),
        (lambda w: lr_scheduler.OneCycleLR(optim.SGD([w]), 0.1, 9, div_factor=0), "div_factor must be .*got 0"),
        (lambda w: lr_scheduler.ReduceLROnPlateau(optim.SGD([w]), factor=1.0), "factor must be .*got 1.0"),
        (lambda w: lr_scheduler.StepLR(optim.SGD([w]), 1, last_epoch=3), "needs its initial_lr"),
        (lambda w: lr_scheduler.SequentialLR(optim.SGD([w]), [], []), "one less than schedules"),
        (
            lambda w: lr_scheduler.SequentialLR(
                o := optim.SGD([w]), [lr_scheduler.StepLR(o, 1), lr_scheduler.ReduceLROnPlateau(o)], [3]
            ),
            "cannot be a ReduceLROnPlateau",
        ),
    ],
)
def test_nonsense_is_refused_when_it_is_made(make, message):
    """What cannot be right is named at once, with what was given."""
    with pytest.raises(DataError, match=message):
        make(Parameter([1.0], name="w"))


def test_a_step_without_gradients_does_nothing():
    """As in PyTorch: before the first backward there is nothing to do."""
    w = Parameter([1.0])

    optim.Adam([w], lr=0.1).step()

    assert w.data.tolist() == [1]


def test_a_state_of_another_kind_is_refused_whole():
    """A state that does not fit changes nothing."""
    w = Parameter([1.0, 2.0])
    adam = optim.Adam([w], lr=0.1)
    descend(adam, w, 2)
    state = adam.state_dict()
    state["state"][0]["exp_avg"] = np.zeros(3)

    with pytest.raises(ShapeError, match=r"exp_avg .* shape \(3,\)"):
        optim.Adam([w]).load_state_dict(state)
    with pytest.raises(DataError, match="another kind"):
        optim.RMSprop([w]).load_state_dict(adam.state_dict())
    with pytest.raises(DataError, match=r"groups of \[1, 1\] parameters, the state to load has \[1\]"):
        optim.Adam([{"params": [w]}, {"params": [Parameter([1.0])]}]).load_state_dict(adam.state_dict())
    with pytest.raises(DataError, match='a dict with "state"'):
        adam.load_state_dict({"w": w.data})
    with pytest.raises(DataError, match="not of a StepLR"):
        lr_scheduler.StepLR(adam, 3).load_state_dict(lr_scheduler.ExponentialLR(adam, 0.9).state_dict())

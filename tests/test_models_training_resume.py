"""Checkpoints of a run: stopped anywhere and resumed it ends with the same bits; what does not fit changes nothing."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tinygrad_seq import Parameter, Value, checkpoint, manual_seed, nn, no_grad, optim, rng
from tinygrad_seq import functional as F
from tinygrad_seq.errors import CheckpointError, DataError
from tinygrad_seq.models.training import Batches, Checkpoint, Validation, load_parameters, read_meta, train
from tinygrad_seq.optim import lr_scheduler

OPTIMISERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
    "Adadelta": lambda p: optim.Adadelta(p),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
}
SCHEDULES = {
    "none": lambda o: None,
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=3),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 5]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, total_iters=4),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=5),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=3), lr_scheduler.ExponentialLR(o, gamma=0.5)], milestones=[3]
    ),
}
UPDATES = 9
XS = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)
YS = XS.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def a_quick_disk(monkeypatch):
    """That a file is safe on disk is not asked here, see test_checkpoint.py; the programs that are killed do ask."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


class Killed(BaseException):
    """The end of the program, somewhere in an update."""


class Net(nn.Module):
    """Linear layers, some with one row or one column, in two dtypes, with dropout between."""

    def __init__(self):
        super().__init__()
        self.first, self.middle = nn.Linear(3, 4, dtype=np.float32), nn.Linear(4, 1)
        self.last, self.drop = nn.Linear(1, 1), nn.Dropout(0.3)

    def forward(self, x):
        return self.last(self.middle(self.drop(F.tanh(self.first(x)))))

    def loss(self, x, y):
        return F.mse_loss(self(x), y.astype(float))


class Setting:
    """All objects of a run, made anew as by a program that is started again."""

    def __init__(self, folder, optimiser="Adam", schedule="none", keep_best=False, patience=None, every=1, seed=0):
        manual_seed(5)
        self.model = Net()
        self.optimizer = OPTIMISERS[optimiser](self.model.named_parameters())
        self.scheduler = SCHEDULES[schedule](self.optimizer)
        self.batches = Batches(XS, YS, batch_size=4)
        self.checkpoint = Checkpoint(folder / "run.safetensors", every=every, meta={"task": "sum", "글": [1, None]})
        self.validation = Validation(self.measure, every=2, keep_best=keep_best, patience=patience)
        self.seed = seed
        self.left = 0

    def measure(self):
        return {"loss": self.model.loss(XS, YS).item()}

    def draw(self, generator):
        self.left -= 1
        if not self.left:
            raise Killed
        return self.batches.draw(generator)

    def state_dict(self):
        return self.batches.state_dict()

    def load_state_dict(self, state):
        self.batches.load_state_dict(state)

    def train(self, resume=False, kill_in=0, updates=UPDATES, **options):
        """kill_in: the update, counted from now, in which the program ends; 0 never."""
        self.left = kill_in
        return train(self.model, self, self.optimizer, scheduler=self.scheduler, validation=self.validation, clip=1.0,
                     checkpoint=self.checkpoint, resume=resume, updates=updates, seed=self.seed, **options)  # fmt: skip

    def bits(self):
        """All that must be equal, as text."""
        schedule = None if self.scheduler is None else self.scheduler.state_dict()
        parameters = {name: p.data for name, p in self.model.named_parameters()}
        parts = [parameters, self.optimizer.state_dict(), schedule, self.batches.state_dict()]
        arrays = {}
        told = checkpoint.packed([*parts, rng.generator().bit_generator.state], "", arrays)
        return json.dumps(told, sort_keys=True), {name: (x.dtype, x.shape, x.tobytes()) for name, x in arrays.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    optimiser=st.sampled_from(sorted(OPTIMISERS)),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    kills=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    every=st.integers(1, 4),
    keep_best=st.booleans(),
    patience=st.none() | st.integers(1, 2),
)
def test_stopped_anywhere_and_resumed_ends_the_same(tmp_path, optimiser, schedule, kills, every, keep_best, patience):
    """Any optimiser and schedule, killed in any updates: parameters, optimiser, schedule, place in the data, random
    numbers and history are those of a run that was never stopped, to the bit."""
    setting = {"optimiser": optimiser, "schedule": schedule, "keep_best": keep_best, "patience": patience}
    whole = Setting(tmp_path, **setting)
    expected = whole.train()

    history, resume = None, False
    for kill_in in [*kills, 0]:
        again = Setting(tmp_path, **setting, every=every)
        rng.generator().random(7 * resume)  # a program that was started again has been elsewhere
        try:
            history = again.train(resume=resume, kill_in=kill_in)
        except Killed:
            resume = True
    assert again.bits() == whole.bits()
    assert history == expected


@pytest.mark.parametrize("updates", [4, UPDATES])
def test_a_finished_run_can_go_on(tmp_path, updates):
    """Resumed with as many updates nothing happens; with more of them it goes on where it was."""
    first = Setting(tmp_path)
    done = first.train(updates=4)
    again = Setting(tmp_path)
    history = again.train(resume=True, updates=updates)

    assert history.updates == updates
    assert history.loss[:4] == done.loss
    assert len(history.seconds) == updates
    if updates == 4:
        assert again.bits() == first.bits()


def test_updates_that_were_left_out_are_counted_on(tmp_path):
    """What the optimiser skipped because it was not finite."""
    first = Setting(tmp_path)
    first.optimizer.error_if_nonfinite = False
    first.batches = Batches(XS * np.float32(np.nan), YS, batch_size=4)
    with pytest.warns(UserWarning, match="left out"):
        first.train(updates=2)
    again = Setting(tmp_path)
    again.train(resume=True, updates=2)

    assert again.optimizer.skipped == first.optimizer.skipped == 2


def test_early_stopping_is_not_forgotten(tmp_path):
    """A run that ran out of patience stays stopped, with its best parameters."""
    first = Setting(tmp_path, optimiser="SGD, momentum", keep_best=True, patience=1)
    first.optimizer.param_groups[0]["lr"] = 3.0  # never gets better
    stopped = first.train(updates=50)
    again = Setting(tmp_path, optimiser="SGD, momentum", keep_best=True, patience=1)

    assert stopped.updates < 50
    assert again.train(resume=True, updates=50) == stopped
    assert again.bits() == first.bits()


# ---- a real kill ----------------------------------------------------------------------------

PROGRAM = textwrap.dedent(
    """
    import json, sys
    import numpy as np
    from tinygrad_seq import functional as F, manual_seed, nn, optim
    from tinygrad_seq.models.training import Batches, Checkpoint, Validation, train

    path, resume, updates = sys.argv[1], sys.argv[2] == "resume", int(sys.argv[3])
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    xs = np.random.default_rng(0).normal(size=(20, 3))
    model.loss = lambda x: F.mse_loss(model(x), x.sum(axis=1, keepdims=True))
    optimizer = optim.Adam(model.parameters())
    history = train(
        model, Batches(xs, batch_size=6), optimizer, updates=updates, resume=resume,
        scheduler=optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=updates),
        validation=Validation(lambda: {"loss": model.loss(xs).item()}, every=50, keep_best=True),
        checkpoint=Checkpoint(path, every=20, hint="run it again with resume"),
    )
    print(json.dumps([history.loss, history.gradient_norm, history.learning_rate, history.validation]))
    """
)


def started(path, resume=False, updates=800):
    command = [sys.executable, "-c", PROGRAM, path, "resume" if resume else "new", str(updates)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, program):
    """Until there is a checkpoint."""
    while not path.exists() and program.poll() is None:
        time.sleep(0.002)


def without_time(path):
    state = checkpoint.load(path)
    state["history"].pop("seconds")
    arrays = {}
    return json.dumps(checkpoint.packed(state, "", arrays)), {name: x.tobytes() for name, x in arrays.items()}


def killed_and_resumed(folder, kills, updates):
    """The output of a program that was killed so many times at random moments."""
    path, generator = folder / "killed.safetensors", np.random.default_rng()
    with started(path, updates=updates) as program:
        wait_for(path, program)
        time.sleep(generator.uniform(0, 0.05))
        program.kill()
    seen = {checkpoint.load(path)["update"]}
    for _ in range(kills - 1):
        before = path.stat().st_mtime_ns
        with started(path, resume=True, updates=updates) as program:
            while path.stat().st_mtime_ns == before and program.poll() is None:
                time.sleep(0.002)
            time.sleep(generator.uniform(0, 0.05))
            program.kill()
        seen.add(checkpoint.load(path)["update"])
    with started(path, resume=True, updates=updates) as program:
        out, err = program.communicate()
    assert program.returncode == 0, err
    return out, without_time(path), seen


@pytest.mark.parametrize(
    ("kills", "updates"), [(2, 600), pytest.param(25, 4_000, marks=pytest.mark.slow)], ids=["twice", "often"]
)
def test_killed_at_any_moment_it_ends_the_same(tmp_path, kills, updates):
    """SIGKILL at random moments: what the program says in the end, and its last checkpoint, are the same to the bit."""
    with started(tmp_path / "whole.safetensors", updates=updates) as program:
        expected, err = program.communicate()
    assert program.returncode == 0, err
    out, state, seen = killed_and_resumed(tmp_path, kills, updates)

    assert seen != {updates}  # it was killed before its end
    assert out == expected
    assert state == without_time(tmp_path / "whole.safetensors")


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    """The program ends as one that was interrupted; resumed it ends as one that was not."""
    path = tmp_path / "a.safetensors"
    with started(path, updates=2_000) as program:
        wait_for(path, program)
        time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate()
    update = checkpoint.load(path)["update"]

    assert program.returncode == -signal.SIGINT
    assert f"Stopped after update {update:,} of 2,000, saved in {path}. To go on: run it again with resume" in err


def interrupting(setting, at, times=1):
    """A draw that presses Ctrl-C in the update `at`."""
    draw, calls = setting.draw, []

    def drawn(generator):
        calls.append(1)
        if len(calls) == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        return draw(generator)

    setting.draw = drawn


def test_ctrl_c_finishes_the_update(tmp_path):
    """It is saved after the update in which it came, the words go to the console, and the signal is as it was."""
    setting, file = Setting(tmp_path, every=100), io.StringIO()
    interrupting(setting, at=3)
    with pytest.raises(KeyboardInterrupt, match="Stopped after update 3 of 9"):
        setting.train(console=Console(file=file))
    saved = checkpoint.load(setting.checkpoint.path)["update"]
    again = Setting(tmp_path, every=100)
    history = again.train(resume=True)
    at_the_end = checkpoint.load(setting.checkpoint.path)["update"]
    whole = Setting(tmp_path, every=50)

    assert "To go on: call train again with the same arguments and resume=True" in file.getvalue()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (saved, at_the_end) == (3, 9)
    assert history == whole.train()


def test_the_second_ctrl_c_stops_at_once(tmp_path):
    """Without finishing the update, and without saving it."""
    setting = Setting(tmp_path, every=100)
    interrupting(setting, at=3, times=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        setting.train()

    assert str(caught.value) == ""
    assert checkpoint.load(setting.checkpoint.path)["update"] == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- what does not fit is refused -------------------------------------------------------------


class Wider(Net):
    def __init__(self):
        super().__init__()
        self.middle = nn.Linear(4, 1, dtype=np.float32)
        self.last = nn.Linear(1, 2)
        self.more = nn.Linear(1, 1)


def use_model(setting):
    setting.model = Wider()
    setting.optimizer = OPTIMISERS["Adam"](setting.model.named_parameters())


def use_sgd(setting):
    setting.optimizer = OPTIMISERS["SGD"](setting.model.named_parameters())


def use_groups(setting):
    first, *rest = setting.model.parameters()
    setting.optimizer = optim.Adam([{"params": [first]}, {"params": rest}])


def use_schedule(setting):
    setting.scheduler = SCHEDULES["StepLR"](setting.optimizer)


def use_data(setting):
    setting.batches = Batches(XS, YS, batch_size=5)


NET = (
    r"of another model: it has no more\.weight; it has no more\.bias; its middle\.weight is float64 of shape \(1, 4\), "
    r"the model's float32 of shape \(1, 4\); and 3 more"
)
REFUSALS = {
    "model": (use_model, NET),
    "optimiser": (use_sgd, "was written with optimizer Adam, this run has SGD"),
    "groups": (use_groups, r"does not fit this run: Adam has groups of \[1, 5\] parameters"),
    "schedule": (use_schedule, "was written with scheduler None, this run has StepLR"),
    "data": (use_data, "10 examples in batches of 4, these are 10 in batches of 5"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_checkpoint_of_another_run_changes_nothing(tmp_path, change, reason):
    """The error names the file and what differs; everything in the program is as before, and so is the file."""
    Setting(tmp_path).train(updates=3)
    written = (tmp_path / "run.safetensors").read_bytes()
    setting = Setting(tmp_path)
    change(setting)
    before = setting.bits()

    with pytest.raises(CheckpointError, match=reason):
        setting.train(resume=True)
    assert setting.bits() == before
    assert (tmp_path / "run.safetensors").read_bytes() == written


def test_what_is_found_wrong_late_is_taken_back(tmp_path):
    """A state whose last part does not fit leaves no trace of its first."""
    Setting(tmp_path).train(updates=3)
    path = tmp_path / "run.safetensors"
    state = checkpoint.load(path)
    del state["random"]["library"]
    checkpoint.save(state, path)
    setting = Setting(tmp_path)
    before = setting.bits()

    with pytest.raises(CheckpointError, match="does not fit this run: it lacks 'library'"):
        setting.train(resume=True)
    assert setting.bits() == before


def test_what_is_no_checkpoint_of_a_run_is_refused(tmp_path):
    """Also a checkpoint of something else; and resuming needs one."""
    setting = Setting(tmp_path)
    with pytest.raises(FileNotFoundError):
        setting.train(resume=True)
    checkpoint.save({"kind": "mine"}, tmp_path / "run.safetensors")
    with pytest.raises(CheckpointError, match="not of a run of training"):
        setting.train(resume=True)
    with pytest.raises(DataError, match="to resume give checkpoint="):
        train(setting.model, setting.batches, setting.optimizer, updates=1, resume=True)


def test_a_bad_place_is_found_before_the_first_update(tmp_path):
    """Nothing is trained for an hour that cannot be saved in the end."""
    for bad in (Checkpoint(tmp_path / "none" / "a"), Checkpoint(tmp_path / "a", meta={"f": len})):
        setting = Setting(tmp_path)
        setting.checkpoint = bad
        with pytest.raises((OSError, DataError)):
            setting.train(kill_in=1)
    with pytest.raises(DataError, match="every must be a positive integer"):
        Checkpoint(tmp_path / "a", every=0)


# ---- what a command line reads ------------------------------------------------------------------


def test_meta_and_parameters_are_read_apart(tmp_path):
    """To build the model again, and give it the best parameters, or the last where none were kept."""
    for keep_best in (False, True):
        setting = Setting(tmp_path, keep_best=keep_best)
        setting.optimizer.param_groups[0]["lr"] = 0.5
        history = setting.train()
        model = Net()
        load_parameters(model, setting.checkpoint.path)
        with no_grad():
            loss = model.eval().loss(XS, YS).item()

        assert read_meta(setting.checkpoint.path) == {"task": "sum", "글": [1, None]}
        assert loss == (min if keep_best else lambda x: x[-1])(history.series("loss")[1])
    wider = Wider()
    before = wider.state_dict()
    with pytest.raises(CheckpointError, match="of another model"):
        load_parameters(wider, setting.checkpoint.path)
    assert all((before[name] == x).all() for name, x in wider.state_dict().items())


def test_a_model_of_values_is_saved_too(tmp_path):
    """Parameters without paths go by their number, numbers as numbers."""

    class Line:
        def __init__(self):
            self.a, self.b = Value(1.0, requires_grad=True), Parameter([2.0])

        def parameters(self):
            return [self.a, self.b]

        def loss(self):
            return self.a * self.a + (self.b * self.b).sum().item()

    def made(**options):
        line = Line()
        return line, train(line, lambda generator: (), optim.SGD([line.a], lr=0.1), **options)

    whole, expected = made(updates=6)
    made(updates=3, checkpoint=tmp_path / "a")
    line, history = made(updates=6, checkpoint=tmp_path / "a", resume=True)

    assert (line.a.data, history) == (whole.a.data, expected)

"""Gradient against distance: what is compared, that a trial is a pure function, and that no run is lost."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Tensor, checkpoint, manual_seed
from tinygrad_seq.errors import CheckpointError, DataError, SweepError
from tinygrad_seq.gradflow import per_step
from tinygrad_seq.models.flow import (
    INITIALISATIONS,
    NETWORKS,
    Comparison,
    Run,
    Trial,
    compare,
    finished_runs,
    network,
    plan,
    sweep,
    sweeping,
    trial,
)
from tinygrad_seq.models.flow.tables import runs_table
from tinygrad_seq.models.flow.trials import Growing, Measured, recall

RECURRENT = [name for name, about in NETWORKS.items() if about.states]
SMALL = {"steps": 6, "hidden": 4, "updates": 2}


def made(name, hidden=8, seed=0, **options):
    manual_seed(seed)
    return network(name, hidden, tokens=8, num_classes=4, **options)


def same(a, b):
    """Whether two runs are the same to the bit, but for the time that they took."""
    one, other = (run._replace(seconds_per_update=0.0).to_dict() for run in (a, b))
    norms = [
        [(when, name, x.tolist()) for when, m in run["measured"].items() for name, x in m.pop("norms").items()]
        for run in (one, other)
    ]
    return norms[0] == norms[1] and one == other


# ---- the models ----------------------------------------------------------------------


@settings(max_examples=30)
@given(st.sampled_from(list(NETWORKS)), st.integers(2, 7), st.integers(0, 2**16), st.data())
def test_the_gradient_is_how_the_loss_moves(name, T, seed, data):
    """Along any direction at any step, ∂L_T/∂x_t · v is the slope of L_T, in every model."""
    rng = np.random.default_rng(seed)
    model, x, v = made(name, seed=seed), rng.normal(size=(T, 2, 8)), rng.normal(size=(2, 8))
    leaf, t = Tensor(x, requires_grad=True), data.draw(st.integers(0, T - 1))
    gradient = per_step(model.loss(leaf, [1, 3]), leaf).gradients[t]

    def moved(by):
        y = x.copy()
        y[t] += by * v
        return model.loss(Tensor(y), [1, 3]).item()

    slope = (moved(1e-4) - moved(-1e-4)) / 2e-4
    assert np.sum(gradient * v) == pytest.approx(slope, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_tokens_are_read_as_their_vectors(name):
    """The loss of tokens is that of their rows of the embedding, and a prediction is the largest of the logits."""
    model, tokens = made(name), np.random.default_rng(1).integers(0, 8, (9, 3))
    vectors = Tensor(model.embedding(tokens).data)

    assert model.loss(tokens, [0, 1, 2]).item() == model.loss(vectors, [0, 1, 2]).item()
    np.testing.assert_array_equal(model.predict(tokens), model(tokens).data.argmax(-1))
    for state in NETWORKS[name].states:
        assert len(per_step(model.loss(tokens, [0, 1, 2]), state)) == 9


def test_self_attention_is_one_look_back():
    """The last row of softmax(q kᵀ / √d) v for each head, as written by hand."""
    model, x = made("self-attention"), np.random.default_rng(2).normal(size=(5, 8))
    place = np.arange(5)[:, None] / 10000 ** (np.arange(0, 8, 2) / 8)
    z = x + np.stack([np.sin(place), np.cos(place)], -1).reshape(5, 8)
    W = model.attention.in_proj_weight.data.reshape(3, 8, 8)
    q, k, v = (z @ part.T for part in W)  # the bias starts as 0
    heads = []
    for n in range(0, 8, 2):
        score = k[:, n : n + 2] @ q[-1, n : n + 2] / np.sqrt(2)
        w = np.exp(score) / np.exp(score).sum()
        heads.append(w @ v[:, n : n + 2])
    expected = np.concatenate(heads) @ model.attention.out_proj.weight.data.T
    y, w = model.read(Tensor(x[:, None]))

    np.testing.assert_allclose(y.data[0], expected, rtol=1e-12)
    assert w.data.sum() == pytest.approx(1)


# ‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖ at T=50, H=32, of random inputs: with the median of PyTorch's models of five other seeds
# (6e-15, 1e-5, 9e-5, 1e-10, 1e-10, 1e-10) it agrees as far as five seeds go.
AT_START = {
    "rnn": (1e-19, 1e-14),
    "rnn-orthogonal": (1e-9, 1e-4),
    "lstm": (1e-6, 1e-3),
    "lstm-pytorch": (1e-13, 1e-8),
    "gru": (1e-13, 1e-8),
    "gru-lecture": (1e-13, 1e-8),
    "attention": (1e-3, 1.0),
    "self-attention": (1e-3, 2.0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_arrives_over_fifty_steps_at_the_start(name):
    """The order of magnitude of the models of PyTorch: an LSTM with its bias is no better than a GRU."""
    low, high = AT_START[name]
    ratios = []
    for seed in range(5):
        x = Tensor(np.random.default_rng(seed).normal(size=(50, 1, 32)), requires_grad=True)
        norms = per_step(made(name, 32, seed).read(x)[0].sum(), x).norms
        ratios.append(norms[0] / norms[-1])

    assert low < np.median(ratios) < high


@pytest.mark.parametrize("name", [name for name in RECURRENT if name != "rnn-orthogonal"])
@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_each_gate_starts_as_told(name, initialisation):
    """Orthogonal or the identity for each gate's W_h; all else starts as it would."""
    usual, model = made(name), made(name, initialisation=initialisation)
    W = model.rnn.weight_hh_l0.data.reshape(-1, 8, 8)

    assert np.array_equal(W, usual.rnn.weight_hh_l0.data.reshape(-1, 8, 8)) == (initialisation == "default")
    for gate in W:
        if initialisation in ("orthogonal", "identity"):
            np.testing.assert_allclose(gate @ gate.T, np.eye(8), atol=1e-14)
        assert np.array_equal(gate, np.eye(8)) == (initialisation == "identity")
    np.testing.assert_array_equal(model.rnn.weight_ih_l0.data, usual.rnn.weight_ih_l0.data)
    assert model.rnn.weight_hh_l0.data.dtype == np.float64


def test_an_orthogonal_rnn_is_the_rnn_started_so():
    """The name is short for the two."""
    weights = [made("rnn-orthogonal"), made("rnn", initialisation="orthogonal")]

    np.testing.assert_array_equal(*[model.rnn.weight_hh_l0.data for model in weights])


# ---- a trial -------------------------------------------------------------------------


@given(st.integers(2, 200), st.integers(1, 400))
def test_sequences_grow_to_their_full_length(steps, updates):
    """From five steps on, never shorter than before, and for a fifth of the updates as long as they are measured."""
    source, lengths = Growing(steps, updates), []
    for _ in range(updates + 1):
        lengths.append(source.length)
        source.drawn += 1

    assert lengths[0] == min(5, steps)
    assert lengths == sorted(lengths)
    assert lengths[round(0.8 * updates) or 1 :] == [steps] * len(lengths[round(0.8 * updates) or 1 :])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trial_is_a_pure_function(name):
    """The same bits whatever was drawn before, and the library's generator is afterwards as it was."""
    spec = Trial(name, **SMALL)
    rng = manual_seed(1)
    first, drawn = trial(spec), rng.random()
    rng = manual_seed(7)
    rng.random(13)
    again = trial(spec)

    assert same(first, again)
    assert drawn == np.random.default_rng(1).random()
    assert not same(first, trial(spec._replace(seed=1)))
    assert list(first.measured) == ["init", "trained"]
    assert first.seconds_per_update > 0
    assert set(first.measured["init"].norms) == {"x", *NETWORKS[name].states}


def test_longer_chains_for_those_that_carry_a_state():
    """The longest chain of operations grows with T in all that are recurrent, and not in self-attention."""
    chains = {name: [trial(Trial(name, T, hidden=4, updates=0)).sequential for T in (10, 20, 30)] for name in NETWORKS}

    for name, (a, b, c) in chains.items():
        assert c - b == b - a
        assert (b - a == 0) == (name == "self-attention")
        assert (b - a >= 10) == (name != "self-attention")


def test_training_is_on_recall():
    """Attention learns in a few updates to say what came first twelve steps ago; guessing gets a quarter."""
    run = trial(Trial("self-attention", steps=12, hidden=16, updates=60))

    assert run.score == run.measured["trained"].accuracy == 1.0
    assert run.measured["init"].accuracy < 0.5
    assert run.chance == pytest.approx(recall(12).baseline("test")["accuracy"], abs=0.05)
    assert run.measured["trained"].loss < 0.1 < run.measured["init"].loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru", "attention", "self-attention"])
def test_a_memory_is_learnt_over_fifty_steps(name):
    """With sequences that grow, 300 updates are enough."""
    assert trial(Trial(name)).score > 0.99


@pytest.mark.slow
def test_a_plain_rnn_does_not_learn_it():
    """Of five seeds few find it, most keep which half of the four symbols it was, or nothing."""
    scores = [trial(Trial("rnn", seed=seed)).score for seed in range(5)]

    assert np.median(scores) < 0.8


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9), st.floats(), st.integers(0, 2**32))
def test_a_run_is_kept_to_the_bit(norms, loss, seed):
    """What is read is what was written, infinite and tiny numbers too."""
    measured = {"init": Measured({"x": np.array(norms)}, loss, 0.25)}
    run = Run(Trial("gru", seed=seed), measured, 7, 9, float("nan"))
    checkpoint.save(run.to_dict(), "run.safetensors")
    try:
        back = Run.from_dict(checkpoint.load("run.safetensors"))
    finally:
        Path("run.safetensors").unlink()

    assert back.measured["init"].norms["x"].tobytes() == run.measured["init"].norms["x"].tobytes()
    assert back.trial == run.trial
    assert repr(back.measured["init"].loss) == repr(loss)


# ---- many trials ---------------------------------------------------------------------


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trials():
    return plan(["rnn", "self-attention"], seeds=3, **SMALL)


@pytest.fixture(scope="module")
def alone(trials):
    """What comes of them in this process."""
    return Comparison(sweep(trials, jobs=1), trials)


def content(comparison):
    comparison.to_csv("table.csv")
    return Path("table.csv").read_bytes()


def test_a_plan_has_everything_once():
    """Models × lengths × initialisations × seeds; what is asked for twice is run once."""
    trials = plan(["rnn", "gru", "rnn"], [10, 20], [3, 5], initialisations=["default", "identity"], hidden=8)

    assert len(trials) == len(set(trials)) == 16
    assert {each.seed for each in trials} == {3, 5}
    assert trials[0].title == "rnn, T=10, seed 3, hidden 8"
    assert trials[2]._replace(updates=0).title == "rnn, T=10, seed 3, initialisation identity, hidden 8, untrained"


def test_processes_change_no_number(trials, alone):
    """Two processes give the same bytes as none."""
    assert content(Comparison(sweep(trials, jobs=2), trials)) == content(alone)


def test_a_cluster_changes_no_number(trials, alone):
    """A Dask cluster of two workers gives the same bytes; each run comes once."""
    pytest.importorskip("distributed")
    program = (
        "import threading, distributed\n"
        "from tinygrad_seq.models.flow import Comparison, Trial, sweep\n"
        f"trials = [Trial(*spec) for spec in {[tuple(spec) for spec in trials]}]\n"
        "if __name__ == '__main__':\n"
        "    options = {'n_workers': 2, 'threads_per_worker': 1, 'processes': True, 'dashboard_address': None}\n"
        "    with distributed.LocalCluster(**options) as cluster:\n"
        "        runs = list(sweep(trials, dask=cluster.scheduler_address))\n"
        "        assert not [c for c in distributed.Client._instances if c.status == 'running'], 'a client is left'\n"
        "    assert len(runs) == len(trials)\n"
        "    Comparison(runs, trials).to_csv('cluster.csv')\n"
    )  # in a process of its own: its threads draw random numbers, and Hypothesis watches who does
    Path("run.py").write_text(program)
    subprocess.run([sys.executable, "run.py"], check=True, timeout=120)

    assert Path("cluster.csv").read_bytes() == content(alone)


def test_results_come_as_they_are_done(trials):
    """The first is handed out before the others are begun."""
    arriving = sweep(trials, jobs=1, folder="runs")
    assert next(arriving).trial == trials[0]
    arriving.close()

    assert len(finished_runs("runs")) < len(trials)


def test_what_is_done_is_not_done_again(trials, alone, monkeypatch):
    """Resuming runs only those that are not there, also of a longer plan, to the same bytes."""
    ran = []
    monkeypatch.setattr(sweeping, "trial", lambda spec: ran.append(spec) or trial(spec))
    list(sweep(trials[:2], jobs=1, folder="runs"))
    resumed = Comparison(sweep(trials, jobs=1, folder="runs", resume=True), trials)

    assert ran == trials
    assert content(resumed) == content(alone)
    assert len(finished_runs("runs")) == len(trials)
    list(sweep(trials, jobs=1, folder="runs", resume=True))
    assert ran == trials


def test_a_damaged_run_is_run_again(trials, alone):
    """A file with one wrong byte counts as not there."""
    list(sweep(trials, jobs=1, folder="kept"))
    path = sorted(Path("kept/runs").iterdir())[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError):
        finished_runs("kept")

    assert content(Comparison(sweep(trials, jobs=1, folder="kept", resume=True), trials)) == content(alone)
    assert len(finished_runs("kept")) == len(trials)


def test_a_kill_loses_only_what_was_under_way(trials, alone, an_empty_folder):
    """After SIGKILL the finished runs are whole, and resuming gives the same bytes as if nothing had happened."""
    program = (
        "from tinygrad_seq.models.flow import *; from tinygrad_seq.models.flow import sweeping; import time\n"
        "sweeping.trial = lambda spec: (time.sleep(0.2), trial(spec))[1]\n"
        f"list(sweep(plan(['rnn', 'self-attention'], seeds=3, **{SMALL}), jobs=1, folder='killed'))"
    )
    running = subprocess.Popen([sys.executable, "-c", program], cwd=an_empty_folder)
    until = time.monotonic() + 60
    while not list(Path("killed/runs").glob("*seed1.safetensors")) and time.monotonic() < until:
        time.sleep(0.01)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    done = finished_runs("killed")

    assert 2 <= len(done) < len(trials)
    assert content(Comparison(sweep(trials, jobs=1, folder="killed", resume=True), trials)) == content(alone)


def failing(spec):
    if spec.seed == 1:
        raise ArithmeticError("no  luck\ntoday")
    return trial(spec)


def test_a_failure_stops_no_other(trials, monkeypatch):
    """All others arrive and are kept; then it is said which failed, and why."""
    monkeypatch.setattr(sweeping, "trial", failing)
    runs = []
    with pytest.raises(SweepError) as caught:
        runs.extend(run for run in sweep(trials, jobs=1, folder="kept"))

    assert len(runs) == len(finished_runs("kept")) == 4
    assert str(caught.value).splitlines() == [
        "2 of 6 runs failed; the others are kept, resume goes on with them:",
        "  rnn, T=6, seed 1, hidden 4, 2 updates: ArithmeticError: no luck today",
        "  self-attention, T=6, seed 1, hidden 4, 2 updates: ArithmeticError: no luck today",
    ]


def test_other_runs_are_not_mixed_in(trials):
    """A folder with runs of another plan is refused, and one with runs of this plan unless told to resume."""
    list(sweep(trials[:2], jobs=1, folder="kept"))
    before = {path: path.read_bytes() for path in Path("kept/runs").iterdir()}

    with pytest.raises(DataError, match=r"runs of another plan, such as rnn-default-T6-H4-u2-seed0 \(2 of 2\)"):
        sweep(trials[2:], folder="kept", resume=True)
    with pytest.raises(DataError, match="has 2 of the 6 runs already: resume to go on"):
        sweep(trials, folder="kept")
    assert {path: path.read_bytes() for path in Path("kept/runs").iterdir()} == before


def test_runs_of_another_version_are_refused(trials, monkeypatch):
    """Their numbers may differ."""
    list(sweep(trials[:1], jobs=1, folder="kept"))
    monkeypatch.setattr(sweeping, "__version__", "99.0")

    with pytest.raises(CheckpointError, match=r"is of version .*, this is 99.0: take another folder"):
        sweep(trials, folder="kept", resume=True)


# ---- tables --------------------------------------------------------------------------


def test_the_table_is_tidy(alone, trials):
    """A row for every run, moment, quantity and step, whose numbers read back to the same bits."""
    table = alone.table()
    content(alone)
    with open("table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == len(table["norm"]) == 3 * 2 * 2 * 6 + 3 * 2 * 1 * 6
    assert [float(row["norm"]) for row in rows] == table["norm"].tolist()
    for row in rows:
        assert int(row["t"]) + int(row["distance"]) == 6
    mine = (table["model"] == "rnn") & (table["when"] == "trained") & (table["quantity"] == "x")
    np.testing.assert_array_equal(table["norm"][mine].reshape(3, 6), alone.norms("rnn", "trained"))


def test_parquet_is_the_same_table(alone):
    """Column by column, with the bits."""
    parquet = pytest.importorskip("pyarrow.parquet")
    alone.to_parquet("table.parquet")
    back = parquet.read_table("table.parquet")

    assert back.column_names == list(alone.table())
    for name, column in alone.table().items():
        assert back[name].to_pylist() == column.tolist()


def test_without_pyarrow_there_is_csv(alone, monkeypatch):
    """The error says what to install, and what there is without it."""
    monkeypatch.setattr("tinygrad_seq.models.flow.tables.find_spec", lambda name: None)

    with pytest.raises(DataError, match=r"pip install 'tinygrad-seq\[parquet\]', or write CSV"):
        alone.to_parquet("table.parquet")
    assert not Path("table.parquet").exists()


def test_a_row_for_every_run(alone):
    """Ratio and accuracy are those of the run; only the seconds depend on who measured."""
    table = runs_table(alone.runs)

    assert len(table["ratio"]) == 12
    assert table["ratio"][0] == alone.runs[0].ratio()
    assert alone.ratio("rnn") == np.median([run.ratio() for run in alone.of("rnn")])
    assert set(table["when"]) == {"init", "trained"}
    assert (table["accuracy"][table["when"] == "trained"][:3] == alone.scores("rnn")).all()


# ---- what is asked for, and what there is not ------------------------------------------


@pytest.fixture(scope="module")
def several():
    return compare(["rnn", "lstm"], [8, 16], 2, initialisations=["default", "orthogonal"], hidden=4, trained=False,
                   jobs=1)  # fmt: skip


def test_groups_are_told_apart(several):
    """By length and start where there are several; each group has its seeds, and a label of its own."""
    groups = several.groups()

    assert len(groups) == 8
    assert len({several.label(**group) for group in groups}) == 8
    assert {several.norms(**group).shape for group in groups} == {(2, 8), (2, 16)}
    assert several.label("lstm", steps=8, initialisation="orthogonal") == "LSTM, forget bias 1, T=8, orthogonal"
    assert several.norms("lstm", quantity="C", steps=8, initialisation="default").shape == (2, 8)
    assert several.summary().row_count == 8
    assert repr(several) == "<comparison of rnn, lstm: 16 runs, init>"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda c: c.norms("lstn", steps=8), "there is no model 'lstn' here: did you mean 'lstm'? there are rnn, lstm"),
        (lambda c: c.norms("rnn"), "rnn was run with several: say steps=, one of 8, 16"),
        (lambda c: c.score("rnn", steps=8), "say initialisation=, one of default, orthogonal"),
        (lambda c: c.of("rnn", steps=9), "rnn was not run with steps=9: there is 8, 16"),
        (lambda c: c.norms("rnn", "trained", steps=8, initialisation="default"), "not measured 'trained'"),
        (lambda c: c.norms("rnn", quantity="C", steps=8, initialisation="default"), "rnn has no 'C' to measure"),
        (lambda c: c.t, "there are runs of several lengths, 8, 16"),
        (lambda c: Comparison([]), "a comparison needs at least one run"),
    ],
)
def test_what_a_comparison_does_not_have(several, call, says):
    """What was asked for, and what there is."""
    with pytest.raises(DataError) as caught:
        call(several)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: compare(["lstmm"]), "there is no model 'lstmm': did you mean 'lstm'? The models are rnn,"),
        (lambda: compare("rnn"), "models must be a list of names, got 'rnn': write ['rnn']"),
        (lambda: compare([]), "at least one model"),
        (lambda: compare(["rnn"], steps=1), "needs steps, an integer of at least 2, got 1"),
        (lambda: compare(["rnn"], seeds=0), "seeds must be how many, at least 1, or a list of them, got 0"),
        (lambda: compare(["rnn"], seeds=[-1]), "needs seed, an integer of at least 0, got -1"),
        (lambda: compare(["rnn"], updates=1.5), "needs updates, an integer of at least 0, got 1.5"),
        (lambda: compare(["self-attention"], hidden=6), "hidden must be a multiple of 4, got 6"),
        (lambda: plan(["rnn"], initialisations=["ortogonal"]), "'ortogonal': did you mean 'orthogonal'?"),
        (lambda: plan(["self-attention"], initialisations=["identity"]), "has no W_h to start as identity"),
        (lambda: plan(["rnn-orthogonal"], initialisations=["identity"]), "take rnn to start it as identity"),
        (lambda: compare(["rnn"], jobs=0), "jobs must be how many processes to use, at least 1, got 0"),
        (lambda: compare(["rnn"], jobs=2, dask="tcp://localhost:1"), "give jobs or dask, not both"),
        (lambda: compare(["rnn"], dask="scheduler"), "an address like tcp://host:8786, got 'scheduler'"),
        (lambda: compare(["rnn"], dask="tcp://127.0.0.1:99999"), "an address like tcp://host:8786"),
        (lambda: compare(["rnn"], resume=True), "to resume give folder="),
        (lambda: trial(Trial("rnn", steps=True)), "needs steps, an integer of at least 2, got True"),
        (lambda: made("self-attention").loss([[1], [2]], [0], [2]), "leave out lengths"),
    ],
)
def test_what_cannot_be_run(call, says, monkeypatch):
    """It is refused before anything runs: what was expected, and what was given."""
    monkeypatch.setattr(sweeping, "find_spec", lambda name: True)
    monkeypatch.setattr(sweeping, "trial", None)
    with pytest.raises(DataError) as caught:
        call()

    assert says in str(caught.value)


def test_a_cluster_that_is_not_there(monkeypatch):
    """At once, not after half a minute; and without Dask what to install is said."""
    monkeypatch.setattr(sweeping, "find_spec", lambda name: True)
    with pytest.raises(SweepError, match=r"no Dask scheduler answers at 127\.0\.0\.1:9 \(.+\): start one"):
        compare(["rnn"], dask="127.0.0.1:9")
    monkeypatch.setattr(sweeping, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'tinygrad-seq\[dask\]'"):
        compare(["rnn"], dask="tcp://127.0.0.1:9")


def test_workers_that_die_are_told_of(trials, monkeypatch):
    """What they had done is kept; the error says what ended them."""
    monkeypatch.setattr(sweeping, "attempt", os._exit)  # what a kill for lack of memory looks like

    with pytest.raises(SweepError, match="the processes that run the trials ended: "):
        list(sweep(trials, jobs=2, folder="kept"))


def test_panels_are_what_a_chart_takes():
    """For each moment the norms of each model, over seeds; of several lengths those that are asked for."""
    flow = compare(["rnn", "self-attention"], steps=[8, 12], seeds=2, hidden=8, trained=False, jobs=1)

    (panel,) = flow.panels(12).values()
    assert list(panel) == ["RNN, T=12", "self-attention, T=12"]
    assert [norms.shape for norms in panel.values()] == [(2, 12)] * 2
    with pytest.raises(DataError, match="several lengths"):
        flow.panels()

"""Experiments: kept in one file, made again from it, gone on with to the same bits."""

import numpy as np
import pytest

from tinygrad_seq import checkpoint
from tinygrad_seq.errors import CheckpointError
from tinygrad_seq.models import Build, Experiment
from tinygrad_seq.models.experiment import Plan
from tinygrad_seq.models.tasks import task
from tinygrad_seq.models.training import read_meta


def reversal(seed=0, **how):
    return Experiment(task("reversal", length=4, batch=4), Build(**({"hidden": 8} | how)), seed=seed)


def bits(experiment):
    return {name: p.data.tobytes() for name, p in experiment.model.named_parameters()}


@pytest.mark.parametrize("name", ["hello", "reversal", "spelling-korean"])
def test_loaded_is_as_saved(tmp_path, name):
    """Task, sizes, seed and every parameter, of data made anew and of data in epochs."""
    experiment = Experiment(task(name), Build("lstm", hidden=8), seed=7)
    experiment.train(updates=3, path=tmp_path / "a")
    loaded = Experiment.load(tmp_path / "a")

    assert loaded.to_dict() == experiment.to_dict()
    assert bits(loaded) == bits(experiment)
    assert not loaded.model.training


def test_the_seed_decides():
    """The same parameters and the same training for the same seed, others for another."""
    a, b, c = (reversal(seed) for seed in (3, 3, 4))
    assert bits(a) == bits(b) != bits(c)
    histories = [each.train(updates=5) for each in (a, b)]

    assert histories[0] == histories[1]
    assert bits(a) == bits(b)


@pytest.mark.parametrize("how", [{}, {"attention": "dot"}, {"layers": 2, "dropout": 0.5}])
def test_gone_on_with_is_as_never_stopped(tmp_path, how):
    """To the bit, by the plan that the first run was begun with."""
    whole, first = reversal(**how), reversal(**how)
    wanted = whole.train(updates=8, lr=0.01, clip=0.5, validate_every=2)
    first.train(updates=4, lr=0.01, clip=0.5, validate_every=2, path=tmp_path / "a")
    second = Experiment.from_dict(read_meta(tmp_path / "a"))
    history = second.train(updates=8, path=tmp_path / "a", resume=True)

    assert history == wanted
    assert bits(second) == bits(whole)
    assert read_meta(tmp_path / "a")["plan"] == Plan(8, 0.01, 0.5, None, 2, None)._asdict()


def test_a_plan_is_not_changed_on_the_way(tmp_path):
    """Only the number of updates may be another; what differs is named, and the file stays as it is."""
    reversal().train(updates=2, lr=0.01, path=tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(CheckpointError, match=r"begun with lr=0\.01 \(got 0\.02\)"):
        reversal().train(updates=4, lr=0.02, path=tmp_path / "a", resume=True)

    assert (tmp_path / "a").read_bytes() == before


def test_patience_keeps_the_best(tmp_path):
    """What is loaded is the best validation's, not the last one's."""
    experiment = reversal()
    history = experiment.train(updates=40, lr=0.5, validate_every=1, patience=3, path=tmp_path / "a")
    losses = history.series("loss")[1]

    assert history.updates < 40
    assert experiment.task.evaluate(experiment.model)["loss"] == pytest.approx(min(losses))
    assert bits(Experiment.load(tmp_path / "a")) == bits(experiment)


def test_the_usual_plan_is_the_tasks():
    """Updates, learning rate and clipping from the task, ten validations on the way."""
    assert Experiment(task("dates"), Build()).plan() == Plan(1200, 3e-3, 1.0, None, 120, None)
    assert [row["update"] for row in reversal().train(updates=20).validation] == list(range(2, 21, 2))


def change(path, **others):
    """The same checkpoint with another meta."""
    state = checkpoint.load(path)
    checkpoint.save({**state, "meta": state["meta"] | others}, path)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    """With the reason: none there, cut short, of something else, of another vocabulary, task, or size."""
    path = tmp_path / "a"
    with pytest.raises(CheckpointError, match="train first"):
        Experiment.load(path)
    reversal().train(updates=1, path=path)
    good = path.read_bytes()
    meta = read_meta(path)
    path.write_bytes(good[:1000])
    with pytest.raises(CheckpointError, match=r"cut short|corrupt"):
        Experiment.load(path)
    other = meta["vocabularies"] | {"source": meta["vocabularies"]["source"] | {"tokens": ["<pad>", "<unk>", "Z"]}}
    for others, says in (
        ({"vocabularies": other}, "another source vocabulary: .*only here: 'A'"),
        ({"task": "dates"}, "no option 'length'"),
        ({"task": "revresal"}, "did you mean 'reversal'"),
        ({"build": {"modle": "gru"}}, "holds no experiment .*modle"),
        ({"build": meta["build"] | {"hidden": 9}}, "is of another model"),
    ):
        path.write_bytes(good)
        change(path, **others)
        with pytest.raises(CheckpointError, match=says):
            Experiment.load(path)
    state = checkpoint.load(path)
    checkpoint.save({**state, "meta": {}}, path)
    with pytest.raises(CheckpointError, match="holds no experiment that can be made again: it lacks 'task'"):
        Experiment.load(path)
    with pytest.raises(CheckpointError, match="it lacks 'plan'"):
        reversal().train(path=path, resume=True)


def test_epochs_are_those_of_the_data():
    """Data that is a list is gone through example by example: as many updates as batches, and none twice."""
    experiment = Experiment(task("spelling-english", batch=500), Build(hidden=4))
    seen = []
    loss = experiment.model.loss
    experiment.model.loss = lambda v, targets: seen.append(v) or loss(v, targets)
    experiment.train(updates=3)

    assert [len(v) for v in seen] == [500, 500, 293]
    assert len(np.unique(np.concatenate(seen), axis=0)) > 1280

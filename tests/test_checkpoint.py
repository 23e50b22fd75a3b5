"""Weights and checkpoints: what is read is what was written, to the bit, or it is refused; no file is ever half."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import save as as_safetensors

from tinygrad_seq import Parameter, Tensor, checkpoint, nn
from tinygrad_seq.errors import CheckpointError, DataError
from tinygrad_seq.models import RNN

DATA = Path(__file__).parent / "data"
DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
STATE = {"update": 3, "weights": {"W": np.arange(6.0).reshape(2, 3)}, "word": "글", "best": float("inf"), "none": None}


# ---- a state comes back -----------------------------------------------------------------


@st.composite
def laid_out(draw):
    """An array of any dtype, with its axes in any order in memory."""
    array = draw(npst.arrays(draw(st.sampled_from(DTYPES)), npst.array_shapes(min_dims=0, max_dims=3, min_side=0)))
    return array.transpose(draw(st.permutations(range(array.ndim))))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | laid_out()
STATES = st.dictionaries(
    st.text() | st.integers(),
    st.recursive(
        LEAVES,
        lambda x: st.lists(x) | st.lists(x).map(tuple) | st.dictionaries(st.text() | st.integers() | st.booleans(), x),
        max_leaves=8,
    ),
)


def alike(a, b):
    """Whether two states are equal: types, bits, and the order of arrays in memory."""
    if isinstance(a, np.ndarray):
        bits = a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        return bits and checkpoint.memory_order(a) == checkpoint.memory_order(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return repr(a) == repr(b)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@example(state={"$float": "1", "$array": 1, 1: {True: {"$dict": [1]}}})
@given(state=STATES)
def test_a_state_comes_back_as_it_was(tmp_path, state):
    """Dicts, lists, tuples, texts, numbers and arrays: types, bits, order of keys, and order in memory."""
    path = tmp_path / "a.safetensors"
    checkpoint.save(state, path)

    assert alike(checkpoint.load(path), state)


def test_arrays_are_read_only_and_named_by_their_place(tmp_path):
    """Others can look into a checkpoint with any safetensors reader; two equal names do not meet."""
    path = tmp_path / "a.safetensors"
    checkpoint.save({"a": {"b": np.ones(2)}, "a.b": np.zeros(2), "F": np.ones((2, 3)).T}, path)
    loaded = checkpoint.load(path)

    assert set(checkpoint.load_weights(path)) == {"a.b", "a.b'", "F"}
    assert checkpoint.load_weights(path)["F"].shape == (3, 2)
    assert not any(x.flags.writeable for x in (loaded["a"]["b"], loaded["a.b"], loaded["F"]))


def test_the_header_is_json_for_every_reader(tmp_path):
    """Also with numbers that JSON has no word for, and letters of any script."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    checkpoint.save({"x": [float("nan"), float("-inf")], "글": "e\u0301"}, tmp_path / "a")
    blob = (tmp_path / "a").read_bytes()
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")], parse_constant=refuse)

    assert json.loads(header["__metadata__"]["tinygrad_seq"], parse_constant=refuse)["format"] == 1


@pytest.mark.parametrize("bad", [object(), {1, 2}, np.array(["a"]), np.array([1j]), np.array([None]), len, b"bytes"])
def test_what_needs_pickle_is_refused(tmp_path, bad):
    """The error says where in the state it is; the file that was there stays."""
    path = tmp_path / "a.safetensors"
    checkpoint.save(STATE, path)

    with pytest.raises(DataError, match=r"model\.0\.thing cannot be saved"):
        checkpoint.save({"model": [{"thing": bad}]}, path)
    assert alike(checkpoint.load(path), STATE)


# ---- what is not whole is refused ---------------------------------------------------------


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.safetensors"
    checkpoint.save(STATE, path)
    return path.read_bytes()


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    return str(caught.value)


def test_every_wrong_byte_is_found(tmp_path, whole):
    """Whichever byte of the file is changed, in one bit or in all."""
    path = tmp_path / "flipped.safetensors"
    for i in range(len(whole)):
        for flip in (1 << i % 8, 0x20, 0xFF):
            message = refused(path, whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :])
            assert "corrupt" in message or "not a checkpoint" in message or "cut short" in message


def test_every_cut_is_found(tmp_path, whole):
    """At whichever length the file ends; and something after its end too."""
    path = tmp_path / "cut.safetensors"
    messages = [refused(path, whole[:n]) for n in range(len(whole))]
    said = f"cut short, at {len(whole) - 1} of {len(whole)} bytes"

    assert "it is empty" in messages[0]
    assert said in messages[-1]
    assert "corrupt" in refused(path, whole + b"\0")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04 a zip, such as torch.save writes", "give a file that `save` wrote"),
        (json.dumps({"a": 1}).encode(), "not a checkpoint"),
        (as_safetensors({"W": np.ones(2)}), "weights alone, which load_weights reads"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content, reason):
    """The error names the file and says what it may be."""
    path = tmp_path / "other"

    assert reason in refused(path, content)
    assert str(path) in refused(path, content)


def test_a_newer_format_is_refused(tmp_path, monkeypatch):
    """A file that a later version wrote asks for an update, and is not guessed at."""
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    checkpoint.save(STATE, tmp_path / "new.safetensors")
    monkeypatch.undo()

    with pytest.raises(CheckpointError, match=r"format 2 by a newer tinygrad_seq, this one reads up to 1: update it"):
        checkpoint.load(tmp_path / "new.safetensors")


def test_a_file_that_is_not_there(tmp_path):
    """It is Python's own error."""
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        checkpoint.save(STATE, tmp_path / "no folder" / "a.safetensors")


# ---- whole or not at all ------------------------------------------------------------------


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_the_old_file_stays_until_the_new_one_is_safe(tmp_path, monkeypatch, call):
    """Whichever step of the writing fails, the old file is whole, and no other is left."""
    path = tmp_path / "a.safetensors"
    checkpoint.save(STATE, path)

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    if call == "open":
        monkeypatch.setattr("builtins.open", fail)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save({"update": 4}, path)
    monkeypatch.undo()

    assert checkpoint.load(path)["update"] == 3
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_the_order_of_writing_is_safe(tmp_path, monkeypatch):
    """The content is forced to disk before the file takes its name, and the name after."""
    calls = []
    for f in (os.fsync, os.replace):
        monkeypatch.setattr(os, f.__name__, lambda *args, f=f: (calls.append(f.__name__), f(*args)))
    checkpoint.save(STATE, tmp_path / "a.safetensors")

    assert calls == ["fsync", "replace", "fsync"][: 3 if os.name == "posix" else 2]


def test_what_killed_writers_left_is_cleaned_up(tmp_path):
    """A temporary file of long ago goes with the next writing; a fresh one may be somebody's, and stays."""
    path = tmp_path / "a[1].safetensors"
    old, fresh, other = [tmp_path / f".{name}.0123.tmp" for name in (path.name, path.name + ".x", "b")]
    for left in (old, fresh, other):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    checkpoint.save(STATE, path)

    assert sorted(os.listdir(tmp_path)) == sorted([path.name, fresh.name, other.name])


def test_a_link_is_followed_and_the_mode_is_as_usual(tmp_path):
    """The file takes the place of what a link leads to; others may read it, where the umask lets them."""
    (tmp_path / "far").mkdir()
    path, link = tmp_path / "far" / "a.safetensors", tmp_path / "link"
    (tmp_path / "plain").write_bytes(b"")
    link.symlink_to(path)
    checkpoint.save(STATE, link)

    assert link.is_symlink()
    assert alike(checkpoint.load(path), STATE)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


WRITER = """
import sys, numpy as np
from tinygrad_seq import checkpoint
n = 0
while True:
    n += 1
    checkpoint.save({"update": n, "W": np.full(200_000, float(n))}, sys.argv[1])
    print(n, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    """SIGKILL, again and again: what is there loads, and is no older than the last that was told to be there."""
    path = tmp_path / "a.safetensors"
    rng = np.random.default_rng(0)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
            first = int(writer.stdout.readline())
            time.sleep(rng.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            told = [first, *map(int, writer.stdout.read().split())][-1]
        state = checkpoint.load(path)

        assert state["update"] >= told
        assert (state["W"] == state["update"]).all()


# ---- weights ------------------------------------------------------------------------------


def test_weights_of_a_module_come_back(tmp_path):
    """Saved from one, loaded into another of the same kind: the same bits."""
    path = tmp_path / "rnn.safetensors"
    first, second = RNN(3, 4), RNN(3, 4)
    checkpoint.save_weights(first, path)
    second.load_state_dict(checkpoint.load_weights(path))

    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name])


def test_weights_can_be_tensors_in_any_order(tmp_path):
    """Arrays, tensors, parameters; transposed ones come out as they read, not as they lie in memory."""
    path = tmp_path / "a.safetensors"
    W = np.arange(6.0).reshape(2, 3)
    checkpoint.save_weights({"F": W.T, "tensor": Tensor(W), "W": Parameter(W), "big": W.astype(">f4")}, path)
    loaded = checkpoint.load_weights(path)

    assert {name: x.tolist() for name, x in loaded.items()} == {
        "F": W.T.tolist(),
        "tensor": W.tolist(),
        "W": W.tolist(),
        "big": W.tolist(),
    }
    assert loaded["big"].dtype == np.float32


def test_weights_that_pytorch_wrote_are_read(tmp_path):
    """tests/data/torch_gru.safetensors, by torch 2.13: an nn.GRU in float32, and one tensor of each other dtype."""
    expected = np.load(DATA / "torch_gru.npz")
    loaded = checkpoint.load_weights(DATA / "torch_gru.safetensors")

    assert loaded.keys() == set(expected.files)
    for name, array in loaded.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_weights_that_are_no_arrays_are_refused(tmp_path):
    """Nothing is written then."""
    for bad in (3, [np.ones(2)], {"W": "text"}, {"W": None}):
        with pytest.raises(DataError, match=r"save_weights needs a module|cannot be saved"):
            checkpoint.save_weights(bad, tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_weights_cut_short_are_refused(tmp_path):
    """At whichever length."""
    path = tmp_path / "a.safetensors"
    checkpoint.save_weights(nn.Linear(2, 1), path)
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(CheckpointError, match="cut short or no safetensors file"):
            checkpoint.load_weights(path)

"""Weights and checkpoints on disk: safetensors files, written whole or not at all, with nothing executed on loading.

    save_weights, load_weights    arrays by name, as PyTorch users exchange them
    save, load                    a whole state: numbers, texts and arrays, nested, under one checksum

A file is written beside its place under another name, forced to disk, and renamed: whoever is killed on the way leaves
the old file or the new one.  A checkpoint is a safetensors file too.  What is not an array stands in its metadata as
JSON, which begins with a SHA-256 of the whole file (taken with zeros in the place of the sum), so that a single
wrong byte is found.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as as_safetensors

from .errors import CheckpointError, DataError

__all__ = ["load", "load_weights", "save", "save_weights", "write_whole"]

FORMAT = 1  # of the state in a checkpoint; the frame around it, with the checksum, stays as it is
KEY = "tinygrad_seq"
FRAME = b'{"__metadata__":{"tinygrad_seq":"{\\"sha256\\":\\"'  # how the header of a checkpoint begins
SUM = slice(8 + len(FRAME), 8 + len(FRAME) + 64)  # where its checksum stands, after 8 bytes of length
STALE = 600.0  # seconds after which a temporary file that nobody wrote to has lost its writer
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
STORABLE = {np.dtype(name).newbyteorder("=") for name in DTYPES.values()}


# ---- weights -------------------------------------------------------------------------


def save_weights(weights: Any, path: str | os.PathLike[str]) -> None:
    """Write the parameters of a module, or arrays by name, for `safetensors` everywhere to read.

    weights: a module, or a mapping of names to arrays or tensors, such as a `state_dict()`.
    Raises DataError for what is no array, OSError where the file cannot be written; the old file is whole then.

    >>> from tinygrad_seq import checkpoint, nn
    >>> checkpoint.save_weights(nn.Linear(3, 2), "linear.safetensors")
    >>> sorted(checkpoint.load_weights("linear.safetensors"))
    ['bias', 'weight']
    """
    named = weights.state_dict() if hasattr(weights, "state_dict") else weights
    if not isinstance(named, Mapping):
        raise DataError(f"save_weights needs a module or a mapping of names to arrays, got a {type(weights).__name__}")
    write_whole(path, as_safetensors({str(name): in_rows(as_array(x, str(name))) for name, x in named.items()}))


def load_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, for `load_state_dict`; also one that PyTorch wrote.

    bfloat16, which NumPy does not have, becomes float32 with the same numbers.  Raises CheckpointError for a file that
    is cut short or no safetensors file, FileNotFoundError where there is none.

    >>> import numpy as np
    >>> from tinygrad_seq import checkpoint
    >>> checkpoint.save_weights({"W": np.eye(2)}, "eye.safetensors")
    >>> checkpoint.load_weights("eye.safetensors")["W"]
    array([[1., 0.],
           [0., 1.]])
    """
    return arrays_of(Path(path).read_bytes(), path)


# ---- checkpoints ---------------------------------------------------------------------


def save(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state, whole or not at all.

    state: dicts, lists and tuples, of arrays, numbers, texts, booleans and None, nested as you like.  Arrays come back
    with their bits, dtype and order in memory, since sums over them depend on that order.
    Raises DataError for what cannot be written without pickle, OSError where the file cannot be written.

    >>> import numpy as np
    >>> from tinygrad_seq import checkpoint
    >>> checkpoint.save({"update": 7, "weights": {"W": np.ones((2, 2))}, "best": float("inf")}, "run.safetensors")
    >>> checkpoint.load("run.safetensors")["best"]
    inf
    """
    arrays: dict[str, np.ndarray] = {}
    note = {"sha256": "0" * 64, "format": FORMAT, "state": packed(state, "", arrays)}
    blob = bytearray(as_safetensors(arrays, {KEY: json.dumps(note, separators=(",", ":"), ensure_ascii=False)}))
    assert blob.startswith(FRAME, 8), "safetensors writes metadata first"
    blob[SUM] = hashlib.sha256(blob).hexdigest().encode()
    write_whole(path, blob)


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that `save` wrote.

    Raises CheckpointError for a file that is no checkpoint, cut short, changed in a single byte, or of a newer format;
    FileNotFoundError where there is none.
    """
    blob = Path(path).read_bytes()
    if not blob[8:].startswith(FRAME[: max(len(blob) - 8, 1)]):
        weights = blob[8:10] == b'{"'
        advice = "it may hold weights alone, which load_weights reads" if weights else "give a file that `save` wrote"
        raise CheckpointError(f"{path} is not a checkpoint of tinygrad_seq: {advice if blob else 'it is empty'}")
    if hashlib.sha256(blob[: SUM.start] + b"0" * 64 + blob[SUM.stop :]).hexdigest().encode() != blob[SUM]:
        raise CheckpointError(f"{path} is {damage(blob)}: go on from another checkpoint, or start anew")
    note = json.loads(json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])["__metadata__"][KEY])
    if note["format"] > FORMAT:
        raise CheckpointError(
            f"{path} was written in format {note['format']} by a newer tinygrad_seq, this one reads up to {FORMAT}: "
            "update it"
        )
    state: dict[str, Any] = unpacked(note["state"], arrays_of(blob, path))
    return state


def damage(blob: bytes) -> str:
    """What happened to a file whose checksum is wrong, in words."""
    try:
        end = 8 + int.from_bytes(blob[:8], "little")
        header = json.loads(blob[8:end]) if end <= len(blob) else {"": {"data_offsets": [0, 0]}}
        needed = end + max((x["data_offsets"][1] for name, x in header.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "corrupt (its header cannot be read)"
    if len(blob) < needed < 1 << 50:
        return f"cut short, at {len(blob):,} of {needed:,} bytes"
    return "corrupt (its checksum is wrong)"


# ---- a state as JSON beside arrays ---------------------------------------------------
#
# What JSON does not have is a dict with one key that begins with "$".


def packed(x: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A part of a state as JSON; its arrays go into `arrays`, under names that say where they were."""
    if x is None or isinstance(x, bool | str | int):
        return x
    if isinstance(x, float):
        return float(x) if math.isfinite(x) else {"$float": repr(float(x))}
    if isinstance(x, Mapping):
        parts = [(key, packed(value, f"{name}.{key}" if name else str(key), arrays)) for key, value in x.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in x):
            return dict(parts)
        return {"$dict": [[packed(key, name, arrays), value] for key, value in parts]}
    if isinstance(x, list | tuple):
        items = [packed(item, f"{name}.{i}" if name else str(i), arrays) for i, item in enumerate(x)]
        return items if isinstance(x, list) else {"$tuple": items}
    array = as_array(x, name)
    while name in arrays:
        name += "'"
    arrays[name] = in_rows(array)
    order = memory_order(array)
    return {"$array": name} if order == sorted(order) else {"$array": name, "axes": order}


def unpacked(x: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The part of a state that `packed` made JSON of."""
    if isinstance(x, list):
        return [unpacked(item, arrays) for item in x]
    if not isinstance(x, dict):
        return x
    if "$float" in x:
        return float(x["$float"])
    if "$dict" in x:
        return {unpacked(key, arrays): unpacked(value, arrays) for key, value in x["$dict"]}
    if "$tuple" in x:
        return tuple([unpacked(item, arrays) for item in x["$tuple"]])
    if "$array" in x:
        array, order = arrays[x["$array"]], x.get("axes")
        if order is not None:
            array = array.transpose(order).copy().transpose(np.argsort(order))
            array.setflags(write=False)
        return array
    return {key: unpacked(value, arrays) for key, value in x.items()}


def memory_order(x: np.ndarray) -> list[int]:
    """The axes from the one with the widest steps in memory to the one with the narrowest."""
    return sorted(range(x.ndim), key=lambda axis: (-abs(x.strides[axis]), x.shape[axis] == 1))


# ---- arrays in safetensors -----------------------------------------------------------


def as_array(x: Any, name: str) -> np.ndarray:
    """An array, of a tensor too, if safetensors can hold it."""
    x = x.detach() if hasattr(x, "detach") else x
    array = np.asarray(getattr(x, "_data", x))
    if array.dtype.newbyteorder("=") not in STORABLE:
        given = f"an array of {array.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise DataError(
            f"{name or 'this'} cannot be saved, it is {given}: a file holds arrays of numbers, and a checkpoint also "
            "numbers, texts, None, and dicts, lists and tuples of such"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def in_rows(array: np.ndarray) -> np.ndarray:
    """The array row by row in memory: safetensors 0.8 would write another order as it lies there, and read it wrong."""
    return np.asarray(array, order="C")


def arrays_of(blob: bytes, path: Any) -> dict[str, np.ndarray]:
    """The arrays in a safetensors file, read-only."""
    try:
        found = deserialize(blob)
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read, it is cut short or no safetensors file: {error}") from None
    arrays = {}
    for name, tensor in sorted(found):
        kind, data = tensor["dtype"], tensor["data"]
        if kind == "BF16":  # the upper half of a float32
            array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        elif kind in DTYPES:
            array = np.frombuffer(data, DTYPES[kind])
        else:
            raise CheckpointError(f"{path}: {name} is of dtype {kind}, which NumPy does not have")
        arrays[name] = array.reshape(tensor["shape"])
        arrays[name].setflags(write=False)
    return arrays


# ---- files ---------------------------------------------------------------------------


def write_whole(path: str | os.PathLike[str], content: bytes | bytearray) -> None:
    """Write a file whole or not at all; the file that stood there is kept until the new one is safe on disk.

    Links and rights are as with `open(path, "wb")`: a link is followed, a file keeps its mode, a new one has the usual.
    Raises OSError where it cannot be written.
    """
    target = Path(os.path.realpath(path))  # where a link leads, not over the link
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {target.parent}", str(path))
    there = target.is_file()
    if there and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    hidden = f".{target.name[:50]}"  # with what follows no longer than a name may be
    for left in target.parent.glob(f"{glob.escape(hidden)}.*.tmp"):  # of writers who were killed
        try:
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()
        except OSError:
            pass  # somebody else was quicker, or may and we may not
    temporary = target.with_name(f"{hidden}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if there:
                shutil.copymode(target, temporary)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name is safe when its folder is
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

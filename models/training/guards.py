"""What is set for the time of a run, and as it was before when the run is over, however it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_seq.errors import DataError

__all__ = ["clipped_steps", "mode", "patient_interrupt"]


@contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """With the model in training or in eval mode, and then each of its modules in its own again."""
    modules = modules_of(model)
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = training
        yield
    finally:
        for module, was in zip(modules, before):
            module.training = was


@contextmanager
def clipped_steps(model: Any, limit: float | None) -> Iterator[None]:
    """With the gradient of each recurrent state cut to this norm at each time step, on its way back.

    Raises DataError for a model without recurrent layers.
    """
    if limit is None:
        yield
        return
    if not isinstance(limit, int | float) or not limit > 0:
        raise DataError(f"train: clip_steps must be a number above 0, got {limit!r}")
    layers = [module for module in modules_of(model) if hasattr(module, "step_clip")]
    if not layers:
        raise DataError(
            f"train: clip_steps cuts the gradient of recurrent states, but {type(model).__name__} has no recurrent "
            "layer: leave it out, or give clip= to cut the gradient of the parameters"
        )
    before = [layer.step_clip for layer in layers]
    try:
        for layer in layers:
            layer.step_clip = float(limit)
        yield
    finally:
        for layer, was in zip(layers, before):
            layer.step_clip = was


@contextmanager
def patient_interrupt(wait: bool) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, in place of an interrupt; the second interrupts at once.

    Nothing is changed with wait=False, beside the main thread, and where somebody else handles the signal.
    """
    asked = threading.Event()
    here = threading.current_thread() is threading.main_thread()
    if not wait or not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield asked
        return

    def first(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, first)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def modules_of(model: Any) -> list[Any]:
    """The model and all modules inside it; none, if it is no module."""
    return list(model.modules()) if hasattr(model, "modules") else []

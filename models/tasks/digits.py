"""Handwritten digits, 8×8: read row by row or pixel by pixel, and spelled out."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from tinygrad_seq.errors import DataError

from ..vocabulary import Vocabulary
from .measures import Classes
from .options import at_least
from .splits import Batch, Examples
from .task import About, Task, Training
from .written import Spelled, to_write

__all__ = [
    "DIGITS_PIXELS", "DIGITS_ROWS", "SPELLING_ENGLISH", "SPELLING_KOREAN", "digit_images", "digits_pixels",
    "digits_rows", "spelling_english", "spelling_korean",
]  # fmt: skip

DATA = "Optical Recognition of Handwritten Digits, Alpaydin & Kaynak (1998), UCI, CC BY 4.0"
DIGITS_ROWS = About("digits-rows", "many-to-one", "which digit, from the 8 rows of its image", DATA)
DIGITS_PIXELS = About("digits-pixels", "many-to-one", "which digit, from its 64 pixels one by one", DATA)
SPELLING_ENGLISH = About("spelling-english", "one-to-many", "image of a digit → its English name, spelled", DATA)
SPELLING_KOREAN = About("spelling-korean", "one-to-many", "image of a digit → its Korean name, letter by letter", DATA)

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
KOREAN = ["영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"]  # Sino-Korean, as numbers are read
TRAIN = 1437  # of the 1797 images, four fifths; the last 360 are for the number at the end


@cache
def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """All 1797 images, (1797, 8, 8) from 0 for white to 1 for black, and the digit that each shows, (1797).

    In an order of chance that is always the same.

    >>> from tinygrad_seq.models.tasks.digits import digit_images
    >>> images, digits = digit_images()
    >>> images.shape, int(digits[0])
    ((1797, 8, 8), 6)
    """
    with files(__package__).joinpath("data", "digits.npz").open("rb") as file, np.load(file) as stored:
        images, digits = stored["images"] / 16.0, stored["labels"].astype(int)
    order = np.random.default_rng(0).permutation(len(digits))
    images, digits = images[order], digits[order]
    images.setflags(write=False)  # all tasks share them
    digits.setflags(write=False)
    return images, digits


def digits_rows(*, valid: int = 144, batch: int = 32) -> Task:
    """The 8 rows of an image, 8 numbers each, one after the other."""
    return reading(DIGITS_ROWS, 8, valid, batch)


def digits_pixels(*, valid: int = 144, batch: int = 32) -> Task:
    """The 64 pixels of an image, one number each, from the top left."""
    return reading(DIGITS_PIXELS, 1, valid, batch)


def spelling_english(*, valid: int = 144, batch: int = 32) -> Task:
    """From the 64 pixels, all at once, the name: zero, one, two, …"""
    return spelling(SPELLING_ENGLISH, ENGLISH, valid, batch)


def spelling_korean(*, valid: int = 144, batch: int = 32) -> Task:
    """From the 64 pixels, all at once, the Sino-Korean name in jamo: 영 as ㅇㅕㅇ, 일 as ㅇㅣㄹ, …"""
    return spelling(SPELLING_KOREAN, KOREAN, valid, batch)


def reading(about: About, features: int, valid: int, batch: int) -> Task:
    """A digit from a sequence of vectors of so many numbers."""
    names = Vocabulary("0123456789")

    def collate(some: list[tuple[np.ndarray, int]]) -> Batch:
        images = np.stack([image.reshape(-1, features) for image, _ in some], axis=1)  # (T, B, features)
        return images, np.array([digit for _, digit in some]), None

    return Task(
        about, *parts(about, valid, batch, collate), measure=Classes(names, picture),
        training=Training(batch, 2e-3, 30 * -(-TRAIN // batch)),  # 30 times through all
        options={"valid": valid, "batch": batch}, target=names, num_classes=10, vector_size=features,
    )  # fmt: skip


def spelling(about: About, names: list[str], valid: int, batch: int) -> Task:
    """A name from 64 numbers."""
    target = to_write(sorted(set(unicodedata.normalize("NFD", "".join(names)))), normalize="NFD")
    longest = max(len(target.tokenize(name)) for name in names) + 1

    def collate(some: list[tuple[np.ndarray, int]]) -> Batch:
        images = np.stack([image.reshape(64) for image, _ in some])  # (B, 64)
        return images, target.encode_all([names[digit] for _, digit in some], ended=True)

    return Task(
        about, *parts(about, valid, batch, collate), measure=Spelled(target, longest, picture),
        training=Training(batch, 3e-3, 10 * -(-TRAIN // batch), hidden=64),
        options={"valid": valid, "batch": batch}, target=target, num_classes=len(target), vector_size=64,
    )  # fmt: skip


def parts(about: About, valid: int, batch: int, collate: Any) -> list[Examples]:
    """1437 images to train on, of which the last `valid` are kept to choose by, and 360 for the number at the end.

    valid=0 trains on all 1437, and then there is nothing to choose by but the 360.
    """
    at_least(about.name, valid=(valid, 0), batch=(batch, 1))
    if valid >= TRAIN:
        raise DataError(f"task {about.name}: valid must leave some of the {TRAIN} images to train on, got {valid}")
    examples = list(zip(*digit_images()))
    train, kept, test = examples[: TRAIN - valid], examples[TRAIN - valid : TRAIN], examples[TRAIN:]
    return [Examples(some, collate) for some in (train, kept or test, test)]


def picture(image: np.ndarray) -> str:
    """An image as 8 lines of text: the darker the block, the darker the pixel."""
    rows = np.reshape(image, (8, 8))
    return "\n".join("".join(" ░▒▓█"[int(pixel * 4 + 0.5)] for pixel in row) for row in rows)

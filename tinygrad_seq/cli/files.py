"""What commands write: a folder that can be written, all files or none, charts as bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tinygrad_seq.viz import Chart

__all__ = ["chart_files", "output_folder", "write_all"]


def chart_files(name: str, chart: Chart) -> dict[str, bytes]:
    """A chart as SVG and as PNG, by file names; the same bytes for the same chart."""
    return {f"{name}.svg": chart.svg.encode(), f"{name}.png": chart.png()}


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Make the folder and see that it can be written, before the work; if that fails take back what was made."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]  # the innermost first
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise click.ClickException(
            f"cannot write into the folder {str(out)!r} ({error.strerror}): give another with --out"
        ) from None
    try:
        yield
    except BaseException:
        for folder in made:
            try:
                folder.rmdir()  # only where nothing is in it
            except OSError:
                break
        raise


def write_all(out: Path, files: dict[str, bytes]) -> None:
    """Write all files into the folder, or none: first beside their places, and when all are there into them."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as beside:
        for name, content in files.items():
            Path(beside, name).write_bytes(content)
        for name in files:
            Path(beside, name).replace(out / name)

"""A whole tour that takes seconds: short sequences, few updates. What its numbers are worth nobody asks."""

from functools import cache

import pytest

from tinygrad_seq.cli.tour.pictures import files_of, pictures_of
from tinygrad_seq.models.tour import Plan, lag, tour
from tinygrad_seq.viz.report import Texts, report_page

TINY = Plan(steps=12, seeds=2, learners=1, recall=3, word=5, text=2, passage=10, reversal=2, letters=3, sizes=(2, 4),
            hidden=8)  # fmt: skip


def one_after_the_other(**_):
    """In place of joblib's Parallel, whose processes take longer to start than all of this."""
    return lambda work: (function(*args, **options) for function, args, options in work)


@cache
def told():
    """Every chapter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lag, "Parallel", one_after_the_other)
        return list(tour(TINY))


@cache
def drawn():
    """What stands in the page, and the files beside it."""
    inside, beside = {}, {}
    for chapter in told():
        svgs, files = files_of(pictures_of(chapter, Texts("en")))
        inside |= svgs
        beside |= files
    return inside, beside


@cache
def page(language="en"):
    """The report; its pictures are in English."""
    return report_page(told(), drawn()[0], Texts(language), command="tinygrad-seq tour", version="1.2.3")

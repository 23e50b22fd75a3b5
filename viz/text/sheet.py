"""One stretch of time on paper: which line each row has, how wide things are, and how many steps there is room for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..pictures.labels import token_text
from .canvas import cut, width_of
from .names import Names
from .rows import BACK, FORTH, Name, Place, Stretch, places_of

ARROW = 3  # columns between two steps, and before and after them
STRIP, LOOKS = 8, 12  # columns of a strip over the steps passed over; of one of attention, at most
NAME, WORD = 16, 12  # columns that a name takes at most; up to which a token widens its step
ENOUGH = 0.6  # of the formulas have to fit beside the drawing, or all stand below it
Words = Sequence[object] | None


class Sheet:
    """The lines and widths of one stretch of time, in at most `width` columns."""

    def __init__(self, names: Names, stretch: Stretch, tokens: Words, predictions: Words, width: int) -> None:
        self.names, self.stretch, self.width = names, stretch, width
        self.scene, self.signs = names.scene, names.signs
        self.tokens, self.predictions = self.words(tokens), self.words(predictions)
        self.room = min(NAME, (width - 25) // 3)  # for a name
        self.set_lines()
        self.measure_steps()
        self.measure_ends()
        self.read_formulas()
        room = width - self.needed(stretch.places)
        self.fits = room >= 0
        self.beside = [y for y in self.formulas if self.left_of(y) <= room]
        if len(self.beside) < ENOUGH * len(self.formulas):
            self.beside = []
        cells = [width_of(self.cell_name(group.cell)) + 2 for group in stretch.groups if group.cell]
        named = max(0, max(cells, default=0) - self.before)  # names of cells may stand over first values
        self.margin = max(map(self.left_of, self.beside), default=min(named, max(0, room)))

    def words(self, words: Words) -> dict[int, str]:
        """Tokens or predictions of this stretch, by column."""
        places = self.stretch.places
        columns = range(places[0].first, places[-1].last + 1)
        return {c: self.signs.text(token_text(words[c])) for c in columns if words is not None and words[c] is not None}

    def set_lines(self) -> None:
        """Give each row its line, counted from the top."""
        stretch, groups = self.stretch, self.stretch.groups
        self.line: dict[Name, int] = {}
        self.above: dict[int, int] = {}  # nodes above the frames → line
        self.between: dict[int, int] = {}  # groups → the line above them
        y, upper = int(bool(self.predictions)), -1
        for i in reversed(stretch.above):
            y += upper >= 0 and i in self.scene.timeline.inputs[upper]
            self.above[i], upper = y, i
            y += 1
        self.top = y
        for n in reversed(range(len(groups))):
            self.between[n] = y
            y += 1
            for name in groups[n].rows:
                self.line[name] = y
                looking = not self.names.looks.keys().isdisjoint(stretch.rows[name].cells.values())
                y += 1 + looking  # a strip under the name
        self.bottom = max(y, self.top + 1)

    def measure_steps(self) -> None:
        """Find how wide the frames of steps are."""
        names, places, steps = self.names, self.stretch.places, self.scene.timeline.steps
        shown = [place.first for place in places if not place.passed]
        nodes = [row.cells[c] for row in self.stretch.rows.values() for c in shown if c in row.cells]
        coloured = self.scene.magnitudes is not None
        self.name = max([width_of(names.cell(i, self.room)) for i in nodes], default=1)
        self.level = max([len(names.level(i)) for i in nodes], default=1) if coloured else 0
        words = [width_of(word) for word in [*self.tokens.values(), *self.predictions.values()]]
        inner = [self.name + self.level + coloured, *(len(f"t={steps[c]}") for c in shown)]
        inner += [min(len(names.looks.get(i, ())), LOOKS) for i in nodes]
        self.step = max(max(inner) + 4, min(max(words, default=0), WORD) - ARROW + 1)
        longest = f"t={steps[places[-1].last]}{self.signs.ellipsis}{steps[places[-1].last]}"
        self.gap = max(STRIP, len(longest), len(f"{len(steps):,} steps"))

    def measure_ends(self) -> None:
        """Find how wide is what stands before and after the steps."""
        entering, stretch = self.stretch.entering, self.stretch
        first = [self.first_values(name, direction) for name, direction in entering if direction == FORTH]
        last = [self.first_values(name, direction) for name, direction in entering if direction == BACK]
        last += [self.stretch_name(following) for following in stretch.leaving.values()]
        self.before = max([width_of(said) + 1 + ARROW for said in first], default=0)
        self.beyond = max([width_of(said) + 1 + ARROW for said in last], default=0)
        self.after = max([5 + width_of(self.cell(i)) for i in stretch.above], default=0)

    def read_formulas(self) -> None:
        """Name and formula of each line, from the top, and how many columns the names take."""
        names, stretch = self.names, self.stretch
        self.formulas = {y: (names.cell(i, self.room), names.formula(i)) for i, y in self.above.items()}
        for name, y in self.line.items():
            self.formulas[y] = names.heading(stretch.rows[name], self.room), names.formulas(stretch, name)[0][0]
        self.heading = max([width_of(heading) for heading, _ in self.formulas.values()], default=0)

    def left_of(self, y: int) -> int:
        """The columns that a formula takes on the left of the drawing, apart from free room of first values."""
        begins = any(self.line[name] == y for name, direction in self.stretch.entering if direction == FORTH)
        return max(0, self.heading + width_of(self.formulas[y][1]) + 2 - self.before * (not begins))

    def stretch_name(self, number: int) -> str:
        """What a stretch of time is called."""
        return self.cell_name(self.scene.stretch_names[number])

    def cell_name(self, name: str) -> str:
        """What a cell among several, or a stretch, is called."""
        return cut(self.signs.text(name), self.room, self.signs.ellipsis)

    def cell(self, i: int) -> str:
        """A node outside of the frames, and how large its number is."""
        level = f" {self.names.level(i)}" if self.scene.magnitudes is not None else ""
        return self.names.cell(i, self.room) + level

    def first_values(self, name: Name, direction: int) -> str:
        """What a state is before its first step."""
        said = ", ".join(map(self.cell, self.stretch.entering[name, direction]))
        return cut(said, self.room + 4, self.signs.ellipsis)

    def needed(self, places: list[Place]) -> int:
        """How many columns a drawing of such places takes."""
        steps = sum(self.gap if place.passed else self.step for place in places)
        return self.before + steps + ARROW * (len(places) - 1) + self.beyond + self.after

    def fewer(self) -> list[int]:
        """As many of the columns, from both ends, as there is room for: with the formulas beside them, or without."""
        places = self.stretch.places
        shown = [place.first for place in places if not place.passed]
        whole = list(range(places[0].first, places[-1].last + 1))
        lengths = sorted(map(self.left_of, self.formulas)) or [0]
        enough = lengths[math.ceil(ENOUGH * len(lengths)) - 1]
        most = min(len(shown), self.width // (self.step + ARROW) + 1)
        for least, margin in ((4, lengths[-1]), (4, enough), (2, 0)) if not self.fits else ():
            for count in range(most, min(least, most) - 1, -1):
                kept = [*shown[: (count + 1) // 2], *shown[len(shown) - count // 2 :]]
                if margin + self.needed(places_of(kept, whole)) <= self.width:
                    return kept
        return shown

    def blocks(self) -> list[list[Place | None]]:
        """The places in runs that there is room for, one under the other; None stands for what comes after them."""
        ends: list[Place | None] = [*self.stretch.places, *([None] if self.after else [])]
        found: list[list[Place | None]] = [[]]
        used = self.margin + self.before
        for n, place in enumerate(ends):
            following = ends[n + 1 : n + 2]
            wide = self.after if place is None else self.gap if place.passed else self.step
            wide += self.beyond if place is self.stretch.places[-1] else 0
            if found[-1] and used + wide + (ARROW if following else 0) > self.width:
                found.append([])
                used = self.margin + self.before
            found[-1].append(place)
            used += wide + (ARROW if following and following[0] is not None else 0)
        return found

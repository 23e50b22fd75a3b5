"""A run of steps drawn: frames from left to right, names and levels in them, arrows between them."""

from __future__ import annotations

import math
from itertools import pairwise

from .canvas import Canvas, cut, width_of
from .rows import BACK, FORTH, Name, Place
from .sheet import ARROW, Sheet


def draw_block(sheet: Sheet, places: list[Place | None]) -> list[str]:
    """The lines of a run of places; None stands for what comes after the steps."""
    return Block(sheet, places).canvas.rows()


class Block:
    """A run of places in the making."""

    def __init__(self, sheet: Sheet, places: list[Place | None]) -> None:
        self.sheet, self.stretch, self.names, self.signs = sheet, sheet.stretch, sheet.names, sheet.signs
        self.timeline = sheet.scene.timeline
        self.canvas = Canvas(sheet.signs)
        self.places = [place for place in places if place is not None]
        self.ends = None in places  # what comes after the steps is here
        self.first, self.last = self.stretch.places[0], self.stretch.places[-1]
        self.begins = bool(self.places) and self.places[0] is self.first
        x = sheet.margin + (sheet.before if self.begins else max(sheet.before, ARROW) if self.places else ARROW)
        self.left: dict[Place, int] = {}
        for place in self.places:
            self.left[place] = x
            x += (sheet.gap if place.passed else sheet.step) + ARROW
        self.right = x - ARROW - 1 if self.places else x - 1  # the last column of the last place
        self.spine = self.right + 2 + (sheet.beyond if self.last in self.left else 0)
        self.beside()
        for place in self.places:
            self.passed(place) if place.passed else self.step(place)
        self.states()
        self.gathered()
        self.rising()
        if self.ends:
            self.above()

    def beside(self) -> None:
        """What stands on the left: formulas, names of cells, what the words over and under the frames are."""
        sheet, write, groups = self.sheet, self.canvas.write, self.stretch.groups
        for y, (heading, said) in sheet.formulas.items() if sheet.beside else ():
            said = said if y in sheet.beside else f" = {self.signs.ellipsis}"
            write(write(sheet.heading - width_of(heading), y, heading), y, said)
        for n, group in enumerate(groups):
            if group.cell and self.begins and (n + 1 == len(groups) or groups[n + 1].cell != group.cell):
                free = sheet.margin + sheet.before - 1
                said = cut(sheet.cell_name(group.cell), free, self.signs.ellipsis) if free > 1 else ""
                write(0, sheet.between[n], said)
        room = sheet.margin + sheet.before - 2
        for words, kind, y in ((sheet.predictions, "predictions", 0), (sheet.tokens, "tokens", sheet.bottom + 1)):
            if words and self.begins and len(kind) <= room:
                write(0, y, kind)

    def step(self, place: Place) -> None:
        """The frame of one step, with what is in it, under it and over it."""
        sheet, canvas, c, left = self.sheet, self.canvas, place.first, self.left[place]
        right = left + sheet.step - 1
        canvas.frame(left, sheet.top, right, sheet.bottom)
        for name, y in sheet.line.items():
            i = self.stretch.rows[name].cells.get(c)
            if i is not None:
                canvas.write(left + 2, y, self.names.cell(i, sheet.room))
                if sheet.level:
                    level = self.names.level(i)
                    canvas.write(right - 1 - len(level), y, level)
            if i in self.names.looks:
                canvas.write(left + 2, y + 1, self.looking(self.names.looks[i], sheet.step - 4))
        groups = self.stretch.groups
        for n, (lower, upper) in enumerate(pairwise(groups)):
            y = sheet.between[n]
            if lower.cell != upper.cell:
                canvas.across(left, right, y)
            if self.feeds(c, lower.rows, upper.rows):
                canvas.write(left + 2, y, self.signs.up)
        mark = f" t={self.timeline.steps[c]} "
        canvas.write(left + (sheet.step - len(mark)) // 2, sheet.bottom, mark)
        self.word(sheet.tokens, place, sheet.bottom + 1)
        self.word(sheet.predictions, place, 0)

    def feeds(self, c: int, lower: list[Name], upper: list[Name]) -> bool:
        """Whether anything of one group takes anything of another at that step."""
        rows, row = self.stretch.rows, self.names.rows.row
        takers = [rows[name].cells[c] for name in upper if c in rows[name].cells]
        taken = [x for i in takers for x in self.timeline.inputs[i]]
        return any(self.timeline.column[x] == c and row.get(x) in lower for x in taken)

    def word(self, words: dict[int, str], place: Place, y: int) -> None:
        """A token or prediction in the middle of its column."""
        if place.first in words:
            said = cut(words[place.first], self.sheet.step + ARROW - 1, self.signs.ellipsis)
            self.canvas.write(self.left[place] + (self.sheet.step - width_of(said)) // 2, y, said)

    def passed(self, place: Place) -> None:
        """The steps passed over: how many they are, and the levels of each row over them."""
        sheet, steps, left = self.sheet, self.timeline.steps, self.left[place]
        count = place.last - place.first + 1
        said = f"{count:,} step" + "s" * (count > 1)
        span = f"t={steps[place.first]}" + f"{self.signs.ellipsis}{steps[place.last]}" * (count > 1)
        for y, text in ((sheet.top, said), (sheet.bottom, span)):
            self.canvas.write(left + (sheet.gap - len(text)) // 2, y, text)
        for name, y in sheet.line.items():
            strip = self.strip(name, place)
            self.canvas.write(left + (sheet.gap - len(strip)) // 2, y, strip)

    def strip(self, name: Name, place: Place) -> str:
        """The levels of a row over the steps passed over, each sign the largest of the steps that it stands for."""
        cells, numbers = self.stretch.rows[name].cells, self.sheet.scene.magnitudes
        if numbers is None:
            return ""
        count = place.last - place.first + 1
        room = min(count, self.sheet.gap)
        said = ""
        for n in range(room):
            run = range(place.first + count * n // room, place.first + count * (n + 1) // room)
            known = [x for c in run if c in cells and (x := numbers[cells[c]]) is not None]
            worst = next((x for x in known if not math.isfinite(x)), max(known, default=None))
            said += self.names.sign(worst)[0]
        return said

    def looking(self, sources: dict[int, float], room: int) -> str:
        """How much a step looks at each of the others, from the first to the last."""
        ordered = [sources[x] for x in sorted(sources, key=lambda x: self.timeline.column[x] or 0)]
        room = min(room, len(ordered))
        runs = [ordered[len(ordered) * n // room : len(ordered) * (n + 1) // room] for n in range(room)]
        return "".join(self.share(max(run)) for run in runs)

    def share(self, weight: float) -> str:
        """How much of its attention a step gives, as one sign."""
        if not math.isfinite(weight):
            return "?"
        return self.signs.level(weight) if weight else self.signs.none

    def states(self) -> None:
        """Arrows for what is handed on from step to step."""
        stretch, sheet = self.stretch, self.sheet
        for one, other in pairwise(stretch.places):
            if one not in self.left and other not in self.left:
                continue
            for direction in (FORTH, BACK):
                for name, y in sheet.line.items():
                    if (one.last, direction, name) in stretch.crossing:
                        self.arrow(one, other, y, direction, (one.last, direction, name) in stretch.cuts)
        for name, direction in stretch.entering:
            said, y = sheet.first_values(name, direction), sheet.line[name]
            if direction == FORTH and self.begins:
                left = self.left[self.first]
                self.canvas.write(left - ARROW - 1 - width_of(said), y, said)
                self.line_in(left - ARROW, left - 1, y, FORTH)
            elif direction == BACK and self.last in self.left:
                self.line_in(self.right + 1, self.right + ARROW, y, BACK)
                self.canvas.write(self.right + ARROW + 2, y, said)
        rising = {name for names in stretch.rising.values() for name in names}
        for name, following in stretch.leaving.items() if self.last in self.left else ():
            if name not in rising:
                y = sheet.line[name]
                self.canvas.across(self.right, self.right + ARROW, y)
                self.canvas.write(self.right + ARROW, y, f"{self.signs.right} {sheet.stretch_name(following)}")

    def arrow(self, one: Place, other: Place, y: int, direction: int, broken: bool) -> None:
        """The arrow between two places, or its half where the drawing goes on below."""
        if one in self.left:
            start = self.left[one] + (self.sheet.gap if one.passed else self.sheet.step)
        else:
            start = self.left[other] - ARROW
        end = start + ARROW - 1
        joins_left = direction == FORTH and one in self.left and not one.passed
        joins_right = direction == BACK and other in self.left and not other.passed
        self.canvas.across(start - joins_left, end + joins_right, y)
        if broken:
            self.canvas.write(start, y, self.signs.broken * ARROW)
        if direction == FORTH:
            self.canvas.write(end, y, self.signs.right)
        else:
            self.canvas.write(start, y, self.signs.left)

    def line_in(self, left: int, right: int, y: int, direction: int) -> None:
        """A short arrow from outside of the steps."""
        self.canvas.across(left, right, y)
        if direction == FORTH:
            self.canvas.write(right, y, self.signs.right)
        else:
            self.canvas.write(left, y, self.signs.left)

    def gathered(self) -> None:
        """Lines over the frames that lead to what is made from several steps."""
        sheet, canvas = self.sheet, self.canvas
        for n, (i, columns) in enumerate(self.stretch.gathered.items()):
            y, aside = sheet.above[i], (n + 1) // 2 * (2 if n % 2 else -2)
            middle = min(sheet.step - 2, max(1, sheet.step // 2 + aside))
            sources = set(columns)
            risen = [place for place in self.places if not place.passed and place.first in sources]
            rises = {place: self.left[place] + middle for place in risen}
            for x in rises.values():
                canvas.down(x, y, sheet.top)
            begun = next((place for place in self.places if place.first <= columns[0] <= place.last), None)
            if begun is not None:
                start = rises.get(begun, self.left[begun])
            elif not self.places or columns[0] < self.places[0].first:
                start = sheet.margin
            else:
                continue
            end = self.spine + 1 if self.ends else self.right + ARROW
            canvas.across(start, end, y)
            if self.ends:
                canvas.write(end, y, self.signs.right)

    def above(self) -> None:
        """What stands after the steps, over the frames."""
        upper = -1
        for i, y in self.sheet.above.items():
            self.canvas.write(self.spine + 3, y, self.sheet.cell(i))
            if upper >= 0 and i in self.timeline.inputs[upper]:
                self.canvas.write(self.spine + 3, y - 1, self.signs.up)
            upper = i

    def rising(self) -> None:
        """Lines from the last step to what stands after the steps."""
        sheet, canvas = self.sheet, self.canvas
        for i, names in self.stretch.rising.items():
            for name in names:
                y = sheet.line[name]
                start = self.right if self.last in self.left else sheet.margin
                if self.ends:
                    canvas.across(start, self.spine, y)
                    canvas.down(self.spine, sheet.above[i], y)
                    self.line_in(self.spine, self.spine + 1, sheet.above[i], FORTH)
                elif self.last in self.left:
                    canvas.across(start, self.right + ARROW, y)

"""The parts of a drawn graph: boxes and what they say, frames and what they hold, and where they stand."""

from tinygrad_seq.viz.pictures.picture import Box, Curve, Group


def words(box):
    return ["".join(run.text for run in segment.label) for segment in box.segments]


def boxes(drawing):
    return {part.id: part for part in drawing.picture.walk() if isinstance(part, Box)}


def groups(drawing):
    return {part.id: part for part in drawing.picture.walk() if isinstance(part, Group)}


def joined(drawing):
    return {part.ends for part in drawing.picture.walk() if isinstance(part, Curve)}


def held(group):
    """The ids of the boxes in a frame, in frames inside it too."""
    found, waiting = set(), [group]
    while waiting:
        for part in waiting.pop().parts:
            if isinstance(part, Group):
                waiting.append(part)
            elif isinstance(part, Box):
                found.add(part.id)
    return found


def rectangle(part):
    """Left, top, right, bottom of a box or a frame."""
    if isinstance(part, Group):
        x, y, width, height = part.frame
        return x, y, x + width, y + height
    return part.x - part.width / 2, part.y - part.height / 2, part.x + part.width / 2, part.y + part.height / 2


def apart(one, other, slack=0.05):
    """Whether two rectangles do not overlap."""
    a, b, c, d = one
    e, f, g, h = other
    return c <= e + slack or g <= a + slack or d <= f + slack or h <= b + slack

"""What every merged cell is asked besides the answers: a teacher of the vision tower that the export leaves behind.

The few words of an answer teach a vision tower slowly. The guide asks each cell at once what covers it, of which
colour, where its box begins and ends, in pixels and digit by digit as the answers write it, which characters are printed there,
and, of clips, in which of the two frames the thing shows and which way it goes.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import draw
from lexicon import BUTTONS, CHECKS, EVERY, FIELDS, MENUS, known
from sample import FACTOR, FIRST, seen_size

CHARACTERS = "".join(map(chr, range(33, 127))) + "€£"
PARTS = ("button", "field", "check", "menu", "close", "bar", "title", "value", "cell", "word")
KINDS = {name: i + 1 for i, name in enumerate((*draw.SHAPES, *PARTS))}
COLOURS = {name: i + 1 for i, name in enumerate(draw.COLOURS)}
CHARACTER = {c: i + 1 for i, c in enumerate(CHARACTERS)}
CALLED = {name: i for i, name in enumerate(sorted({*BUTTONS, *CHECKS, *FIELDS, *MENUS}))}  # parts of windows
WAYS = ("still", "left", "right", "up", "down")
MOST = 8  # things that are ranked and counted
SLOTS = (2, 4)  # rows and columns of a cell within which at most one character is looked for
EDGES = ("left", "top", "right", "bottom")
PATCH = FACTOR // 2  # pixels of a patch's side
MOST_PATCHES = 4  # of a thing, that are told where to look
IGNORE = -100

# Columns of the labels and how many classes each has. A class of IGNORE is not asked.
SIZES = dict(kind=len(KINDS) + 1, colour=len(COLOURS) + 1,
             **{f"{edge}{digit}": 10 for edge in EDGES for digit in (100, 10, 1)},
             rank=MOST, count=MOST + 1, first=2, second=2, way=len(WAYS), row=32, column=32, rows=32, columns=32,
             **{f"character{i}": len(CHARACTERS) + 1 for i in range(SLOTS[0] * SLOTS[1])}, called=len(CALLED),
             **{f"{edge}_at": 1 for edge in EDGES}, word=len(CALLED), check=len(CALLED),
             printed=len(EVERY), larger=MOST, smaller=MOST)
COLUMN = {name: i for i, name in enumerate(SIZES)}
LABELS = len(SIZES)
# How much a question weighs; the many character slots share one, and last digits are little more than chance.
WEIGHTS = {name: 1 / 4 if name.startswith("character") else 0.1 if name.endswith("1") else
           dict(kind=1.0, colour=1.0, rank=2.5, count=2.0, called=2.0, check=1.0, printed=1.0, larger=1.0, smaller=1.0,
                **{f"{edge}_at": 5.0 for edge in EDGES}).get(name, 0.25) for name in SIZES}


def labels(frames, size, grid):
    """[merged cells of all slices, LABELS]. frames: marks of each frame (one list for a picture); size: as drawn."""
    pairs = [(f, f) for f in frames] if len(frames) == 1 else list(zip(frames[::2], frames[1::2]))
    width, height = seen_size(*size)
    scale = np.array([width / size[0], height / size[1]] * 2)
    return np.concatenate([slice_labels(a, b, scale, grid, len(frames) == 1) for a, b in pairs])


def slice_labels(first, second, scale, grid, is_still):
    rows, columns = grid
    out = np.full((rows, columns, LABELS), IGNORE, np.int64)
    out[..., COLUMN["row"]] = np.minimum(np.arange(rows), 31)[:, None]
    out[..., COLUMN["column"]] = np.minimum(np.arange(columns), 31)[None]
    out[..., COLUMN["rows"]], out[..., COLUMN["columns"]] = min(rows, 31), min(columns, 31)
    out[..., COLUMN["kind"]] = out[..., COLUMN["colour"]] = 0
    out[..., COLUMN["character0"]:COLUMN["called"]] = 0
    characters(out, first, scale, grid)
    words(out, first, scale, grid)
    things = [m for m in first if m.kind == "thing"]
    shown = {(m.name, m.detail): np.array(m.box) * scale for m in things}
    after = {(m.name, m.detail): np.array(m.box) * scale for m in second if m.kind == "thing"}
    fresh = [m for m in second if m.kind == "thing" and (m.name, m.detail) not in shown]
    parts = [m for m in first if m.kind == "part" and m.name in KINDS]
    everything = [(m, np.array(m.box) * scale) for m in parts + things + fresh]
    # Large ones first: what lies upon another has the last word.
    everything.sort(key=lambda e: -(e[1][2] - e[1][0]) * (e[1][3] - e[1][1]))
    ranked, by_size = sorted(things + fresh, key=lambda m: m.box[0] + m.box[2]), sorted(things, key=side)
    for mark, box in everything:
        is_thing = mark.kind == "thing"
        cells = covered(box, grid, 0.85 if is_thing else 1.0)
        out[(*cells, COLUMN["kind"])] = KINDS[mark.name]
        out[(*cells, COLUMN["colour"])] = COLOURS.get(mark.detail, 0)
        out[(*cells, COLUMN["called"])] = CALLED.get(mark.detail, IGNORE)
        if mark.name == "check":  # once more, for they are one cell among the many of fields and buttons
            out[(*cells, COLUMN["check"])] = CALLED[mark.detail]
        out[(*cells, slice(COLUMN["left_at"], COLUMN["word"]))] = box.round()
        for i, value in enumerate(box.round().astype(int).clip(0, 999)):
            for j, digit in enumerate((value // 100, value // 10 % 10, value % 10)):
                out[(*cells, COLUMN["left100"] + 3 * i + j)] = digit
        if is_thing:
            out[(*cells, COLUMN["rank"])] = min(ranked.index(mark), MOST - 1)
            out[(*cells, COLUMN["count"])] = min(len(ranked), MOST)
            if is_still:
                smaller = by_size.index(mark)
                out[(*cells, slice(COLUMN["larger"], COLUMN["smaller"] + 1))] = len(things) - 1 - smaller, smaller
            if not is_still:
                key = mark.name, mark.detail
                out[(*cells, COLUMN["first"])], out[(*cells, COLUMN["second"])] = key in shown, key in after
                out[(*cells, COLUMN["way"])] = way(shown.get(key), after.get(key))
    rows_of_tables(out, first, scale, grid)
    return out.reshape(-1, LABELS)


def rows_of_tables(out, marks, scale, grid):
    """Which row a table's cell is in, and how many there are below the heading."""
    by_row = table_rows(marks)
    for rank, row in enumerate(by_row):
        for mark in row:
            cells = covered(np.array(mark.box) * scale, grid, 1.0)
            out[(*cells, COLUMN["rank"])], out[(*cells, COLUMN["count"])] = min(rank, MOST - 1), min(len(by_row), MOST)


def table_rows(marks):
    """The cells of each row below a table's heading, from left to right."""
    cells = [m for m in marks if m.kind == "part" and m.name == "cell"]  # column by column, from top to bottom
    high = next((i for i in range(1, len(cells)) if cells[i].box[3] <= cells[i - 1].box[1]), len(cells))
    return [cells[row::high] for row in range(1, high)]


def side(mark):
    """The longer side of a mark's box."""
    return max(mark.box[2] - mark.box[0], mark.box[3] - mark.box[1])


def covered(box, grid, part):
    """Rows and columns of the cells whose centre the box's ellipse holds (part: of its half sides); at least one."""
    rows, columns = grid
    middle, half = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), ((box[2] - box[0]) / 2, (box[3] - box[1]) / 2)
    x = (np.arange(columns) + 0.5) * FACTOR - middle[0]
    y = (np.arange(rows) + 0.5) * FACTOR - middle[1]
    if part == 1.0:
        inside = (np.abs(y) < half[1])[:, None] & (np.abs(x) < half[0])[None]
    else:
        inside = ((y / (part * half[1])) ** 2)[:, None] + ((x / (part * half[0])) ** 2)[None] < 1
    inside[np.abs(y).argmin(), np.abs(x).argmin()] = True
    return np.nonzero(inside)


def square(mark, scale, grid, fine=(1, 1)):
    """Row and column of what holds the mark's centre, or None beyond the grid: a cell, or one of so many rows and columns
    of each."""
    x, y = ((mark.box[i] + mark.box[i + 2]) / 2 * scale[i] for i in (0, 1))
    row, column = int(y // (FACTOR / fine[0])), int(x // (FACTOR / fine[1]))
    return (row, column) if 0 <= row < grid[0] * fine[0] and 0 <= column < grid[1] * fine[1] else None


def characters(out, marks, scale, grid):
    """One character for each slot of a cell: the one whose centre lies in it."""
    for mark in marks:
        if mark.kind != "char" or mark.name not in CHARACTER:
            continue
        if place := square(mark, scale, grid, SLOTS):
            row, column = place
            slot = row % SLOTS[0] * SLOTS[1] + column % SLOTS[1]
            out[row // SLOTS[0], column // SLOTS[1], COLUMN["character0"] + slot] = CHARACTER[mark.name]


def words(out, marks, scale, grid):
    """Printed words of the lexicon, in every cell with a character of theirs; and once more those that windows are labelled
    with: a field is called by a word beside it."""
    for word, letters in printed(marks):
        for mark in letters:
            if place := square(mark, scale, grid):
                for column, which in (("word", CALLED.get(word)), ("printed", known(word))):
                    if which is not None:
                        out[(*place, COLUMN[column])] = which


def printed(marks):
    """[(word, marks of its characters)]."""
    found = []
    for mark in marks:
        if mark.kind == "char":
            if mark.detail == FIRST:
                found.append([])
            found[-1].append(mark)
    return [("".join(m.name for m in word), word) for word in found]


class Patches:
    """The patches of a picture and what lies on them. place: [patches, 2], row and column of each, in any order."""

    def __init__(self, marks, size, place):
        seen = seen_size(*size)
        self.scale = np.array([seen[0] / size[0], seen[1] / size[1]] * 2)
        self.marks, self.centres = marks, (place[:, ::-1] + 0.5) * PATCH
        self.at = np.empty(place.max(0) + 1, np.int64)
        self.at[place[:, 0], place[:, 1]] = np.arange(len(place))

    def middle(self, mark):
        """The patch that holds a mark's centre."""
        x, y = ((mark.box[i] + mark.box[i + 2]) / 2 * self.scale[i] / PATCH for i in (0, 1))
        rows, columns = self.at.shape
        return self.at[min(max(int(y), 0), rows - 1), min(max(int(x), 0), columns - 1)]

    def some(self, mark, part=1.0):
        """Some patches with their centres in the mark's box (part: of its half sides), MOST_PATCHES at most; at least one."""
        box = np.array(mark.box) * self.scale
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        inside = np.flatnonzero((np.abs(self.centres - middle) < part * half).all(1))
        return inside[::-(-len(inside) // MOST_PATCHES)] if len(inside) else [self.middle(mark)]

    def labels(self):
        """[(patch, patches with the letters that tell what the part of a window around it is called)]."""
        written, found = printed(self.marks), []
        for part in self.marks:
            said = [w for word, w in written if word == part.detail] if part.kind == "part" and part.detail in CALLED else []
            if said:  # the same word may be a button's and a field's: the one in the same row
                letters = min(said, key=lambda w: abs(w[0].box[1] + w[0].box[3] - part.box[1] - part.box[3]))
                goal = np.unique([self.middle(m) for m in letters])
                found += [(i, goal) for i in self.some(part)]
        return found

    def words(self):
        """[(patch with a letter, patches with the letters of its word)]."""
        found = []
        for _, letters in printed(self.marks):
            goal = np.unique([self.middle(m) for m in letters])
            found += [(i, goal) for i in goal[::-(-len(goal) // MOST_PATCHES)]]
        return found

    def left(self):
        """[(patch of a thing, the first patch and the middles of all things to the left of it)]: how much is on the first
        tells how many they are. In a table the same of a cell and the rows above."""
        rows = table_rows(self.marks)
        leading = [self.at[0, 0], *(self.middle(row[0]) for row in rows)]
        return self.before(lambda m: m.box[0] + m.box[2]) + [
            (i, np.unique(leading[:above + 1])) for above, row in enumerate(rows) for m in row for i in self.some(m)]

    def larger(self):
        """The same of all things that are larger, and in a table of all rows."""
        rows = table_rows(self.marks)
        leading = np.unique([self.at[0, 0], *(self.middle(row[0]) for row in rows)])
        return self.before(lambda m: -side(m)) + [(i, leading) for row in rows for m in row for i in self.some(m)]

    def before(self, key):
        """[(patch of a thing, the first patch and the middles of all things that come before it by that key)]."""
        things = sorted((m for m in self.marks if m.kind == "thing"), key=key)
        middles = [self.at[0, 0], *map(self.middle, things)]
        return [(i, np.unique(middles[:rank + 1])) for rank, m in enumerate(things) for i in self.some(m, 0.6)]


def way(a, b):
    """Which way a thing went from one frame to the next, by its box; not asked where it shows in one only."""
    if a is None or b is None:
        return IGNORE
    dx, dy = (b[0] + b[2] - a[0] - a[2]) / 2, (b[1] + b[3] - a[1] - a[3]) / 2
    if max(abs(dx), abs(dy)) < 0.5:
        return 0
    return (1 if dx < 0 else 2) if abs(dx) > abs(dy) else (3 if dy < 0 else 4)


class Questions(nn.Module):
    """A linear readout of states: sizes and weights of the questions by name. One of size 1 asks for a place in pixels."""

    def __init__(self, width, sizes, weights):
        super().__init__()
        self.sizes, self.weights = sizes, weights
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, sum(sizes.values()))

    def forward(self, states, labels):
        """The weighted sum of all questions' losses, and the right share of each question that was asked.
        labels: [states, questions]."""
        loss, right = states.sum() * 0.0, {}
        parts = self.head(self.norm(states)).float().split(list(self.sizes.values()), -1)
        for (name, weight), part, label in zip(self.weights.items(), parts, labels.unbind(1)):
            asked = label != IGNORE
            if not asked.any():
                continue
            if self.sizes[name] == 1:
                off = part[asked, 0] - label[asked] / 100
                loss = loss + weight * F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.03)
                right[name] = (off.abs() < 0.1).float().mean().detach()
                continue
            if self.halves(name):
                some, none = label > 0, label == 0
                each = F.cross_entropy(part, label, reduction="none")
                loss = loss + weight * sum(each[m].mean() for m in (some, none) if m.any())
                asked = some if some.any() else asked
            else:
                loss = loss + weight * F.cross_entropy(part[asked], label[asked])
            right[name] = (part[asked].argmax(-1) == label[asked]).float().mean().detach()
        return loss, right

    def halves(self, name):
        """Whether labels of 0, which are most, weigh as much as all others together."""
        return False


class Guide(Questions):
    def __init__(self, width):
        super().__init__(width, SIZES, WEIGHTS)

    def halves(self, name):
        return name in ("kind", "colour") or name.startswith("character")

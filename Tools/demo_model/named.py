"""What every name in a conversation is asked besides the answers: a teacher of the decoder that the export leaves behind.

"No." tells a decoder little about how to look for a red star. So where a text has named something, the state behind
the name is asked what it names in the picture: how many there are, which shape and colour, the edges of its box, and,
of clips, when it shows and which way it goes. The state before an answer is asked the same of what the answer names
first. And one head of each group in some layers is told where to look: from a name at the cells of what it names, or away from
the picture if that is not there, from an answer's tokens at what it names next, and from an answer that compares at both names.
"""
import re
from dataclasses import dataclass

import numpy as np

import draw
from guide import COLOURS, IGNORE, KINDS, WAYS, covered, way
from sample import Clip, seen_size
from world import ZH_COLOURS, ZH_SHAPES

MOST = 7  # things that are counted, and frames that are told apart are below FRAMES
FRAMES = 16
SIZES = dict(number=MOST + 1, kind=len(KINDS) + 1, colour=len(COLOURS) + 1,
             left=1, top=1, right=1, bottom=1, begin=FRAMES, end=FRAMES, way=len(WAYS),
             left_of=2, above=2, larger=2, asked=6)
COLUMN = {name: i for i, name in enumerate(SIZES)}
WEIGHTS = {name: dict(kind=0.5, colour=0.5, way=0.5).get(name, 1.0) for name in SIZES}

SHAPE = "|".join(draw.SHAPES)
COLOUR = "|".join(draw.COLOURS)
NAMES = re.compile(rf"\b(?:(?P<colour>{COLOUR}) )?(?P<shape>{SHAPE})(?:s|es)?\b|\b(?P<only>{COLOUR})\b"
                   rf"|(?P<zh_colour>{'|'.join(ZH_COLOURS.values())})的(?P<zh_shape>{'|'.join(ZH_SHAPES.values())})", re.I)
FROM_ZH = {v: k for names in (ZH_COLOURS, ZH_SHAPES) for k, v in names.items()}


@dataclass
class Shown:
    """Something in the picture or clip, by its marks: box, in pixels as seen, of each frame that shows it."""
    kind: str  # of the mark
    name: str
    detail: str
    boxes: dict


def shown(medium):
    """Everything of a picture or clip that has a name."""
    frames = medium.marks if isinstance(medium, Clip) else [medium.marks]
    size = medium.frames[0].size if isinstance(medium, Clip) else medium.image.size
    width, height = seen_size(*size)
    scale = np.array([width / size[0], height / size[1]] * 2)
    found = {}
    for i, marks in enumerate(frames):
        for mark in marks:
            if mark.kind == "thing" or mark.kind == "part" and len(mark.detail) > 1 and mark.name in KINDS:
                key = mark.kind, mark.name, mark.detail, mark.box if mark.kind == "part" else None
                found.setdefault(key, Shown(mark.kind, mark.name, mark.detail, {})).boxes[i] = np.array(mark.box) * scale
    return list(found.values()), len(frames)


def mentions(text, everything):
    """[(end of the name in the text, what it names)], in the text's order."""
    things = [s for s in everything if s.kind == "thing"]
    found = []
    if things:
        for match in NAMES.finditer(text):
            g = {k: v.lower() for k, v in match.groupdict().items() if v}
            colour = g.get("colour") or g.get("only") or FROM_ZH.get(g.get("zh_colour"))
            shape = g.get("shape") or FROM_ZH.get(g.get("zh_shape"))
            found.append((match.end(), [t for t in things if colour in (None, t.detail) and shape in (None, t.name)]))
    parts = [s for s in everything if s.kind == "part" and s.detail in text]
    for detail in {p.detail for p in parts}:
        for match in re.finditer(rf"(?<!\w){re.escape(detail)}(?!\w)", text):
            found.append((match.end(), [p for p in parts if p.detail == detail]))
    return sorted(found, key=lambda f: f[0])


def label(named, frames):
    """[len(SIZES)] of what a name stands for; where it is not one thing, only how many."""
    out = np.full(len(SIZES), IGNORE, np.int64)
    out[COLUMN["number"]] = min(len(named), MOST)
    if len(named) != 1:
        return out
    thing, = named
    out[COLUMN["kind"]], out[COLUMN["colour"]] = KINDS[thing.name], COLOURS.get(thing.detail, 0)
    if frames > 1:
        seen = sorted(thing.boxes)
        out[COLUMN["begin"]], out[COLUMN["end"]] = min(seen[0], FRAMES - 1), min(seen[-1] + 1, FRAMES - 1)
        out[COLUMN["way"]] = way(thing.boxes[seen[0]], thing.boxes[seen[-1]])
        return out
    out[COLUMN["left"]:COLUMN["bottom"] + 1] = thing.boxes[0].round()
    return out


ASKED = ("left of", "right of", "above|higher", "below|lower", "larger|bigger", "smaller")


def comparison(first, second, question):
    """[len(SIZES)] of two things that are compared: whether the first lies left of and above the second, and is larger; and
    which of it is asked."""
    out = np.full(len(SIZES), IGNORE, np.int64)
    (a, b), (c, d) = ((box[:2] + box[2:], box[2:] - box[:2]) for box in (first.boxes[0], second.boxes[0]))
    out[COLUMN["left_of"]:COLUMN["larger"] + 1] = a[0] < c[0], a[1] < c[1], b.max() > d.max()
    out[COLUMN["asked"]] = next((i for i, words in enumerate(ASKED) if re.search(words, question)), IGNORE)
    return out


def coordinate(text, begins, first):
    """The tokens of an action that say where, if it does. begins: of the text's tokens, in characters; first: their first."""
    at = text.find('"coordinate"')
    return [first + t for t, begin in enumerate(begins) if begin >= at] if at >= 0 else []


def cells(what, slices, grid):
    """[merged tokens of all slices]: which of them show any of these."""
    out = np.zeros((slices, *grid), bool)
    for thing in what:
        for frame, box in thing.boxes.items():
            out[(frame // 2, *covered(box, grid, 0.85 if thing.kind == "thing" else 1.0))] = True
    return out.reshape(-1)

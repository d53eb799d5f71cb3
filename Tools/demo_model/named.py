"""What every name in a conversation is asked besides the answers: a teacher of the decoder that the export leaves behind.

"No." tells a decoder little about how to look for a red star. So where a text has named something, the state behind
the name is asked what it names in the picture: how many there are, which shape and colour, its place from left to right,
the edges of its box, and, of clips, when it shows and which way it goes. The states before what an answer names are asked
the same, and those before coordinates and times which number comes. What a clip shows is asked its time.
"""
import re
from dataclasses import dataclass

import numpy as np

import draw
from guide import CHARACTER, COLOURS, IGNORE, KINDS, WAYS, covered, way
from lexicon import EVERY
from sample import Clip, seen_size
from world import ZH_COLOURS, ZH_SHAPES

MOST = 7  # things that are counted, and frames that are told apart are below FRAMES
FRAMES = 16
SIZES = dict(number=MOST + 1, kind=len(KINDS) + 1, colour=len(COLOURS) + 1,
             left=1, top=1, right=1, bottom=1, begin=FRAMES, end=FRAMES, way=len(WAYS),
             left_of=2, above=2, larger=2, asked=6, picture=3, since=1, until=1, next=1, time=1, rank=MOST,
             letter=len(CHARACTER) + 1, word=len(EVERY), more=MOST, smaller=MOST)
COLUMN = {name: i for i, name in enumerate(SIZES)}
MEASURED = 3.0  # how much a question weighs whose answer is a place or a time: its loss is small where it is nearly right
WEIGHTS = {name: MEASURED if size == 1 else dict(kind=0.5, colour=0.5, way=0.5).get(name, 1.0) for name, size in SIZES.items()}
CLOCK = 20  # a second; places are asked in hundreds of pixels, so that half a second and ten pixels weigh alike
# What the tokens of a clip are asked: when their slice begins, and hundreds of what lies between two frames; those that
# show a thing, from when to when it shows within their slice, and whether it did not show in the slice before.
CLOCKS = dict(since=1, interval=1, shows=1, gone=1, fresh=2)
CLOCK_WEIGHTS = dict(dict.fromkeys(CLOCKS, MEASURED), fresh=1.0)

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
    medium: int  # which one shows it
    clip: Clip | None
    boxes: dict
    rank: int = IGNORE  # of things, from left to right; in a clip as they appear
    more: int = IGNORE  # of those, how many are larger
    smaller: int = IGNORE


def shown(media):
    """Everything of pictures or clips that has a name, and how many frames one has."""
    found, count = {}, 0
    for medium, shows in enumerate(media):
        is_clip = isinstance(shows, Clip)
        frames = shows.marks if is_clip else [shows.marks]
        size = shows.frames[0].size if is_clip else shows.image.size
        width, height = seen_size(*size)
        scale = np.array([width / size[0], height / size[1]] * 2)
        count = max(count, len(frames))
        for i, marks in enumerate(frames):
            for mark in marks:
                if mark.kind == "thing" or mark.kind == "part" and len(mark.detail) > 1 and mark.name in KINDS:
                    key = medium, mark.kind, mark.name, mark.detail, mark.box if mark.kind == "part" else None
                    made = Shown(mark.kind, mark.name, mark.detail, medium, shows if is_clip else None, {})
                    found.setdefault(key, made).boxes[i] = np.array(mark.box) * scale
    for medium, shows in enumerate(media):
        things, is_clip = [s for s in found.values() if s.kind == "thing" and s.medium == medium], isinstance(shows, Clip)
        first = lambda thing: min(thing.boxes) if is_clip else 0  # a clip's things are told in the order in which they appear
        for rank, thing in enumerate(sorted(things, key=lambda t: (first(t), t.boxes[first(t)][0] + t.boxes[first(t)][2]))):
            thing.rank = min(rank, MOST - 1)
        by_size = sorted(things, key=lambda t: np.ptp(t.boxes[first(t)].reshape(2, 2), 0).max())
        for smaller, thing in enumerate(by_size if not is_clip else ()):
            thing.more, thing.smaller = len(things) - 1 - smaller, smaller
    return list(found.values()), count


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


def blank(**asked):
    """[len(SIZES)] with nothing asked but this."""
    out = np.full(len(SIZES), IGNORE, np.int64)
    for name, value in asked.items():
        out[COLUMN[name]] = value
    return out


def label(named, frames, several=False):
    """[len(SIZES)] of what a name stands for; where it is not one thing, only how many."""
    out = blank(number=min(len(named), MOST))
    if len(named) != 1:
        return out
    thing, = named
    out[COLUMN["rank"]] = thing.rank
    out[COLUMN["more"]], out[COLUMN["smaller"]] = thing.more, thing.smaller
    if several:
        out[COLUMN["picture"]] = thing.medium
    out[COLUMN["kind"]], out[COLUMN["colour"]] = KINDS[thing.name], COLOURS.get(thing.detail, 0)
    if frames > 1:
        seen = sorted(thing.boxes)
        out[COLUMN["begin"]], out[COLUMN["end"]] = min(seen[0], FRAMES - 1), min(seen[-1] + 1, FRAMES - 1)
        out[COLUMN["since"]] = round(thing.clip.at(seen[0]) * CLOCK)
        out[COLUMN["until"]] = round(thing.clip.at(seen[-1] + 1) * CLOCK)
        out[COLUMN["way"]] = way(thing.boxes[seen[0]], thing.boxes[seen[-1]])
        return out
    out[COLUMN["left"]:COLUMN["bottom"] + 1] = thing.boxes[0].round()
    return out


ASKED = ("left of", "right of", "above|higher", "below|lower", "larger|bigger", "smaller")


def comparison(first, second, question):
    """[len(SIZES)] of two things that are compared: whether the first lies left of and above the second, and is larger; and
    which of it is asked."""
    out = blank()
    (a, b), (c, d) = ((box[:2] + box[2:], box[2:] - box[:2]) for box in (first.boxes[0], second.boxes[0]))
    out[COLUMN["left_of"]:COLUMN["larger"] + 1] = a[0] < c[0], a[1] < c[1], b.max() > d.max()
    out[COLUMN["asked"]] = next((i for i, words in enumerate(ASKED) if re.search(words, question)), IGNORE)
    return out


def clocks(clip, slices, grid):
    """[merged tokens of a clip, len(CLOCKS)]."""
    out = np.full((slices, *grid, len(CLOCKS)), IGNORE, np.int64)
    out[..., 0] = np.round([clip.at(2 * i) * CLOCK for i in range(slices)])[:, None, None]
    out[..., 1] = round(100 * clip.at(1))
    for thing in shown([clip])[0]:
        for frame, box in thing.boxes.items():
            here = frame // 2
            frames = [f for f in (2 * here, 2 * here + 1) if f in thing.boxes]
            out[(here, *covered(box, grid, 0.85), slice(2, 5))] = (
                round(clip.at(frames[0]) * CLOCK), round(clip.at(frames[-1] + 1) * CLOCK), here == min(thing.boxes) // 2)
    out[0, ..., 1:4] = IGNORE  # nothing before the second slice tells how far apart frames are
    return out.reshape(-1, len(CLOCKS))


def cells(what, slices, grid, only=None):
    """[merged tokens of all slices]: which of them show any of these; in the slice of one frame alone, if given."""
    out = np.zeros((slices, *grid), bool)
    for thing in what:
        for frame, box in thing.boxes.items():
            if only in (None, frame):
                out[(frame // 2, *covered(box, grid, 0.85 if thing.kind == "thing" else 1.0))] = True
    return out.reshape(-1)

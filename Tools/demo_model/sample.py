"""What every task hands over: pictures or clips with marks on them, and a conversation about them."""
import math
from dataclasses import dataclass, field

import numpy as np

FACTOR = 28  # pixels per merged cell
TOKENS_PER_SECOND = 2
MIN_PIXELS, MAX_PIXELS = 56 * 56, 448 * 448
FIRST = "first"  # detail of the character that begins a word


@dataclass(frozen=True)
class Mark:
    """Something that is drawn, for the guide: the vision tower learns from it what lies where.

    kind: "thing" (name: shape, detail: colour), "char" (name: the printed character, detail: FIRST of a word or none),
    "part" (name: what it is, for example "button", "field", "bar", "word"; detail: what it is called).
    """
    kind: str
    name: str
    box: tuple  # x0, y0, x1, y1 in pixels of the drawn picture, x1 and y1 exclusive
    detail: str = ""


@dataclass
class Picture:
    image: object  # PIL.Image, RGB
    marks: list = field(default_factory=list)


@dataclass
class Clip:
    frames: list  # of PIL.Image, all of one size, an even number of them
    fps: float
    marks: list = field(default_factory=list)  # one list of marks per frame
    told: float = 0.0  # seconds between frames as the answers tell them, if not by fps

    def at(self, frame):
        """Seconds, as told, at which a frame begins."""
        return frame * self.told if self.told else frame / self.fps


@dataclass
class VideoFile:
    """A clip in a file, for the reference; training has clips alone."""
    path: str
    count: int  # frames that are looked at


class Misread(str):
    """An answer that is not the picture's: only its form is learnt (how many rows and columns), whatever stands in it. Who
    cannot read must come to an end, too. wrong: places in it at which it should have ended."""
    wrong: frozenset

    @classmethod
    def of(cls, text, wrong):
        made = cls(text)
        made.wrong = frozenset(wrong)
        return made


@dataclass
class Sample:
    task: str
    turns: list  # of (question, answer)
    media: list = field(default_factory=list)  # in order, before the first question
    system: str = "You are a helpful assistant."


def time_positions(slices, fps):
    """[slices] from 0: the places in time of a clip's pairs of frames, as get_rope_index of Transformers 4.49.0 counts them."""
    # float32, as the reference multiplies tensors.
    return (np.arange(slices, dtype=np.float32) * np.float32(2 / fps) * np.float32(TOKENS_PER_SECOND)).astype(np.int64)


def seen_size(width, height, most=MAX_PIXELS, least=MIN_PIXELS):
    """The size that the model sees: smart_resize of the official processor."""
    w, h = max(FACTOR, round(width / FACTOR) * FACTOR), max(FACTOR, round(height / FACTOR) * FACTOR)
    if w * h > most:
        beta = math.sqrt(width * height / most)
        w, h = (max(FACTOR, math.floor(s / beta / FACTOR) * FACTOR) for s in (width, height))
    elif w * h < least:
        beta = math.sqrt(least / (width * height))
        w, h = (math.ceil(s * beta / FACTOR) * FACTOR for s in (width, height))
    return w, h


def seen_box(box, size):
    """A box of the drawn picture in whole pixels of the picture that the model sees. size: of the drawn one."""
    w, h = seen_size(*size)
    x, y = w / size[0], h / size[1]
    return [round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)]


def seen_point(point, size):
    return seen_box((*point, *point), size)[:2]

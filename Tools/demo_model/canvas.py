"""Draws lettering and plain forms, and keeps marks of what was drawn; wears pictures as cameras and codecs do.

Fonts are those of the Debian packages fonts-dejavu and fonts-liberation, named file by file, so that a seed draws the
same letters everywhere. Folders named in DEMO_FONTS (separated by colons) are searched before the system's.
"""
import functools
import io
import json
import math
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sample import FIRST, Mark, Picture, seen_box, seen_point, seen_size

SANS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf",
        "DejaVuSansCondensed.ttf")
SERIF = ("DejaVuSerif.ttf", "LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf")
MONO = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf")
ITALIC = ("LiberationSans-Italic.ttf", "LiberationSerif-Italic.ttf")
FONTS = SANS + SERIF + MONO + ITALIC
FOLDERS = [*filter(None, os.environ.get("DEMO_FONTS", "").split(":")),
           "/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype/liberation",
           "/usr/share/fonts/truetype/liberation2"]


@functools.lru_cache(1024)
def font(name, size):
    for folder in FOLDERS:
        if os.path.exists(f"{folder}/{name}"):
            return ImageFont.truetype(f"{folder}/{name}", size, layout_engine=ImageFont.Layout.BASIC)
    raise FileNotFoundError(f"font {name} is in none of {', '.join(FOLDERS)}: install fonts-dejavu fonts-liberation")


@functools.lru_cache(32768)
def glyph(name, size, char):
    """(mask or None for blanks, its offset from the line's top left, advance)."""
    face = font(name, size)
    left, upper, right, lower = face.getbbox(char)
    if right <= left or lower <= upper:
        return None, (0, 0), face.getlength(char)
    mask = Image.new("L", (right - left, lower - upper), 0)
    ImageDraw.Draw(mask).text((-left, -upper), char, font=face, fill=255)
    return mask, (left, upper), face.getlength(char)


def text_width(string, name, size):
    return math.ceil(sum(glyph(name, size, char)[2] for char in string))


@functools.lru_cache(1024)
def line_height(name, size):
    return sum(font(name, size).getmetrics())


def union(boxes):
    x0, y0, x1, y1 = zip(*boxes)
    return min(x0), min(y0), max(x1), max(y1)


def grown(box, by):
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def middle(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


class Canvas:
    def __init__(self, size, background):
        self.size = size
        self.image = Image.new("RGB", size, background)
        self.pen = ImageDraw.Draw(self.image)
        self.marks = []

    def text(self, x, y, string, name, size, colour):
        """Draws a line with its top left at (x, y); the box of its ink. Every character gets a mark."""
        boxes, before = [], " "
        for char in string:
            mask, (left, upper), advance = glyph(name, size, char)
            if mask is not None:
                at = round(x) + left, round(y) + upper
                self.image.paste(colour, at, mask)
                boxes.append((*at, at[0] + mask.width, at[1] + mask.height))
                self.marks.append(Mark("char", char, boxes[-1], FIRST if before == " " else ""))
            x, before = x + advance, char
        return union(boxes)

    def part(self, name, box, detail=""):
        self.marks.append(Mark("part", name, tuple(box), detail))
        return box

    def rectangle(self, box, **style):
        """box as in marks: right and lower edges are exclusive."""
        x0, y0, x1, y1 = (round(v) for v in box)
        self.pen.rectangle((x0, y0, x1 - 1, y1 - 1), **style)

    def picture(self, rng):
        return Picture(wear(rng, self.image), self.marks)

    def seen(self, box):
        return seen_box(box, self.size)

    def seen_middle(self, box):
        return seen_point(middle(box), self.size)


def wear(rng, image, blur=0.6, noise=8):
    """Light blur, noise and JPEG, each now and then; milder than for shapes, so that small letters stay legible."""
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, blur)))
    if rng.random() < 0.3:
        grain = np.random.default_rng(rng.getrandbits(32)).standard_normal((image.height, image.width, 3), np.float32)
        grain *= rng.uniform(1, noise)
        grain += np.asarray(image)
        image = Image.fromarray(np.rint(grain.clip(0, 255, out=grain), out=grain).astype(np.uint8))
    if rng.random() < 0.25:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(60, 95))
        image = Image.open(file).convert("RGB")
    return image


def pick_size(rng, area, least=112 * 112, wide=0.0):
    """Width and height: the area spread evenly over its logarithm, sides from 56, up to 3:1. wide: -1 leans to
    portrait, 1 to landscape."""
    chosen = math.exp(rng.uniform(math.log(min(least, area)), math.log(area)))
    lean = max(-1.0, min(1.0, rng.uniform(-1, 1) * rng.random() + wide * 0.5))
    aspect = math.exp(lean * math.log(min(3.0, chosen / 56**2)))
    width = min(max(56, math.sqrt(chosen * aspect)), chosen / 56)
    return int(width), int(chosen / width)


def scale(size):
    """Seen pixels per drawn pixel."""
    w, h = seen_size(*size)
    return math.sqrt(w * h / (size[0] * size[1]))


def pick_em(rng, size, least, most):
    """A font size that is seen between least and most pixels; small ones are as frequent as large ones."""
    return max(1, round(math.exp(rng.uniform(math.log(least), math.log(max(least, most)))) / scale(size)))


def lightness(rgb):
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def pick_paper(rng):
    kind = rng.random()
    if kind < 0.4:
        return 255, 255, 255
    if kind < 0.7:
        return tuple(rng.randint(205, 255) for _ in range(3))
    if kind < 0.85:
        return tuple(rng.randint(0, 70) for _ in range(3))
    return tuple(rng.randint(0, 255) for _ in range(3))


def pick_ink(rng, paper, least=110):
    """A colour whose lightness differs well from the paper's; mostly black or white."""
    dark = lightness(paper) > 127
    if rng.random() < 0.5:
        return tuple([rng.randint(0, 40) if dark else rng.randint(215, 255)] * 3)
    while True:
        ink = tuple(rng.randint(0, 255) for _ in range(3))
        if abs(lightness(ink) - lightness(paper)) >= least:
            return ink


def fenced(value):
    """A value as the official answers print it: fenced, one element of a list or one key of an object a line."""
    dump = functools.partial(json.dumps, ensure_ascii=False)
    if isinstance(value, list):
        lines, brackets = [dump(element) for element in value], "[]"
    else:
        lines, brackets = [f"{dump(key)}: {dump(element)}" for key, element in value.items()], "{}"
    body = "\n" + ",\n".join("\t" + line for line in lines) + "\n" if lines else ""
    return f"```json\n{brackets[0]}{body}{brackets[1]}\n```"

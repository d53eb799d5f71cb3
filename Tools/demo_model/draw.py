"""Draws the demo model's world: coloured shapes on a background.

Everything follows from the random generator that is handed in: the same seed draws the same picture.
    draw.py --preview sheet.png [--split train] draws a sheet to look at.
"""
import argparse
import colorsys
import io
import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Hue in degrees, saturation and value: the ranges leave gaps, so that every name is beyond doubt.
COLOURS = {
    "red": ((-8, 8), (0.80, 1.0), (0.72, 1.0)),
    "orange": ((25, 36), (0.85, 1.0), (0.93, 1.0)),
    "yellow": ((52, 60), (0.75, 1.0), (0.90, 1.0)),
    "green": ((100, 145), (0.60, 1.0), (0.45, 0.85)),
    "blue": ((213, 240), (0.72, 1.0), (0.60, 1.0)),
    "purple": ((270, 290), (0.60, 1.0), (0.45, 0.75)),
    "pink": ((325, 345), (0.33, 0.55), (0.95, 1.0)),
    "brown": ((18, 30), (0.60, 0.80), (0.35, 0.52)),
    "black": ((0, 360), (0.0, 0.1), (0.0, 0.10)),
    "white": ((0, 360), (0.0, 0.02), (0.95, 1.0)),
    "grey": ((0, 360), (0.0, 0.04), (0.42, 0.62)),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "diamond")
# Euclidean distance in RGB below which a shape might not be told from its background.
LEAST_CONTRAST = 110
# Upright tilt in degrees; a tilted square must not become a diamond.
TILT = {"square": 10, "triangle": 25, "star": 20, "cross": 12, "heart": 15, "diamond": 8}


@dataclass(frozen=True)
class Thing:
    shape: str
    colour: str
    rgb: tuple
    x: float  # centre, pixels
    y: float
    radius: float  # of the circle around it, pixels


@dataclass(frozen=True)
class Scene:
    size: tuple  # width, height
    background: tuple  # two RGB colours: above and below
    things: tuple  # in the order in which they are told: left to right by their centres


def pick_rgb(rng, name):
    (h0, h1), (s0, s1), (v0, v1) = COLOURS[name]
    rgb = colorsys.hsv_to_rgb(rng.uniform(h0, h1) % 360 / 360, rng.uniform(s0, s1), rng.uniform(v0, v1))
    return tuple(round(255 * c) for c in rgb)


def pick_background(rng):
    kind = rng.random()
    if kind < 0.30:
        top = (255, 255, 255)
    elif kind < 0.60:  # pale
        top = tuple(rng.randint(205, 255) for _ in range(3))
    elif kind < 0.80:  # dark
        top = tuple(rng.randint(0, 75) for _ in range(3))
    else:
        top = tuple(rng.randint(0, 255) for _ in range(3))
    if rng.random() < 0.7:
        return top, top
    return top, tuple(min(255, max(0, c + rng.randint(-35, 35))) for c in top)


def pick_size(rng, least_area, most_area):
    """Sides in pixels, none below 56; the area spread evenly over its logarithm; up to 3:1."""
    area = math.exp(rng.uniform(math.log(least_area), math.log(most_area)))
    longest = min(3.0, area / 56**2)
    aspect = math.exp(rng.uniform(-1, 1) * math.log(longest) * rng.random())
    return max(56, round(math.sqrt(area * aspect))), max(56, round(math.sqrt(area / aspect)))


def pick_colours(rng, background, names):
    """An RGB value for each name, each well apart from the background, or None if there are too few such."""
    picked = []
    for name in names:
        for _ in range(4):
            rgb = pick_rgb(rng, name)
            if all(math.dist(rgb, b) >= LEAST_CONTRAST for b in background):
                picked.append((name, rgb))
                break
    return picked


def pick_scene(rng, most_area=224 * 224, things=None, size=None, looks=None, few=0.3):
    """A scene with so many things (1 to 6) that neither touch nor stand exactly above each other.

    looks: (colour, shape) of each, or None for any; no two things look the same. few: how often there are but two colours
    and two shapes.
    """
    count = things or (len(looks) if looks else rng.choice((1, 2)))
    while True:
        width, height = size or pick_size(rng, max(56 * 56, 34 * 34 * count), most_area)
        background = pick_background(rng)
        usable = pick_colours(rng, background, rng.sample(list(COLOURS), len(COLOURS)))
        if looks is None:
            alike = rng.random() < few  # often several of one colour or of one shape
            colours, shapes = (usable[:2], rng.sample(SHAPES, 2)) if alike else (usable, SHAPES)
            every = [(c, s) for c in colours for s in shapes]
            chosen = rng.sample(every, count) if len(every) >= count else None
        else:
            by_name = dict(usable)
            chosen = [((c, by_name[c]), s) for c, s in looks if c in by_name]
        if not chosen or len(chosen) < count:
            continue
        placed = place(rng, width, height, count)
        if placed:
            made = [Thing(shape, name, rgb, x, y, radius)
                    for ((name, rgb), shape), (x, y, radius) in zip(chosen, placed)]
            return Scene((width, height), background, tuple(sorted(made, key=lambda t: t.x)))


def place(rng, width, height, count):
    """Centres and radii that keep apart, or None if chance finds no room."""
    most = min(width, height) / 2
    if count > 1:
        most = min(most, math.sqrt(width * height / count) * 0.52)
    placed = []
    for _ in range(60 * count):
        radius = max(10, most * rng.uniform(0.35, 0.95))
        if 2 * radius > min(width, height):
            continue
        x, y = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
        if all(math.dist((x, y), other[:2]) > radius + other[2] + 2 and abs(x - other[0]) > max(5, 0.03 * width)
               for other in placed):
            placed.append((x, y, radius))
            if len(placed) == count:
                return placed
    return None


def corners(rng, shape):
    """The shape's outline within the unit circle, y downwards."""
    def on_circle(count, radius=1.0, start=-90.0):
        return [(radius * math.cos(math.radians(start + 360 * i / count)),
                 radius * math.sin(math.radians(start + 360 * i / count))) for i in range(count)]
    if shape in ("circle", "ring"):
        points = on_circle(60)
    elif shape == "square":
        points = on_circle(4, start=45)
    elif shape == "triangle":
        wide = rng.uniform(0.8, 1.0)
        points = [(x * wide, y) for x, y in on_circle(3)]
    elif shape == "diamond":
        slim = rng.uniform(0.6, 0.75)
        points = [(0, -1), (slim, 0), (0, 1), (-slim, 0)]
    elif shape == "star":
        inner = on_circle(5, rng.uniform(0.36, 0.46), -54)
        points = [p for pair in zip(on_circle(5), inner) for p in pair]
    elif shape == "cross":
        arm = rng.uniform(0.24, 0.36)
        quarter = [(-arm, -0.95), (arm, -0.95), (arm, -arm)]
        points = []
        for _ in range(4):
            points += quarter
            quarter = [(-y, x) for x, y in quarter]
    else:  # heart
        points = []
        for i in range(60):
            t = 2 * math.pi * i / 60
            y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
            points.append((math.sin(t) ** 3 * 0.95, -(y + 2.5) / 16 * 0.95))
    tilt = math.radians(rng.uniform(-1, 1) * TILT.get(shape, 180))
    c, s = math.cos(tilt), math.sin(tilt)
    return [(x * c - y * s, x * s + y * c) for x, y in points]


def paint_background(scene):
    width, height = scene.size
    top, bottom = scene.background
    if top == bottom:
        return Image.new("RGB", scene.size, top)
    mix = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(top) * (1 - mix) + np.array(bottom) * mix
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).round().astype(np.uint8))


def stamp(rng, thing, fine=3):
    """The thing's mask, drawn larger and then averaged, and where its centre lies in it."""
    side = math.ceil(2 * thing.radius) + 2
    mask = Image.new("L", (side * fine, side * fine), 0)
    pen = ImageDraw.Draw(mask)
    outline, middle = corners(rng, thing.shape), side / 2
    at = lambda scale: [((middle + x * scale * thing.radius) * fine, (middle + y * scale * thing.radius) * fine)
                        for x, y in outline]
    pen.polygon(at(1.0), fill=255)
    if thing.shape == "ring":
        pen.polygon(at(rng.uniform(0.48, 0.66)), fill=0)
    return mask.reduce(fine) if fine > 1 else mask


def paste(image, thing, mask):
    """Draws the thing at its place and returns its box: x0, y0, x1, y1."""
    left, upper = round(thing.x - mask.width / 2), round(thing.y - mask.height / 2)
    image.paste(thing.rgb, (left, upper), mask)
    x0, y0, x1, y1 = mask.point(lambda v: 255 * (v > 100)).getbbox()
    return (max(0, left + x0), max(0, upper + y0), min(image.width, left + x1), min(image.height, upper + y1))


def wear(rng, image):
    """Blur, noise and JPEG, each now and then."""
    if rng.random() < 0.15 and min(image.size) >= 84:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.35:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 12), (*image.size[::-1], 3))
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).round().astype(np.uint8))
    if rng.random() < 0.25:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(45, 95))
        image = Image.open(file).convert("RGB")
    return image


def render(rng, scene, clean=False):
    """The picture as RGB, and the box of each thing. clean: no noise, no blur, no JPEG."""
    image = paint_background(scene)
    fine = 1 if not clean and rng.random() < 0.15 else 3
    boxes = [paste(image, thing, stamp(rng, thing, fine)) for thing in scene.things]
    return image if clean else wear(rng, image), boxes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preview", required=True, help="PNG to write")
    parser.add_argument("--split", default="train")
    a = parser.parse_args()
    sheet = Image.new("RGB", (1200, 900), (128, 128, 160))
    x = y = line = 0
    for i in range(400):
        rng = random.Random(f"{a.split}/preview/{i}")
        image, _ = render(rng, pick_scene(rng, things=rng.randint(1, 6)))
        if x + image.width > sheet.width:
            x, y, line = 0, y + line + 4, 0
        sheet.paste(image, (x, y))
        x, line = x + image.width + 4, max(line, image.height)
    sheet.save(a.preview)


if __name__ == "__main__":
    main()

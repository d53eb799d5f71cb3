"""Draws the demo model's world: one or two coloured shapes on a background.

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
    things: tuple  # in the order in which they are told: left to right, or top to bottom


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


def pick_scene(rng, most_area=224 * 224, things=None, size=None):
    width, height = size or pick_size(rng, 56 * 56, most_area)
    background = pick_background(rng)
    count = things or rng.choice((1, 2))
    usable = []
    while len(usable) < count:
        usable = []
        for name in rng.sample(list(COLOURS), len(COLOURS)):
            rgb = pick_rgb(rng, name)
            if all(math.dist(rgb, b) >= LEAST_CONTRAST for b in background):
                usable.append((name, rgb))
        background = background if len(usable) >= count else pick_background(rng)
    shapes = [rng.choice(SHAPES) for _ in range(count)]
    if count == 1:
        cells = [(0, 0, width, height)]
    elif width > height or (width == height and rng.random() < 0.5):
        cut = width * rng.uniform(0.42, 0.58)
        cells = [(0, 0, cut, height), (cut, 0, width, height)]
    else:
        cut = height * rng.uniform(0.42, 0.58)
        cells = [(0, 0, width, cut), (0, cut, width, height)]
    placed = []
    for (name, rgb), shape, (x0, y0, x1, y1) in zip(usable, shapes, cells):
        room = min(x1 - x0, y1 - y0) / 2
        radius = max(min(room, 11), room * rng.uniform(0.45, 0.95))
        placed.append(Thing(shape, name, rgb, rng.uniform(x0 + radius, x1 - radius),
                            rng.uniform(y0 + radius, y1 - radius), radius))
    return Scene((width, height), background, tuple(placed))


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


def render(rng, scene, clean=False):
    """The picture as RGB. clean: no noise, no blur, no JPEG."""
    width, height = scene.size
    top, bottom = scene.background
    if top == bottom:
        image = Image.new("RGB", scene.size, top)
    else:
        mix = np.linspace(0, 1, height)[:, None, None]
        rows = np.array(top) * (1 - mix) + np.array(bottom) * mix
        image = Image.fromarray(np.broadcast_to(rows, (height, width, 3)).round().astype(np.uint8))
    fine = 1 if not clean and rng.random() < 0.15 else 3  # drawn larger, then averaged: smooth edges
    for thing in scene.things:
        left, upper = math.floor(thing.x - thing.radius), math.floor(thing.y - thing.radius)
        side = math.ceil(2 * thing.radius) + 2
        mask = Image.new("L", (side * fine, side * fine), 0)
        pen = ImageDraw.Draw(mask)
        place = lambda scale: [((thing.x - left + x * scale * thing.radius) * fine,
                                (thing.y - upper + y * scale * thing.radius) * fine) for x, y in outline]
        outline = corners(rng, thing.shape)
        pen.polygon(place(1.0), fill=255)
        if thing.shape == "ring":
            pen.polygon(place(rng.uniform(0.48, 0.66)), fill=0)
        if fine > 1:
            mask = mask.reduce(fine)
        image.paste(thing.rgb, (left, upper), mask)
    if clean:
        return image
    if rng.random() < 0.15 and min(scene.size) >= 84:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.35:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 12), (height, width, 3))
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).round().astype(np.uint8))
    if rng.random() < 0.25:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(45, 95))
        image = Image.open(file).convert("RGB")
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preview", required=True, help="PNG to write")
    parser.add_argument("--split", default="train")
    a = parser.parse_args()
    sheet = Image.new("RGB", (1200, 900), (128, 128, 160))
    x = y = line = 0
    for i in range(400):
        rng = random.Random(f"{a.split}/preview/{i}")
        image = render(rng, pick_scene(rng))
        if x + image.width > sheet.width:
            x, y, line = 0, y + line + 4, 0
        sheet.paste(image, (x, y))
        x, line = x + image.width + 4, max(line, image.height)
    sheet.save(a.preview)


if __name__ == "__main__":
    main()

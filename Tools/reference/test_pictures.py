#!/usr/bin/env python3
"""Draw the pictures of the comparison suite: many sizes, colour modes and file formats.

    test_pictures.py --out DIR

For some pictures the product is meant to see something other than the reference does (EXIF orientation is applied,
every kind of transparency is composed onto white); the reference is then given an equivalent file.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps


@dataclass
class Picture:
    name: str
    file: Path
    reference_file: Path


def scene(width, height, seed=0, grain=6):
    """Something like a photograph: soft shapes at every scale, edges, a little grain and some lettering."""
    generator = np.random.default_rng(seed + 7919 * width + height)
    total = np.zeros((height, width, 3))
    weight = 0.0
    for level in range(1, 7):
        cells = 2**level
        coarse = generator.integers(0, 256, (min(cells, height), min(cells, width), 3), dtype=np.uint8)
        layer = np.asarray(Image.fromarray(coarse, "RGB").resize((width, height), Image.Resampling.BICUBIC), float)
        total += layer / level
        weight += 1 / level
    total = (total / weight - 128) * 2 + 128 + generator.normal(0, grain, total.shape)
    image = Image.fromarray(np.clip(total, 0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    w, h = width - 1, height - 1
    draw.rectangle([w * 0.1, h * 0.2, w * 0.35, h * 0.7], fill=(210, 40, 40), outline=(0, 0, 0))
    draw.ellipse([w * 0.5, h * 0.3, w * 0.9, h * 0.9], outline=(20, 20, 220), width=3)
    draw.text((w * 0.2, h * 0.1), "QwenVL 1234 sample", fill=(255, 255, 255))
    return image


def translucent(width, height):
    """An RGBA scene whose opacity runs from 0 to 255."""
    alpha = np.linspace(0, 255, width)[None, :] * np.ones((height, 1))
    image = scene(width, height).convert("RGBA")
    image.putalpha(Image.fromarray(alpha.astype(np.uint8), "L"))
    return image


# Width and height: multiples of 28, exact halves of it (rounded to even), tiny, strips, large, odd.
SIZES = [(56, 56), (70, 70), (42, 98), (126, 154), (20, 20), (1, 1), (3, 150), (1000, 50), (50, 1000), (28, 560),
         (333, 777), (640, 480), (1300, 900), (299, 113), (113, 112)]


def draw_all(out):
    """Draw every picture into `out` and say which file stands for it on either side."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pictures = []

    def add(name, image, suffix, equivalent=None, **options):
        file = out / f"{name}.{suffix}"
        image.save(file, **options)
        reference_file = file
        if equivalent is not None:
            reference_file = out / f"{name}.equivalent.png"
            equivalent.save(reference_file)
        pictures.append(Picture(name, file, reference_file))

    for width, height in SIZES:
        add(f"rgb-{width}x{height}", scene(width, height), "png")

    base = scene(321, 243)
    rgba = translucent(200, 150)
    add("grey", base.convert("L"), "png")
    add("one-bit", base.convert("1"), "png")
    add("palette", base.quantize(64), "png")
    add("rgba", rgba, "png")
    add("rgba-opaque", base.convert("RGBA"), "png")
    grey_alpha = rgba.convert("LA")
    add("grey-alpha", grey_alpha, "png", equivalent=grey_alpha.convert("RGBA"))
    mask = Image.new("L", base.size, 255)
    ImageDraw.Draw(mask).ellipse([50, 50, 200, 200], fill=0)
    indexed = base.quantize(63)
    indexed.putpalette(indexed.getpalette()[:63 * 3] + [90, 160, 30])  # a colour that nobody is to see
    indexed.paste(63, mask=ImageOps.invert(mask))
    cut = base.quantize(63).convert("RGBA")
    cut.putalpha(mask)
    add("palette-transparent", indexed, "png", equivalent=cut, transparency=63)
    deep = np.asarray(base.convert("L")).astype(np.uint16) * 257
    add("grey-16-bit", Image.fromarray(deep), "png", equivalent=base.convert("L"))

    add("jpeg-420", base, "jpg", quality=85, subsampling=2)
    add("jpeg-422", base, "jpg", quality=85, subsampling=1)
    add("jpeg-444", base, "jpg", quality=95, subsampling=0)
    add("jpeg-progressive", base, "jpg", quality=80, progressive=True)
    add("jpeg-grey", base.convert("L"), "jpg", quality=90)
    add("jpeg-cmyk", base.convert("CMYK"), "jpg", quality=90)
    add("jpeg-large", scene(1500, 1100, seed=3), "jpg", quality=88)
    add("jpeg-odd", scene(97, 61, seed=4), "jpg", quality=70, subsampling=2)
    for orientation in (2, 3, 4, 5, 6, 7, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"jpeg-orientation-{orientation}"
        file = out / f"{name}.jpg"
        base.save(file, quality=90, exif=exif)
        upright = out / f"{name}.equivalent.png"
        ImageOps.exif_transpose(Image.open(file)).save(upright)
        pictures.append(Picture(name, file, upright))

    add("webp", base, "webp", quality=80)
    add("webp-lossless", base, "webp", lossless=True)
    add("webp-rgba", rgba, "webp", quality=80)
    return pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    print(f"{len(draw_all(parser.parse_args().out))} pictures")


if __name__ == "__main__":
    main()

"""Makes the committed picture files out of three photographs (see MANIFEST.md for their sources)."""

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import png

SEED = 20


def strip_segment(jpeg: bytes, marker: int) -> bytes:
    """The JPEG without its segments of this marker."""
    out, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != marker:
            out += jpeg[at:end]
        at = end
    return out + jpeg[at:]


def save(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def orientation_exif(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def ramp_alpha(width: int, height: int) -> Image.Image:
    """Every alpha value occurs, 0 and 255 often."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.clip(x * 3 - y - 40, 0, 255).astype(np.uint8), "L")


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(ramp_alpha(*image.size))
    return image


def jpegs(astronaut, chelsea, coffee) -> dict[str, bytes]:
    face = astronaut.crop((150, 0, 350, 200))
    small = coffee.crop((200, 120, 267, 165))
    out = {
        "astronaut-444.jpg": save(face, "JPEG", quality=90, subsampling=0),
        "chelsea-420.jpg": save(chelsea, "JPEG", quality=85, subsampling=2),
        "coffee-422.jpg": save(coffee.crop((101, 50, 444, 300)), "JPEG", quality=80, subsampling=1),
        "chelsea-grey.jpg": save(chelsea.crop((100, 50, 341, 233)).convert("L"), "JPEG", quality=85),
        "coffee-progressive.jpg": save(coffee.resize((301, 200)), "JPEG", quality=85, progressive=True),
        "astronaut-restart.jpg": save(face.resize((99, 131)), "JPEG", quality=70, restart_marker_rows=1),
        "astronaut-rgb.jpg": save(face.resize((90, 90)), "JPEG", quality=80, keep_rgb=True),
        "chelsea-strip.jpg": save(chelsea.crop((0, 140, 451, 157)), "JPEG", quality=90),
    }
    cmyk = save(coffee.resize((150, 100)).convert("CMYK"), "JPEG", quality=85)
    out["coffee-cmyk.jpg"] = cmyk
    out["coffee-cmyk-unmarked.jpg"] = strip_segment(cmyk, 0xEE)
    for value in range(1, 9):
        out[f"coffee-exif-{value}.jpg"] = save(small, "JPEG", quality=80, exif=orientation_exif(value))
    return out


def pngs(astronaut, chelsea, coffee) -> dict[str, bytes]:
    face = astronaut.crop((190, 60, 290, 140))
    rgb = np.array(face)
    grey = np.array(face.convert("L"))[..., None]
    alpha = np.array(ramp_alpha(100, 80))[..., None]
    low = np.random.default_rng(SEED).integers(0, 256, rgb.shape, np.uint16)
    wide = rgb.astype(np.uint16) * 256 + low
    wide_alpha = alpha.astype(np.uint16) * 257
    indexed = chelsea.resize((120, 80)).quantize(64)
    indices = np.array(indexed)[..., None]
    palette = np.array(indexed.getpalette()[: 64 * 3]).reshape(-1, 3)
    fading = bytes(int(v) for v in np.linspace(0, 255, 64))
    few = chelsea.resize((61, 43)).quantize(13)
    few_palette = np.array(few.getpalette()[: 13 * 3]).reshape(-1, 3)
    key = int(grey[40, 50, 0])
    return {
        "astronaut-rgb.png": save(face, "PNG", optimize=True),
        "coffee-rgba.png": save(with_alpha(coffee.resize((121, 83))), "PNG", optimize=True),
        "astronaut-la.png": save(with_alpha(face.convert("L")), "PNG", optimize=True),
        "astronaut-l.png": save(face.convert("L"), "PNG", optimize=True),
        "chelsea-p.png": png.encode(indices, 8, 3, palette=palette),
        "chelsea-p-key.png": png.encode(indices, 8, 3, palette=palette, trns=b"\xff" * 7 + b"\0"),
        "chelsea-p-fading.png": png.encode(indices, 8, 3, palette=palette, trns=fading),
        "chelsea-p4.png": png.encode(np.array(few)[..., None], 4, 3, palette=few_palette),
        "astronaut-1bit.png": png.encode((grey > 110).astype(np.uint8), 1, 0),
        "astronaut-l2.png": png.encode(grey >> 6, 2, 0),
        "astronaut-l4.png": png.encode(grey >> 4, 4, 0),
        "astronaut-l16.png": png.encode(wide[..., :1], 16, 0),
        "astronaut-rgb16.png": png.encode(wide[:40], 16, 2),
        "astronaut-rgba16.png": png.encode(np.concatenate([wide, wide_alpha], 2)[:40], 16, 6),
        "astronaut-la16.png": png.encode(np.concatenate([wide[..., 1:2], wide_alpha], 2)[:40], 16, 4),
        "astronaut-l-key.png": png.encode(grey, 8, 0, trns=key.to_bytes(2, "big")),
        "astronaut-rgb-key.png": png.encode(
            rgb[:40], 8, 2, trns=b"".join(int(v).to_bytes(2, "big") for v in rgb[20, 30])
        ),
        "astronaut-interlaced.png": png.encode(rgb[:61, :83], 8, 2, interlaced=True),
        "chelsea-p-interlaced.png": png.encode(indices[:, :33], 8, 3, interlaced=True, palette=palette),
        "coffee-exif-6.png": save(coffee.resize((60, 40)), "PNG", exif=orientation_exif(6)),
        "one-pixel.png": png.encode(rgb[:1, :1], 8, 2),
    }


def webps(astronaut, chelsea, coffee) -> dict[str, bytes]:
    cup = coffee.resize((201, 135))
    frames = [chelsea.resize((80, 60)), astronaut.resize((80, 60))]
    return {
        "coffee-lossy.webp": save(cup, "WEBP", quality=80),
        "coffee-lossless.webp": save(cup.resize((101, 67)), "WEBP", lossless=True),
        "coffee-lossy-alpha.webp": save(with_alpha(cup), "WEBP", quality=75),
        "coffee-lossless-alpha.webp": save(with_alpha(cup.resize((101, 67))), "WEBP", lossless=True),
        "two-frames.webp": save(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, quality=70),
        "coffee-exif-8.webp": save(cup.resize((60, 40)), "WEBP", quality=80, exif=orientation_exif(8)),
    }


def hostile() -> dict[str, bytes]:
    """Pictures to be refused."""
    grey = np.full((2, 402, 1), 99, np.uint8)
    return {
        "bomb.png": png.header(60000, 60000, 8, 2) + png.chunk(b"IDAT", zlib.compress(bytes(1000))) + png.chunk(b"IEND", b""),
        "strip-201.png": png.encode(grey, 8, 0),
    }


def make(photographs: Path) -> dict[str, bytes]:
    names = ("astronaut", "chelsea", "coffee")
    photos = [Image.open(photographs / f"{name}.png").convert("RGB") for name in names]
    return jpegs(*photos) | pngs(*photos) | webps(*photos)

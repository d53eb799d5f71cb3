"""Makes Tests/VisionInputTests/Fixtures/Formats: small pictures of further formats, and Pillow's pixels of them.

    python Tools/vision/make_format_fixtures.py

Runs where qwen-vl-utils 0.0.11, Pillow with pillow-heif, and imagecodecs (12-bit JPEG) are installed. Pictures are
encoded anew only where absent.
"""

import base64
import hashlib
import io
import json
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image, ImageCms
from qwen_vl_utils.vision_process import to_rgb

pillow_heif.register_heif_opener()
FIXTURES = Path(__file__).resolve().parents[2] / "Tests/VisionInputTests/Fixtures"
FOLDER = FIXTURES / "Formats"
# Decoders that differ by rounding: the mean and the largest difference allowed. Of 12 bits: libjpeg's integer transform,
# the colour's and ours differ by up to three of 4096, which the four low bits swallow but for three values in sixteen.
DEEP = {"twelve-bit.jpg": (48, 32, "422"), "twelve-bit-420.jpg": (45, 31, "420")}
CLOSE = {"picture.heic": (0.5, 3), "picture.avif": (2, 24), "display-p3.png": (0.6, 2), **{name: (3 / 16, 1) for name in DEEP}}


def profile(primaries, gamma):
    """A colour profile of three primaries (XYZ under D50) and a power (ICC.1:2001, matrix and curves)."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    text = b"Test profile\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0None\0",
        b"wtpt": xyz((0.9642, 1, 0.8249)),
        **{name: xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries)},
        **{name: b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) for name in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + data


P3 = profile(((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)), 2.2)
SRGB = profile(((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)), 2.2)


def run_length(image, bits):
    """A bitmap of runs, which Pillow reads and does not write."""
    palette = image.getpalette()[: 3 << bits]
    colours = b"".join(bytes((palette[i + 2], palette[i + 1], palette[i], 0)) for i in range(0, len(palette), 3))
    body = b""
    for row in np.asarray(image)[::-1]:
        x = 0
        while x < len(row):
            count = 1
            while x + count < len(row) and row[x + count] == row[x] and count < 255:
                count += 1
            body += bytes((count, row[x] if bits == 8 else row[x] << 4 | row[x]))
            x += count
        body += b"\0\0"
    body += b"\0\1"
    offset = 54 + len(colours)
    header = struct.pack("<2sIII", b"BM", offset + len(body), 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, *image.size, 1, bits, 1 if bits == 8 else 2, len(body), 0, 0, len(colours) // 4, 0)
    return header + info + colours + body


def pictures():
    picture = Image.open(FIXTURES / "chelsea-420.jpg").convert("RGB").resize((48, 32))
    faded = picture.convert("RGBA")
    faded.putalpha(Image.linear_gradient("L").resize(picture.size))
    turned = [picture, picture.transpose(Image.Transpose.ROTATE_180), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    four = picture.quantize(12)
    result = {
        "rgb.bmp": (picture, {}), "palette8.bmp": (picture.quantize(200), {}), "palette4.bmp": (four, {}),
        "one-bit.bmp": (picture.convert("1"), {}), "grey.bmp": (picture.convert("L"), {}), "alpha.bmp": (faded, {}),
        "picture.gif": (picture, {}), "alpha.gif": (faded, {}),
        "moving.gif": (turned[0], {"save_all": True, "append_images": turned[1:], "duration": 200}),
        "lzw.tiff": (picture, {"compression": "tiff_lzw"}), "jpeg.tiff": (picture, {"compression": "jpeg"}),
        "fax.tiff": (picture.convert("1"), {"compression": "group4"}), "cmyk.tiff": (picture.convert("CMYK"), {}),
        "alpha.tiff": (faded, {}), "palette.tiff": (picture.quantize(64), {}),
        "pages.tiff": (turned[0], {"save_all": True, "append_images": turned[1:], "compression": "tiff_lzw"}),
        "pages.pdf": (turned[0], {"save_all": True, "append_images": turned[1:], "resolution": 72}),
        "picture.avif": (picture, {"quality": 90}), "picture.heic": (picture, {"quality": 90}),
        "display-p3.png": (picture, {"icc_profile": P3}), "srgb-profile.jpg": (picture, {"icc_profile": SRGB, "quality": 90}),
    }
    for name, (image, options) in result.items():
        if not (FOLDER / name).exists():
            image.save(FOLDER / name, **options)
    for name, data in {"runs8.bmp": run_length(picture.quantize(200), 8), "runs4.bmp": run_length(four, 4)}.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(data)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="48" height="32">'
        '<rect x="8" y="8" width="16" height="16" fill="#f00"/><image xlink:href="file:///etc/hostname" width="9" height="9"/></svg>')
    (FOLDER / "drawing.svg").write_text(svg)
    for name, (width, height, sampling) in DEEP.items():
        if not (FOLDER / name).exists():
            deep = np.asarray(picture.crop((0, 0, width, height))).astype(np.uint16) * 16 + 8
            (FOLDER / name).write_bytes(imagecodecs.jpeg_encode(deep, level=95, bitspersample=12, subsampling=sampling))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures()
    expected = []
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".json", ".pdf", ".svg"):
            continue
        if path.name in DEEP:  # which Pillow does not read
            image = Image.fromarray((imagecodecs.jpeg_decode(path.read_bytes()) >> 4).astype(np.uint8))
        else:
            image = to_rgb(Image.open(path))
            if path.name == "display-p3.png":
                image = ImageCms.profileToProfile(image, io.BytesIO(P3), ImageCms.createProfile("sRGB"))
        pixels = np.asarray(image)
        entry = {"name": path.name, "width": image.width, "height": image.height, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
        if path.name in CLOSE:
            entry["close"] = list(CLOSE[path.name])
            entry["pixels"] = base64.b64encode(pixels.tobytes()).decode()
        expected.append(entry)
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()

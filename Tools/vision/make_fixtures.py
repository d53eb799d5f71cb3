"""Makes Tests/VisionInputTests/Fixtures: pictures, and what the reference computes from them.

    python Tools/vision/make_fixtures.py PHOTOGRAPHS

PHOTOGRAPHS is scikit-image's `skimage/data` folder (astronaut.png, chelsea.png, coffee.png). Runs where
qwen-vl-utils 0.0.11 and transformers 4.49.0 are installed. The pictures are encoded anew only where absent, so that
another Pillow leaves the committed files alone.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import qwen_vl_utils
import transformers
from PIL import Image, ImageOps
from PIL import __version__ as pillow_version
from qwen_vl_utils.vision_process import fetch_image, to_rgb
from transformers import Qwen2VLImageProcessor

import pictures
import sweeps

FIXTURES = Path(__file__).resolve().parents[2] / "Tests/VisionInputTests/Fixtures"

# (picture, what the request says, what the processor's configuration says)
REQUESTS = [
    ("chelsea-420.jpg", {}, {}),
    ("chelsea-420.jpg", {"max_pixels": 50176}, {}),
    ("chelsea-420.jpg", {"min_pixels": 300000}, {}),
    ("chelsea-420.jpg", {"resized_height": 100, "resized_width": 331}, {}),
    ("chelsea-420.jpg", {}, {"max_pixels": 60000}),
    ("chelsea-420.jpg", {"max_pixels": 30000}, {"min_pixels": 200000}),
    ("chelsea-420.jpg", {}, {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.125], "rescale_factor": 0.004}),
    ("chelsea-420.jpg", {}, {"merge_size": 1}),
    ("chelsea-strip.jpg", {}, {}),
    ("astronaut-444.jpg", {}, {}),
    ("coffee-422.jpg", {"max_pixels": 20000}, {}),
    ("coffee-cmyk.jpg", {}, {}),
    ("coffee-rgba.png", {}, {}),
    ("chelsea-p-fading.png", {}, {}),
    ("astronaut-l16.png", {}, {}),
    ("one-pixel.png", {}, {}),
    ("coffee-lossy-alpha.webp", {"min_pixels": 60000}, {}),
    ("coffee-exif-6.jpg", {}, {}),
]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(image: Image.Image) -> dict:
    data = image.tobytes()
    return {"width": image.width, "height": image.height, "sha256": sha(data), "head": data[:24].hex()}


def rgb_of(path: Path) -> tuple[Image.Image, bool]:
    """The picture as we promise it, and whether that is what the reference gives."""
    image = Image.open(path)
    image.load()
    reference = to_rgb(image)
    if image.mode in ("I;16", "I"):
        # Pillow cuts off at 255, which leaves white: the high byte is the picture.
        grey = (np.array(image).astype(np.uint32) >> 8).astype(np.uint8)
        ours = Image.fromarray(grey, "L").convert("RGB")
    elif image.mode == "LA" or (image.mode != "RGBA" and "transparency" in image.info):
        ours = to_rgb(image.convert("RGBA"))
    else:
        ours = reference
    return ours, ours.tobytes() == reference.tobytes()


def decoded(path: Path) -> dict:
    image, as_reference = rgb_of(path)
    oriented = image.copy()
    oriented.getexif()[0x0112] = Image.open(path).getexif().get(0x0112, 1)
    upright = ImageOps.exif_transpose(oriented)
    return {"as_reference": as_reference, "stored": described(image), "upright": described(upright)}


def processed(index: int, name: str, request: dict, config: dict) -> dict:
    image, _ = rgb_of(FIXTURES / name)
    fetched = fetch_image({"image": image} | request)
    processor = Qwen2VLImageProcessor(**({"min_pixels": 3136, "max_pixels": 12845056} | config))
    out = processor(images=[fetched], return_tensors="np")
    pixels = out["pixel_values"]
    assert pixels.dtype == np.float32
    return {
        "index": index,
        "picture": name,
        "request": request,
        "config": json.dumps(config),
        "resized": described(fetched),
        "grid": [int(v) for v in out["image_grid_thw"][0]],
        "patches_sha256": sha(np.ascontiguousarray(pixels).tobytes()),
        "head": [float(v) for v in pixels[0, :4]],
        "last": float(pixels[-1, -1]),
    }


def frames() -> dict:
    """Three frames through the processor's video path; the last is repeated."""
    base = Image.open(FIXTURES / "coffee-422.jpg").convert("RGB").resize((140, 84))
    clip = [base, base.transpose(Image.Transpose.FLIP_LEFT_RIGHT), base.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    out = Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12845056)(images=None, videos=[clip], return_tensors="np")
    pixels = np.ascontiguousarray(out["pixel_values_videos"])
    return {"grid": [int(v) for v in out["video_grid_thw"][0]], "patches_sha256": sha(pixels.tobytes())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photographs", type=Path)
    arguments = parser.parse_args()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    made = pictures.make(arguments.photographs)
    for name, data in (made | pictures.hostile()).items():
        if not (FIXTURES / name).exists():
            (FIXTURES / name).write_bytes(data)
    expected = {
        "made_by": {
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "pillow": pillow_version,
            "transformers": transformers.__version__,
            "qwen_vl_utils": "0.0.11",
        },
        "pictures": {name: decoded(FIXTURES / name) for name in made},
        "requests": [processed(i, *case) for i, case in enumerate(REQUESTS)],
        "frames": frames(),
        "resampling": sweeps.resampling(),
    }
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    (FIXTURES / "smart_resize.bin").write_bytes(sweeps.smart_resize_sizes())


if __name__ == "__main__":
    main()

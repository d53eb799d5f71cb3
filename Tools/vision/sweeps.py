"""Sweeps whose inputs the tests generate again from the same small generator; only outcomes are stored."""

import hashlib
import struct

import numpy as np
from PIL import Image
from qwen_vl_utils.vision_process import smart_resize as fetch_smart_resize
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize as processor_smart_resize

SMART_RESIZE_CASES = 6000

# Input and output sizes; a few per axis, shrinking and enlarging, odd and even, and extreme ratios.
PAIRS = [
    ((1, 1), (28, 28)), ((2, 3), (28, 56)), ((5, 1), (56, 28)), ((28, 28), (28, 28)), ((29, 31), (28, 28)),
    ((27, 29), (28, 28)), ((100, 80), (112, 84)), ((100, 80), (84, 112)), ((300, 7), (140, 28)), ((7, 300), (28, 140)),
    ((2000, 30), (28, 28)), ((30, 2000), (28, 28)), ((3000, 11), (56, 28)), ((28, 28), (560, 28)), ((28, 28), (28, 560)),
    ((640, 48), (644, 56)), ((48, 640), (28, 644)), ((150, 28), (151, 28)), ((28, 150), (28, 149)), ((64, 64), (1, 1)),
    ((64, 64), (2, 1)), ((33, 17), (3, 5)), ((255, 257), (252, 252)), ((511, 64), (256, 28)), ((9, 9), (8, 10)),
]


class Generator:
    """Knuth's MMIX linear congruential generator; the high 32 bits."""

    def __init__(self, seed: int):
        self.state = seed

    def next(self) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 32


def noise(width: int, height: int, seed: int) -> np.ndarray:
    """Random bytes; with an odd seed only 0 and 255, which drive the filter out of range both ways."""
    generator = Generator(seed)
    data = np.array([generator.next() >> 24 for _ in range(width * height * 3)], np.uint8)
    if seed % 2:
        data = np.where(data < 128, 0, 255).astype(np.uint8)
    return data.reshape(height, width, 3)


def resampling() -> list:
    """[seed, input width, input height, output width, output height, start of the SHA-256]"""
    generator = Generator(7)
    sizes = list(PAIRS)
    while len(sizes) < 160:
        sizes.append(tuple((1 + generator.next() % 97, 1 + generator.next() % 97) for _ in range(2)))
    out = []
    for seed, (size_in, size_out) in enumerate(sizes):
        resized = Image.fromarray(noise(*size_in, seed)).resize(size_out, Image.Resampling.BICUBIC)
        out.append([seed, *size_in, *size_out, hashlib.sha256(resized.tobytes()).hexdigest()[:16]])
    return out


def smart_resize_case(generator: Generator) -> tuple[int, int, int, int]:
    """Height, width and limits; a third of the sides are halves of the factor, where rounding decides."""

    def side() -> int:
        pick = generator.next() % 3
        if pick == 0:
            return 14 * (1 + generator.next() % 300)
        return 1 + generator.next() % (300 if pick == 1 else 9000)

    height, width = side(), side()
    low = 1 + generator.next() % 2_000_000 if generator.next() % 2 else 3136
    high = low + generator.next() % 3_000_000 if generator.next() % 2 else 16384 * 784
    return height, width, low, max(low, high)


def outcome(function, height, width, low, high) -> tuple[int, int]:
    """0, 0 for a refusal."""
    try:
        h, w = function(height, width, factor=28, min_pixels=low, max_pixels=high)
    except ValueError:
        return 0, 0
    return (h, w) if h > 0 and w > 0 else (0, 0)


def smart_resize_sizes() -> bytes:
    """Little-endian 16-bit quadruples: height and width by qwen-vl-utils, then by the processor."""
    generator = Generator(28)
    out = b""
    for _ in range(SMART_RESIZE_CASES):
        case = smart_resize_case(generator)
        out += struct.pack("<4H", *outcome(fetch_smart_resize, *case), *outcome(processor_smart_resize, *case))
    return out

"""Writes PNG files of every colour type and depth, interlaced or not; Pillow writes only some of them."""

import struct
import zlib

import numpy as np

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int, colour: int, interlaced: bool = False) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", fields)


def pack_row(row: np.ndarray, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = ((row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1)).tobytes()


def encode(pixels: np.ndarray, depth: int, colour: int, *, interlaced=False, palette=None, trns=None) -> bytes:
    """pixels: [height, width, channels] of samples below 2**depth. palette: [n, 3]. trns: the chunk's bytes."""
    height, width, channels = pixels.shape
    assert channels == CHANNELS[colour]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    lines = b""
    for top, left, down, right in passes:
        part = pixels[top::down, left::right]
        if part.size:
            lines += b"".join(b"\0" + pack_row(row, depth) for row in part)
    out = header(width, height, depth, colour, interlaced)
    if palette is not None:
        out += chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes())
    if trns is not None:
        out += chunk(b"tRNS", trns)
    return out + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")

"""Turns conversations about pictures into packed batches, as the official processor and template would.

Still pictures only; the picture's two temporal halves are the same frame. A picture without a conversation goes
through the vision tower alone: its cells are what is learnt from it.
"""
import functools
import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

import draw
import tasks

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
FACTOR, PATCH, WINDOW = 28, 14, 4  # pixels per merged cell, per patch; merged cells per window side
MIN_PIXELS, MAX_PIXELS = 56 * 56, 224 * 224


@dataclass
class Segments:
    """Where attention stays within. Segments of like length are padded together: little is wasted."""
    groups: list  # of (gather [segments, longest], mask of the real tokens)
    scatter: torch.Tensor  # the way back from the padded rows of all groups

    @staticmethod
    def of(lengths):
        lengths = np.asarray(lengths)
        starts = np.cumsum(lengths) - lengths
        groups, scatter, rows = [], np.empty(lengths.sum(), np.int64), 0
        for like in np.unique((lengths + 15) // 16):
            mine = (lengths + 15) // 16 == like
            inside = np.arange(lengths[mine].max())[None]
            mask = inside < lengths[mine, None]
            gather = np.where(mask, starts[mine, None] + inside, starts[mine, None])
            scatter[gather[mask]] = rows + np.flatnonzero(mask)
            rows += mask.size
            groups.append((torch.from_numpy(gather), torch.from_numpy(mask)))
        return Segments(groups, torch.from_numpy(scatter))


@dataclass
class Batch:
    ids: torch.Tensor  # [tokens]
    positions: torch.Tensor  # [3, tokens]
    conversations: Segments
    told: torch.Tensor  # tokens whose successor is to be learnt
    targets: torch.Tensor  # those successors
    patches: torch.Tensor  # [patches, 1176], window order
    patch_positions: torch.Tensor  # [patches, 2]
    windows: Segments
    pictures: Segments
    picture_order: torch.Tensor  # merged tokens from window order to picture order
    picture_tokens: torch.Tensor  # where they stand among the ids; pictures without a conversation come behind these
    cells: torch.Tensor  # [merged tokens, 2], picture order: the shape and the colour drawn there, 0 for none


def smart_size(width, height):
    w, h = round(width / FACTOR) * FACTOR, round(height / FACTOR) * FACTOR
    if w * h > MAX_PIXELS:
        beta = math.sqrt(width * height / MAX_PIXELS)
        w, h = (math.floor(s / beta / FACTOR) * FACTOR for s in (width, height))
    elif w * h < MIN_PIXELS:
        beta = math.sqrt(MIN_PIXELS / (width * height))
        w, h = (math.ceil(s * beta / FACTOR) * FACTOR for s in (width, height))
    return w, h


def patchify(image):
    """[patches, 1176] float32 in the processor's order (merged cell by merged cell), and the merged grid."""
    size = smart_size(*image.size)
    if size != image.size:
        image = image.resize(size, Image.BICUBIC)
    x = (np.asarray(image, np.float32) * np.float32(1 / 255) - MEAN) / STD
    rows, columns = size[1] // FACTOR, size[0] // FACTOR
    x = x.reshape(rows, 2, PATCH, columns, 2, PATCH, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    x = np.repeat(x.reshape(rows * columns * 4, 3, 1, PATCH * PATCH), 2, 2)
    return x.reshape(-1, 3 * 2 * PATCH * PATCH), (rows, columns)


@functools.lru_cache(4096)
def window_order(grid):
    """Merged cells in window order, the patches' rows and columns in that order, and patches per window."""
    rows, columns = grid
    cells = np.arange(rows * columns).reshape(grid)
    windows = [cells[r:r + WINDOW, c:c + WINDOW].ravel()
               for r in range(0, rows, WINDOW) for c in range(0, columns, WINDOW)]
    order = np.concatenate(windows)
    row, column = np.divmod(order, columns)
    place = np.stack([row[:, None] * 2 + [0, 0, 1, 1], column[:, None] * 2 + [0, 1, 0, 1]], -1).reshape(-1, 2)
    return order, place, [4 * len(w) for w in windows]


def cell_labels(scene, grid):
    """[merged cells, 2]: the shape and the colour of the thing whose circle holds the cell's centre; 0 for none."""
    labels = np.zeros((*grid, 2), np.int64)
    rows, columns = grid
    y, x = np.mgrid[:rows, :columns]
    x, y = (x + 0.5) * scene.size[0] / columns, (y + 0.5) * scene.size[1] / rows
    for thing in scene.things:
        named = draw.SHAPES.index(thing.shape) + 1, list(draw.COLOURS).index(thing.colour) + 1
        far = (x - thing.x) ** 2 + (y - thing.y) ** 2
        labels[(far < (0.85 * thing.radius) ** 2) | (far == far.min())] = named
    return labels.reshape(-1, 2)


class Packer:
    def __init__(self, tokenizer):
        self.encode = functools.lru_cache(100_000)(lambda text: tokenizer.encode(text).ids)
        self.special = {name: tokenizer.token_to_id(f"<|{name}|>") for name in
                        ("im_start", "im_end", "vision_start", "vision_end", "image_pad")}

    def write(self, system, turns, grid):
        """Ids, which of them are the assistant's to write, and where the picture's tokens begin (or None)."""
        s, line = self.special, self.encode("\n")
        ids = [s["im_start"], *self.encode("system\n" + system), s["im_end"], *line]
        told, first = [False] * len(ids), None
        for i, (question, answer) in enumerate(turns):
            ask = [s["im_start"], *self.encode("user\n")]
            if i == 0 and grid:
                first = len(ids) + len(ask) + 1
                ask += [s["vision_start"], *[s["image_pad"]] * (grid[0] * grid[1]), s["vision_end"]]
            ask += [*self.encode(question), s["im_end"], *line,
                    s["im_start"], *self.encode("assistant\n")]
            reply = [*self.encode(answer), s["im_end"]]
            ids += ask + reply + line
            told += [False] * len(ask) + [True] * len(reply) + [False] * len(line)
        return ids, told, first

    def pack(self, examples):
        """examples: (system, turns, image, scene), the last two None for talk; those without turns come last."""
        ids, told, positions, lengths, picture_tokens = [], [], [], [], []
        patches, places, windows, pictures, orders, cells = [], [], [], [], [], []
        merged = 0
        for system, turns, image, scene in examples:
            grid = None
            if image is not None:
                x, grid = patchify(image)
                order, place, sizes = window_order(grid)
                patches.append(x.reshape(-1, 4, x.shape[1])[order].reshape(x.shape))
                places.append(place)
                windows += sizes
                pictures.append(len(x))
                orders.append(np.argsort(order) + merged)
                merged += len(order)
                cells.append(cell_labels(scene, grid))
            if not turns:
                continue
            row, write, first = self.write(system, turns, grid)
            if grid:
                at = np.arange(grid[0] * grid[1])
                picture_tokens.append(len(ids) + first + at)
                inside = first + np.stack([at * 0, at // grid[1], at % grid[1]])
                rest = np.arange(len(row) - first - len(at)) + first + max(grid)
                position = np.concatenate([np.tile(np.arange(first), (3, 1)), inside, np.tile(rest, (3, 1))], 1)
            else:
                position = np.tile(np.arange(len(row)), (3, 1))
            positions.append(position)
            lengths.append(len(row))
            ids += row
            told += write
        told = np.flatnonzero(told)
        ids = torch.tensor(ids)
        none = np.zeros(0, np.int64)
        return Batch(
            ids, torch.from_numpy(np.concatenate(positions, 1)), Segments.of(lengths), torch.from_numpy(told - 1),
            ids[told], torch.from_numpy(np.concatenate(patches) if patches else np.zeros((0, 1176), np.float32)),
            torch.from_numpy(np.concatenate(places) if places else none), Segments.of(windows or [1]),
            Segments.of(pictures or [1]), torch.from_numpy(np.concatenate(orders) if orders else none),
            torch.from_numpy(np.concatenate(picture_tokens) if picture_tokens else none),
            torch.from_numpy(np.concatenate(cells) if cells else none.reshape(0, 2)))


def example(seed, most_area=MAX_PIXELS, turns=4, silent=0.06, one=0.6):
    """One fresh conversation, wholly determined by the seed (a string)."""
    rng = random.Random(seed)
    system = tasks.system_prompt(rng)
    if turns and rng.random() < silent:
        return system, tasks.talk(rng), None, None
    scene = draw.pick_scene(rng, most_area, things=1 if rng.random() < one else 2)
    asked = tasks.questions(rng, scene, rng.randint(1, turns)) if turns else []
    return system, asked, draw.render(rng, scene), scene

"""Turns samples into packed batches, as the official processor and template would.

Stills and clips. A sample without turns goes through the vision tower alone: its marks are what is learnt from it.
"""
import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

import guide
import looking
import named
from sample import FACTOR, Clip, Misread, seen_size, time_positions

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
PATCH, WINDOW = 14, 4  # pixels per patch; merged cells per window side
POINTED = ("from_names", "from_places", "firsts", "seconds", "letters", "following", "counted_names", "counted",
           "before", "said", "earlier", "rows_said", "rows_seen")
SEEN = ("labels", "left", "words", "larger")


class Segments:
    """Where attention stays within: rows that follow each other."""

    def __init__(self, lengths, device="cpu"):
        self.device = device
        self.lengths = np.asarray(lengths)
        self.starts = torch.from_numpy(np.concatenate(([0], np.cumsum(self.lengths))))  # and the end of the last
        self.longest = int(self.lengths.max())

    def to(self, device):
        return Segments(self.lengths, device)

    @functools.cached_property
    def padded(self):
        """Segments of like length padded together, of which little is wasted: [(rows [segments, longest], mask of the
        real ones or None where all are)], and the way back from the padded rows of all groups."""
        lengths, starts = self.lengths, self.starts[:-1].numpy()
        groups, scatter, rows = [], np.empty(lengths.sum(), np.int64), 0
        # Up to 1/8 of padding: shares grow with the length, so that few long segments do not all stand alone.
        kind = np.where(lengths <= 64, (lengths + 15) // 16, 4 + np.ceil(8 * np.log2(np.maximum(lengths, 64) / 64)))
        for like in np.unique(kind):
            mine = kind == like
            inside = np.arange(lengths[mine].max())[None]
            mask = inside < lengths[mine, None]
            gather = np.where(mask, starts[mine, None] + inside, starts[mine, None])
            scatter[gather[mask]] = rows + np.flatnonzero(mask)
            rows += mask.size
            moved = lambda x: torch.from_numpy(x).to(self.device)
            groups.append((moved(gather), None if mask.all() else moved(mask)))
        return groups, torch.from_numpy(scatter).to(self.device)


class Pointers(list):
    """Where a head is taught to look: (first token of the conversation, tokens counted from there that look, [tokens that
    look, tokens]: whether at this one) of each conversation."""

    def add(self, start, length, found):
        """found: (token, tokens to look at) of a conversation of that length."""
        if found:
            goal = np.zeros((len(found), length), bool)
            for i, (_, at) in enumerate(found):
                goal[i, at] = True
            self.append((start, torch.tensor([token for token, _ in found]), torch.from_numpy(goal)))

    def to(self, device):
        return Pointers((start, tokens.to(device), goal.to(device)) for start, tokens, goal in self)


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
    frames: Segments  # a picture, or one pair of frames of a clip
    picture_order: torch.Tensor  # merged tokens from window order to picture order
    picture_tokens: torch.Tensor  # where they stand among the ids; samples without turns come behind these
    cells: torch.Tensor  # [merged tokens, guide.LABELS], picture order
    names: torch.Tensor  # tokens at which a name ends
    names_labels: torch.Tensor  # [names, len(named.SIZES)]
    starts: torch.Tensor  # tokens before answers that name something, and before numbers in them
    starts_labels: torch.Tensor  # [starts, len(named.SIZES)]
    clocks: torch.Tensor  # tokens of clips
    clocks_labels: torch.Tensor  # [clocks, len(named.CLOCKS)]
    pointers: dict  # Pointers by the names of looking.Lesson
    seen: dict  # Pointers of the vision tower, by the methods of guide.Patches: patches, window order

    def to(self, device):
        if device == "cpu":
            return self
        moved = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        pointers = {at: {name: p.to(device) for name, p in moved.pop(at).items()} for at in ("pointers", "seen")}
        return Batch(**{name: part.to(device) for name, part in moved.items()}, **pointers)


def patchify(images):
    """Patches of one picture, or of frames two by two: [slices, patches, 1176] float32 in the processor's order
    (merged cell by merged cell), and the merged grid."""
    size = seen_size(*images[0].size)
    images = [image if image.size == size else image.resize(size, Image.BICUBIC) for image in images]
    rows, columns = size[1] // FACTOR, size[0] // FACTOR
    x = np.stack([np.asarray(image) for image in images])
    if len(x) == 1:
        x = np.repeat(x, 2, 0)
    x = (x.astype(np.float32) * np.float32(1 / 255) - MEAN) / STD
    x = x.reshape(-1, 2, rows, 2, PATCH, columns, 2, PATCH, 3).transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return x.reshape(len(x), rows * columns * 4, 3 * 2 * PATCH * PATCH), (rows, columns)


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


def media_positions(slices, grid, fps):
    """[3, merged tokens] from 0: time, row, column, as get_rope_index of Transformers 4.49.0 counts them."""
    at = np.arange(grid[0] * grid[1])
    time = time_positions(slices, fps) if fps else np.zeros(slices, np.int64)
    return np.stack([np.repeat(time, len(at)), np.tile(at // grid[1], slices), np.tile(at % grid[1], slices)])


class Packer:
    def __init__(self, tokenizer):
        whole = functools.lru_cache(200_000)(lambda text: tokenizer.encode(text, add_special_tokens=False))
        self.encode = lambda text: whole(text).ids
        self.begins = lambda text: [begin for begin, _ in whole(text).offsets]  # of each token, in characters
        self.special = {name: tokenizer.token_to_id(f"<|{name}|>") for name in
                        ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")}

    def told(self, answer):
        """Which of an answer's tokens are to be learnt, and of the end behind it."""
        begins = [*self.begins(answer), len(answer)]
        if not isinstance(answer, Misread):
            return [True] * len(begins)
        form = [not any(answer[i].isalnum() or i in answer.wrong for i in range(a, b)) for a, b in zip(begins, begins[1:])]
        return form + [True]

    def write(self, sample, media):
        """Ids, which of them are the assistant's to write, positions, where the media's tokens stand, and the lesson beside.
        media: (positions from 0, merged grid, slices, is a clip) each."""
        s, line, teacher = self.special, self.encode("\n"), looking.Teacher(sample, self.begins)
        ids, told, positions, places, at = [], [], [], [], 0

        def say(tokens, learnt=None):
            nonlocal at
            ids.extend(tokens)
            told.extend(learnt or [False] * len(tokens))
            positions.append(np.tile(np.arange(at, at + len(tokens)), (3, 1)))
            at += len(tokens)

        say([s["im_start"], *self.encode("system\n" + sample.system), s["im_end"], *line])
        for i, (question, answer) in enumerate(sample.turns):
            say([s["im_start"], *self.encode("user\n")])
            for inside, grid, slices, is_clip in media if i == 0 else ():
                say([s["vision_start"]])
                places.append(len(ids) + np.arange(inside.shape[1]))
                teacher.sees(slices, grid, places[-1])
                ids.extend([s["video_pad" if is_clip else "image_pad"]] * inside.shape[1])
                told.extend([False] * inside.shape[1])
                positions.append(at + inside)
                at += int(inside.max()) + 1
                say([s["vision_end"]])
            teacher.question(question, len(ids))
            say([*self.encode(question), s["im_end"], *line, s["im_start"], *self.encode("assistant\n")])
            teacher.answer(answer, len(ids))
            say([*self.encode(answer), s["im_end"]], self.told(answer))
            say(line)
        return ids, told, np.concatenate(positions, 1), places, teacher.lesson

    def pack(self, samples):
        """samples: those without turns come last."""
        ids, told, positions, lengths, picture_tokens = [], [], [], [], []
        patches, places, windows, frames, orders, cells = [], [], [], [], [], []
        names, starts, clocks = [], [], []
        pointers, seen = ({name: Pointers() for name in names} for names in (POINTED, SEEN))
        merged = 0
        for sample in samples:
            media = []
            for medium in sample.media:
                is_clip = isinstance(medium, Clip)
                images = medium.frames if is_clip else [medium.image]
                x, grid = patchify(images)
                order, place, sizes = window_order(grid)
                if not is_clip:
                    on = guide.Patches(medium.marks, images[0].size, place)
                    for name, made in seen.items():
                        made.add(4 * merged, len(place), getattr(on, name)())
                patches.append(x.reshape(len(x), -1, 4, x.shape[2])[:, order].reshape(-1, x.shape[2]))
                for _ in x:
                    places.append(place)
                    windows += sizes
                    frames.append(x.shape[1])
                    orders.append(np.argsort(order) + merged)
                    merged += len(order)
                marks = medium.marks if is_clip else [medium.marks]
                cells.append(guide.labels(marks, images[0].size, grid))
                media.append((media_positions(len(x), grid, medium.fps if is_clip else None), grid, len(x), is_clip))
            if not sample.turns:
                continue
            row, write, position, media_places, lesson = self.write(sample, media)
            for name, made in pointers.items():
                made.add(len(ids), len(row), getattr(lesson, name))
            names += [(len(ids) + t, label) for t, label in lesson.names]
            starts += [(len(ids) + t, label) for t, label in lesson.starts]
            for medium, (_, grid, slices, is_clip), at in zip(sample.media, media, media_places):
                if is_clip:
                    clocks += zip(len(ids) + at, named.clocks(medium, slices, grid))
            picture_tokens += [len(ids) + p for p in media_places]
            positions.append(position)
            lengths.append(len(row))
            ids += row
            told += write
        told = np.flatnonzero(told)
        ids = torch.tensor(ids)
        joined = lambda parts, empty: torch.from_numpy(np.concatenate(parts) if parts else empty)
        none = np.zeros(0, np.int64)
        rows = lambda found, sizes: (torch.tensor([t for t, _ in found], dtype=torch.long), joined(
            [label[None] for _, label in found], np.zeros((0, len(sizes)), np.int64)))
        return Batch(
            ids, torch.from_numpy(np.concatenate(positions, 1)), Segments(lengths), torch.from_numpy(told - 1),
            ids[told], joined(patches, np.zeros((0, 1176), np.float32)), joined(places, none),
            Segments(windows or [1]), Segments(frames or [1]), joined(orders, none),
            joined(picture_tokens, none), joined(cells, np.zeros((0, guide.LABELS), np.int64)),
            *rows(names, named.SIZES), *rows(starts, named.SIZES), *rows(clocks, named.CLOCKS), pointers, seen)

"""Turns samples into packed batches, as the official processor and template would.

Stills and clips. A sample without turns goes through the vision tower alone: its marks are what is learnt from it.
"""
import bisect
import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

import guide
import named
from sample import FACTOR, Clip, seen_size

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
PATCH, WINDOW = 14, 4  # pixels per patch; merged cells per window side
TOKENS_PER_SECOND = 2


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
    starts: torch.Tensor  # tokens before answers that name something
    starts_labels: torch.Tensor  # [starts, len(named.SIZES)]
    from_names: Pointers  # from names
    from_places: Pointers  # from the tokens before an answer, and before a name in it
    firsts: Pointers  # from the token before an answer that compares two: at the name of the first
    seconds: Pointers  # and of the second

    def to(self, device):
        return self if device == "cpu" else Batch(*(getattr(self, f.name).to(device) for f in dataclasses.fields(self)))


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
    seconds = 2 / fps if fps else 0.0
    # float32, as the reference multiplies tensors.
    time = (np.arange(slices, dtype=np.float32) * np.float32(seconds) * np.float32(TOKENS_PER_SECOND)).astype(np.int64)
    return np.stack([np.repeat(time, len(at)), np.tile(at // grid[1], slices), np.tile(at % grid[1], slices)])


class Packer:
    def __init__(self, tokenizer):
        whole = functools.lru_cache(200_000)(lambda text: tokenizer.encode(text, add_special_tokens=False))
        self.encode = lambda text: whole(text).ids
        self.begins = lambda text: [begin for begin, _ in whole(text).offsets]  # of each token, in characters
        self.special = {name: tokenizer.token_to_id(f"<|{name}|>") for name in
                        ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")}

    def write(self, sample, media):
        """Ids, which of them are the assistant's to write, positions, where the media's tokens stand, where what they show
        is named and before which answers, (token, label), and what is pointed at: from names and from places, (token,
        things), and from answers that compare at the first and at the second name, (token, token).
        media: (positions from 0, is a clip) each."""
        s, line = self.special, self.encode("\n")
        ids, told, positions, places, at = [], [], [], [], 0
        # With several pictures a name may stand for a thing in any of them.
        everything, frames = named.shown(sample.media[0]) if len(sample.media) == 1 else ([], 0)
        names, starts = [], []
        pointed = from_names, from_places, firsts, seconds = [], [], [], []

        def look(text):
            """What a text names whose tokens come next: (token behind the name, things)."""
            begins, found = self.begins(text), []
            for end, what in named.mentions(text, everything) if everything else ():
                token = len(ids) + bisect.bisect_left(begins, end) - 1
                names.append((token, named.label(what, frames)))
                from_names.append((token, what))
                found.append((token, what))
            return found

        def say(tokens, write=False):
            nonlocal at
            ids.extend(tokens)
            told.extend([write] * len(tokens))
            positions.append(np.tile(np.arange(at, at + len(tokens)), (3, 1)))
            at += len(tokens)

        say([s["im_start"], *self.encode("system\n" + sample.system), s["im_end"], *line])
        for i, (question, answer) in enumerate(sample.turns):
            say([s["im_start"], *self.encode("user\n")])
            for inside, is_clip in media if i == 0 else ():
                say([s["vision_start"]])
                places.append(len(ids) + np.arange(inside.shape[1]))
                ids.extend([s["video_pad" if is_clip else "image_pad"]] * inside.shape[1])
                told.extend([False] * inside.shape[1])
                positions.append(at + inside)
                at += int(inside.max()) + 1
                say([s["vision_end"]])
            asked = look(question)
            say([*self.encode(question), s["im_end"], *line, s["im_start"], *self.encode("assistant\n")])
            before = len(ids) - 1
            said = look(answer)
            for _, what in said[:1] or (asked if len(asked) == 1 else ()):
                starts.append((before, named.label(what, frames)))
                from_places.append((before, what))
            after = before + 1
            for token, what in said:  # until a thing is named it is looked at: its place comes before its name
                from_places += [(t, what) for t in range(after, token) if len(what) == 1]
                after = token + 1
            if not said and len(asked) == 1 and len(asked[0][1]) == 1:
                from_places += [(t, asked[0][1]) for t in named.coordinate(answer, self.begins(answer), len(ids))]
            if not said and not asked and everything:  # how many, for example: what is said is of all
                from_places.append((before, everything))
            if not said and len(asked) == 2:  # a comparison: one head for each
                firsts.append((before, asked[0][0]))
                seconds.append((before, asked[1][0]))
                if frames == 1 and len(asked[0][1]) == len(asked[1][1]) == 1:
                    starts.append((before, named.comparison(asked[0][1][0], asked[1][1][0], question)))
            say([*self.encode(answer), s["im_end"]], True)
            say(line)
        return ids, told, np.concatenate(positions, 1), places, names, starts, pointed

    def pack(self, samples):
        """samples: those without turns come last."""
        ids, told, positions, lengths, picture_tokens = [], [], [], [], []
        patches, places, windows, frames, orders, cells = [], [], [], [], [], []
        names, starts = [], []
        pointers = Pointers(), Pointers(), Pointers(), Pointers()
        merged = 0
        for sample in samples:
            media = []
            for medium in sample.media:
                is_clip = isinstance(medium, Clip)
                images = medium.frames if is_clip else [medium.image]
                x, grid = patchify(images)
                order, place, sizes = window_order(grid)
                patches.append(x.reshape(len(x), -1, 4, x.shape[2])[:, order].reshape(-1, x.shape[2]))
                for _ in x:
                    places.append(place)
                    windows += sizes
                    frames.append(x.shape[1])
                    orders.append(np.argsort(order) + merged)
                    merged += len(order)
                marks = medium.marks if is_clip else [medium.marks]
                cells.append(guide.labels(marks, images[0].size, grid))
                media.append((media_positions(len(x), grid, medium.fps if is_clip else None), is_clip))
            if not sample.turns:
                continue
            row, write, position, media_places, row_names, row_starts, pointed = self.write(sample, media)
            for made, found in zip(pointers, pointed):
                if found:
                    goal = np.zeros((len(found), len(row)), bool)
                    for i, (_, what) in enumerate(found):
                        if isinstance(what, int):
                            goal[i, what] = True
                        else:  # what is not there: away from the picture
                            goal[i, media_places[0][named.cells(what, len(x), grid)] if what else 0] = True
                    made.append((len(ids), torch.tensor([token for token, _ in found]), torch.from_numpy(goal)))
            names += [(len(ids) + t, label) for t, label in row_names]
            starts += [(len(ids) + t, label) for t, label in row_starts]
            picture_tokens += [len(ids) + p for p in media_places]
            positions.append(position)
            lengths.append(len(row))
            ids += row
            told += write
        told = np.flatnonzero(told)
        ids = torch.tensor(ids)
        joined = lambda parts, empty: torch.from_numpy(np.concatenate(parts) if parts else empty)
        none = np.zeros(0, np.int64)
        rows = lambda found: (torch.tensor([t for t, _ in found], dtype=torch.long), joined(
            [label[None] for _, label in found], np.zeros((0, len(named.SIZES)), np.int64)))
        return Batch(
            ids, torch.from_numpy(np.concatenate(positions, 1)), Segments(lengths), torch.from_numpy(told - 1),
            ids[told], joined(patches, np.zeros((0, 1176), np.float32)), joined(places, none),
            Segments(windows or [1]), Segments(frames or [1]), joined(orders, none),
            joined(picture_tokens, none), joined(cells, np.zeros((0, guide.LABELS), np.int64)), *rows(names),
            *rows(starts), *pointers)

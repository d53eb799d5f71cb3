#!/usr/bin/env python3
"""Make the end-to-end fixtures of the Swift tests again.

    fixtures.py [--out Tests/QwenVLTests/Fixtures]

Tokenizer/    a small tokenizer in the official files        Checkpoints/  four tiny random checkpoints
Pictures/     drawn pictures                                 Messages/     conversations
Golden/       what the reference computes: Inputs/<case>.json, <checkpoint>/<case>.json, positions.json
MANIFEST.md   versions, seeds and SHA-256 of every file

A checkpoint directory holds its weights and config.json; the tokenizer's files beside it complete it.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import golden
import official
import tiny_tokenizer
from random_checkpoint import Shape, write_checkpoint
from reference_model import Reference

CHECKPOINTS = {
    "tied-bfloat16": (
        "as the 3B: tied, bfloat16, two shards, official names",
        Shape(seed=1, hidden=64, layers=3, heads=4, kv_heads=2, intermediate=176, vision_hidden=40, vision_heads=2,
              vision_intermediate=86, vision_depth=4, full_attention=[1, 3], shards=2)),
    "untied-float32": (
        "untied, float32, one file, newer names and nested config.json, 8 heads on 1 KV head of size 8",
        Shape(seed=2, hidden=64, layers=2, heads=8, kv_heads=1, intermediate=88, vision_hidden=32, vision_heads=2,
              vision_intermediate=68, vision_depth=4, full_attention=[2], untied=True, dtype="float32", names="new",
              config="nested")),
    "yarn-float16": (
        "YaRN, float16, sizes that no block divides: head size 20, 6 heads on 2 KV heads, FFN 171 and 77",
        Shape(seed=3, hidden=120, layers=2, heads=6, kv_heads=2, intermediate=171, vision_hidden=60, vision_heads=3,
              vision_intermediate=77, vision_depth=4, full_attention=[1, 3], yarn=True, dtype="float16")),
    "head-size-128": (
        "the official head size, with its mrope_section of 16, 24, 24; one layer",
        Shape(seed=4, hidden=384, layers=1, heads=3, kv_heads=1, intermediate=64, vision_hidden=32, vision_heads=2,
              vision_intermediate=44, vision_depth=2, full_attention=[1])),
}


def draw_pictures(out):
    """Pictures that PNG stores in a few kilobytes; each is there for its size or its mode."""
    out.mkdir(parents=True)

    def field(width, height):
        y, x = np.mgrid[0:height, 0:width]
        red = 127 + 120 * np.sin(x / 23.0) * np.cos(y / 31.0)
        green = 255.0 * x / max(1, width - 1)
        blue = 255.0 * y / max(1, height - 1)
        return Image.fromarray(np.stack([red, green, blue], axis=2).round().astype(np.uint8), "RGB")

    # 9 x 7 merged cells at its own size: whole windows of 4 x 4, edge windows of 1 x 4, 4 x 3 and 1 x 3.
    exact = field(252, 196)
    draw = ImageDraw.Draw(exact)
    draw.rectangle([20, 30, 90, 110], fill=(220, 30, 30), outline=(0, 0, 0), width=3)
    draw.ellipse([120, 50, 220, 150], fill=(40, 60, 200))
    draw.line([5, 180, 245, 165], fill=(30, 160, 60), width=5)
    exact.save(out / "exact-252x196.png", optimize=True)

    # Both sides shrink, by different ratios.
    resized = field(187, 131)
    draw = ImageDraw.Draw(resized)
    draw.polygon([(10, 120), (60, 20), (110, 120)], fill=(240, 210, 40))
    draw.text((100, 40), "QwenVL 42", fill=(0, 0, 0))
    resized.save(out / "resized-187x131.png", optimize=True)

    # Transparent and half transparent parts, composed onto white.
    alpha = Image.new("RGBA", (90, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(alpha)
    draw.ellipse([5, 5, 60, 60], fill=(200, 0, 120, 128))
    draw.rectangle([40, 20, 84, 50], fill=(0, 120, 90, 255))
    alpha.save(out / "alpha-90x64.png", optimize=True)

    # Grey, and so small that it is enlarged to the least number of pixels.
    y, x = np.mgrid[0:20, 0:20]
    Image.fromarray((((x // 4 + y // 4) % 2) * 180 + x + y).astype(np.uint8), "L").save(out / "grey-20x20.png")

    # A strip of one merged cell by twelve.
    strip = field(30, 340)
    ImageDraw.Draw(strip).rectangle([8, 100, 22, 240], fill=(255, 255, 255))
    strip.save(out / "strip-30x340.png", optimize=True)


def picture(name, **options):
    return dict(type="image", image=f"Pictures/{name}.png", **options)


def video(*names, **options):
    """A list of pictures as frames; the options bring them to one size."""
    return dict(type="video", video=[f"Pictures/{name}.png" for name in names], **options)


def text(value):
    return dict(type="text", text=value)


def user(*content):
    return dict(role="user", content=list(content))


CASES = {
    "text": [[user(text("How many circles are there? It's 2024, we've seen café and 你好 😀."))]],
    "one-picture": [[user(picture("exact-252x196"), text("Describe this image."))]],
    "two-pictures": [[user(text("Compare "), picture("resized-187x131"), text(" with "), picture("strip-30x340"),
                           text(". What changed?"))]],
    "batch": [
        [user(picture("alpha-90x64"), text("What is in this picture?"))],
        [user(text("Hello"))],
        [dict(role="system", content="Answer in one word."),
         user(text("The first picture: "), picture("grey-20x20"), text(" the second: "), picture("resized-187x131"),
              text("Which one is larger?"))],
    ],
    "multi-turn": [[
        dict(role="system", content=[text("You answer in one sentence.")]),
        user(picture("alpha-90x64"), text("What is in the picture?")),
        dict(role="assistant", content=[text("A circle and a rectangle.\n")]),
        user(text("And in this one?"), picture("strip-30x340")),
    ]],
    "resize-options": [
        [user(picture("exact-252x196", resized_height=100, resized_width=150), text("A"))],
        [user(picture("exact-252x196", max_pixels=20000), picture("grey-20x20", min_pixels=15000), text("B"))],
        [user(picture("resized-187x131", min_pixels=30000, max_pixels=40000), text("C"))],
    ],
    "frames": [
        [user(video("exact-252x196", "resized-187x131", "exact-252x196", resized_height=140, resized_width=196, fps=0.75),
              text("What happens?"))],
        [user(text("Compare "), picture("alpha-90x64"), text(" with "),
              video("resized-187x131", "resized-187x131", resized_height=84, resized_width=112), text("."))],
    ],
}


def position_cases(reference, ids):
    """Position ids of prompts given as numbers: no picture or video is decoded."""
    image, video = ids["<|image_pad|>"], ids["<|video_pad|>"]
    start, end, pad = ids["<|vision_start|>"], ids["<|vision_end|>"], ids["<|endoftext|>"]

    def media(token, grid):
        return [start] + [token] * (grid[0] * grid[1] * grid[2] // 4) + [end]

    def case(name, rows, images=(), videos=(), seconds=(), tokens_per_second=2):
        length = max(map(len, rows))
        inputs = dict(
            input_ids=torch.tensor([[pad] * (length - len(row)) + row for row in rows]),
            attention_mask=torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows]))
        if images:
            inputs["image_grid_thw"] = torch.tensor(images)
        if videos:
            inputs["video_grid_thw"] = torch.tensor(videos)
            inputs["second_per_grid_ts"] = torch.tensor(seconds, dtype=torch.float32)
        vision = reference.model.config.vision_config  # the model's own copy
        vision.tokens_per_second = tokens_per_second
        positions, deltas = reference.positions(inputs)
        vision.tokens_per_second = 2
        record = {key: value.tolist() for key, value in inputs.items()}
        if videos:
            record["second_per_grid_ts"] = list(seconds)  # as computed, in double precision
        return dict(name=name, tokens_per_second=tokens_per_second, **record, position_ids=positions.tolist(),
                    rope_deltas=deltas.flatten().tolist())

    words = list(range(300, 320))
    # A prompt of one token, padded, would meet a slip of the reference: it counts the padding's position, 1, too.
    cases = [case("text", [words[:7]]), case("text batch", [words[:3], words[:9], words[:2]])]
    clip = [5, 6, 8]
    for fps in (0.5, 1, 2, 3, 4, 29.97):
        cases.append(case(f"video at {fps} fps", [words[:4] + media(video, clip) + words[:3]], videos=[clip],
                          seconds=[2 / fps]))
    long = [40, 2, 2]
    cases.append(case("long video at 29.97 fps", [words[:2] + media(video, long) + words[:2]], videos=[long],
                      seconds=[2 / 29.97]))
    cases.append(case("long video at 3 fps, 25 tokens per second", [media(video, long) + words[:2]], videos=[long],
                      seconds=[2 / 3], tokens_per_second=25))
    # The text after a flat and wide video goes on behind its width, after a long one behind its time.
    cases.append(case("wide video", [words[:2] + media(video, [2, 2, 24]) + words[:3]], videos=[[2, 2, 24]],
                      seconds=[0.5]))
    picture_a, picture_b, clip_a, clip_b = [1, 4, 6], [1, 8, 2], [3, 4, 4], [2, 2, 6]
    mixed = [
        words[:2] + media(image, picture_a) + words[:1] + media(video, clip_a) + media(image, picture_b) + words[:2],
        words[:5],
        media(video, clip_b) + words[:3] + media(image, picture_a),
    ]
    cases.append(case("pictures and videos mixed, in a batch", mixed, images=[picture_a, picture_b, picture_a],
                      videos=[clip_a, clip_b], seconds=[2 / 3, 2 / 29.97]))
    return cases


def versions():
    names = ("transformers", "qwen-vl-utils", "torch", "torchvision", "tokenizers", "safetensors", "pillow", "numpy")
    return ", ".join([f"Python {platform.python_version()}"] + [f"{n} {importlib.metadata.version(n)}" for n in names])


def manifest(out, counts):
    lines = [
        "# Fixtures and where they come from", "",
        "Everything here is made by one command, in the environment that `Tools/reference/setup.sh` builds:", "",
        "    VENV/bin/python Tools/reference/fixtures.py", "",
        f"Made with {versions()}; one thread.", "",
        "The numbers in `Golden/` are what the reference computes in float32, with eager attention and greedy decoding,",
        "without a repetition penalty and beyond the end of sequence; `Tools/reference/golden.py` explains the fields.",
        "The paths of the pictures in `Messages/` are relative to this directory.",
        "A checkpoint is complete once the files of `Tokenizer/` stand beside those of `Checkpoints/NAME/`.",
        "`Golden/Inputs/` holds what depends on the tokenizer alone, and is the same for every checkpoint.", "",
        "The pictures are drawn by the script, the tokenizer is trained on `Tools/reference/tiny_corpus.txt`; nothing",
        "comes from outside but the chat template and the names of the special tokens (Qwen2.5-VL, Apache-2.0).", "",
        "| checkpoint | seed | parameters | what it is there for |", "|---|---|---|---|",
    ]
    lines += [f"| {name} | {shape.seed} | {counts[name]:,} | {why} |" for name, (why, shape) in CHECKPOINTS.items()]
    lines += ["", "| file | bytes | SHA-256 |", "|---|---|---|"]
    for path in sorted(p for p in out.rglob("*") if p.is_file() and p.name != "MANIFEST.md"):
        data = path.read_bytes()
        lines.append(f"| {path.relative_to(out)} | {len(data)} | {hashlib.sha256(data).hexdigest()} |")
    (out / "MANIFEST.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def complete(out, checkpoint, scratch):
    """A whole checkpoint directory: the tokenizer's files and the checkpoint's own."""
    directory = scratch / checkpoint
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(out / "Tokenizer", directory)
    shutil.copytree(out / "Checkpoints" / checkpoint, directory, dirs_exist_ok=True)
    return directory


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--out", type=Path, default=root / "Tests/QwenVLTests/Fixtures")
    parser.add_argument("--scratch", type=Path, default=root / ".build/fixtures", help="for complete checkpoints")
    arguments = parser.parse_args()
    out, scratch = arguments.out.resolve(), arguments.scratch.resolve()
    torch.set_num_threads(1)
    for part in ("Tokenizer", "Checkpoints", "Pictures", "Messages", "Golden"):
        shutil.rmtree(out / part, ignore_errors=True)

    tiny_tokenizer.train(out / "Tokenizer", 1100)
    ids = official.special_ids(out / "Tokenizer")
    official.write_preprocessing_files(out / "Tokenizer", ids)
    draw_pictures(out / "Pictures")
    counts = {}
    for name, (_, shape) in CHECKPOINTS.items():
        counts[name] = write_checkpoint(out / "Checkpoints" / name, out / "Tokenizer", shape, with_tokenizer=False)
        for file in ("preprocessor_config.json", "generation_config.json", "chat_template.json"):
            (out / "Checkpoints" / name / file).unlink()  # the copies in Tokenizer/ serve all
    (out / "Messages").mkdir()
    for name, conversations in CASES.items():
        official.write_json(out / "Messages" / f"{name}.json", conversations)

    os.chdir(out)
    (out / "Golden/Inputs").mkdir(parents=True)
    smallest = {}
    for checkpoint in CHECKPOINTS:
        reference = Reference(complete(out, checkpoint, scratch))
        (out / "Golden" / checkpoint).mkdir()
        if checkpoint == next(iter(CHECKPOINTS)):
            (out / "Golden/positions.json").write_text(compact(position_cases(reference, ids)), encoding="utf-8")
        for name, conversations in CASES.items():
            texts, inputs = reference.prepare(conversations)
            path = out / f"Golden/Inputs/{name}.json"
            record = compact(golden.record_inputs(reference, texts, inputs))
            if path.exists():
                assert path.read_text(encoding="utf-8") == record, f"{checkpoint} changes the inputs of {name}"
            path.write_text(record, encoding="utf-8")
            rows = 4 if name == "one-picture" else 0
            record, _ = golden.record_outputs(reference, inputs, new_tokens=12, activation_rows=rows)
            (out / f"Golden/{checkpoint}/{name}.json").write_text(compact(record), encoding="utf-8")
            smallest[checkpoint, name] = min(min(c["margins"]) for c in record["conversations"])
    manifest(out, counts)
    for key, value in smallest.items():
        print(f"{key[0]:16} {key[1]:16} smallest margin {value:.4f}")
    total = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"{out}: {total:,} bytes")


if __name__ == "__main__":
    main()

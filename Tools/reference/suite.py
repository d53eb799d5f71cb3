#!/usr/bin/env python3
"""Compare `qwenvl` with the reference on many checkpoints, pictures and conversations.

    suite.py --qwenvl BINARY --tokenizer DIR --scratch DIR [--only NAME ...] [--cases NAME ...]
             [--skip-bfloat16] [--layers] [--video]

DIR of --tokenizer holds the four files of the official tokenizer. The checkpoints are random and made in --scratch
(about 1 GB, kept for the next run). Parts, which --only selects: `pictures` (inputs alone, every picture by itself),
and each checkpoint by its name. --video adds videos given as lists of pictures. Exit status 1 when anything differs.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch

import test_pictures
from compare import Options, Product, Report, check
from random_checkpoint import Shape, write_checkpoint
from reference_model import Reference

CHECKPOINTS = {
    "tied-bfloat16": Shape(seed=11, shards=2),
    "untied-float32-new-names": Shape(seed=12, untied=True, dtype="float32", names="new", config="nested"),
    "yarn-float16-odd-sizes": Shape(seed=13, hidden=120, heads=6, kv_heads=2, intermediate=171, vision_hidden=60,
                                    vision_heads=3, vision_intermediate=77, yarn=True, dtype="float16"),
    "rope-parameters-3-shards": Shape(seed=14, layers=3, heads=2, kv_heads=1, untied=True, names="new",
                                      config="parameters", shards=3,
                                      omit_vision_keys=["tokens_per_second", "window_size", "spatial_merge_size"]),
    "one-kv-head": Shape(seed=15, hidden=144, heads=9, kv_heads=1, intermediate=333, layers=2, vision_depth=3,
                         full_attention=[2], untied=True),
    "yarn-untied-new-names": Shape(seed=16, heads=2, kv_heads=2, yarn=True, untied=True, names="new",
                                   config="parameters", yarn_original=512),
    # Widths of the published models: head size 128 with 8 heads to a KV head, a vision tower of 1280 with FFN 3420.
    "published-widths": Shape(seed=17, hidden=1024, heads=8, kv_heads=1, intermediate=2752, layers=2,
                              vision_hidden=1280, vision_heads=16, vision_intermediate=3420, vision_depth=3,
                              full_attention=[1], shards=2),
}

LONG = ("The harbour was quiet that morning. Two gulls sat on the roof of the boathouse, 第三只在桅杆上方盘旋 🛥️, "
        "and nobody hurried: the ferry would not leave before 08:00.\n") * 12


def conversations(files):
    """Batches of conversations by name; `files` maps a picture's name to its file."""
    def image(name, **options):
        return dict(type="image", image=str(files[name]), **options)

    def text(value):
        return dict(type="text", text=value)

    def user(*content):
        return dict(role="user", content=list(content))

    return {
        "text": [[user(text("Hello! What's 12 + 30? 你好，世界 😀"))]],
        "string content": [[dict(role="system", content="Be brief."), dict(role="user", content="Why?\n\n  Tell me  ")]],
        "long text": [[user(text(LONG + "Summarise."))]],
        "picture": [[user(image("rgb-333x777"), text("Describe this image."))]],
        "strips": [[user(image("rgb-1000x50"), image("rgb-50x1000"), text("Compare."))]],
        "tiny": [[user(image("rgb-20x20"))]],
        "many pictures": [[user(text("A"), image("jpeg-420"), text("B"), image("rgba"), text("C"), image("palette"),
                                image("webp"), text("Which one is grey?"), image("grey"))]],
        "batch": [
            [user(text("Hi"))],
            [user(image("rgb-299x113"), text("What is this?"))],
            [dict(role="system", content="You are a poet."), user(text(LONG))],
            [user(image("rgb-126x154"), image("rgb-70x70"), text("And these?"))],
        ],
        "turns": [[
            user(image("jpeg-progressive"), text("What do you see?")),
            dict(role="assistant", content=[text("A scene with a red rectangle.\n")]),
            user(text("Where?")),
            dict(role="assistant", content="On the left."),
            user(text("Is it like this one? "), image("webp-lossless")),
        ]],
        "options": [
            [user(image("rgb-640x480", resized_height=140, resized_width=333), text("1"))],
            [user(image("rgb-640x480", max_pixels=50176), text("2"))],
            [user(image("rgb-42x98", min_pixels=50176), text("3"))],
        ],
        "large": [[user(image("rgb-1300x900", max_pixels=401408), text("Read the text in the image."))]],
    }


def video_conversations(files):
    """Videos given as lists of pictures, which need no decoder of videos."""
    still = [str(files[name]) for name in ("jpeg-420", "jpeg-422", "jpeg-444", "palette", "webp")]

    def video(count, **options):
        return dict(type="video", video=still[:count], max_pixels=50176, **options)

    def user(*content):
        return dict(role="user", content=list(content))

    question = dict(type="text", text="What happens?")
    picture = dict(type="image", image=str(files["rgb-299x113"]))
    return {
        "frames": [[user(video(4), question)]],
        "odd frames at 0.75 fps": [[user(video(5, fps=0.75), question)]],
        "videos and pictures": [
            [user(picture, video(4, fps=2.997), question, picture)],
            [user(question)],
            [user(video(2, fps=4.0), video(5, fps=1.0), question)],
        ],
    }


class Suite:
    def __init__(self, arguments):
        self.binary = str(arguments.qwenvl.resolve())
        self.tokenizer = arguments.tokenizer.resolve()
        self.scratch = arguments.scratch.resolve()
        self.arguments = arguments
        self.failures = self.total = 0

    def checkpoint(self, name):
        directory = self.scratch / "checkpoints" / name
        stamp, shape = directory / "shape.txt", repr(CHECKPOINTS[name])
        if not stamp.exists() or stamp.read_text() != shape:
            write_checkpoint(directory, self.tokenizer, CHECKPOINTS[name])
            stamp.write_text(shape)
        return directory

    def messages(self, name, value):
        path = self.scratch / "messages" / f"{name.replace(' ', '-')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        return path

    def compare(self, title, product, references, messages, options, reference_conversations=None):
        report, start = Report(), time.monotonic()
        try:
            check(report, product, *references, messages, options, reference_conversations)
        except Exception as error:  # a crash of the product is a finding like any other
            report.add("run", False, f"{type(error).__name__}: {error}")
        self.failures += len(report.failures)
        self.total += len(report.rows)
        worst = [row[2] for row in report.rows if row[0].endswith("].logprobs") and row[1]]
        print(f"{'FAIL' if report.failures else 'ok  '}  {title:50} {len(report.rows) - len(report.failures)} of "
              f"{len(report.rows)} checks, {time.monotonic() - start:.1f} s  {worst[0] if worst else ''}", flush=True)
        report.show(only_failures=True, indent="        ")

    def pictures(self, pictures):
        directory = self.checkpoint("tied-bfloat16")
        product, reference = Product(self.binary, str(directory)), Reference(directory)

        def conversation(file):
            return [[dict(role="user", content=[dict(type="image", image=str(file)), dict(type="text", text="?")])]]

        for picture in pictures:
            path = self.messages(f"picture-{picture.name}", conversation(picture.file))
            self.compare(f"pictures / {picture.name}", product, (reference, None), path, Options(outputs=False),
                         conversation(picture.reference_file))

    def cases(self, pictures):
        files = {picture.name: picture.file for picture in pictures}
        cases = conversations(files)
        if self.arguments.video:
            cases.update(video_conversations(files))
        return {name: value for name, value in cases.items() if name in (self.arguments.cases or cases)}

    def model(self, name, pictures):
        bfloat16 = not self.arguments.skip_bfloat16
        directory = self.checkpoint(name)
        product, reference = Product(self.binary, str(directory)), Reference(directory)
        rounded = Reference(directory, torch.bfloat16) if bfloat16 else None
        cases = self.cases(pictures)
        if name == "published-widths" and not self.arguments.cases:
            cases = {case: cases[case] for case in ("text", "picture", "batch")}  # the rest would take long
        for case, value in cases.items():
            path = self.messages(case, value)
            self.compare(f"{name} / {case} / float32", product, (reference, None), path,
                         Options(layers=self.arguments.layers))
            if bfloat16:
                self.compare(f"{name} / {case} / bfloat16", product, (reference, rounded), path,
                             Options(weights="bfloat16", inputs=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qwenvl", required=True, type=Path)
    parser.add_argument("--tokenizer", required=True, type=Path)
    parser.add_argument("--scratch", required=True, type=Path)
    parser.add_argument("--only", nargs="*", choices=["pictures", *CHECKPOINTS])
    parser.add_argument("--cases", nargs="*", help="names of conversations; all by default")
    parser.add_argument("--video", action="store_true")
    parser.add_argument("--skip-bfloat16", action="store_true")
    parser.add_argument("--layers", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    suite = Suite(arguments)
    pictures = test_pictures.draw_all(suite.scratch / "pictures")
    parts = arguments.only or ["pictures", *CHECKPOINTS]
    for part in parts:
        if part == "pictures":
            suite.pictures(pictures)
        else:
            suite.model(part, pictures)
    print(f"{suite.total - suite.failures} of {suite.total} checks passed")
    sys.exit(1 if suite.failures else 0)


if __name__ == "__main__":
    main()

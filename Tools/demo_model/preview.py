"""Shows samples of every task with their marks drawn, to look at.

    preview.py --sheet out.png [--task NAME ...] [--area PIXELS] [--split preview] [--per 3]
The conversations are printed below the pictures; --time measures how long drawing takes.
"""
import argparse
import importlib
import random
import textwrap
import time

from PIL import Image, ImageDraw

MODULES = ("world", "printed", "documents", "charts", "screens", "several")
COLOURS = {"char": (255, 0, 160), "part": (0, 140, 255), "thing": (255, 120, 0)}


def all_tasks():
    tasks = {}
    for name in MODULES:
        try:
            tasks.update(importlib.import_module(name).TASKS)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return tasks


def shown(medium, marks):
    """The picture, or the clip's frames side by side, with the marks as outlines."""
    frames = [(medium.image, medium.marks)] if hasattr(medium, "image") else list(zip(medium.frames, medium.marks))[:4]
    sheet = Image.new("RGB", (sum(f.width + 2 for f, _ in frames), frames[0][0].height), (90, 90, 120))
    x = 0
    for frame, found in frames:
        frame = frame.copy()
        if marks:
            pen = ImageDraw.Draw(frame)
            for mark in found:
                x0, y0, x1, y1 = mark.box
                pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=COLOURS[mark.kind])
        sheet.paste(frame, (x, 0))
        x += frame.width + 2
    return sheet


def card(sample, width, marks):
    media = [shown(m, marks) for m in sample.media]
    lines = [sample.task]
    for question, answer in sample.turns:
        for mark, text in (("> ", question), ("", answer)):
            for line in (mark + text).replace("\t", "  ").split("\n"):
                lines += textwrap.wrap(line, width // 6) or [""]
    across = sum(m.width + 4 for m in media)
    high = max([m.height for m in media], default=0)
    sheet = Image.new("RGB", (max(width, across), high + 12 * len(lines) + 10), (250, 250, 250))
    x = 0
    for m in media:
        sheet.paste(m, (x, 0))
        x += m.width + 4
    ImageDraw.Draw(sheet).multiline_text((2, high + 2), "\n".join(lines), fill=(0, 0, 0), spacing=1)
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", help="PNG to write")
    parser.add_argument("--task", nargs="*")
    parser.add_argument("--area", type=int, default=448 * 448)
    parser.add_argument("--split", default="preview")
    parser.add_argument("--per", type=int, default=3, help="samples of each task")
    parser.add_argument("--plain", action="store_true", help="without the marks")
    parser.add_argument("--width", type=int, default=1800)
    parser.add_argument("--time", type=int, default=0, metavar="N", help="draw N samples of each task and time them")
    a = parser.parse_args()
    tasks = all_tasks()
    names = a.task or list(tasks)
    if a.time:
        for name in names:
            for area in (224 * 224, 448 * 448):
                for i in range(20):
                    tasks[name](random.Random(f"warm/{name}/{i}"), area)
                began = time.process_time()
                for i in range(a.time):
                    tasks[name](random.Random(f"time/{name}/{i}"), area)
                print(f"{name} {area}: {1000 * (time.process_time() - began) / a.time:.1f} ms")
    if a.sheet:
        cards = [card(tasks[name](random.Random(f"{a.split}/{name}/{i}"), a.area), 260, not a.plain)
                 for name in names for i in range(a.per)]
        places, x, y, line = [], 0, 0, 0
        for c in cards:
            if x + c.width > a.width and x:
                x, y, line = 0, y + line + 6, 0
            places.append((x, y))
            x, line = x + c.width + 6, max(line, c.height)
        sheet = Image.new("RGB", (a.width, y + line), (160, 160, 180))
        for c, place in zip(cards, places):
            sheet.paste(c, place)
        sheet.save(a.sheet)


if __name__ == "__main__":
    main()

"""Draws the bundled examples with held-out seeds; examples.json tells their questions and the right answers.

    examples.py ../../Examples                                   # draw
    examples.py ../../Examples --ask ../../.build/release/qwenvl # which of them the shipped model answers rightly
`make demo` shows the questions that are answered rightly; the others stay in the file, marked.
"""
import argparse
import json
import os
import random
import re
import subprocess
import tempfile

import canvas
import charts
import clips
import documents
import draw
import printed
import screens
import several
import world
from sample import Clip, Sample

AREA = 224 * 224


def shapes(looks, *questions):
    """A picture of these things from left to right; the answers to these questions about it."""
    def make(rng):
        size = (rng.randrange(168, 225), rng.randrange(168, 225))
        scene = draw.pick_scene(rng, size=size, looks=[tuple(look.split()) for look in looks])
        pale = min(min(colour) for colour in scene.background) >= 200
        large = min(t.radius for t in scene.things) > 0.24 * min(size) / len(looks) ** 0.5
        if not pale or not large or [world.name(t) for t in scene.things] != looks:
            return None
        shown, boxes = world.picture(rng, scene)
        return Sample("world", [(q, answer(q, scene, boxes)) for q in questions], [shown])
    return make


def answer(question, scene, boxes):
    """The truth, by drawing questions until this one comes."""
    rng = random.Random(question)
    for _ in range(100_000):
        for task in world.QUESTIONS.values():
            turn = task(rng, scene, boxes)
            if turn and turn[0] == question:
                return turn[1]
    raise ValueError(f"nobody asks {question!r} about this scene")


def drawn(task, *wanted, where=lambda sample: True):
    """A sample of the task with questions that begin so, whichever they are."""
    def make(rng):
        made = task(rng, AREA)
        turns = [next((t for t in made.turns if t[0].startswith(w)), None) for w in wanted]
        if not all(turns) or not where(made):
            return None
        made.turns = turns
        return made
    return make


def parts(sample, name):
    return sum(mark.name == name for mark in sample.media[0].marks)


def clip(kind, rate, *wanted):
    """A clip whose questions begin so, of six frames at least."""
    def make(rng):
        if kind == "motion":
            scene, shown, mover, way = clips.motion_clip(rng, 112 * 112, rate)
            turns = clips.motion_turns(rng, scene, mover, way)
        else:
            scene, shown, spans = clips.event_clip(rng, 112 * 112, rate)
            turns = clips.event_turns(rng, scene, shown, spans, 9)
        chosen = [next((t for t in turns if t[0].startswith(w)), None) for w in wanted]
        pale = min(min(colour) for colour in scene.background) >= 200
        even = all(side % 2 == 0 for side in scene.size)  # encoders ask for it
        fits = pale and even and len(shown.frames) >= 6
        return Sample("clip", chosen, [shown]) if all(chosen) and fits else None
    return make


WANTED = {
    "red-circle.png": shapes(["red circle"], "What is in the picture?"),
    "blue-triangle.jpg": shapes(["blue triangle"], "What colour is the triangle?", "What shape is it?"),
    "yellow-star-black-ring.png": shapes(["yellow star", "black ring"], "What is in the picture?",
                                         "How many shapes are there?"),
    "green-heart-orange-square.jpg": shapes(["green heart", "orange square"], "What colour is the square?",
                                            "Where is the green heart?", "图中有什么？"),
    "four-shapes.png": shapes(["purple diamond", "red star", "blue square", "green ring"], "Detect all shapes.",
                              "Point to the red star.", "Is the red star left of the green ring?"),
    "words.png": drawn(printed.read, "Read all the text in the image."),
    "spotting.png": drawn(printed.spot, "Spotting all the text in the image with word-level"),
    "receipt.png": drawn(documents.document, "Convert the receipt to JSON.", "What is the total?"),
    "table.png": drawn(documents.table, "Convert the table to JSON.", "QwenVL HTML"),
    "chart.png": drawn(charts.chart, "Which bar is the highest?", "What is the value of",
                       where=lambda sample: parts(sample, "bar") == 4),
    "window.png": drawn(screens.screen, "Click the", where=lambda sample: parts(sample, "button") > 2 and all(
        "left_click" in a for q, a in sample.turns if q.startswith("Click the"))),
    "two-pictures.png": drawn(several.several, "What is different?", where=lambda sample: len(
        {p.image.size for p in sample.media}) == 1 and "Nothing." not in dict(sample.turns).values()),
    "moving": clip("motion", 1.0, "What moves?", "Which way does"),
    "appearing": clip("event", 1.0, "At what time does the", "List the events"),
    "moving.mp4": clip("motion", 2.0, "What happens in the video?"),
    "appearing.mp4": clip("event", 2.0, "When is the"),
}


def save(medium, path):
    """Videos need the program ffmpeg."""
    if path.endswith(".mp4"):
        with tempfile.TemporaryDirectory() as folder:
            save(medium, folder)
            subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-framerate", str(medium.fps), "-i",
                            f"{folder}/%02d.png", "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p", "-threads",
                            "1", "-movflags", "+faststart", path], check=True)
    elif isinstance(medium, Clip):
        os.makedirs(path, exist_ok=True)
        for i, frame in enumerate(medium.frames):
            frame.save(f"{path}/{i:02d}.png", optimize=True)
    else:
        medium.image.save(path, **(dict(quality=92) if path.endswith(".jpg") else dict(optimize=True)))


def draw_all(out):
    draw.wear = lambda rng, image: image  # clean: they are to be looked at
    canvas.wear = lambda rng, image, **_: image
    listed = []
    for name, make in WANTED.items():
        number, sample = 0, None
        while sample is None:
            number += 1
            sample = make(random.Random(f"example/{name}/{number}"))
        stem, ending = os.path.splitext(name)
        names = [name] if len(sample.media) == 1 else [f"{stem}-{i + 1}{ending}" for i in range(len(sample.media))]
        for medium, file in zip(sample.media, names):
            save(medium, f"{out}/{file}")
        entry = dict(files=names, seed=f"example/{name}/{number}")
        if isinstance(sample.media[0], Clip):
            entry["fps"] = sample.media[0].fps
        if sample.system != Sample.system:
            entry["system"] = f"{stem}.txt"
            with open(f"{out}/{stem}.txt", "w", encoding="utf-8") as file:
                file.write(sample.system + "\n")
        entry["questions"] = [dict(question=q, answer=a) for q, a in sample.turns]
        listed.append(entry)
        print(name, f"seed {number}", [q for q, _ in sample.turns])
    write(out, listed)


def ask(out, program):
    """Marks the questions that the program's model answers rightly."""
    with open(f"{out}/examples.json", encoding="utf-8") as file:
        listed = json.load(file)
    for entry in listed:
        for turn in entry["questions"]:
            system = []
            if "system" in entry:
                with open(f"{out}/{entry['system']}", encoding="utf-8") as file:
                    system = ["--system", file.read().removesuffix("\n")]
            shown = [word.replace("Examples/", f"{out}/") for word in arguments(entry)]
            done = subprocess.run([program, "run", "--quiet", *shown, *system, turn["question"]], capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL)
            said = done.stdout.strip() or done.stderr.strip()
            turn["right"] = alike(said, turn["answer"])
            print("right" if turn["right"] else "WRONG", entry["files"], turn["question"], repr(said))
    write(out, listed)


def alike(said, answer):
    """Word for word; boxes may differ while they overlap by more than half, points by 8 pixels."""
    lists = re.compile(r"\[(?:\d+, )+\d+\]")
    if lists.sub("", said) != lists.sub("", answer):
        return False
    for mine, right in zip(lists.findall(said), lists.findall(answer)):
        mine, right = json.loads(mine), json.loads(right)
        if len(mine) != len(right):
            return False
        if len(right) == 4:
            shared = [min(mine[2 + i], right[2 + i]) - max(mine[i], right[i]) for i in (0, 1)]
            common = max(0, shared[0]) * max(0, shared[1])
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (mine, right)]
            if common <= 0.5 * (sum(areas) - common):
                return False
        elif max(abs(a - b) for a, b in zip(mine, right)) > 8:
            return False
    return True


def arguments(entry):
    """What the command needs to show the pictures, from the repository's root."""
    if "fps" not in entry:
        return [word for file in entry["files"] for word in ("--image", f"Examples/{file}")]
    shown = ["--video", f"Examples/{entry['files'][0]}", "--fps", str(entry["fps"])]
    # Video files are enlarged to 128 * 28 * 28 pixels a frame unless told otherwise; the model knows smaller ones.
    return shown + (["--frame-min-pixels", "3136"] if entry["files"][0].endswith(".mp4") else [])


def write(out, listed):
    """examples.json, and what the shell reads: one line for each question that is answered rightly."""
    with open(f"{out}/examples.json", "w", encoding="utf-8") as file:
        json.dump(listed, file, indent=2, ensure_ascii=False)
        file.write("\n")
    with open(f"{out}/demo.txt", "w", encoding="utf-8") as file:
        for entry in listed:
            for turn in entry["questions"]:
                if turn.get("right"):
                    file.write("|".join([" ".join(arguments(entry)), entry.get("system", ""), turn["question"]]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--ask", metavar="PROGRAM")
    a = parser.parse_args()
    ask(a.out, a.ask) if a.ask else draw_all(a.out)


if __name__ == "__main__":
    main()

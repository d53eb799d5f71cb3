"""Draws the held-out questions that `qwenvl eval --suite demo` asks: suite.json and media.tar.

    heldout.py ../../Models/demo-eval [--per 40] [--seeds heldout]
Seeds begin with heldout/, or another name for more questions; training never uses them. Clips come at frame rates
seen in training and at others, as lists of frames and as H.264 files (by ffmpeg).
"""
import argparse
import functools
import io
import json
import os
import random
import subprocess
import tarfile
import tempfile

import charts
import clips
import documents
import printed
import screens
import several
import tasks
import world
from sample import MIN_PIXELS, Clip, Sample, seen_box, seen_size

AREA, CLIP_AREA = 280 * 280, 140 * 140  # of the largest pictures and frames
CHINESE = {"describe": "describe (Chinese)", "count": "count (Chinese)"}


def talk(rng, area):
    return Sample("talk", tasks.talk(rng))


def is_chinese(text):
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def chinese(name):
    """Only the Chinese questions of a task, or only the English ones."""
    def make(wanted, rng, area):
        while True:
            made = world.TASKS[name](rng, area)
            if is_chinese(made.turns[0][0]) == wanted:
                return made
    return functools.partial(make, True), functools.partial(make, False)


def with_tool(wanted, rng, area):
    """A window with requests for the tool, or with questions for places."""
    while True:
        made = screens.screen(rng, area)
        if (made.system != Sample.system) == wanted:
            return made


def rows():
    """Row of the table: (task's function, the largest area)."""
    made = {}
    for name, make in world.TASKS.items():
        if name in CHINESE:
            in_chinese, in_english = chinese(name)
            made[name], made[CHINESE[name]] = (in_english, AREA), (in_chinese, AREA)
        else:
            made[name] = make, AREA
    for name, make in clips.TASKS.items():
        made[name] = make, CLIP_AREA
        made[f"{name} (other fps)"] = functools.partial(make, rates=clips.UNSEEN_RATES), CLIP_AREA
        made[f"{name} (file)"] = make, CLIP_AREA
    for module in (printed, documents, charts):
        made |= {name: (make, AREA) for name, make in module.TASKS.items()}
    made["screen"] = functools.partial(with_tool, True), AREA
    made["screen (places)"] = functools.partial(with_tool, False), AREA
    return made | {"several": (several.several, AREA), "talk": (talk, AREA)}


def scoring(answer):
    """How this answer is scored, by its form."""
    for mark, kind in (("<tool_call>", "action"), ("```html", "html"), ('"text_content"', "spotting"),
                       ('"bbox_2d"', "boxes"), ('"point_2d"', "point"), ('"start_time"', "events"),
                       ("```json", "fields"), (" seconds.", "seconds")):
        if mark in answer:
            return kind
    return "exact"


def target(sample, answer):
    """What the answer's point must hit: the smallest marked thing or part that holds it, as seen."""
    value = json.loads(answer.split("\n")[1]) if "<tool_call>" in answer else json.loads(
        answer.removeprefix("```json").removesuffix("```"))[0]
    point = value.get("point_2d") or value["arguments"].get("coordinate")
    if point is None:
        return None
    picture = sample.media[0]
    boxes = [seen_box(m.box, picture.image.size) for m in picture.marks if m.kind in ("thing", "part")]
    holding = [b for b in boxes if b[0] <= point[0] <= b[2] and b[1] <= point[1] <= b[3]]
    if not holding:
        raise ValueError(f"nothing lies at {point}: {answer}")
    return min(holding, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))


def encoded(image, small_text):
    """The picture in the smallest of three forms, and the form's name. Lettering is kept without loss, or nearly so."""
    made = []
    for form, options in (("png", dict(optimize=True)), ("webp", dict(quality=88, method=6)),
                          ("jpg", dict(quality=92 if small_text else 88, subsampling=0 if small_text else 2))):
        file = io.BytesIO()
        image.save(file, {"jpg": "JPEG"}.get(form, form.upper()), **options)
        made.append((len(file.getvalue()), form, file.getvalue()))
    size = min(made)[0]
    # A PNG that is not much larger is worth its exactness.
    return next((form, data) for length, form, data in made if length <= 1.3 * size)


def items(name, make, area, per, seeds="heldout"):
    """The task's items, with their files: two questions on each picture at most, no request twice in an item."""
    listed, files, number = [], {}, 0
    while len(listed) < per:
        seed = f"{seeds}/{name}/{number}"
        number += 1
        rng = random.Random(seed)
        sample = make(rng, area)
        folder = f"{name.replace(' (', '-').replace(')', '').replace(' ', '-').lower()}-{number:03d}"
        turns = [turn for turn in sample.turns if not turn[0].startswith("<tool_response>")]
        media = {}
        if sample.media and isinstance(sample.media[0], Clip):
            media = clip_file(sample.media[0], folder, files) if name.endswith("(file)") else clip_frames(
                sample.media[0], folder, files)
        elif sample.media:
            names = []
            for i, picture in enumerate(sample.media):
                form, data = encoded(picture.image, any(m.kind == "char" for m in picture.marks))
                names.append(f"{folder}{'' if len(sample.media) == 1 else f'-{i + 1}'}.{form}")
                files[names[-1]] = data
            media = dict(images=names)
        for i, (question, answer) in enumerate(turns[:2]):
            if len(listed) == per:
                break
            kind = scoring(answer)
            item = dict(id=f"{name}/{number}.{i + 1}", task=name, seed=seed, **media, question=question, answer=answer,
                        scoring=kind)
            if sample.system != Sample.system:
                item["system"] = sample.system
            if kind in ("point", "action"):
                item["target"] = target(sample, answer)
            listed.append({key: value for key, value in item.items() if value is not None})
    return listed, files


def clip_frames(clip, folder, files):
    """The clip as a list of pictures, which it adds to the files."""
    form, write = "png", png
    if sum(len(png(f)) for f in clip.frames) > 60_000:  # noise
        form, write = "webp", webp
    named = {f"{folder}/{i:02d}.{form}": write(frame) for i, frame in enumerate(clip.frames)}
    files |= named
    return dict(frames=list(named), fps=clip.fps)


def clip_file(clip, folder, files):
    """The clip as a video file, of which all frames are looked at as they are."""
    files[f"{folder}.mp4"] = mp4(clip)
    return dict(video=f"{folder}.mp4", nframes=len(clip.frames), min_pixels=MIN_PIXELS)


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def webp(image):
    file = io.BytesIO()
    image.save(file, "WEBP", quality=85, method=6)
    return file.getvalue()


def mp4(clip):
    """The clip as cameras and screens write it: H.264 with halved colours, which wants even sides."""
    with tempfile.TemporaryDirectory() as folder:
        for i, frame in enumerate(clip.frames):
            frame.save(f"{folder}/{i:02d}.png")
        subprocess.run(
            ["ffmpeg", "-v", "error", "-framerate", str(clip.fps), "-i", f"{folder}/%02d.png", "-vf",
             "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-threads", "1",
             "-bitexact", f"{folder}/clip.mp4"], check=True)
        with open(f"{folder}/clip.mp4", "rb") as file:
            return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--per", type=int, default=40, help="questions of each task")
    parser.add_argument("--seeds", default="heldout", help="what the seeds begin with")
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    every, total = [], 0
    with tarfile.open(f"{a.out}/media.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (make, area) in rows().items():
            listed, files = items(name, make, area, a.per, a.seeds)
            every += listed
            for path, data in files.items():
                entry = tarfile.TarInfo(path)  # time, owner and mode are fixed: the same bytes every time
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
            size = sum(map(len, files.values()))
            total += size
            kinds = sorted({item["scoring"] for item in listed})
            print(f"{name}: {len(listed)} questions, {len(files)} files, {size / 1e3:.0f} kB, {', '.join(kinds)}")
    made_by = f"Tools/demo_model/heldout.py --per {a.per}" + (f" --seeds {a.seeds}" if a.seeds != "heldout" else "")
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in every)
    with open(f"{a.out}/suite.json", "w", encoding="utf-8") as file:
        file.write(f'{{"made_by": "{made_by}", "items": [\n{lines}\n]}}\n')
    print(f"{len(every)} questions, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

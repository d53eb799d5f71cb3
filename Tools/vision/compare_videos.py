"""Compares the frames that `qwenvl frames` writes with those of qwen-vl-utils and decord, for any videos.

    python Tools/vision/compare_videos.py .build/release/qwenvl VIDEO…

For each video and several options: the frames' indices, their times' order, and the largest difference of a resized
frame's value. Where decord's jumps miss (frames out of order in AVI, MPEG and transport streams) values differ; where it
does not open a file, that is said. Exit status 1 where indices differ.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["FORCE_QWENVL_VIDEO_READER"] = "decord"

import decord  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from qwen_vl_utils import vision_process  # noqa: E402

OPTIONS = [{}, {"fps": 1}, {"nframes": 6}, {"fps": 7.3, "max_frames": 20}, {"video_start": 1.2, "video_end": 3.4},
           {"fps": 0.5, "min_frames": 8}, {"total_pixels": 8 * 28 * 28 * 64}, {"max_pixels": 12_000}, {"fps": 29.97}]
FLAGS = {"min_pixels": "frame-min-pixels", "max_pixels": "frame-max-pixels"}  # those of another name


def product(program, video, options, folder):
    flags = [text for name, value in options.items() for text in (
        f"--{FLAGS.get(name, name).replace('_', '-')}", str(value))]
    result = subprocess.run(
        [program, "frames", video, "--out", folder, "--quiet", *flags], capture_output=True, text=True)
    if result.returncode != 0:
        raise ValueError(result.stderr.strip())
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [line["frame"] for line in lines], np.stack([np.asarray(Image.open(line["file"])) for line in lines])


def reference(video, options):
    reader = decord.VideoReader(video)
    start, end, total = vision_process.calculate_video_frame_range(options, len(reader), reader.get_avg_fps())
    wanted = vision_process.smart_nframes(dict(options), total_frames=total, video_fps=reader.get_avg_fps())
    indices = torch.linspace(start, end, wanted).round().long().tolist()
    return indices, vision_process.fetch_video({"video": video, **options}).numpy().transpose(0, 2, 3, 1)


def attempt(body):
    try:
        return body(), None
    except Exception as error:  # each side refuses in its own way
        return None, str(error).splitlines()[0][:90]


def main():
    failed = False
    for video in sys.argv[2:]:
        for options in OPTIONS:
            with tempfile.TemporaryDirectory() as folder:
                ours, refusal = attempt(lambda: product(sys.argv[1], video, options, folder))
                theirs, complaint = attempt(lambda: reference(video, options))
            name = f"{Path(video).name} {options}"
            if ours is None or theirs is None:
                print(f"{name}: here {refusal or 'frames'}; the reference {complaint or 'frames'}")
                continue
            same = ours[0] == theirs[0] and ours[1].shape == theirs[1].shape
            failed |= not same
            difference = np.abs(ours[1].astype(np.int32) - theirs[1]) if same else None
            print(f"{name}: " + (
                f"{len(ours[0])} frames, equal indices, largest difference {int(difference.max())}, "
                f"{float((difference > 0).mean()):.5f} of the values" if same else f"DIFFERENT {ours[0]} {theirs[0]}"))
    sys.exit(failed)


if __name__ == "__main__":
    main()

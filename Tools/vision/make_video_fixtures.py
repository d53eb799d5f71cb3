"""Makes Tests/VisionInputTests/Fixtures/Videos: clips, and what the reference makes of them.

    python Tools/vision/make_video_fixtures.py

Runs where qwen-vl-utils 0.0.11, decord 0.6.0 and transformers 4.49.0 are installed, and ffmpeg. The clips are encoded
anew only where absent, so that another ffmpeg leaves the committed files alone.
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
from pathlib import Path

os.environ["FORCE_QWENVL_VIDEO_READER"] = "decord"

import decord  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from qwen_vl_utils import vision_process  # noqa: E402
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "Tests/VisionInputTests/Fixtures/Videos"
X264 = ["-c:v", "libx264", "-preset", "veryslow"]
# Clips made by ffmpeg: name, input, what follows.
CLIPS = {
    "clip-30fps.mp4": ("96x64:rate=30:duration=2", [*X264, "-crf", "30", "-g", "20"]),
    "clip-2997.mkv": ("98x66:rate=30000/1001:duration=2", [*X264, "-crf", "30", "-bf", "3", "-g", "24"]),
    "clip-vp9.webm": ("96x64:rate=24:duration=1.5", ["-c:v", "libvpx-vp9", "-b:v", "60k", "-g", "12"]),
    "clip-mpeg4.avi": ("96x64:rate=15:duration=1", ["-c:v", "mpeg4", "-bf", "2", "-q:v", "12"]),
    "rate-29.97.mp4": ("64x48:rate=30000/1001:duration=4", [*X264, "-crf", "36"]),
    **{f"rate-{rate}.mp4": (f"64x48:rate={rate}:duration=16", [*X264, "-crf", "34"]) for rate in (0.5, 1, 2, 3, 4)},
}
# Clips made of clip-30fps.mp4.
DERIVED = {
    "clip-vfr.mp4": ["-vf", "select='not(mod(n,3))+gt(random(0),0.6)'", "-vsync", "vfr", *X264, "-crf", "30"],
    "one-frame.mp4": ["-frames:v", "1", *X264, "-crf", "30"],
    "five-frames.mp4": ["-frames:v", "5", *X264, "-crf", "30"],
    "clip.ts": ["-c", "copy", "-f", "mpegts"],
}
# Where decord gives every frame exactly: with bidirectional frames in AVI and in transport streams its jumps miss, GIF
# it does not open at all, and its VP9 decoder fails in its threads.
EXACT = [
    "clip-30fps.mp4", "clip-2997.mkv", "clip-vfr.mp4", "five-frames.mp4", "rotated-90.mp4", "rotated-270.mp4",
    "lying-duration.mp4", "no-duration.mp4", "rate-0.5.mp4", "rate-1.mp4", "rate-2.mp4", "rate-3.mp4", "rate-4.mp4",
    "rate-29.97.mp4",
]
# Others are compared with what ffmpeg decodes.
BY_FFMPEG = ["clip-vp9.webm", "clip-mpeg4.avi", "clip.ts", "moving.gif"]
OPTIONS = [
    {}, {"fps": 1}, {"fps": 7.5}, {"nframes": 6}, {"nframes": 5}, {"fps": 20, "max_frames": 12}, {"fps": 0.5, "min_frames": 9},
    {"video_start": 0.4}, {"video_end": 1.2}, {"video_start": 0.3, "video_end": 1.51}, {"total_pixels": 28 * 28 * 40},
    {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 9}, {"max_pixels": 28 * 28 * 50}, {"resized_height": 60, "resized_width": 90},
]


def ffmpeg(*arguments):
    return subprocess.run(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments], check=True, capture_output=True).stdout


def with_matrix(source, degrees):
    """A copy of an MP4 file whose track is turned."""
    data = bytearray(source)
    at = data.find(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = {90: (0, 1, -1, 0), 270: (0, -1, 1, 0)}[degrees]
    struct.pack_into(">9i", data, at, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return bytes(data)


def with_duration(source, value):
    """A copy of an MP4 file that says another duration."""
    data = bytearray(source)
    for tag in (b"mvhd", b"mdhd"):
        struct.pack_into(">I", data, data.find(tag) + 20, value)
    return bytes(data)


def make_clips():
    FOLDER.mkdir(parents=True, exist_ok=True)

    def absent(name):
        return not (FOLDER / name).exists()

    for name, (source, arguments) in CLIPS.items():
        if absent(name):
            ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={source}", *arguments, "-pix_fmt", "yuv420p", FOLDER / name)
    clip = FOLDER / "clip-30fps.mp4"
    for name, arguments in DERIVED.items():
        if absent(name):
            ffmpeg("-i", clip, *arguments, FOLDER / name)
    if absent("moving.gif"):
        palette = "split[a][b];[a]palettegen=max_colors=16[p];[b][p]paletteuse=dither=none"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=1", "-vf", palette, FOLDER / "moving.gif")
    if absent("audio-only.m4a"):
        ffmpeg("-f", "lavfi", "-i", "sine=duration=0.3", "-c:a", "aac", "-b:a", "24k", FOLDER / "audio-only.m4a")
    source = clip.read_bytes()
    edited = {
        "rotated-90.mp4": with_matrix(source, 90), "rotated-270.mp4": with_matrix(source, 270),
        "lying-duration.mp4": with_duration(source, 3600 * 15360), "no-duration.mp4": with_duration(source, 0),
    }
    for name, data in edited.items():
        if absent(name):
            (FOLDER / name).write_bytes(data)


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def positions(grid, seconds):
    """Time, height and width of a vision start, the video's tokens, and three of text (get_rope_index)."""
    config = Qwen2_5_VLConfig()
    config.vision_config.tokens_per_second = 2
    config.image_token_id, config.video_token_id, config.vision_start_token_id = 151655, 151656, 151652
    count = int(np.prod(grid)) // 4
    ids = torch.tensor([[151652] + [151656] * count + [1, 2, 3]])

    class Holder:
        pass

    holder = Holder()
    holder.config = config
    found, delta = Qwen2_5_VLForConditionalGeneration.get_rope_index(
        holder, ids, video_grid_thw=torch.tensor([grid]), second_per_grid_ts=torch.tensor([seconds]),
        attention_mask=torch.ones_like(ids))
    return {"time": found[0, 0].tolist(), "last": found[:, 0, -1].tolist(), "delta": int(delta)}


def record(name, options):
    path = str(FOLDER / name)
    reader = decord.VideoReader(path)
    result = {"clip": name, "options": options, "count": len(reader), "rate": reader.get_avg_fps()}
    try:
        start, end, total = vision_process.calculate_video_frame_range(options, len(reader), reader.get_avg_fps())
        wanted = vision_process.smart_nframes(dict(options), total_frames=total, video_fps=reader.get_avg_fps())
    except ValueError:
        return {**result, "error": True}
    indices = torch.linspace(start, end, wanted).round().long().tolist()
    frames = reader.get_batch(indices).asnumpy()
    video, fps = vision_process.fetch_video({"video": path, **options}, return_video_sample_fps=True)
    processed = Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=28 * 28 * 1280)(
        images=None, videos=[video], return_tensors="np")
    grid = processed["video_grid_thw"][0].tolist()
    seconds = 2 / fps
    return {
        **result, "frames": indices, "fps": fps, "stored_sha256": sha(frames), "height": video.shape[2],
        "width": video.shape[3], "grid": grid, "seconds_per_grid": seconds,
        "first": base64.b64encode(video[0].numpy().transpose(1, 2, 0).astype(np.uint8).tobytes()).decode()
        if video.shape[2] * video.shape[3] <= 8000 else None,
        "positions": positions(grid, seconds) if name.startswith("rate") else None,
    }


def decoded(name):
    """All frames as ffmpeg decodes them."""
    data = ffmpeg("-i", FOLDER / name, "-vsync", "passthrough", "-sws_flags", "bilinear", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    frames = np.frombuffer(data, np.uint8).reshape(-1, 64 * 96 * 3)
    return {"clip": name, "sha256": [sha(frame) for frame in frames]}


def cookbook():
    """Shapes of the official cookbook's calls for videos of usual sizes and lengths: (frames in the file, rate, size)."""
    cases = []
    for count, rate, height, width in [
        (720, 24.0, 720, 1280), (900, 30.0, 720, 1280), (24575, 24.0, 1080, 1920), (24576, 25.0, 720, 1280),
        (7950, 30.0, 720, 1280), (18000, 30.0, 720, 1280), (215784, 29.97, 480, 854), (50, 25.0, 480, 640),
    ]:
        for options in [
            {}, {"total_pixels": 20480 * 28 * 28, "min_pixels": 16 * 28 * 28}, {"fps": 1, "max_pixels": 360 * 420},
            {"total_pixels": 1024 * 28 * 28}, {"fps": 4, "max_frames": 64},
        ]:
            wanted = vision_process.smart_nframes(dict(options), total_frames=count, video_fps=rate)
            least = options.get("min_pixels", vision_process.VIDEO_MIN_PIXELS)
            total = options.get("total_pixels", vision_process.VIDEO_TOTAL_PIXELS)
            most = max(min(vision_process.VIDEO_MAX_PIXELS, total / wanted * 2), int(least * 1.05))
            size = vision_process.smart_resize(
                height, width, factor=28, min_pixels=least, max_pixels=min(options.get("max_pixels", most), most))
            indices = torch.linspace(0, count - 1, wanted).round().long()
            cases.append({
                "count": count, "rate": rate, "height": height, "width": width, "options": options, "frames": wanted,
                "resized": list(size), "indices_sha256": sha(indices.numpy())})
    return cases


def main():
    make_clips()
    records = [record(name, options) for name in EXACT for options in (OPTIONS if name.startswith("clip") else OPTIONS[:2])]
    expected = {"videos": records, "decoded": [decoded(name) for name in BY_FFMPEG], "sampling": cookbook()}
    (FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

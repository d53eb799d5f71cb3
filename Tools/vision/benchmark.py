"""Times a JPEG of 4000x3000 on its way to pixel values: Pillow with the Hugging Face processor, and this package.

    swift build -c release --product media-benchmark
    python Tools/vision/benchmark.py PHOTOGRAPH [.build/release/media-benchmark]

Both in one run, one after the other, medians of ten. PHOTOGRAPH is enlarged to 4000x3000 and saved with quality 90.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from qwen_vl_utils.vision_process import fetch_image
from transformers import Qwen2VLImageProcessor


def main():
    program = sys.argv[2] if len(sys.argv) > 2 else ".build/release/media-benchmark"
    processor = Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12845056)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        Image.open(sys.argv[1]).convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
        times = []
        for _ in range(10):
            start = time.perf_counter()
            image = fetch_image({"image": str(path)})
            values = processor(images=[image], return_tensors="np")["pixel_values"]
            times.append((time.perf_counter() - start) * 1000)
        theirs = statistics.median(times)
        ours = json.loads(subprocess.run([program, str(path)], check=True, capture_output=True, text=True).stdout)
    print(f"Pillow and the processor {theirs:.0f} ms, {values.shape[0] // 4} tokens; here {ours['whole_ms']:.0f} ms "
          f"(decoding {ours['decode_ms']:.0f} ms), {ours['tokens']} tokens: {theirs / ours['whole_ms']:.1f} times as fast")


if __name__ == "__main__":
    main()

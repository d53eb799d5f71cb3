"""Compares what `qwenvl eval` answers with Transformers 4.49.0, token by token, in float32.

    evaluate.py ../../Models/demo --qwenvl ../../.build/release/qwenvl [--limit 3] [--task NAME ...]
Both are greedy, with the checkpoint's repetition penalty. Exits with 1 where an answer differs.
"""
import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile

import torch
from PIL import Image

from reference import Reference
from sample import Clip, Picture, Sample, VideoFile


class Suite:
    """The questions of heldout.py."""

    def __init__(self, folder):
        with open(f"{folder}/suite.json", encoding="utf-8") as file:
            self.items = {item["id"]: item for item in json.load(file)["items"]}
        self.archive = tarfile.open(f"{folder}/media.tar")
        self.files = tempfile.TemporaryDirectory()

    def picture(self, name):
        return Image.open(io.BytesIO(self.archive.extractfile(name).read())).convert("RGB")

    def sample(self, item):
        media = [Picture(self.picture(name)) for name in item.get("images", [])]
        if "frames" in item:
            media.append(Clip([self.picture(name) for name in item["frames"]], item["fps"]))
        if "video" in item:
            self.archive.extract(item["video"], self.files.name)
            media.append(VideoFile(f"{self.files.name}/{item['video']}", item["nframes"]))
        return Sample(item["task"], [(item["question"], "")], media, item.get("system", Sample.system))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--qwenvl", required=True, help="the program")
    parser.add_argument("--suite", default="../../Models/demo-eval")
    parser.add_argument("--limit", type=int, default=3, help="questions of each task")
    parser.add_argument("--task", nargs="*", default=[])
    a = parser.parse_args()
    command = [a.qwenvl, "eval", "--suite", a.suite, "--model", a.model, "--weights", "float32", "--json",
               "--limit", str(a.limit), *[word for name in a.task for word in ("--task", name)]]
    answers = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["answers"]
    torch.set_num_threads(1)
    suite, reference = Suite(a.suite), Reference(a.model)
    counts, tokens = {}, 0
    for answer in answers:
        item = suite.items[answer["id"]]
        wanted = reference.tokens(suite.sample(item))
        same = answer["token_ids"] == wanted
        tokens += len(wanted)
        right, of = counts.get(item["task"], (0, 0))
        counts[item["task"]] = right + same, of + 1
        if not same:
            first = next((i for i, (x, y) in enumerate(zip(answer["token_ids"], wanted)) if x != y),
                         min(len(wanted), len(answer["token_ids"])))
            print(f"{answer['id']}: differs from token {first} on\n  qwenvl:    {answer['answer']!r}\n"
                  f"  reference: {reference.tokenizer.decode(wanted, skip_special_tokens=True)!r}", flush=True)
    for task, (right, of) in counts.items():
        print(f"{task:20} {right} of {of} the same")
    right, of = (sum(column) for column in zip(*counts.values()))
    print(f"{right} of {of} answers the same, {tokens} tokens")
    sys.exit(right != of)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measure this product and its peers in one run, one after the other, and print medians and ratios.

    compare.py --venv VENV --files DIR --qwenvl .build/release/qwenvl --piece pictures|text|7b|32b [--rounds 1]
    compare.py --files DIR --table

Each round runs the product, then every peer, each in a process of its own; results gather in DIR/results.jsonl, so
that pieces can be measured when the machine is quiet and the table printed at the end. DIR holds what README.md tells
to make. What is missing there is left out, and said.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
PICTURES = ["448x448", "1024x1024"]
# Of one processor: what a quiet system's own services take is far below, and a compiler beside is far above.
DISTURBED = 0.1


class Runs:
    """The commands of a piece: (name, command, environment)."""

    def __init__(self, options):
        self.options = options
        self.python = options.venv and str(pathlib.Path(options.venv) / "bin/python")

    def images(self, sizes):
        return [word for size in sizes for word in ("--image", size)]

    def product(self, shape, text, vision, *more):
        return (
            f"qwenvl {text}" if text == vision else f"qwenvl {text}, vision {vision}",
            [self.options.qwenvl, "bench", "--shape", shape, "--weights", text, "--vision-weights", vision,
             "--repetitions", "1", "--threads", "2", "--json", *more], {})

    def llama(self, shape, text, vision, *more):
        command = [self.python, str(HERE / "llama_cpp_peer.py"), "--text", self.file(f"text-{shape}-{text}.gguf"),
                   "--repetitions", "1", *more]
        if vision:
            command += ["--vision", self.file(f"mmproj-{shape}-{vision}.gguf")]
        return f"llama.cpp {text}" + (f", vision {vision}" if vision else ""), command, {}

    def openvino(self, format_, *more):
        return (f"OpenVINO {format_}", [self.python, str(HERE / "openvino_peer.py"), "--model",
                self.file(f"ov-{format_}"), "--repetitions", "1", *more], {})

    def transformers(self, *more):
        # A newer release than the one that converts for OpenVINO, where setup.sh could install it.
        newer = pathlib.Path(self.options.venv) / "transformers5"
        return ("Transformers bf16", [self.python, str(HERE / "transformers_peer.py"), "--repetitions", "1", *more],
                {"PYTHONPATH": str(newer)} if newer.exists() else {})

    def file(self, name):
        return str(pathlib.Path(self.options.files) / name)

    def piece(self, name):
        no_text = ["--prompt-tokens", "0"]
        if name == "pictures":
            images = self.images(PICTURES)
            yield self.product("3b", "int4", "int8", *images, *no_text)
            yield self.product("3b", "bfloat16", "bfloat16", *images, *no_text)
            yield self.openvino("int4", *images, *no_text)
            yield self.transformers(*images, *no_text, "--new-tokens", "0")
            yield self.llama("3b", "Q4_0", "F16", *images, *no_text, "--new-tokens", "0")
        elif name == "text":
            batch = ["--batch", "8"]
            for text, llama in (("int4", "Q4_0"), ("int8", "Q8_0"), ("bfloat16", "BF16")):
                yield self.product("3b", text, text, *batch)
                yield self.llama("3b", llama, None, *batch)
            yield self.openvino("int4", *batch)
            yield self.transformers(*batch, "--new-tokens", "16")
        elif name == "7b":
            for text, llama in (("int4", "Q4_0"), ("int8", "Q8_0")):
                yield self.product("7b", text, text, "--new-tokens", "32")
                yield self.llama("7b", llama, None, "--new-tokens", "32")
        elif name == "32b":
            yield self.product("32b", "int4", "int8", "--prompt-tokens", "64", "--new-tokens", "16")
            # Mapped, its second, repacked copy of the weights would not fit beside the first.
            yield self.llama("32b", "Q4_0", None, "--prompt-tokens", "64", "--new-tokens", "16", "--no-mmap")


def others():
    """Seconds of processor time that went to other programs than ours (Linux; 0 elsewhere)."""
    statistics_file = pathlib.Path("/proc/stat")
    if not statistics_file.exists():
        return 0
    user, nice, system, _, _, interrupts, soft = map(int, statistics_file.read_text().split()[1:8])
    ours = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK") - ours


def from_product(report):
    """The product's report in the peers' form."""
    result = {"peak": report["peakBytes"]}
    if report.get("prefill"):
        result["prefill"] = report["prefill"]["tokensPerSecond"]
        result["decode"] = report["decode"]["tokensPerSecond"]
    if report.get("batch"):
        result["batch"] = report["batch"]["tokensPerSecond"]
    result["pictures"] = {
        size: {"vision": picture["vision"]["seconds"]["median"], "first_token": picture["firstToken"]["seconds"]["median"]}
        for size, picture in zip(PICTURES, report["pictures"])}
    return result


def measure(options):
    runs = Runs(options)
    log = pathlib.Path(options.files) / "results.jsonl"
    for _ in range(options.rounds):
        for name, command, environment in runs.piece(options.piece):
            if options.only and not re.search(options.only, name):
                continue
            print(f"{options.piece}: {name}", file=sys.stderr, flush=True)
            before, start = others(), time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
            taken = (others() - before) / (time.monotonic() - start)
            try:
                result = json.loads(done.stdout[done.stdout.index("{"):])
                result = from_product(result) if name.startswith("qwenvl") else result
            except ValueError:
                result = {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]}
            print(f"  other programs took {taken:.0%} of a processor", file=sys.stderr, flush=True)
            with log.open("a") as file:
                file.write(json.dumps({"piece": options.piece, "run": name, "others": round(taken, 3), **result}) + "\n")


COLUMNS = {
    "vision 448²": ("pictures", "448x448", "vision", "s"), "vision 1024²": ("pictures", "1024x1024", "vision", "s"),
    "first token 1024²": ("pictures", "1024x1024", "first_token", "s"), "prefill": ("prefill", "tok/s"),
    "decode": ("decode", "tok/s"), "8 together": ("batch", "tok/s"), "peak": ("peak", "GiB"),
}


def bits(run):
    """Of the language model's weights: with llama.cpp like is compared with like."""
    return next(n for n, names in ((4, ("int4", "Q4")), (8, ("int8", "Q8")), (16, ("bf", "BF", "float")))
                if any(name in run.split(",")[0] for name in names))


def value(result, path):
    for key in path[:-1]:
        if not isinstance(result, dict) or key not in result:
            return None
        result = result[key]
    return result / 2**30 if path[-1] == "GiB" else result


def table(options):
    lines = [json.loads(line) for line in (pathlib.Path(options.files) / "results.jsonl").read_text().splitlines()]
    for piece in dict.fromkeys(line["piece"] for line in lines):
        rows, errors = {}, []
        for line in (line for line in lines if line["piece"] == piece):
            if line["others"] > DISTURBED:
                errors.append(f"{line['run']}, once: other programs took {line['others']:.0%} of a processor meanwhile")
                continue
            if "peak" not in line and "peak_text" in line:
                line["peak"] = line["peak_text"]
            for note in ("error", "batch_error"):
                if note in line:
                    errors.append(f"{line['run']}: {line[note]}")
            for column, path in COLUMNS.items():
                number = value(line, path)
                if number is not None:
                    rows.setdefault(line["run"], {}).setdefault(column, []).append(number)
        columns = [column for column in COLUMNS if any(column in row for row in rows.values())]
        print(f"\n### {piece}\n\n| | " + " | ".join(f"{column}, {COLUMNS[column][-1]}" for column in columns) + " |")
        print("|---" * (len(columns) + 1) + "|")
        medians = {run: {column: statistics.median(found) for column, found in row.items()} for run, row in rows.items()}
        for run, row in medians.items():
            print(f"| {run} | " + " | ".join(f"{row[c]:.3g}" if c in row else "–" for c in columns) + " |")
        ours = {run: row for run, row in medians.items() if run.startswith("qwenvl")}
        theirs = {run: row for run, row in medians.items() if not run.startswith("qwenvl")}
        for run, row in ours.items():
            for name, group in (("llama.cpp", "llama"), ("the best peer", "")):
                ratios = []
                for column in columns:
                    peers = [peer[column] for other, peer in theirs.items()
                             if group in other and column in peer and (not group or bits(other) == bits(run))]
                    if column not in row or not peers or column == "peak":
                        ratios.append("–")
                    elif COLUMNS[column][-1] == "s":
                        ratios.append(f"{min(peers) / row[column]:.2f}×")
                    else:
                        ratios.append(f"{row[column] / max(peers):.2f}×")
                print(f"| {run} against {name} | " + " | ".join(ratios) + " |")
        for error in dict.fromkeys(errors):
            print(f"\nNot measured: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv")
    parser.add_argument("--files", required=True)
    parser.add_argument("--qwenvl", default=".build/release/qwenvl")
    parser.add_argument("--piece", choices=["pictures", "text", "7b", "32b"])
    parser.add_argument("--only", help="only runs whose name matches this regular expression")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.piece:
        measure(options)
    if options.table:
        table(options)


if __name__ == "__main__":
    main()

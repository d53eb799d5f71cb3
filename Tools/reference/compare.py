#!/usr/bin/env python3
"""Run `qwenvl` on conversations and compare everything it computes with the reference.

    compare.py --qwenvl BINARY --model DIR --messages FILE.json [--new-tokens 16] [--weights float32]
               [--inputs-only] [--layers] [--recorded FILE.json] [--root DIR]

FILE.json holds a list of conversations (a batch). Compared are

  inputs        input_ids, attention_mask, grids, position_ids, rope_deltas: equal; pixel values: equal bit for bit
  float32       greedy ids: equal wherever the reference's first choice lies --margin before the second; where a
                narrower choice fell otherwise, the steps after it are compared with the reference fed with the
                product's own ids. Log probabilities of the 20 most likely tokens at every step: within --spread of
                the distance between the first and the twentieth.
  bfloat16      the same in the shape that rounding allows, which is measured: the reference in bfloat16 against the
                reference in float32, both fed with the product's ids.
  --layers      activations of the prefill of every conversation, to name the first layer that differs.
  --recorded    the record of `golden.py --separately` takes the reference's place: no model is run here.

Exit status 1 when anything differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

# A log probability may differ by this part of the distance between the first and the twentieth token: float32 with
# sums in another order stays two orders of magnitude below, a wrong bias or rotation lies two above.
SPREAD = 1e-3
# The difference between two logits below which float32 arithmetic in another order may choose otherwise.
MARGIN = 0.02
# Largest relative error (root of mean squares) of a layer's output in float32.
LAYER_ERROR = 1e-4
# bfloat16: a choice must be the reference's where its margin exceeds this many standard deviations of the
# reference's own rounding error, and the product's error may be this multiple of the reference's.
SIGMAS, ERROR_RATIO = 6, 1.5


@dataclass
class Report:
    """Results of checks, in order."""

    rows: list = field(default_factory=list)

    def add(self, check, passed, detail=""):
        self.rows.append((check, bool(passed), detail))

    @property
    def failures(self):
        return [row for row in self.rows if not row[1]]

    def show(self, only_failures=False, indent=""):
        rows = self.failures if only_failures else self.rows
        width = max((len(row[0]) for row in rows), default=0)
        for check, passed, detail in rows:
            print(f"{indent}{'ok  ' if passed else 'FAIL'}  {check:{width}}  {detail}")


@dataclass
class Product:
    """The command-line program; `root` is the directory to which the paths in messages are relative."""

    binary: str
    model: str
    root: str = "."
    timeout: float = 600

    def run(self, *arguments, environment=None):
        result = subprocess.run(
            [str(self.binary), *map(str, arguments)], cwd=self.root, capture_output=True, timeout=self.timeout,
            env=dict(os.environ, **(environment or {})))
        if result.returncode != 0:
            message = result.stderr.decode(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{' '.join(map(str, arguments[:1]))} ended with status {result.returncode}: {message}")
        return result.stdout

    def process(self, messages):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "inputs.safetensors"
            self.run("process", "--model", self.model, "--messages", messages, "--out", out)
            return load_file(out)

    def generate(self, messages, new_tokens, weights="float32", dump=None):
        environment = {"QWENVL_DUMP": str(dump)} if dump else None
        return json.loads(self.run(
            "generate", "--model", self.model, "--messages", messages, "--weights", weights, "--temperature", "0",
            "--repetition-penalty", "1", "--ignore-eos", "--max-new-tokens", new_tokens, "--logprobs", "20", "--json",
            environment=environment))


def difference(ours, theirs):
    """Words for two arrays that should be equal."""
    if ours.shape != theirs.shape:
        return f"shape {list(ours.shape)}, expected {list(theirs.shape)}"
    wrong = np.argwhere(ours != theirs)
    at = tuple(int(i) for i in wrong[0])
    text = f"{len(wrong)} of {ours.size} differ, first at {list(at)}: {ours[at]}, expected {theirs[at]}"
    if ours.dtype.kind == "f":
        text += f"; largest difference {np.abs(ours.astype(np.float64) - theirs).max():.3g}"
    return text


def compare_inputs(report, tensors, inputs, positions, deltas):
    """What `qwenvl process` wrote against the reference's processor and position ids."""
    expected = {name: value.numpy() for name, value in inputs.items() if name != "second_per_grid_ts"}
    if "second_per_grid_ts" in inputs:
        expected["second_per_grid_ts"] = np.asarray([float(s) for s in inputs["second_per_grid_ts"]], np.float32)
    expected["position_ids"] = positions.numpy()
    expected["rope_deltas"] = deltas.numpy().reshape(-1)
    for name, theirs in expected.items():
        if name not in tensors:
            report.add(f"inputs.{name}", False, f"missing; found {sorted(tensors)}")
            continue
        ours = tensors[name]
        if name in ("rope_deltas", "second_per_grid_ts"):
            ours = ours.reshape(-1)
        same_kind = ours.dtype == theirs.dtype
        if name == "second_per_grid_ts":
            ours = ours.astype(np.float32)
            same_kind = True
        equal = same_kind and ours.shape == theirs.shape and np.array_equal(ours, theirs)
        detail = "" if equal else difference(ours, theirs) if same_kind else f"{ours.dtype}, expected {theirs.dtype}"
        report.add(f"inputs.{name}", equal, detail or f"equal {list(theirs.shape)}")
    extra = sorted(set(tensors) - set(expected))
    if extra:
        report.add("inputs", False, f"unexpected {extra}")


def logprob_error(step, reference_row):
    """The largest difference of the listed log probabilities as a part of the spread of the best 20, and whether the
    list is the reference's: every listed token among its best 20, or as likely as the twentieth."""
    best = reference_row.topk(20).values
    spread = float(best[0] - best[-1])
    ids = [entry["id"] for entry in step["top"]]
    ours = np.asarray([entry["logprob"] for entry in step["top"]])
    theirs = reference_row[ids].numpy().astype(np.float64)
    chosen = abs(step["logprob"] - float(reference_row[step["id"]]))
    worst = max(float(np.abs(ours - theirs).max()), chosen) / spread
    listed = len(set(ids)) == 20 and theirs.min() >= float(best[-1]) - 2 * SPREAD * spread
    return worst, listed


def check_shape(report, name, answer, prompt, new_tokens, decode):
    """The parts of an answer that need no logits. Returns whether the rest can be compared."""
    ids = answer["token_ids"]
    report.add(f"{name}.prompt_token_ids", answer["prompt_token_ids"] == prompt,
               f"{len(answer['prompt_token_ids'])} tokens, expected {len(prompt)}")
    whole = len(ids) == new_tokens and answer["finish_reason"] == "length"
    report.add(f"{name}.length", whole, f"{len(ids)} of {new_tokens} tokens, {answer['finish_reason']}")
    usage = answer["usage"]
    report.add(f"{name}.usage", (usage["prompt_tokens"], usage["completion_tokens"]) == (len(prompt), len(ids)),
               f"{usage['prompt_tokens']} + {usage['completion_tokens']}")
    steps = answer["logprobs"]
    report.add(f"{name}.logprobs.ids", [step["id"] for step in steps] == ids, f"{len(steps)} steps")
    if decode:
        text = decode(ids)
        report.add(f"{name}.text", answer["text"] == text,
                   "equal" if answer["text"] == text else f"{answer['text']!r}, expected {text!r}")
    return whole and len(steps) == len(ids)


def first_divergence(ours, theirs):
    return next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), None)


def compare_float32(report, name, ids, steps, rows, logits, forced, margin, spread):
    """One conversation. `rows`: the reference's greedy ids; `logits` [steps, vocabulary]: its raw logits; `forced`:
    a function that returns the logits of the reference fed with the product's ids."""
    at = first_divergence(ids, rows)
    best = logits.topk(2, dim=-1).values
    gaps = best[:, 0] - best[:, 1]
    if at is None:
        report.add(f"{name}.greedy", True, f"{len(ids)} equal, smallest margin {float(gaps.min()):.4f}")
    else:
        allowed = float(gaps[at]) <= margin
        report.add(f"{name}.greedy", allowed,
                   f"step {at}: {ids[at]}, expected {rows[at]}, margin {float(gaps[at]):.4f}"
                   + (" (allowed; later steps on the product's ids)" if allowed else ""))
        logits = forced()
        lost = logits.max(dim=-1).values - logits.gather(1, torch.tensor(ids)[:, None])[:, 0]
        report.add(f"{name}.choices", float(lost.max()) <= margin,
                   f"largest distance from the best choice {float(lost.max()):.4f} at step {int(lost.argmax())}")
    errors, lists = zip(*[logprob_error(s, row) for s, row in zip(steps, torch.log_softmax(logits.float(), dim=-1))])
    report.add(f"{name}.logprobs", max(errors) <= spread, f"worst {max(errors):.2e} of the spread, step {int(np.argmax(errors))}")
    report.add(f"{name}.top20", all(lists), "the reference's" if all(lists) else f"step {lists.index(False)} lists others")


def compare_bfloat16(report, name, ids, steps, exact, rounded):
    """One conversation; `exact` and `rounded` [steps, vocabulary]: the reference's logits for the product's ids in
    float32 and in bfloat16."""
    best = exact.topk(20, dim=-1)
    exact_logprobs, rounded_logprobs = torch.log_softmax(exact, dim=-1), torch.log_softmax(rounded, dim=-1)
    noise = (rounded_logprobs - exact_logprobs).gather(1, best.indices)
    sigma = float(noise.double().pow(2).mean().sqrt())
    margins = best.values[:, 0] - best.values[:, 1]
    clear = margins > SIGMAS * sigma
    right = best.indices[:, 0] == torch.tensor(ids)
    wrong = [int(i) for i in torch.argwhere(clear & ~right)]
    report.add(f"{name}.greedy", not wrong,
               f"{int(right.sum())} of {len(ids)} as float32, {int(clear.sum())} clear of rounding ({sigma:.4f})"
               + (f", wrong at {wrong}" if wrong else ""))
    ours = []
    for step, row in zip(steps, exact_logprobs):
        ours += [entry["logprob"] - float(row[entry["id"]]) for entry in step["top"]]
    error = float(np.sqrt(np.mean(np.square(ours))))
    report.add(f"{name}.logprobs", error <= ERROR_RATIO * sigma,
               f"error {error:.4f}, the bfloat16 reference's {sigma:.4f}: ratio {error / sigma:.2f}")


def compare_layers(report, name, dumped, recorded, limit=LAYER_ERROR):
    """Activations in the order of computation; names the first that differs."""
    first = None
    for layer, theirs in recorded.items():
        theirs = theirs.numpy().reshape(-1, theirs.shape[-1]).astype(np.float64)
        if layer not in dumped:
            report.add(f"{name}.{layer}", False, f"missing; dumped are {sorted(dumped)}")
            continue
        ours = dumped[layer].reshape(-1, dumped[layer].shape[-1]).astype(np.float64)
        if layer in ("text.norm", "logits") and ours.shape[0] == 1:
            theirs = theirs[-1:]  # the product may go on with the last row only
        if ours.shape != theirs.shape:
            report.add(f"{name}.{layer}", False, f"shape {list(ours.shape)}, expected {list(theirs.shape)}")
            continue
        rows = np.sqrt(((ours - theirs) ** 2).mean(axis=1))
        error = float(np.sqrt((rows**2).mean()) / np.sqrt((theirs**2).mean()))
        passed = error <= limit
        report.add(f"{name}.{layer}", passed, f"relative error {error:.2e}, worst row {int(rows.argmax())} of {len(rows)}")
        if not passed and first is None:
            first = layer
    if first:
        report.add(f"{name}.first", False, f"the first layer that differs is {first}")


@dataclass
class Options:
    new_tokens: int = 16
    weights: str = "float32"
    inputs: bool = True
    outputs: bool = True
    layers: bool = False
    margin: float = MARGIN
    spread: float = SPREAD


def check(report, product, reference, rounded, messages, options, reference_conversations=None):
    """All comparisons for one messages file. `rounded`: the reference in bfloat16, or None. The reference may be given
    other conversations, where the product is meant to see a picture differently."""
    conversations = reference_conversations or json.loads(Path(messages).read_text(encoding="utf-8"))
    _, inputs = reference.prepare(conversations)
    if options.inputs:
        compare_inputs(report, product.process(messages), inputs, *reference.positions(inputs))
    if not options.outputs:
        return
    answers = product.generate(messages, options.new_tokens, options.weights)
    report.add("answers", len(answers) == len(conversations), f"{len(answers)} for {len(conversations)}")
    if report.failures:
        return
    prompts = [ids[mask == 1].tolist() for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"])]

    def decode(ids):
        return reference.processor.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    usable = [check_shape(report, f"[{i}]", answer, prompts[i], options.new_tokens, decode)
              for i, answer in enumerate(answers)]
    if not all(usable):
        return
    ours = torch.tensor([answer["token_ids"] for answer in answers])
    if options.weights == "float32":
        ids, logits = reference.greedy(inputs, options.new_tokens)
        forced = None if torch.equal(ours, ids) else reference.forced(inputs, ours)
        for i, answer in enumerate(answers):
            compare_float32(report, f"[{i}]", answer["token_ids"], answer["logprobs"], ids[i].tolist(), logits[i],
                            lambda i=i: forced[i], options.margin, options.spread)
    else:
        exact, coarse = reference.forced(inputs, ours), rounded.forced(inputs, ours)
        for i, answer in enumerate(answers):
            compare_bfloat16(report, f"[{i}]", answer["token_ids"], answer["logprobs"], exact[i], coarse[i])
    if options.layers:
        check_layers(report, product, reference, conversations, options)


def check_layers(report, product, reference, conversations, options):
    for i, conversation in enumerate(conversations):
        with tempfile.TemporaryDirectory() as scratch:
            single, dump = Path(scratch) / "messages.json", Path(scratch) / "dump.safetensors"
            single.write_text(json.dumps([conversation]), encoding="utf-8")
            product.generate(single, 2, options.weights, dump)
            _, inputs = reference.prepare([conversation])
            limit = LAYER_ERROR if options.weights == "float32" else 0.05
            compare_layers(report, f"[{i}]", load_file(dump), reference.activations(inputs), limit)


def check_recorded(report, product, messages, record, options):
    """Against the record of `golden.py --separately`, which has the first step's best 20 and each step's choice."""
    new_tokens = len(record["conversations"][0]["greedy_ids"])
    answers = product.generate(messages, new_tokens, options.weights)
    report.add("answers", len(answers) == len(record["conversations"]), f"{len(answers)}")
    for i, (answer, expected) in enumerate(zip(answers, record["conversations"])):
        name = f"[{i}]"
        if not check_shape(report, name, answer, expected["prompt_token_ids"], new_tokens, None):
            continue
        at = first_divergence(answer["token_ids"], expected["greedy_ids"])
        if at is None:
            report.add(f"{name}.greedy", True, f"{new_tokens} equal")
        else:
            gap = expected["margins"][at]
            report.add(f"{name}.greedy", gap <= options.margin, f"parts at step {at}, where the margin is {gap:.4f}")
        spread = expected["top_logprobs"][0] - expected["top_logprobs"][-1]
        ours = {entry["id"]: entry["logprob"] for entry in answer["logprobs"][0]["top"]}
        errors = [abs(ours[t] - v) for t, v in zip(expected["top_ids"], expected["top_logprobs"]) if t in ours]
        worst = max(errors, default=float("inf")) / spread
        report.add(f"{name}.first top 20", worst <= options.spread and len(errors) >= 18,
                   f"{len(errors)} listed, worst {worst:.2e} of the spread")
        steps = [abs(a["logprob"] - b)
                 for a, b in list(zip(answer["logprobs"], expected["greedy_logprobs"]))[:at]]
        worst = max(steps, default=0) / spread
        report.add(f"{name}.logprobs", worst <= options.spread, f"{len(steps)} steps, worst {worst:.2e} of the spread")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qwenvl", required=True, type=Path)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--messages", required=True, type=Path)
    parser.add_argument("--root", default=".", type=Path)
    parser.add_argument("--recorded", type=Path)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--weights", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--inputs-only", action="store_true")
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--margin", type=float, default=MARGIN)
    parser.add_argument("--spread", type=float, default=SPREAD)
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    messages, model = arguments.messages.resolve(), arguments.model.resolve()
    product = Product(str(arguments.qwenvl.resolve()), str(model), str(arguments.root.resolve()))
    options = Options(arguments.new_tokens, arguments.weights, outputs=not arguments.inputs_only,
                      layers=arguments.layers, margin=arguments.margin, spread=arguments.spread)
    report = Report()
    if arguments.recorded:
        check_recorded(report, product, messages, json.loads(arguments.recorded.read_text(encoding="utf-8")), options)
    else:
        from reference_model import Reference

        os.chdir(arguments.root)
        reference = Reference(model)
        rounded = Reference(model, torch.bfloat16) if options.weights == "bfloat16" else None
        check(report, product, reference, rounded, messages, options)
    report.show()
    print(f"{len(report.rows) - len(report.failures)} of {len(report.rows)} checks passed")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()

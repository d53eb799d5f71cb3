#!/usr/bin/env python3
"""What each weight format does to the logits, against float32: relative error, divergence, agreement of the first choice.

    formats.py --qwenvl .build/release/qwenvl --tokenizer DIR [--model DIR] [--prompts 48]

Without --model a random checkpoint is made whose activations have outliers as trained ones do: some channels of each
norm are 8 to 20 times as large as the rest, weights have heavy tails, and single inputs of the MLP's last product are
extreme. Prompts are random text; the logits of their last tokens are compared.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

FORMATS = ["bfloat16", "int8", "int4"]


def make_model(tokenizer, out):
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
    import random_checkpoint
    import torch
    from safetensors.torch import load_file as load, save_file

    shape = random_checkpoint.Shape(
        seed=7, untied=True, hidden=1024, layers=8, heads=8, kv_heads=2, intermediate=2816, vision_hidden=320, vision_depth=4,
        vision_heads=4, vision_intermediate=855)
    random_checkpoint.write_checkpoint(out, tokenizer, shape)
    path = out / "model.safetensors"
    weights = load(path)
    generator = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if "layernorm" in name:
            channels = torch.randperm(weight.numel(), generator=generator)[: max(1, weight.numel() // 1000)]
            weight[channels] *= torch.empty(len(channels)).uniform_(8, 20, generator=generator).to(weight.dtype)
        elif weight.ndim == 2 and "embed" not in name and "visual" not in name:
            # Student's t with 5 degrees of freedom, of the same variance.
            tails = torch.empty(weight.shape).exponential_(generator=generator)
            weight *= (0.55 + 0.45 * tails).to(weight.dtype)
        # A trained layer adds little to the stream. Where it replaces it, errors grow from layer to layer.
        if "embed" in name:
            weight *= 10
        if "visual" not in name and name.endswith(("o_proj.weight", "down_proj.weight")):
            weight *= 0.25
        if name.endswith("up_proj.weight") and "visual" not in name:
            rows = torch.randperm(weight.shape[0], generator=generator)[:4]
            weight[rows] *= 12
    save_file(weights, path, metadata=dict(format="pt"))


def prompts(count):
    words = "the of a red blue small boat table picture where three under count many letter sky near left of".split()
    generator = random.Random(5)
    return [
        [dict(role="user", content=" ".join(generator.choice(words) for _ in range(generator.randint(8, 40))))]
        for _ in range(count)
    ]


def logits(arguments, model, messages, weights, folder):
    out = Path(folder) / f"{weights}.safetensors"
    subprocess.run(
        [arguments.qwenvl, "generate", "--model", model, "--messages", messages, "--weights", weights, "--temperature", "0",
         "--max-new-tokens", "1", "--prefill-chunk", "100000", "--json"],
        check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, QWENVL_DUMP=str(out)))
    return load_file(out)["logits"].astype(np.float64)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qwenvl", required=True)
    parser.add_argument("--tokenizer", type=Path, help="directory with the tokenizer's four files")
    parser.add_argument("--model", help="a checkpoint instead of a random one")
    parser.add_argument("--prompts", type=int, default=48)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if model is None:
            model = str(Path(folder) / "model")
            make_model(arguments.tokenizer, Path(model))
        messages = Path(folder) / "messages.json"
        messages.write_text(json.dumps(prompts(arguments.prompts)))
        exact = logits(arguments, model, messages, "float32", folder)
        print(f"{model}: {exact.shape[0]} prompts, {exact.shape[1]} logits each")
        print("| format | relative error of the logits | divergence (nats) | same first choice |")
        print("|---|---|---|---|")
        for weights in FORMATS:
            other = logits(arguments, model, messages, weights, folder)
            spread = exact - exact.mean(axis=1, keepdims=True)
            error = other - exact
            error -= error.mean(axis=1, keepdims=True)
            relative = np.sqrt((error**2).sum() / (spread**2).sum())
            log_p = exact - np.logaddexp.reduce(exact, axis=1, keepdims=True)
            log_q = other - np.logaddexp.reduce(other, axis=1, keepdims=True)
            divergence = (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()
            same = (exact.argmax(axis=1) == other.argmax(axis=1)).mean()
            print(f"| {weights} | {relative:.4f} | {divergence:.5f} | {same * 100:.1f} % |")


if __name__ == "__main__":
    main()

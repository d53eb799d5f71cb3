#!/usr/bin/env python3
"""Distributions after Transformers' own logits processors, for the sampler's tests.

    make_fixtures.py OUT.json

Logits are not stored: both sides compute them from a linear congruential generator (see `logits`).
Each case holds the tokens that can still be drawn and their probabilities.
"""
import functools
import itertools
import json
import sys

import torch
import transformers
from transformers import (
    LogitsProcessorList, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
    TopPLogitsWarper)

# Which of several equal logits top-p drops is left to torch's sort, which keeps no order of its own. With the
# stable sort it is the lowest ids first.
torch.sort = functools.partial(torch.sort, stable=True)


def logits(seed, size, spread, step):
    """Multiples of 2^-step in [-spread, spread): exact in float32, with ties when the step is coarse."""
    state, values = seed, []
    for _ in range(size):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append(((state >> 40) % (2 * spread << step)) / 2**step - spread)
    return torch.tensor([values], dtype=torch.float32)


cases = []


def add(seed, size, spread, step, prompt, **options):
    scores = logits(seed, size, spread, step)
    processors = LogitsProcessorList()
    # The order of GenerationMixin._get_logits_processor.
    if options.get("repetition_penalty", 1.0) != 1.0:
        processors.append(RepetitionPenaltyLogitsProcessor(options["repetition_penalty"]))
    if options.get("temperature", 1.0) != 1.0:
        processors.append(TemperatureLogitsWarper(options["temperature"]))
    if options.get("top_k", 0) != 0:
        processors.append(TopKLogitsWarper(options["top_k"], min_tokens_to_keep=1))
    if options.get("top_p", 1.0) < 1.0:
        processors.append(TopPLogitsWarper(options["top_p"], min_tokens_to_keep=1))
    if options.get("min_p") is not None:
        processors.append(MinPLogitsWarper(options["min_p"], min_tokens_to_keep=1))
    probabilities = torch.softmax(processors(torch.tensor([prompt]), scores), dim=-1)[0]
    # Below 1e-30 nothing is ever drawn; float32 underflow differs between implementations of exp.
    kept = [i for i, p in enumerate(probabilities.tolist()) if p > 1e-30]
    cases.append(dict(
        seed=seed, size=size, spread=spread, step=step, prompt=prompt, options=options, count=len(kept),
        checksum=sum((i + 1) * (k + 1) for k, i in enumerate(kept)) % 2**31,
        tokens=kept[:64], probabilities=[probabilities[i].item() for i in kept[:64]]))


PROMPT = [3, 5, 5, 0, 17, 3, 250]
for seed, (temperature, top_k, top_p, min_p) in enumerate(itertools.product(
        (1.0, 0.7, 1.9, 1e-6), (0, 1, 20, 2000), (1.0, 0.9, 0.35, 0.0), (None, 0.05))):
    # Coarse steps give ties at every limit.
    add(seed, 1000, 12, (0, 2, 10)[seed % 3], PROMPT, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=(1.0, 1.05, 1.7, 0.8)[seed % 4])
for seed in (101, 102):
    add(seed, 151936, 10, 12, PROMPT, temperature=1.3, top_p=0.95, repetition_penalty=1.05)
    add(seed, 151936, 10, 2, PROMPT, temperature=0.9, top_k=700, top_p=0.8, min_p=0.001)

with open(sys.argv[1], "w") as file:
    json.dump(dict(torch=torch.__version__, transformers=transformers.__version__, cases=cases), file, separators=(",", ":"))
    file.write("\n")
print(len(cases), "cases")

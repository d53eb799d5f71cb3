#!/usr/bin/env python3
"""Record what the reference computes for one batch of conversations.

    golden.py --model DIR --messages FILE.json --out FILE.json [--tensors FILE.safetensors]
              [--new-tokens 16] [--dtype float32] [--activation-rows 0] [--separately] [--root DIR]

FILE.json holds a list of conversations, each a list of messages as on the model card; relative paths in it are
relative to --root. With --separately each conversation is a batch of its own, and only the outputs are recorded.
Attention is eager; decoding is greedy, with no repetition penalty and no end of sequence.

The record: texts, input_ids, attention_mask, grids, second_per_grid_ts, position_ids, rope_deltas; SHA-256, moments
and samples of the pixel values and of the vision embeddings; for every conversation the 20 most likely tokens after
the prompt with their log probabilities, the greedy ids, their log probabilities and the margin of each choice (a step
with a small margin proves little), and the prompt's ids without padding; with --activation-rows, some rows of each
layer's output for conversation 0.
--tensors receives all inputs, the whole first logits and all activations, under the names the layers have in
`reference_model.py`.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from reference_model import Reference, float32_list, margins, top_logprobs


def summary(tensor, samples=48):
    """Enough of a tensor to recognise it."""
    array = tensor.detach().float().contiguous().numpy()
    at = np.linspace(0, array.size - 1, min(samples, array.size)).astype(int)
    return dict(shape=list(array.shape), sha256=hashlib.sha256(array.tobytes()).hexdigest(),
                mean=float(array.mean(dtype=np.float64)), std=float(array.std(dtype=np.float64)),
                at=at.tolist(), values=float32_list(array.ravel()[at]))


def record_inputs(reference, texts, inputs):
    """What the processor and the position ids give: the same for every checkpoint with this tokenizer."""
    positions, deltas = reference.positions(inputs)
    record = dict(texts=texts, input_ids=inputs["input_ids"].tolist(),
                  attention_mask=inputs["attention_mask"].tolist())
    for key in ("image_grid_thw", "video_grid_thw"):
        if key in inputs:
            record[key] = inputs[key].tolist()
    if "second_per_grid_ts" in inputs:
        record["second_per_grid_ts"] = [float(s) for s in inputs["second_per_grid_ts"]]
    for key in ("pixel_values", "pixel_values_videos"):
        if key in inputs:
            record[key] = summary(inputs[key])
    record.update(position_ids=positions.tolist(), rope_deltas=deltas.flatten().tolist())
    return record


def sampled_rows(activations, rows):
    """`rows` rows of every activation of the first conversation, spread from the first row to the last."""
    sampled = {}
    for name, value in activations.items():
        value = value[0] if name.startswith("text.") else value
        at = np.unique(np.linspace(0, value.shape[0] - 1, rows).astype(int))
        sampled[name] = dict(shape=list(value.shape), rows=at.tolist(),
                             values=[float32_list(value[i]) for i in at])
    return sampled


def record_outputs(reference, inputs, new_tokens, activation_rows):
    """What the model computes, and its tensors."""
    ids, logits = reference.greedy(inputs, new_tokens)
    logprobs = torch.log_softmax(logits, dim=-1)
    tensors = dict(first_logits=logits[:, 0].contiguous())
    record = dict(conversations=[])
    gaps = margins(logits)
    for row in range(ids.shape[0]):
        top_ids, top_values = top_logprobs(logits[row, 0])
        prompt = inputs["input_ids"][row][inputs["attention_mask"][row] == 1]
        record["conversations"].append(dict(
            prompt_token_ids=prompt.tolist(), top_ids=top_ids, top_logprobs=float32_list(top_values), greedy_ids=ids[row].tolist(),
            greedy_logprobs=float32_list(logprobs[row].gather(1, ids[row, :, None])),
            margins=float32_list(gaps[row])))
    activations = reference.activations(inputs)
    tensors.update({name: value.contiguous() for name, value in activations.items()})
    if "vision.merger" in activations:
        record["vision_embeddings"] = summary(activations["vision.merger"])
    if activation_rows:
        record["activations"] = sampled_rows(activations, activation_rows)
    return record, tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--messages", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tensors")
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--activation-rows", type=int, default=0)
    parser.add_argument("--separately", action="store_true")
    parser.add_argument("--root", default=".")
    arguments = parser.parse_args()
    for name in ("model", "messages", "out", "tensors"):
        value = getattr(arguments, name)
        setattr(arguments, name, value and Path(value).resolve())
    os.chdir(arguments.root)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    conversations = json.loads(arguments.messages.read_text(encoding="utf-8"))
    reference = Reference(arguments.model, getattr(torch, arguments.dtype))
    if arguments.separately:
        record = dict(conversations=[])
        for conversation in conversations:
            _, inputs = reference.prepare([conversation])
            outputs, _ = record_outputs(reference, inputs, arguments.new_tokens, 0)
            record["conversations"] += outputs["conversations"]
        arguments.out.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    texts, inputs = reference.prepare(conversations)
    record = record_inputs(reference, texts, inputs)
    outputs, tensors = record_outputs(reference, inputs, arguments.new_tokens, arguments.activation_rows)
    record.update(outputs)
    arguments.out.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.tensors:
        tensors.update({name: value.contiguous() for name, value in inputs.items()})
        positions, deltas = reference.positions(inputs)
        tensors.update(position_ids=positions.contiguous(), rope_deltas=deltas.contiguous())
        save_file(tensors, arguments.tensors)
    smallest = min(min(c["margins"]) for c in record["conversations"])
    print(f"{arguments.out}: {len(conversations)} conversations, smallest margin {smallest:.4f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measure Transformers in bfloat16 on random weights; prints one JSON object.

    transformers_peer.py --size 3b [--image 1024x1024] [--prompt-tokens 512] [--new-tokens 64] [--batch 8]
"""

import argparse
import json
import statistics
import time

import torch
import transformers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from memory import peak_bytes
from shapes import SHAPES


def config(size):
    rope = {"type": "mrope", "rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    text = dict(
        hidden_size=size["hidden"], intermediate_size=size["ffn"], num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"], num_key_value_heads=size["kv"], vocab_size=size["vocab"],
        max_position_embeddings=128000, rms_norm_eps=1e-6, rope_theta=1e6, rope_scaling=rope, rope_parameters=rope,
        tie_word_embeddings=size["tied"], use_sliding_window=False)
    vision = dict(
        depth=32, hidden_size=1280, intermediate_size=size["vision_ffn"], num_heads=16, in_channels=3,
        out_hidden_size=size["hidden"], patch_size=14, spatial_merge_size=2, window_size=112,
        fullatt_block_indexes=[7, 15, 23, 31], tokens_per_second=2, temporal_patch_size=2)
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=151655, video_token_id=151656,
        vision_start_token_id=151652, vision_end_token_id=151653, tie_word_embeddings=size["tied"])


def random_model(size):
    """Made without initialising: a block of noise is copied into every weight."""
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration._from_config(
            config(size), torch_dtype=torch.bfloat16, attn_implementation="sdpa")
    model = model.to_empty(device="cpu")
    noise = (torch.randn(1 << 20) * 0.02).to(torch.bfloat16)
    for tensor in model.parameters():
        flat = tensor.data.view(-1)
        for first in range(0, flat.numel(), noise.numel()):
            part = flat[first:first + noise.numel()]
            part.copy_(noise[:part.numel()])
    # Frequencies are buffers, which the empty device has not filled.
    for module in model.modules():
        if hasattr(module, "inv_freq"):
            count = module.inv_freq.numel()
            base = 1e4 if "Vision" in type(module).__name__ else 1e6
            module.inv_freq = base ** -(torch.arange(count).float() / count)
            if hasattr(module, "original_inv_freq"):
                module.original_inv_freq = module.inv_freq.clone()
    if size["tied"]:
        model.tie_weights()
    return model.eval()


def clocked(module, seconds):
    """Adds to the list how long each call of the module takes."""
    forward = module.forward

    def call(*arguments, **more):
        began = time.perf_counter()
        result = forward(*arguments, **more)
        seconds.append(time.perf_counter() - began)
        return result

    module.forward = call


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SHAPES, default="3b")
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    start = time.perf_counter()
    model = random_model(SHAPES[options.size])
    result = {"name": f"Transformers {transformers.__version__}", "load": time.perf_counter() - start}

    def ids(rows, count):
        return torch.randint(0, 150000, (rows, count))

    def read(tokens, cache=None, **more):
        return model(
            input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1, **more).past_key_values

    def answer(cache, rows, steps):
        began = time.perf_counter()
        for _ in range(steps):
            cache = read(ids(rows, 1), cache)
        return time.perf_counter() - began

    prefill, decode, together = [], [], []
    with torch.inference_mode():
        read(ids(1, 8))  # warm
        for _ in range(options.repetitions):
            if options.prompt_tokens:
                began = time.perf_counter()
                cache = read(ids(1, options.prompt_tokens))
                prefill.append(options.prompt_tokens / (time.perf_counter() - began))
                if options.new_tokens:
                    decode.append(options.new_tokens / answer(cache, 1, options.new_tokens))
            if options.batch > 1:
                steps = min(16, options.new_tokens)
                together.append(options.batch * steps / answer(read(ids(options.batch, 32)), options.batch, steps))
        for name, values in (("prefill", prefill), ("decode", decode), ("batch", together)):
            if values:
                result[name] = statistics.median(values)
        result["peak_text"] = peak_bytes()
        pictures = {}
        tower = []
        clocked(model.model.visual, tower)
        for image in options.image:
            width, height = (max(1, round(int(side) / 28)) * 2 for side in image.split("x"))
            patches = width * height
            grid = torch.tensor([[1, height, width]])
            vision, first = [], []
            for _ in range(options.repetitions):
                pixels = torch.randn(patches, 1176, dtype=torch.bfloat16)
                tokens = torch.cat([
                    ids(1, 14), torch.tensor([[151652]]), torch.full((1, patches // 4), 151655),
                    torch.tensor([[151653]]), ids(1, 16)], dim=1)
                more = {"mm_token_type_ids": (tokens == 151655).int()} if int(transformers.__version__[0]) > 4 else {}
                tower.clear()
                began = time.perf_counter()
                read(tokens, attention_mask=torch.ones_like(tokens), pixel_values=pixels, image_grid_thw=grid, **more)
                first.append(time.perf_counter() - began)
                vision.append(sum(tower))
            pictures[image] = {
                "vision": statistics.median(vision), "first_token": statistics.median(first), "patches": patches}
        if pictures:
            result["pictures"] = pictures
            result["peak"] = peak_bytes()
    print(json.dumps(result))


if __name__ == "__main__":
    main()

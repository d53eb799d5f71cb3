#!/usr/bin/env python3
"""Write random weights in the shape of an official checkpoint, for measuring speed and memory.

    official_shape.py --size 3B|7B|32B|72B --tokenizer DIR --out DIR

The numbers mean nothing, but the files are as large as the official ones and load through the same code. One block
of random values is written again and again: values do not change how long a product takes. Needs numpy alone.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

import official

SIZES = {
    "3B": dict(hidden=2048, layers=36, heads=16, kv=2, ffn=11008, vocab=151936, tied=True, vision_ffn=3420),
    "7B": dict(hidden=3584, layers=28, heads=28, kv=4, ffn=18944, vocab=152064, tied=False, vision_ffn=3420),
    "32B": dict(hidden=5120, layers=64, heads=40, kv=8, ffn=27648, vocab=152064, tied=False, vision_ffn=3456),
    "72B": dict(hidden=8192, layers=80, heads=64, kv=8, ffn=29568, vocab=152064, tied=False, vision_ffn=3456),
}
SHARD_BYTES = 4_000_000_000  # as the official files are cut


def tensors(size):
    """(name, shape) of every tensor."""
    hidden, ffn, vision, cell = size["hidden"], size["ffn"], 1280, 5120
    if not size["tied"]:
        yield "lm_head.weight", (size["vocab"], hidden)
    yield "model.embed_tokens.weight", (size["vocab"], hidden)
    for layer in range(size["layers"]):
        at = f"model.layers.{layer}."
        for part, rows in (("q", size["heads"] * 128), ("k", size["kv"] * 128), ("v", size["kv"] * 128)):
            yield f"{at}self_attn.{part}_proj.weight", (rows, hidden)
            yield f"{at}self_attn.{part}_proj.bias", (rows,)
        yield f"{at}self_attn.o_proj.weight", (hidden, size["heads"] * 128)
        for part in ("gate", "up"):
            yield f"{at}mlp.{part}_proj.weight", (ffn, hidden)
        yield f"{at}mlp.down_proj.weight", (hidden, ffn)
        yield f"{at}input_layernorm.weight", (hidden,)
        yield f"{at}post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
    yield "visual.patch_embed.proj.weight", (vision, 3, 2, 14, 14)
    for block in range(32):
        at = f"visual.blocks.{block}."
        yield from ((f"{at}norm{n}.weight", (vision,)) for n in (1, 2))
        for part, rows, columns in (("attn.qkv", 3 * vision, vision), ("attn.proj", vision, vision),
                                    ("mlp.gate_proj", size["vision_ffn"], vision),
                                    ("mlp.up_proj", size["vision_ffn"], vision),
                                    ("mlp.down_proj", vision, size["vision_ffn"])):
            yield f"{at}{part}.weight", (rows, columns)
            yield f"{at}{part}.bias", (rows,)
    yield "visual.merger.ln_q.weight", (vision,)
    for part, rows in (("0", cell), ("2", hidden)):
        yield f"visual.merger.mlp.{part}.weight", (rows, cell)
        yield f"visual.merger.mlp.{part}.bias", (rows,)


def config(size):
    return dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", vocab_size=size["vocab"],
        hidden_size=size["hidden"], intermediate_size=size["ffn"], num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"], num_key_value_heads=size["kv"], hidden_act="silu", rms_norm_eps=1e-6,
        rope_theta=1000000.0, rope_scaling=dict(type="mrope", mrope_section=[16, 24, 24]),
        max_position_embeddings=128000, tie_word_embeddings=size["tied"], use_sliding_window=False,
        sliding_window=32768, max_window_layers=size["layers"], torch_dtype="bfloat16", bos_token_id=151643,
        eos_token_id=151645, vision_start_token_id=151652, vision_end_token_id=151653, vision_token_id=151654,
        image_token_id=151655, video_token_id=151656,
        vision_config=dict(
            depth=32, hidden_act="silu", hidden_size=1280, intermediate_size=size["vision_ffn"], num_heads=16,
            in_chans=3, out_hidden_size=size["hidden"], patch_size=14, spatial_merge_size=2, spatial_patch_size=14,
            window_size=112, fullatt_block_indexes=[7, 15, 23, 31], tokens_per_second=2, temporal_patch_size=2))


def shards(size):
    """Lists of tensors, each list a file's."""
    files, room = [[]], SHARD_BYTES
    for name, shape in tensors(size):
        room -= 2 * int(np.prod(shape))
        if room < 0 and files[-1]:
            files.append([])
            room = SHARD_BYTES - 2 * int(np.prod(shape))
        files[-1].append((name, shape))
    return files


def write_file(path, entries, block):
    header, offset = {}, 0
    for name, shape in entries:
        size = 2 * int(np.prod(shape))
        header[name] = dict(dtype="BF16", shape=shape, data_offsets=[offset, offset + size])
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    ones = np.full(1 << 16, 0x3F80, np.uint16).tobytes()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in entries:
            source = ones if "norm" in name or "ln_q" in name else block
            left = 2 * int(np.prod(shape))
            while left:
                file.write(source[:left])
                left -= min(left, len(source))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", required=True, choices=SIZES)
    parser.add_argument("--tokenizer", required=True, type=Path, help="directory with the tokenizer's four files")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    size, out = SIZES[arguments.size], arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        shutil.copyfile(arguments.tokenizer / file, out / file)
    official.write_preprocessing_files(out, official.special_ids(out))
    (out / "config.json").write_text(json.dumps(config(size), indent=2))
    # 0.02 is the spread the official models start from; 2^24 + 7 values, so that rows do not repeat.
    values = np.random.default_rng(0).standard_normal((1 << 24) + 7, dtype=np.float32) * 0.02
    block = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    files = shards(size)
    index = {}
    for number, entries in enumerate(files, 1):
        name = f"model-{number:05}-of-{len(files):05}.safetensors" if len(files) > 1 else "model.safetensors"
        write_file(out / name, entries, block)
        index.update({tensor: name for tensor, _ in entries})
        print(f"{out / name}: {len(entries)} tensors", flush=True)
    if len(files) > 1:
        total = sum(2 * int(np.prod(shape)) for _, shape in tensors(size))
        (out / "model.safetensors.index.json").write_text(
            json.dumps(dict(metadata=dict(total_size=total), weight_map=index), indent=2))


if __name__ == "__main__":
    main()

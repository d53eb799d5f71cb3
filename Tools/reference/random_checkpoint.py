#!/usr/bin/env python3
"""Write a random Qwen2.5-VL checkpoint, of any shape, in the layout of the official ones.

    random_checkpoint.py --tokenizer DIR --out DIR [--hidden 64] [--untied] [--yarn] [--shards 2] ...

The numbers are random but not degenerate: biases and the weights of norms are far from 0 and 1, attention is
neither uniform nor one-hot, and the logits spread. A missing bias, a swapped norm or a wrong rotation shows at once.
Rows of the vocabulary beyond the tokenizer's last token are small, as nobody ever trained them: they never win.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

import official


@dataclass
class Shape:
    """A checkpoint's shape and the way it is stored."""

    seed: int = 0
    hidden: int = 64
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 176
    vocab: int = 0  # 0: the tokenizer's size, rounded up to a multiple of 32
    vision_hidden: int = 80
    vision_depth: int = 4
    vision_heads: int = 4
    vision_intermediate: int = 172
    full_attention: list = field(default_factory=lambda: [1, 3])
    tokens_per_second: int = 2
    untied: bool = False
    yarn: bool = False
    yarn_original: int = 256
    dtype: str = "bfloat16"  # bfloat16, float16 or float32
    shards: int = 1
    names: str = "official"  # official: model.layers.*, visual.*; new: model.language_model.*, model.visual.*
    config: str = "flat"  # flat: as published; nested: text_config (4.52 on); parameters: and rope_parameters (5 on)
    omit_vision_keys: list = field(default_factory=list)


def mrope_section(head_size):
    """Three sections in about the official proportion 16 : 24 : 24, adding up to half the head."""
    half = head_size // 2
    time = max(1, half // 4)
    height = (half - time) // 2
    return [time, height, half - time - height]


def config_json(shape, ids, vocab):
    """config.json as a dictionary, in the order of the official file."""
    rope = dict(type="mrope", mrope_section=mrope_section(shape.hidden // shape.heads))
    if shape.yarn:
        rope = dict(type="yarn", mrope_section=rope["mrope_section"], factor=4,
                    original_max_position_embeddings=shape.yarn_original)
    tokens = dict(
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        vision_token_id=ids["<|vision_pad|>"], image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
    )
    text = dict(
        bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"], attention_dropout=0.0, hidden_act="silu",
        hidden_size=shape.hidden, initializer_range=0.02, intermediate_size=shape.intermediate,
        max_position_embeddings=128000, max_window_layers=shape.layers, num_attention_heads=shape.heads,
        num_hidden_layers=shape.layers, num_key_value_heads=shape.kv_heads, rms_norm_eps=1e-6, rope_theta=1000000.0,
        sliding_window=32768, use_cache=True, use_sliding_window=False, rope_scaling=rope, vocab_size=vocab,
    )
    vision = dict(
        official.VISION_DEFAULTS, depth=shape.vision_depth, hidden_size=shape.vision_hidden,
        intermediate_size=shape.vision_intermediate, num_heads=shape.vision_heads, out_hidden_size=shape.hidden,
        fullatt_block_indexes=shape.full_attention, tokens_per_second=shape.tokens_per_second,
    )
    for key in shape.omit_vision_keys:
        if key in official.VISION_DEFAULTS and vision[key] != official.VISION_DEFAULTS[key]:
            raise SystemExit(f"vision_config.{key} = {vision[key]} is not the default and cannot be left out")
        del vision[key]
    head = dict(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl",
                tie_word_embeddings=not shape.untied, torch_dtype=shape.dtype)
    if shape.config == "flat":
        return dict(head, transformers_version="4.41.2", **tokens, **text, vision_config=vision)
    if shape.config == "parameters":
        theta, scaling = text.pop("rope_theta"), text.pop("rope_scaling")
        kind = "default" if scaling["type"] == "mrope" else scaling["type"]
        text["rope_parameters"] = dict(scaling, type=kind, rope_type=kind, rope_theta=theta)
        head["dtype"] = head.pop("torch_dtype")
        head["transformers_version"] = "5.0.0"
    text = dict(text, model_type="qwen2_5_vl_text", tie_word_embeddings=not shape.untied)
    return dict(head, **tokens, text_config=text, vision_config=dict(vision, model_type="qwen2_5_vl"))


def reference_config(raw):
    """The reference's configuration for a config.json in any of the three forms."""
    flat = {key: value for key, value in raw.items() if key != "text_config"}
    flat.update({key: value for key, value in raw.get("text_config", {}).items() if key != "model_type"})
    for key in ("tie_word_embeddings",):
        if key in raw:
            flat[key] = raw[key]
    rope = dict(flat.pop("rope_parameters", None) or flat.get("rope_scaling") or {})
    flat["rope_theta"] = rope.pop("rope_theta", flat.get("rope_theta", 1000000.0))
    if "type" not in rope and "rope_type" in rope:
        rope["type"] = rope["rope_type"]
    flat["rope_scaling"] = rope
    flat["vision_config"] = dict(official.VISION_DEFAULTS, **flat["vision_config"])
    if rope.get("type") == "yarn":
        # 4.49.0 takes YaRN's correction range from max_position_embeddings; the paper, later releases and other
        # implementations take it from the original length, which this makes it do.
        flat["max_position_embeddings"] = rope["original_max_position_embeddings"]
    return Qwen2_5_VLConfig(**flat)


def stored_name(name, naming):
    if naming == "official" or name.startswith("lm_head."):
        return name
    if name.startswith("visual."):
        return "model." + name
    return "model.language_model." + name.removeprefix("model.")


def random_weights(shape, raw, used_tokens):
    """Every parameter, in the order of the model, under the reference's names."""
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(reference_config(raw))
    generator = torch.Generator().manual_seed(shape.seed)
    weights = {}
    for name, parameter in model.named_parameters():
        if name == "lm_head.weight" and not shape.untied:
            continue
        vocabulary = "embed_tokens" in name or name == "lm_head.weight"
        if name.endswith("bias"):
            mean, std = 0, 0.2
        elif "norm" in name or "ln_q" in name:
            mean, std = 1, 0.2
        elif vocabulary:
            mean, std = 0, 3 / shape.hidden**0.5  # logits of standard deviation 3 behind a final norm of about 1
        else:
            mean, std = 0, 1.4 / parameter[0].numel() ** 0.5
        weight = torch.empty(parameter.shape).normal_(mean, std, generator=generator)
        if vocabulary:
            weight[used_tokens:] *= 0.05
        weights[name] = weight.to(getattr(torch, shape.dtype))
    return weights


def save_safetensors(weights, path):
    save_file(weights, path, metadata=dict(format="pt"))
    path.chmod(0o644)  # the library makes it readable for its owner alone


def save_shards(weights, out, shards):
    """model.safetensors, or model-0000i-of-0000n.safetensors with their index."""
    for stale in [*out.glob("*.safetensors"), *out.glob("*.safetensors.index.json")]:
        stale.unlink()
    if shards == 1:
        save_safetensors(weights, out / "model.safetensors")
        return
    total = sum(w.numel() * w.element_size() for w in weights.values())
    groups, filled = [{}], 0
    for name, weight in weights.items():
        size = weight.numel() * weight.element_size()
        if filled + size / 2 > total * len(groups) / shards and groups[-1] and len(groups) < shards:
            groups.append({})
        groups[-1][name] = weight
        filled += size
    places = {}
    for i, group in enumerate(groups, 1):
        file = f"model-{i:05d}-of-{len(groups):05d}.safetensors"
        save_safetensors(group, out / file)
        places.update(dict.fromkeys(group, file))
    official.write_json(out / "model.safetensors.index.json",
                        dict(metadata=dict(total_size=total), weight_map=dict(sorted(places.items()))))


def write_checkpoint(out, tokenizer, shape, with_tokenizer=True):
    """Write the checkpoint; `tokenizer` is the directory of the tokenizer whose ids it uses."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    ids = official.special_ids(tokenizer)
    used = max(ids.values()) + 1
    vocab = shape.vocab or (used + 31) // 32 * 32
    raw = config_json(shape, ids, vocab)
    official.write_json(out / "config.json", raw)
    weights = random_weights(shape, raw, used)
    save_shards({stored_name(name, shape.names): w for name, w in weights.items()}, out, shape.shards)
    official.write_preprocessing_files(out, ids)
    if with_tokenizer:
        official.copy_tokenizer(tokenizer, out)
    return sum(w.numel() for w in weights.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True, help="directory with the tokenizer's four files")
    parser.add_argument("--out", required=True)
    for name, default in vars(Shape()).items():
        option = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(option, action="store_true")
        elif isinstance(default, list):
            parser.add_argument(option, nargs="*", type=int if name == "full_attention" else str, default=default)
        else:
            parser.add_argument(option, type=type(default), default=default)
    arguments = vars(parser.parse_args())
    out, tokenizer = arguments.pop("out"), arguments.pop("tokenizer")
    count = write_checkpoint(out, tokenizer, Shape(**arguments))
    print(f"{out}: {count:,} parameters")


if __name__ == "__main__":
    main()

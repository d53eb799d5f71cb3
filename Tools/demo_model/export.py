"""Writes a trained model as an official checkpoint: bfloat16 weights, official names and keys.

    export.py RUN_DIR OUT_DIR           the averaged weights
    export.py RUN_DIR OUT_DIR --last    the last ones: better after the rate has fallen, while much is still being learnt
"""
import argparse
import json
import os

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import model
import sample
import tokenizer as tokenizer_files

GUIDES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guides.safetensors")
# The template of the official Qwen2.5-VL checkpoints (Qwen team, Alibaba Cloud, Apache-2.0), as data.
CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in "
    "content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] "
    "== 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}"
    "Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content "
    "%}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% endif %}")


def config(tokenizer, text=model.TEXT, vision=model.VISION):
    token = tokenizer.token_to_id
    return dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"], attention_dropout=0.0,
        bos_token_id=token("<|endoftext|>"), eos_token_id=token("<|im_end|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        vision_token_id=token("<|vision_pad|>"), image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"), hidden_act="silu", hidden_size=text["hidden"], initializer_range=0.02,
        intermediate_size=text["ffn"], max_position_embeddings=32768, max_window_layers=text["layers"],
        model_type="qwen2_5_vl", num_attention_heads=text["heads"], num_hidden_layers=text["layers"],
        num_key_value_heads=text["kv_heads"], rms_norm_eps=1e-6, rope_theta=text["theta"], sliding_window=32768,
        tie_word_embeddings=True, torch_dtype="bfloat16", transformers_version="4.49.0", use_cache=True,
        use_sliding_window=False, vocab_size=text["vocabulary"],
        rope_scaling=dict(type="mrope", mrope_section=list(text["sections"])),
        vision_config=dict(
            depth=vision["layers"], hidden_act="silu", hidden_size=vision["hidden"], intermediate_size=vision["ffn"],
            num_heads=vision["heads"], in_chans=3, out_hidden_size=text["hidden"], patch_size=vision["patch"],
            spatial_merge_size=vision["merge"], spatial_patch_size=vision["patch"], window_size=vision["window"],
            fullatt_block_indexes=list(vision["full"]), tokens_per_second=2, temporal_patch_size=vision["frames"]))


def write(state, tokenizer_folder, out):
    tokenizer_files.copy(tokenizer_folder, out)
    tokenizer = Tokenizer.from_file(f"{tokenizer_folder}/tokenizer.json")
    token = tokenizer.token_to_id
    files = {
        "config.json": config(tokenizer),
        "generation_config.json": dict(
            bos_token_id=token("<|endoftext|>"), pad_token_id=token("<|endoftext|>"), do_sample=True,
            eos_token_id=[token("<|im_end|>"), token("<|endoftext|>")], repetition_penalty=1.0, temperature=0.000001,
            transformers_version="4.49.0"),
        # Larger pictures are reduced to what the model was trained on.
        "preprocessor_config.json": dict(
            min_pixels=sample.MIN_PIXELS, max_pixels=sample.MAX_PIXELS, patch_size=14, temporal_patch_size=2,
            merge_size=2, image_mean=[0.48145466, 0.4578275, 0.40821073],
            image_std=[0.26862954, 0.26130258, 0.27577711], image_processor_type="Qwen2VLImageProcessor",
            processor_class="Qwen2_5_VLProcessor"),
        "chat_template.json": dict(chat_template=CHAT_TEMPLATE),
    }
    for name, content in files.items():
        with open(f"{out}/{name}", "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    tensors = {name: w.detach().to(torch.bfloat16).contiguous() for name, w in state.items()}
    save_file(tensors, f"{out}/model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    import train
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("out")
    parser.add_argument("--last", action="store_true")
    a = parser.parse_args()
    saved = torch.load(f"{train.newest(a.run)}/weights.pt", map_location="cpu", weights_only=True)
    weights = saved["net" if a.last else "average"]
    write({name: w for name, w in weights.items() if not name.startswith("guide")}, f"{a.run}/tokenizer", a.out)
    # What asked beside the answers stays here, for runs that begin from the exported model.
    save_file({name: w.to(torch.bfloat16) for name, w in weights.items() if name.startswith("guide")}, GUIDES)
    print(f"{a.out}: step {saved['step']}, {os.path.getsize(a.out + '/model.safetensors') / 1e6:.1f} MB")

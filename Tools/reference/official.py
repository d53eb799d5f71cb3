"""What stands beside the weights in an official Qwen2.5-VL checkpoint.

The names of the special tokens, the chat template and the values of the small JSON files are
data of the published checkpoints (Qwen team, Alibaba Cloud, Apache-2.0).
"""

import json
import shutil
from pathlib import Path

# In the order of their ids, which follow the vocabulary; the flag is "special" in the tokenizer's sense.
ADDED_TOKENS = [
    ("<|endoftext|>", True),
    ("<|im_start|>", True),
    ("<|im_end|>", True),
    ("<|object_ref_start|>", True),
    ("<|object_ref_end|>", True),
    ("<|box_start|>", True),
    ("<|box_end|>", True),
    ("<|quad_start|>", True),
    ("<|quad_end|>", True),
    ("<|vision_start|>", True),
    ("<|vision_end|>", True),
    ("<|vision_pad|>", True),
    ("<|image_pad|>", True),
    ("<|video_pad|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    ("<|fim_prefix|>", False),
    ("<|fim_middle|>", False),
    ("<|fim_suffix|>", False),
    ("<|fim_pad|>", False),
    ("<|repo_name|>", False),
    ("<|file_sep|>", False),
]

# vision_config where a checkpoint leaves a key out (the class defaults of Transformers are other ones).
VISION_DEFAULTS = dict(
    depth=32, hidden_act="silu", hidden_size=1280, intermediate_size=3420, num_heads=16, in_chans=3, patch_size=14,
    spatial_merge_size=2, spatial_patch_size=14, temporal_patch_size=2, tokens_per_second=2, window_size=112,
    fullatt_block_indexes=[7, 15, 23, 31],
)

CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def special_ids(tokenizer_dir):
    """The ids of the added tokens, by name."""
    tokenizer = json.loads((Path(tokenizer_dir) / "tokenizer.json").read_text(encoding="utf-8"))
    return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}


def tokenizer_config(first_id):
    """tokenizer_config.json for added tokens whose ids start at `first_id`."""
    flags = dict(lstrip=False, normalized=False, rstrip=False, single_word=False)
    return dict(
        add_bos_token=False, add_prefix_space=False,
        added_tokens_decoder={
            str(first_id + i): dict(content=name, **flags, special=special)
            for i, (name, special) in enumerate(ADDED_TOKENS)
        },
        additional_special_tokens=[name for name, special in ADDED_TOKENS if special][1:],
        bos_token=None, chat_template=CHAT_TEMPLATE, clean_up_tokenization_spaces=False, eos_token="<|im_end|>",
        errors="replace", model_max_length=131072, pad_token="<|endoftext|>", split_special_tokens=False,
        tokenizer_class="Qwen2Tokenizer", unk_token=None,
    )


def write_preprocessing_files(out, ids):
    """preprocessor_config.json, generation_config.json and chat_template.json."""
    out = Path(out)
    write_json(out / "preprocessor_config.json", dict(
        min_pixels=3136, max_pixels=12845056, patch_size=14, temporal_patch_size=2, merge_size=2,
        image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711],
        image_processor_type="Qwen2VLImageProcessor", processor_class="Qwen2_5_VLProcessor",
    ))
    write_json(out / "generation_config.json", dict(
        bos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], do_sample=True,
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], repetition_penalty=1.05, temperature=0.000001,
    ))
    write_json(out / "chat_template.json", dict(chat_template=CHAT_TEMPLATE))


def copy_tokenizer(tokenizer_dir, out):
    """The tokenizer's four files, the template of the multimodal checkpoints among them."""
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(tokenizer_dir) / name, Path(out) / name)
    path = Path(out) / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["chat_template"] = CHAT_TEMPLATE
    write_json(path, config)

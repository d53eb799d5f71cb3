"""Trains the demo's byte-level BPE vocabulary and writes the tokenizer files of an official checkpoint.

    tokenizer.py OUT_DIR
The rules are those of Qwen2 (NFC, its splitting pattern, single digits); only the vocabulary is small.
"""
import importlib
import json
import os
import random
import shutil
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import curriculum
import lexicon
import tasks
import world

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
# Names and order of the official checkpoints; True: hidden when decoding skips special tokens.
SPECIAL = [("<|endoftext|>", True), ("<|im_start|>", True), ("<|im_end|>", True), ("<|object_ref_start|>", True),
           ("<|object_ref_end|>", True), ("<|box_start|>", True), ("<|box_end|>", True), ("<|quad_start|>", True),
           ("<|quad_end|>", True), ("<|vision_start|>", True), ("<|vision_end|>", True), ("<|vision_pad|>", True),
           ("<|image_pad|>", True), ("<|video_pad|>", True), ("<tool_call>", False), ("</tool_call>", False),
           ("<|fim_prefix|>", False), ("<|fim_middle|>", False), ("<|fim_suffix|>", False), ("<|fim_pad|>", False),
           ("<|repo_name|>", False), ("<|file_sep|>", False)]
FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
VOCABULARY = 3050  # at most, special tokens not counted
# Ordinary text beside the tasks, so that words the tasks lack do not all fall to single letters.
ORDINARY = """
The picture shows something that people would see every day. There are many things in the world, and this model knows
only a few of them. It was trained on drawings, not on photographs. When you ask about something else, it tells you so.
left right above below between behind before after large small larger smaller highest lowest first second third last
text word number line table chart bar value invoice receipt total amount price date name address button window field
label points coordinates bbox_2d point_2d text_content start_time end_time description click type scroll action
json html body image video frame moving moves from until seconds minutes same different common which because however
"""


def corpus():
    families = [f for module in curriculum.FAMILIES for f in importlib.import_module(module).TASKS.values()]
    for i in range(12000):
        rng = random.Random(f"tokenizer/{i}")
        if i % 8 == 0:
            turns = tasks.talk(rng)
        elif i % 8 < 4:
            turns = world.scene_sample(rng, 112 * 112).turns
        else:
            made = families[i % len(families)](rng, 224 * 224)
            turns = made.turns
            if i % 40 == 5:
                yield made.system
        for question, answer in turns:
            yield question
            yield answer
    yield from [" ".join(lexicon.WORDS), " ".join(lexicon.BUTTONS), " ".join(w.capitalize() for w in lexicon.WORDS)] * 20
    for role in ("system", "user", "assistant"):
        yield from [role + "\n"] * 200
    yield from [tasks.SYSTEM] * 200
    yield from [text for text in [ORDINARY] + tasks.OTHER_SYSTEMS for _ in range(20)]


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, min_frequency=5, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name, hide in SPECIAL if hide])
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name, hide in SPECIAL if not hide])
    return tokenizer


def copy(source, folder):
    os.makedirs(folder, exist_ok=True)
    for name in FILES:
        shutil.copy(f"{source}/{name}", folder)


def write(folder, template):
    """tokenizer.json, vocab.json, merges.txt and tokenizer_config.json, as official checkpoints have them."""
    os.makedirs(folder, exist_ok=True)
    tokenizer = train()
    tokenizer.save(f"{folder}/tokenizer.json")
    model = json.loads(tokenizer.to_str())["model"]
    with open(f"{folder}/vocab.json", "w", encoding="utf-8") as file:
        json.dump(model["vocab"], file, ensure_ascii=False)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    added = {str(tokenizer.token_to_id(name)): dict(content=name, lstrip=False, normalized=False, rstrip=False,
                                                   single_word=False, special=hide) for name, hide in SPECIAL}
    config = dict(add_bos_token=False, add_prefix_space=False, added_tokens_decoder=added,
                  additional_special_tokens=[name for name, hide in SPECIAL[1:] if hide], bos_token=None,
                  chat_template=template, clean_up_tokenization_spaces=False, eos_token="<|im_end|>", errors="replace",
                  model_max_length=131072, pad_token="<|endoftext|>", split_special_tokens=False,
                  tokenizer_class="Qwen2Tokenizer", unk_token=None)
    with open(f"{folder}/tokenizer_config.json", "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, ensure_ascii=False)
    return tokenizer


if __name__ == "__main__":
    import export
    print(write(sys.argv[1], export.CHAT_TEMPLATE).get_vocab_size(), "tokens")

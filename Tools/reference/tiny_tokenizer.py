#!/usr/bin/env python3
"""Train the small tokenizer of the test fixtures: the kind of Qwen2.5's, a hundredth of its size.

    tiny_tokenizer.py --out DIR [--size 1100]

Byte-level BPE over tiny_corpus.txt with Qwen2's normaliser, its pre-tokeniser and its 22 added tokens.
Writes tokenizer.json, vocab.json, merges.txt and tokenizer_config.json.
"""

import argparse
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import official

# The pattern of Qwen2's tokenizer.json.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train(out, size):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    corpus = Path(__file__).with_name("tiny_corpus.txt").read_text(encoding="utf-8")
    trainer = trainers.BpeTrainer(vocab_size=size - len(official.ADDED_TOKENS), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([corpus], trainer)
    first = tokenizer.get_vocab_size()
    for name, special in official.ADDED_TOKENS:
        token = AddedToken(name, normalized=False, special=special)
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([token])
    state = json.loads(tokenizer.to_str())
    state["model"].update(continuing_subword_prefix="", end_of_word_suffix="")  # training drops the empty strings
    assert [t["id"] for t in state["added_tokens"]] == list(range(first, first + len(official.ADDED_TOKENS)))
    (out / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False) + "\n", encoding="utf-8")
    vocab = json.dumps(state["model"]["vocab"], ensure_ascii=False, separators=(",", ":"))
    (out / "vocab.json").write_text(vocab + "\n", encoding="utf-8")
    merges = "".join(" ".join(pair) + "\n" for pair in state["model"]["merges"])
    (out / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    official.write_json(out / "tokenizer_config.json", official.tokenizer_config(first))
    return first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--size", type=int, default=1100, help="tokens, the added ones included")
    arguments = parser.parse_args()
    first = train(arguments.out, arguments.size)
    print(f"{arguments.out}: {first} tokens and {len(official.ADDED_TOKENS)} added ones")


if __name__ == "__main__":
    main()

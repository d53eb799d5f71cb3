#!/usr/bin/env python3
"""Compares QwenTokenizer with Hugging Face `tokenizers`, id for id, and both speeds in one run.

    swift build -c release --product tokenizer-benchmark
    python Tools/tokenizer/parity.py --tokenizer DIR_WITH_QWEN_TOKENIZER --corpus /tmp/corpus

Builds (once) a mixed corpus from what is installed on this machine: documentation, source code, message catalogues in
a hundred languages; and generates the rest with a fixed seed: emoji, all planes of Unicode, combining marks, jamo,
controls, white space, digits, added tokens in running text. Needs tokenizers==0.21.4 and transformers==4.49.0.
"""
import argparse
import gettext
import glob
import os
import random
import struct
import subprocess
import sys
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

ADDED = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
]  # fmt: skip


def gather(patterns, limit, each=200_000):
    """Text of installed files, at most `limit` characters of all and `each` of one."""
    parts, total = [], 0
    for pattern in patterns:
        for path in sorted(glob.glob(pattern, recursive=True)):
            if total >= limit:
                return "".join(parts)
            try:
                text = open(path, encoding="utf-8", newline="").read(each)
            except (OSError, UnicodeDecodeError):
                continue
            parts.append(text)
            total += len(text)
    return "".join(parts)


def catalogues(limit):
    """Translated messages: prose in every language for which a catalogue is installed."""
    parts, total = [], 0
    roots = ["/usr/share/locale"] + [p for p in sys.path if p.endswith("site-packages")]
    for root in roots:
        for path in sorted(glob.glob(root + "/**/*.mo", recursive=True)):
            if total >= limit:
                return "".join(parts)
            try:
                catalogue = gettext.GNUTranslations(open(path, "rb"))._catalog
            except (OSError, UnicodeDecodeError, ValueError):
                continue
            text = "\n".join(str(v) for v in catalogue.values())[:60_000]
            parts.append(text + "\n")
            total += len(text)
    return "".join(parts)


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        everything = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
        self.assigned = [c for c in everything if unicodedata.category(chr(c)) not in ("Cn", "Co")]
        self.marks = [c for c in self.assigned if unicodedata.combining(chr(c))]
        self.decomposable = [c for c in self.assigned if unicodedata.decomposition(chr(c))[:1] not in ("", "<")]
        self.digits = [c for c in self.assigned if unicodedata.category(chr(c))[0] == "N"]
        self.spaces = [9, 10, 11, 12, 13, 32, 32, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0x180E, 0x200B, 0xFEFF]  # fmt: skip
        self.emoji = [c for c in self.assigned if 0x1F000 <= c < 0x1FB00 or 0x2600 <= c < 0x27C0]
        self.kinds = [
            self.ascii, self.plane, self.any_assigned, self.combining, self.composed, self.jamo, self.white,
            self.number, self.emoji_sequence, self.contraction, self.added, self.control, self.newlines, self.script,
        ]  # fmt: skip

    def pick(self, pool, low=1, high=6):
        return "".join(chr(self.r.choice(pool)) for _ in range(self.r.randint(low, high)))

    def ascii(self):
        return self.pick(range(0x20, 0x7F), 1, 12)

    def plane(self):
        plane = self.r.randrange(17)
        return self.pick([c for c in (plane * 0x10000 + self.r.randrange(0x10000) for _ in range(6)) if not 0xD800 <= c < 0xE000] or [65])  # fmt: skip

    def any_assigned(self):
        return self.pick(self.assigned)

    def combining(self):
        return chr(self.r.choice(self.assigned)) + self.pick(self.marks, 1, 5)

    def composed(self):
        s = self.pick(self.decomposable, 1, 3)
        return self.r.choice([s, unicodedata.normalize("NFD", s), s + self.pick(self.marks, 1, 2)])

    def jamo(self):
        pools = [range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A7, 0x11C4), range(0xAC00, 0xD7A4), [0xAC00, 0xAC1C], range(0x1100, 0x1200)]  # fmt: skip
        return "".join(chr(self.r.choice(self.r.choice(pools))) for _ in range(self.r.randint(1, 6)))

    def white(self):
        return self.pick(self.spaces, 1, 6)

    def newlines(self):
        return "".join(self.r.choice(["\r\n", "\n", "\r", " ", "\t", "!"]) for _ in range(self.r.randint(1, 6)))

    def number(self):
        return self.pick(self.digits) if self.r.random() < 0.5 else str(self.r.randrange(10**9))

    def emoji_sequence(self):
        joiner = self.r.choice(["\u200d", "\ufe0f", "\ufe0f\u200d", "", "\U0001f3fd", "\u20e3"])
        return joiner.join(chr(self.r.choice(self.emoji)) for _ in range(self.r.randint(1, 4)))

    def contraction(self):
        tail = self.r.choice(["s", "S", "t", "T", "re", "Re", "RE", "ve", "vE", "m", "M", "ll", "lL", "d", "D", "\u017f", "l", "r", "v", "x", "\u2019s", "'s", "\u212a"])  # fmt: skip
        return self.r.choice(["", " ", "a", "I", "1", "\n", ".", "é"]) + self.r.choice("''''’`") + tail

    def added(self):
        token = self.r.choice(ADDED)
        return self.r.choice([token] * 6 + [token[:-1], token[1:], token.upper(), token[:3] + token, token + ">"])

    def control(self):
        return self.pick([*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x200E, 0x2060, 0xFFF9, 0xE0001])

    def script(self):
        block = self.r.choice(self.assigned) & ~0x7F
        pool = [c for c in range(block, block + 128) if not 0xD800 <= c < 0xE000]
        return self.r.choice(["", " "]) + self.pick(pool, 2, 12)

    def string(self, pieces):
        return "".join(self.r.choice(self.kinds)() for _ in range(self.r.randint(1, pieces)))


def build_corpus(directory, seed):
    """{name: text}, kept as files so that a failure can be looked at."""
    os.makedirs(directory, exist_ok=True)
    python = sys.base_prefix
    site = [p for p in sys.path if p.endswith("site-packages")][0]
    g = Generator(seed)
    kinds = {k.__name__: k for k in g.kinds}

    def generated(names, size):
        parts, total = [], 0
        while total < size:
            parts.append(kinds[g.r.choice(names)]())
            total += len(parts[-1])
        return "".join(parts)

    makers = {
        "english": lambda: gather(["/usr/share/common-licenses/*", "/usr/share/perl/*/pod/*.pod", "/usr/share/doc/**/*.txt", "/usr/share/doc/**/README*", site + "/**/*.rst", site + "/**/*.md", python + "/lib/python*/site-packages/**/*.rst", "/usr/share/vim/**/*.txt"], 4_000_000),  # fmt: skip
        "code": lambda: gather([python + "/lib/python3*/*.py", "/usr/include/*.h", site + "/numpy/**/*.py", "/usr/share/**/*.js", "/usr/share/perl/**/*.pm"], 4_000_000),  # fmt: skip
        "markup": lambda: gather(["/usr/share/**/*.html", "/usr/share/**/*.json", "/usr/share/**/*.xml", "/usr/share/**/*.svg", site + "/**/*.json"], 1_500_000),  # fmt: skip
        "locales": lambda: gather(["/usr/share/i18n/locales/*"], 3_000_000, 30_000),
        "messages": lambda: catalogues(8_000_000),
        "names": lambda: "\n".join(unicodedata.name(chr(c), "?") + " " + chr(c) for c in range(0, 0x20000, 5) if not 0xD800 <= c < 0xE000),  # fmt: skip
        "every-code-point": lambda: "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000),
        "every-code-point-apart": lambda: "".join(f"{chr(c)} a{chr(c)}a" for c in g.assigned),
        "random": lambda: "".join(g.string(4) for _ in range(60_000)),
        "unicode": lambda: generated(["plane", "any_assigned", "script"], 400_000),
        "marks": lambda: generated(["combining", "composed", "ascii", "jamo"], 400_000),
        "blanks": lambda: generated(["white", "newlines", "number", "contraction", "ascii"], 400_000),
        "added": lambda: generated(["added", "ascii", "white", "composed", "script"], 300_000),
        "runs": lambda: "".join(x * g.r.randint(1, 3000) for x in [" ", "\n", "a", "=", "é", "の", "\t", "\r\n", " \n", "'", "\u0301", "ab", "가", "<|im_", "0"] * 3),  # fmt: skip
    }
    texts = {}
    for name, make in makers.items():
        path = os.path.join(directory, name + ".txt")
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8", newline="") as f:
                f.write(make())
        texts[name] = open(path, encoding="utf-8", newline="").read()
    return texts


def write_records(path, records, width):
    with open(path, "wb") as f:
        for record in records:
            f.write(struct.pack("<I", len(record) // width) + record)


def read_records(path, width):
    data, records, i = open(path, "rb").read(), [], 0
    while i < len(data):
        n = struct.unpack_from("<I", data, i)[0] * width
        records.append(data[i + 4 : i + 4 + n])
        i += 4 + n
    return records


def pack(ids):
    return struct.pack(f"<{len(ids)}i", *ids)


class Comparison:
    def __init__(self, args):
        self.args = args
        self.failures = 0

    def ours(self, *arguments):
        command = [self.args.benchmark, "--tokenizer", self.args.tokenizer, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def report(self, what, expected, found, describe):
        wrong = [i for i, (e, f) in enumerate(zip(expected, found)) if e != f]
        if len(expected) != len(found):
            wrong.append(min(len(expected), len(found)))
        self.failures += len(wrong)
        print(f"{what}: {len(expected) - len(wrong)} of {len(expected)} equal")
        for i in wrong[:5]:
            print("   ", describe(i))

    def encode(self, what, texts, names, expected, *flags):
        records, output = os.path.join(self.args.corpus, "records"), os.path.join(self.args.corpus, "records.ids")
        write_records(records, [t.encode() for t in texts], 1)
        self.ours("--encode", records, "--output", output, *flags)
        found = read_records(output, 4)

        def describe(i):
            e, f = expected[i], found[i] if i < len(found) else b""
            k = next((k for k in range(0, min(len(e), len(f)), 4) if e[k : k + 4] != f[k : k + 4]), min(len(e), len(f)))
            show = lambda b: list(struct.unpack(f"<{len(b[k:k + 32]) // 4}i", b[k : k + 32]))
            return f"{names[i]}: first difference at token {k // 4}: {show(e)} != {show(f)}"

        self.report(what, expected, found, describe)

    def decode(self, what, ids, expected, *flags):
        records, output = os.path.join(self.args.corpus, "ids"), os.path.join(self.args.corpus, "ids.txt")
        write_records(records, ids, 4)
        self.ours("--decode", records, "--output", output, *flags)
        found = read_records(output, 1)
        self.report(what, [t.encode() for t in expected], found, lambda i: f"record {i}: {expected[i][:80]!r} != {found[i][:80]!r}")  # fmt: skip


def measure(comparison, reference, texts):
    files = [os.path.join(comparison.args.corpus, n + ".txt") for n in texts]
    print(comparison.ours(*files), end="")
    for name, text in texts.items():
        # In pieces of the size of a long message, which suits Hugging Face better than one text of megabytes.
        pieces = [text[i : i + 8192] for i in range(0, min(len(text), 2_000_000), 8192)]
        start = time.perf_counter()
        for piece in pieces:
            reference.encode(piece, add_special_tokens=False)
        rate = sum(len(p.encode()) for p in pieces) / (time.perf_counter() - start) / 1e6
        print(f"Hugging Face, {name}: {rate:.1f} MB/s")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--benchmark", default=".build/release/tokenizer-benchmark")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--strings", type=int, default=200_000)
    p.add_argument("--speed", nargs="*", metavar="NAME", help="only measure, these texts of the corpus or all")
    args = p.parse_args()
    comparison = Comparison(args)

    reference = Tokenizer.from_file(os.path.join(args.tokenizer, "tokenizer.json"))
    texts = build_corpus(args.corpus, args.seed)
    if args.speed is not None:
        measure(comparison, reference, {n: t for n, t in texts.items() if n in args.speed or not args.speed})
        return
    names = list(texts)
    total = sum(len(t.encode()) for t in texts.values())
    encode = lambda t: reference.encode(t, add_special_tokens=False).ids

    expected = [pack(encode(texts[name])) for name in names]
    print(f"corpus: {total} bytes in {len(names)} files, {sum(map(len, expected)) // 4} tokens")
    comparison.encode("corpus ids", list(texts.values()), names, expected)

    g = Generator(args.seed + 1)
    strings = [""] + ADDED + [g.string(5) for _ in range(args.strings)]
    ids = [pack(encode(s)) for s in strings]
    comparison.encode("random strings", strings, [ascii(s) for s in strings], ids)

    reference.encode_special_tokens = True
    plain = [pack(encode(s)) for s in strings]
    comparison.encode("random strings, control tokens as text", strings, [ascii(s) for s in strings], plain, "--plain")
    reference.encode_special_tokens = False

    known = sorted(reference.get_vocab(with_added_tokens=True).values())
    added = [i for i in map(reference.token_to_id, ["<|im_start|>", "<tool_call>"]) if i is not None]
    mixes = [[g.r.choice(known) for _ in range(g.r.randint(0, 40))] for _ in range(50_000)]
    # Bytes that are not text: mostly tokens of few bytes, which seldom join to characters.
    mixes += [[g.r.choice(known[:300]) for _ in range(g.r.randint(0, 12))] for _ in range(100_000)]
    mixes += [[g.r.choice(added + known[94:256]) for _ in range(8)] for _ in range(50_000)]
    sequences = [list(struct.unpack(f"<{len(e) // 4}i", e)) for e in expected] + mixes
    packed = [pack(s) for s in sequences]
    for skip in (False, True):
        decoded = [reference.decode(s, skip_special_tokens=skip) for s in sequences]
        flags = ["--skip-special"] if skip else []
        comparison.decode(f"decoded, skip special {skip}", packed, decoded, *flags)
        comparison.decode(f"decoded token by token, skip special {skip}", packed, decoded, "--stream", *flags)

    try:
        from transformers import AutoTokenizer

        auto = AutoTokenizer.from_pretrained(args.tokenizer)
        sample = strings[:20_000]
        same = [pack(auto(s, add_special_tokens=False)["input_ids"]) == e for s, e in zip(sample, ids)]
        comparison.report("AutoTokenizer agrees with tokenizer.json", [True] * len(sample), same, lambda i: ascii(sample[i]))  # fmt: skip
    except ImportError:
        print("transformers is not installed: AutoTokenizer not compared")

    measure(comparison, reference, texts)
    print("FAILED" if comparison.failures else "all equal")
    sys.exit(1 if comparison.failures else 0)


main()

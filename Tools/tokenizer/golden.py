#!/usr/bin/env python3
"""Writes Tests/QwenTokenizerTests/Fixtures/golden.json: what Hugging Face `tokenizers` makes of texts and ids.

    python Tools/tokenizer/golden.py --tokenizer DIR_WITH_QWEN_TOKENIZER --out Tests/QwenTokenizerTests/Fixtures

Bulk cases are not stored: both sides make them with the same generator (SplitMix64), and hashes are compared.
"""
import argparse
import json
import os
import shutil
import struct

from tokenizers import AddedToken, Tokenizer

SAMPLES = [
    "The museum opens at nine; tickets cost $12.50, and children under 6 don't pay.",
    "I'M sure WE'LL see what they've done, he'd say. It'S o'clock, rock'n'roll, 'tis 'Twas y'all'd've",
    "'s'S'\u017f't'T're'RE've'm'll'lL'd'D 'x '' ''s a'sb 1's \u2019s don\u2019t",
    "Das Mädchen läuft über die große Brücke nach Köln.", "L'été dernier, nous avons mangé des crêpes à Noël.",
    "El niño pequeño corrió mañana por la montaña, ¿verdad?", "Até amanhã, irmão! A avó não está cá.",
    "Zażółć gęślą jaźń w środę.", "Příliš žluťoučký kůň úpěl ďábelské ódy.", "Árvíztűrő tükörfúrógép.",
    "İstanbul'da ılık bir güz günü.", "Tiếng Việt có nhiều dấu: ở đây trời đẹp quá.",
    "Доброе утро! Поезд отправляется в 7:45 с третьей платформы.", "Їжак з'їв ґрунтову ягоду.",
    "Καλημέρα, τι κάνεις σήμερα; Ὀδυσσεύς", "שלום, מה שלומך היום? שָׁלוֹם", "صباح الخير، كيف حالك اليوم؟ مُحَمَّد ١٢٣",
    "سلام، حال شما چطور است؟ ۴۵۶", "नमस्ते, आप कैसे हैं? क़लम फ़िल्म १२३", "শুভ সকাল, আপনি কেমন আছেন? ড়", "காலை வணக்கம், எப்படி இருக்கிறீர்கள்?",
    "శుభోదయం, మీరు ఎలా ఉన్నారు?", "ಶುಭೋದಯ, ಹೇಗಿದ್ದೀರಿ?", "സുപ്രഭാതം, സുഖമാണോ?", "สวัสดีตอนเช้า วันนี้อากาศดีมากๆ ๑๒๓", "ສະບາຍດີຕອນເຊົ້າ",
    "မင်္ဂလာပါ နေကောင်းလား", "អរុណសួស្តី សុខសប្បាយទេ", "བཀྲ་ཤིས་བདེ་ལེགས།", "დილა მშვიდობისა, როგორ ხარ?", "Բարի լույս, ինչպե՞ս ես։",
    "እንደምን አደርክ ዛሬ ፩፪፫", "ᎣᏏᏲ ᏙᎯᏧ", "早上好,今天的天气怎么样?我想去博物馆看画。", "早安,今天天氣如何?《紅樓夢》第三回", "おはようございます。今日は天気がいいですね。ガギグ ｶﾞ ㍿ ①",
    "안녕하세요, 오늘 날씨가 좋네요. \u1112\u1161\u11ab\u1100\u1173\u11af", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𐍈𐌰 𓀀𓁐 𒀀 🀄",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 1️⃣ 🇩🇪🇯🇵 ❤️‍🔥 😀😀", "e\u0301 \u00e9 A\u030a \u212b \u1e9b\u0323 q\u0307\u0323 \ufb01 \u2126 \u0958 \u2adc \U0001d15e",
    "\u0344 \u0374 \u0387 \u1f71 \uf900 \U0002f800 \u0929\u093c \u0928\u093c a\u0345\u0301 \u0b47\u0b56 \U00011131\U00011127",
    "def f(x: int) -> str:\n    return f\"{x:>8}\"  # note\n\n\n\tif x:\r\n\t\tpass\r\n", "#include <stdio.h>\nint main(void) { for (int i = 0; i < 10; ++i) printf(\"%d\\n\", i); }",
    "let xs = [1, 2, 3].map { $0 * 2 } // => [2, 4, 6]\nSELECT * FROM t WHERE a <> 'b' AND c >= 1e-9;", "{\"bbox_2d\": [12, 340, 567, 890], \"label\": \"cat\"}",
    "<html><body data-bbox=\"0 0 1 1\">&nbsp;</body></html> https://example.org/a_b?c=d&e=%20#f", "\\frac{a}{b} \\sum_{i=0}^{n} x_i^2 \u2264 \u221e",
    "", " ", "  ", "\n", "\r\n", " \n", "\n ", "\t\t a", "   a", "a   ", "a \n b", "a\n\n \n  b", "  \r\n\t\r  x", "\u00a0\u00a0a", "\u3000\u3000\u65e5", "\u2028\u2029 a", "\u0085a \u0085", "!\n\n", "?! \n.\r\n", " !", "  !", "\t!", "\u00a0!",
    "1234567890", " 12", "a1b2", "\u00bd\u2168\u3007\u0664\U0001d7d8 \u2460", "v1.2.3-rc.4+build", "\u0000\u0001\u007f\u0080\u00ad\u200b\u200e\ufeff\ufffd\uffff\U0010ffff",
    "a" * 95, "a" * 96, "a" * 97, "ab" * 300, "=" * 500, " " * 500, "\n" * 300, "の" * 200, "é" * 150, "Donaudampfschifffahrtsgesellschaftskapitän" * 4, "\U0001f600" * 60, "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ" * 3,
]  # fmt: skip

SPECIAL = [
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|image_pad|><|vision_end|>What's this?<|im_end|>\n<|im_start|>assistant\n",
    "<tool_call>\n{\"name\": \"f\"}\n</tool_call><|im_end|>", "a<|im_end|>b", "a <|im_end|> b", "<|im_end|", "|im_end|>", "<<|im_end|>>", "<|im_<|im_end|>end|>",
    "<|im_start|><|im_start|>", "<tool_call", "<tool_call></tool_call>", "e\u0301<|endoftext|>\u0301e", "   <|file_sep|>   ", "\n<|box_start|>(1,2)<|box_end|>\n", "<|IM_END|>", "don<|im_end|>'t", "\u1100<|im_end|>\u1161",
]  # fmt: skip

# Added tokens with flags that Qwen's own do not use.
FLAGGED = [
    dict(content="[left]", lstrip=True), dict(content="[right]", rstrip=True), dict(content="[both]", lstrip=True, rstrip=True, special=True),
    dict(content="cafe\u0301", normalized=True), dict(content="[norm]", normalized=True, lstrip=True), dict(content="[both] more", special=True),
]  # fmt: skip
FLAGGED_TEXTS = [
    "a  [left]  b", "a  [right]  b", "a \n [both] \n b", "[both] more", " [both]  [left]", "[right]  [left] x", "un cafe\u0301 caf\u00e9s", "CAFE\u0301 cafe\u0301\u0301", "x  [norm] y", "[both][both] [both]", "\u3000[both]\u2003z", "[both] mor", "[right]   ", "   [left]",
]  # fmt: skip


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (1 << 64) - 1
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        z = (z ^ z >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        return z ^ z >> 31

    def below(self, n):
        return self.next() % n


# First code point and count. One range a piece, so that strings look like text now and then.
RANGES = [
    (0x20, 95), (0x20, 95), (0x61, 26), (0x09, 5), (0x20, 1), (0x0A, 1), (0x30, 10), (0xA0, 0x1B0), (0x300, 0x70), (0x370, 0x160), (0x590, 0x170),
    (0x900, 0x400), (0xE00, 0x200), (0x1000, 0x300), (0x1100, 0x100), (0x1E00, 0x200), (0x2000, 0x70), (0x2100, 0x500), (0x3000, 0x100),
    (0x4E00, 0x5200), (0xAC00, 0x2BA4), (0xF900, 0x500), (0xFE00, 0x200), (0x10000, 0x4000), (0x1D100, 0x700), (0x1F300, 0x700), (0x20000, 0xA700), (0x27, 1), (0x30000, 0xE0000),
]  # fmt: skip


def random_string(r):
    out = []
    for _ in range(1 + r.below(8)):
        first, count = RANGES[r.below(len(RANGES))]
        out += [chr(first + r.below(count)) for _ in range(1 + r.below(6))]
    return "".join(out)


def fnv(data, h=0xCBF29CE484222325):
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return h


def ids_hash(lists):
    h = 0xCBF29CE484222325
    for ids in lists:
        h = fnv(struct.pack(f"<I{len(ids)}i", len(ids), *ids), h)
    return f"{h:016x}"


def text_hash(texts):
    h = 0xCBF29CE484222325
    for text in texts:
        data = text.encode()
        h = fnv(struct.pack("<I", len(data)) + data, h)
    return f"{h:016x}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--out", required=True)
    args = p.parse_args()
    path = os.path.join(args.tokenizer, "tokenizer.json")
    reference = Tokenizer.from_file(path)
    encode = lambda t: reference.encode(t, add_special_tokens=False).ids
    golden = {}
    golden["samples"] = [dict(text=t, ids=encode(t)) for t in SAMPLES]
    golden["special"] = [dict(text=t, ids=encode(t)) for t in SPECIAL]
    reference.encode_special_tokens = True
    golden["plain"] = [dict(text=t, ids=encode(t)) for t in SPECIAL]
    reference.encode_special_tokens = False

    flagged = Tokenizer.from_file(path)
    flagged.add_tokens([AddedToken(**{"normalized": False, **f}) for f in FLAGGED])
    golden["flaggedTokens"] = [{**f, "id": flagged.token_to_id(f["content"])} for f in FLAGGED]
    golden["flagged"] = [dict(text=t, ids=flagged.encode(t, add_special_tokens=False).ids) for t in FLAGGED_TEXTS]

    # 50 blocks of 100 strings; the hash of a block's ids.
    r = SplitMix64(2025)
    golden["ranges"] = RANGES
    golden["randomStrings"] = [ids_hash([encode(random_string(r)) for _ in range(100)]) for _ in range(50)]

    # Every code point of the blocks in use, each followed by a letter: the character classes and form C.
    golden["codePoints"] = {}
    for block in [*range(0x00, 0x32), *range(0xE0, 0xE2)]:
        points = [c for c in range(block << 12, (block + 1) << 12) if not 0xD800 <= c < 0xE000]
        golden["codePoints"][f"{block << 12:x}"] = ids_hash([encode("".join(chr(c) + "a" for c in points))])

    # Ids that mostly are no text: (count of ids, below which id) per block.
    r = SplitMix64(2026)
    size = reference.get_vocab_size(with_added_tokens=True)
    golden["decoded"] = []
    for limit in [size, size, 300, 256, 256]:
        blocks = [[r.below(limit) for _ in range(r.below(12))] for _ in range(400)]
        texts = [[reference.decode(ids, skip_special_tokens=skip) for ids in blocks] for skip in (False, True)]
        golden["decoded"].append(dict(limit=limit, all=text_hash(texts[0]), skipped=text_hash(texts[1])))

    # Long words and other texts that are slow to encode carelessly.
    n = 300_000
    long = ["a" * n, " " * n, "ab" * (n // 2), "\u0301\u0316" * (n // 4), "<|im_" * (n // 5), "\n " * (n // 2), "の" * (n // 3), "=" * n]
    golden["long"] = [dict(unit=t[:5] if t.startswith("<") else t[:2] if t[0] != t[1] else t[0], length=len(t), hash=ids_hash([encode(t)])) for t in long]  # fmt: skip

    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "golden.json"), "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=True, indent=0, separators=(",", ":"))
        f.write("\n")
    shutil.copy(os.path.join(args.tokenizer, "merges.txt"), args.out)


main()

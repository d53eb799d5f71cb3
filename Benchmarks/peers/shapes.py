"""The official shapes of Qwen2.5-VL."""

SHAPES = {
    "3b": dict(hidden=2048, layers=36, heads=16, kv=2, ffn=11008, vocab=151936, tied=True, vision_ffn=3420),
    "7b": dict(hidden=3584, layers=28, heads=28, kv=4, ffn=18944, vocab=152064, tied=False, vision_ffn=3420),
    "32b": dict(hidden=5120, layers=64, heads=40, kv=8, ffn=27648, vocab=152064, tied=False, vision_ffn=3456),
    "72b": dict(hidden=8192, layers=80, heads=64, kv=8, ffn=29568, vocab=152064, tied=False, vision_ffn=3456),
}
HEAD = 128
VISION = dict(hidden=1280, heads=16, depth=32, patch=14, cell=5120)
SPECIAL = {
    151643: "<|endoftext|>", 151644: "<|im_start|>", 151645: "<|im_end|>", 151652: "<|vision_start|>",
    151653: "<|vision_end|>", 151654: "<|vision_pad|>", 151655: "<|image_pad|>", 151656: "<|video_pad|>",
}

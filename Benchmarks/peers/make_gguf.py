#!/usr/bin/env python3
"""Write GGUF files of random weights in an official shape, for llama.cpp.

    make_gguf.py --size 3b --text Q4_0 --out text.gguf
    make_gguf.py --size 3b --vision F16 --out mmproj.gguf

Formats of the text part: Q4_0, Q8_0, BF16; the output head is Q6_K beside Q4_0, as llama-quantize has it. Of the
vision tower: F16, Q8_0, BF16; matrices whose rows no block divides stay F16, as the converter leaves them. One
block of random values is written again and again: values do not change how long a product takes.
"""

import argparse

import gguf
import numpy as np
from gguf.quants import quantize

from shapes import HEAD, SHAPES, SPECIAL, VISION

TYPE = gguf.GGMLQuantizationType


class Noise:
    """Random weights in any format, made of one block that is repeated."""

    def __init__(self):
        random = np.random.default_rng(1)
        # A multiple of every block size; small enough to be quick, large enough for no value to stand out.
        self.values = (random.standard_normal(1 << 20) * 0.02).astype(np.float32)
        self.random = random
        self.blocks = {}

    def block(self, kind):
        """(bytes, values) of the block in this format."""
        if kind not in self.blocks:
            if kind == TYPE.Q6_K:
                count = 4096
                super_block = self.random.integers(0, 256, (count, 210), dtype=np.uint8)
                super_block[:, 208:] = np.frombuffer(np.float16(1e-5).tobytes(), np.uint8)
                data = super_block.reshape(-1), count * 256
            elif kind == TYPE.F32:
                data = self.values.view(np.uint8), self.values.size
            elif kind == TYPE.F16:
                data = self.values.astype(np.float16).view(np.uint8), self.values.size
            else:
                data = quantize(self.values, kind).reshape(-1).view(np.uint8), self.values.size
            self.blocks[kind] = data
        return self.blocks[kind]

    def tensor(self, shape, kind):
        """The bytes of a tensor."""
        block, values = self.block(kind)
        count = int(np.prod(shape))
        size = count * block.size // values
        return np.resize(block, size)


def text_tensors(size, kind):
    hidden, ffn = size["hidden"], size["ffn"]
    head = TYPE.Q6_K if kind == TYPE.Q4_0 else kind
    yield "token_embd.weight", (size["vocab"], hidden), head if size["tied"] else kind
    if not size["tied"]:
        yield "output.weight", (size["vocab"], hidden), head
    yield "output_norm.weight", (hidden,), TYPE.F32
    for layer in range(size["layers"]):
        at = f"blk.{layer}."
        yield at + "attn_norm.weight", (hidden,), TYPE.F32
        yield at + "ffn_norm.weight", (hidden,), TYPE.F32
        for part, rows in (("q", size["heads"] * HEAD), ("k", size["kv"] * HEAD), ("v", size["kv"] * HEAD)):
            yield f"{at}attn_{part}.weight", (rows, hidden), kind
            yield f"{at}attn_{part}.bias", (rows,), TYPE.F32
        yield at + "attn_output.weight", (hidden, size["heads"] * HEAD), kind
        yield at + "ffn_gate.weight", (ffn, hidden), kind
        yield at + "ffn_up.weight", (ffn, hidden), kind
        yield at + "ffn_down.weight", (hidden, ffn), kind


def vision_tensors(size, kind):
    hidden, ffn, cell = VISION["hidden"], size["vision_ffn"], VISION["cell"]

    def matrix(name, rows, columns):
        fits = kind in (TYPE.F16, TYPE.BF16) or columns % 32 == 0
        yield name + ".weight", (rows, columns), kind if fits else TYPE.F16
        yield name + ".bias", (rows,), TYPE.F32

    for frame in ("", ".1"):
        yield f"v.patch_embd.weight{frame}", (hidden, 3, VISION["patch"], VISION["patch"]), TYPE.F16
    for block in range(VISION["depth"]):
        at = f"v.blk.{block}."
        yield at + "ln1.weight", (hidden,), TYPE.F32
        yield at + "ln2.weight", (hidden,), TYPE.F32
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from matrix(at + part, hidden, hidden)
        yield from matrix(at + "ffn_gate", ffn, hidden)
        yield from matrix(at + "ffn_up", ffn, hidden)
        yield from matrix(at + "ffn_down", hidden, ffn)
    yield "v.post_ln.weight", (hidden,), TYPE.F32
    yield from matrix("mm.0", cell, cell)
    yield from matrix("mm.2", size["hidden"], cell)


def text_metadata(writer, size):
    writer.add_context_length(128000)
    writer.add_embedding_length(size["hidden"])
    writer.add_block_count(size["layers"])
    writer.add_feed_forward_length(size["ffn"])
    writer.add_head_count(size["heads"])
    writer.add_head_count_kv(size["kv"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_dimension_sections([16, 24, 24, 0])
    # A vocabulary of the right size: bytes, names, and the special tokens in their places.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = iter(range(0x100, 0x200))
    tokens = [chr(byte) if byte in printable else chr(next(rest)) for byte in range(256)]
    tokens += [SPECIAL.get(token, f"token{token}") for token in range(256, size["vocab"])]
    types = [gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in range(size["vocab"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(151645)
    writer.add_pad_token_id(151643)
    writer.add_add_bos_token(False)


def vision_metadata(writer, size):
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("qwen2.5vl_merger")
    writer.add_vision_use_silu(True)
    writer.add_vision_image_size(560)
    writer.add_vision_patch_size(VISION["patch"])
    writer.add_vision_embedding_length(VISION["hidden"])
    writer.add_vision_feed_forward_length(size["vision_ffn"])
    writer.add_vision_projection_dim(size["hidden"])
    writer.add_vision_block_count(VISION["depth"])
    writer.add_vision_head_count(VISION["heads"])
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_n_wa_pattern(8)
    writer.add_vision_spatial_merge_size(2)
    writer.add_vision_image_mean([0.48145466, 0.4578275, 0.40821073])
    writer.add_vision_image_std([0.26862954, 0.26130258, 0.27577711])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SHAPES, required=True)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--text", choices=["Q4_0", "Q8_0", "BF16"])
    group.add_argument("--vision", choices=["F16", "Q8_0", "BF16"])
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    size = SHAPES[options.size]
    kind = TYPE[options.text or options.vision]
    writer = gguf.GGUFWriter(options.out, "qwen2vl" if options.text else "clip")
    writer.add_type(gguf.GGUFType.MODEL if options.text else gguf.GGUFType.MMPROJ)
    writer.add_file_type({TYPE.Q4_0: 2, TYPE.Q8_0: 7, TYPE.F16: 1, TYPE.BF16: 32}[kind])
    (text_metadata if options.text else vision_metadata)(writer, size)
    tensors = list((text_tensors if options.text else vision_tensors)(size, kind))
    noise = Noise()
    numpy_type = {TYPE.F32: np.float32, TYPE.F16: np.float16}
    for name, shape, tensor_kind in tensors:
        bytes_ = int(np.prod(shape)) * noise.block(tensor_kind)[0].size // noise.block(tensor_kind)[1]
        # Quantised tensors are told to the writer by the bytes of their rows.
        told = shape if tensor_kind in numpy_type else gguf.quant_shape_to_byte_shape(shape, tensor_kind)
        writer.add_tensor_info(name, told, np.dtype(numpy_type.get(tensor_kind, np.uint8)), bytes_, tensor_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, shape, tensor_kind in tensors:
        writer.write_tensor_data(noise.tensor(shape, tensor_kind))
    writer.close()


if __name__ == "__main__":
    main()

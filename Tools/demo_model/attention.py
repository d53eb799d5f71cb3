"""Attention within segments for the training: `attention.c` on a CPU, PyTorch's own on padded rows elsewhere.

PyTorch's on a CPU took 39 % of a step; of segments that are a few dozen tokens long it reaches a third of a core.
"""
import ctypes
import functools
import os
import shutil
import subprocess
import tempfile

import torch
from torch.nn import functional as F

WIDTH = 32  # of a head, as attention.c has it


class Shape(ctypes.Structure):
    _fields_ = [("starts", ctypes.c_void_p), *((name, ctypes.c_int64) for name in (
        "segments", "heads", "kv_heads", "causal", "q_row", "k_row", "v_row")), ("scale", ctypes.c_float)]


@functools.cache
def library():
    """attention.c, compiled for this machine: by clang, whose code is a quarter faster, where there is one."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention.c")
    with tempfile.TemporaryDirectory() as folder:
        made = f"{folder}/attention.so"
        subprocess.run([shutil.which("clang") or "cc", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno",
                        "-Wno-psabi", "-shared", "-fPIC", source, "-o", made, "-lm"], check=True)
        loaded = ctypes.CDLL(made)
    loaded.scratch_bytes.argtypes, loaded.scratch_bytes.restype = [ctypes.c_int64], ctypes.c_int64
    for function in (loaded.attention_forward, loaded.attention_backward):
        function.restype = None
    return loaded


def call(function, shape, tensors):
    function(ctypes.byref(shape), *(ctypes.c_void_p(t.data_ptr()) for t in tensors))


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, segments, causal):
        # Whole heads side by side; tokens may lie apart (queries, keys and values of one product do).
        q, k, v = (t if t.stride(2) == 1 and t.stride(1) == WIDTH else t.contiguous() for t in (q, k, v))
        tokens, heads, _ = q.shape
        ctx.shape = Shape(segments.starts.data_ptr(), len(segments.starts) - 1, heads, k.shape[1], causal,
                          q.stride(0), k.stride(0), v.stride(0), WIDTH ** -0.5)
        ctx.segments = segments  # keeps the starts alive
        out, sums = q.new_empty(tokens, heads * WIDTH), q.new_empty(heads, tokens)
        scratch = torch.empty(library().scratch_bytes(segments.longest), dtype=torch.uint8)
        call(library().attention_forward, ctx.shape, (q, k, v, out, sums, scratch))
        ctx.save_for_backward(q, k, v, out, sums)
        return out

    @staticmethod
    def backward(ctx, g):
        q, k, v, out, sums = ctx.saved_tensors
        dq, dk, dv = q.new_empty(q.shape), k.new_zeros(k.shape), v.new_zeros(v.shape)
        scratch = torch.empty(library().scratch_bytes(ctx.segments.longest), dtype=torch.uint8)
        call(library().attention_backward, ctx.shape, (q, k, v, out, sums, g.float().contiguous(), dq, dk, dv, scratch))
        return dq, dk, dv, None, None


def attend(q, k, v, segments, causal):
    """q: [tokens, heads, WIDTH]; k, v: with a divisor of the heads; to [tokens, heads * WIDTH]."""
    if q.device.type == "cpu":
        return Attention.apply(q.float(), k.float(), v.float(), segments, causal)
    rows, (groups, scatter) = [], segments.padded
    k, v = (t.repeat_interleave(q.shape[1] // k.shape[1], 1) for t in (k, v))
    for gather, mask in groups:
        count, longest = gather.shape
        parts = (t.flatten(1).index_select(0, gather.flatten()).view(count, longest, -1, WIDTH).transpose(1, 2)
                 for t in (q, k, v))
        if mask is not None:
            mask = mask[:, None, None, :]
            if causal:
                mask = mask & torch.ones(longest, longest, dtype=torch.bool, device=q.device).tril()
        out = F.scaled_dot_product_attention(*parts, mask, is_causal=causal and mask is None)
        rows.append(out.transpose(1, 2).reshape(count * longest, -1))
    return torch.cat(rows).index_select(0, scatter)

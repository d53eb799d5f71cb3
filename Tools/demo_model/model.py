"""Qwen2.5-VL for training: the arithmetic and the parameter names of Transformers 4.49.0, on packed tokens.

Tokens of all pictures and of all conversations of a batch lie in one row each, without padding. `check.py` compares the
module with Transformers.
"""
import functools

import torch
from torch import nn
from torch.nn import functional as F

from attention import attend

# The official ratios at a small size. Every width that feeds a linear layer is a multiple of 32, save the vision
# FFN: 516 divides neither by 8 nor by 32, like the official 3420.
TEXT = dict(hidden=256, layers=6, heads=8, kv_heads=2, ffn=512, theta=1e6, sections=(4, 6, 6), vocabulary=3072)
VISION = dict(hidden=192, layers=8, heads=6, ffn=516, patch=14, frames=2, merge=2, window=112, full=(3, 7))
# Behind how many decoder layers the state of a clip's token is asked its time, the state at a name what it names, and the
# state before an answer.
CLOCKS_AFTER, NAMES_AFTER, STARTS_AFTER = 3, 3, 4
# Where heads are taught to look: (layer, counted from 0, which head of each group, where to by group, name in the log).
# An answer that compares has one group look at the first name and the other at the second.
TAUGHT = ((2, 0, ("from_names", "from_names"), "names"), (2, 1, ("letters", "letters"), "letters"),
          (3, 0, ("from_places", "from_places"), "places"), (4, 0, ("from_places", "from_places"), "places"),
          (3, 0, ("firsts", "seconds"), "compared"),
          (3, 1, ("following", "following"), "following"), (4, 1, ("following", "following"), "following"),
          (3, 3, ("following", "following"), "following"),
          (2, 2, ("counted_names", "rows_seen"), "counted_names"), (3, 2, ("counted",), "counted"),
          (1, 0, ("before",), "before"), (2, 3, ("said", "earlier"), "ordered"), (1, 1, ("rows_said",), "rows_said"))
# And in the vision tower: head of block 7, and name of the pointers.
SEEING, SEEN = 7, ((0, "labels"), (1, "left"), (2, "words"), (3, "larger"))
# These look evenly at their goals, of which the first is always there: its share tells how many the others are.
EVEN = ("left", "larger", "counted_names", "counted", "ordered", "rows_said")


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-6)


class SwiGLU(nn.Module):
    def __init__(self, width, inner, bias):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias)
        self.up_proj = nn.Linear(width, inner, bias)
        self.down_proj = nn.Linear(inner, width, bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x)).float()


def rotate(x, cos, sin):
    """x: [tokens, heads, head size]; cos, sin: [tokens, 1, head size]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class VisionAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.qkv = nn.Linear(c["hidden"], 3 * c["hidden"])
        self.proj = nn.Linear(c["hidden"], c["hidden"])


class VisionBlock(nn.Module):
    """`before` and `after` the attention are functions of rows alone: what torch.compile fuses."""

    def __init__(self, c):
        super().__init__()
        self.heads = c["heads"]
        self.norm1, self.norm2 = RMSNorm(c["hidden"]), RMSNorm(c["hidden"])
        self.attn = VisionAttention(c)
        self.mlp = SwiGLU(c["hidden"], c["ffn"], True)

    def before(self, x, cos, sin):
        q, k, v = self.attn.qkv(self.norm1(x)).float().view(len(x), 3, self.heads, -1).unbind(1)
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def after(self, x, mixed):
        x = x + self.attn.proj(mixed).float()
        return x + self.mlp(self.norm2(x))

    def forward(self, x, rotary, segments, watch=None):
        """watch(q, k) sees the rotated queries and keys."""
        q, k, v = self.before(x, *rotary)
        if watch:
            watch(q, k)
        return self.after(x, attend(q, k, v, segments, False))


class Merger(nn.Module):
    def __init__(self, c, out):
        super().__init__()
        self.width = c["hidden"] * c["merge"] ** 2
        self.ln_q = RMSNorm(c["hidden"])
        self.mlp = nn.Sequential(nn.Linear(self.width, self.width), nn.GELU(), nn.Linear(self.width, out))

    def forward(self, x):
        return self.mlp(self.ln_q(x).view(-1, self.width)).float()


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv3d(3, c["hidden"], (c["frames"], c["patch"], c["patch"]), bias=False)

    def forward(self, patches):
        return F.linear(patches, self.proj.weight.flatten(1)).float()


class VisionTower(nn.Module):
    def __init__(self, c, out):
        super().__init__()
        self.c = c
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c["layers"]))
        self.merger = Merger(c, out)

    def rotary(self, positions):
        """positions: [patches, 2], row and column."""
        size = self.c["hidden"] // self.c["heads"]
        frequency = 1e4 ** (-torch.arange(0, size // 2, 2, device=positions.device) / (size // 2))
        angle = (positions[:, :, None].float() * frequency).flatten(1)
        angle = torch.cat((angle, angle), -1)[:, None]
        return angle.cos(), angle.sin()

    def forward(self, b):
        """Patches come in window order; the merged tokens leave in the order of the picture. And how well heads point:
        (loss, share on the goals) by their names in the log."""
        x = self.patch_embed(b.patches)
        rotary, pointed = self.rotary(b.patch_positions), {}

        def watch(q, k):
            for head, name in SEEN:
                if b.seen[name]:
                    pointed[name] = pointing(q[:, head], k[:, head], b.seen[name], name in EVEN, False)

        for i, block in enumerate(self.blocks):
            x = block(x, rotary, b.frames if i in self.c["full"] else b.windows, watch if i == SEEING else None)
        return self.merger(x).index_select(0, b.picture_order), pointed


class TextAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        size = c["hidden"] // c["heads"]
        self.q_proj = nn.Linear(c["hidden"], c["hidden"])
        self.k_proj = nn.Linear(c["hidden"], c["kv_heads"] * size)
        self.v_proj = nn.Linear(c["hidden"], c["kv_heads"] * size)
        self.o_proj = nn.Linear(c["hidden"], c["hidden"], bias=False)


class DecoderLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c["hidden"]), RMSNorm(c["hidden"])
        self.self_attn = TextAttention(c)
        self.mlp = SwiGLU(c["hidden"], c["ffn"], False)

    def before(self, x, cos, sin):
        n, heads, kv_heads = len(x), self.c["heads"], self.c["kv_heads"]
        x, own = self.input_layernorm(x), self.self_attn
        q = rotate(own.q_proj(x).float().view(n, heads, -1), cos, sin)
        k = rotate(own.k_proj(x).float().view(n, kv_heads, -1), cos, sin)
        return q, k, own.v_proj(x).float().view(n, kv_heads, -1)

    def after(self, x, mixed):
        x = x + self.self_attn.o_proj(mixed).float()
        return x + self.mlp(self.post_attention_layernorm(x))

    def forward(self, x, rotary, segments, keep=None, watch=None):
        """watch(q, k) sees the rotated queries and keys."""
        q, k, v = self.before(x, *rotary)
        if watch:
            watch(q, k)
        mixed = attend(q, k, v, segments, True)
        return self.after(x, mixed) if keep is None else self.after(x[keep], mixed[keep])


def pointing(q, k, pointers, even=False, causal=True):
    """What a head's attention from the pointers' tokens lacks of being all on their goals, in nats; and how much is.
    q, k: [tokens, head size] of that head. even: of being all there and as much on each."""
    lost = []
    for start, tokens, goal in pointers:
        scores = q[start + tokens] @ k[start:start + goal.shape[1]].T * q.shape[1] ** -0.5
        if causal:
            behind = torch.arange(goal.shape[1], device=q.device) > tokens[:, None]
            scores = scores.masked_fill(behind, -torch.inf)
        if even:
            each = goal.sum(1)
            lost.append(scores.logsumexp(1) - scores.masked_fill(~goal, 0).sum(1) / each - each.log())
        else:
            lost.append(scores.logsumexp(1) - scores.masked_fill(~goal, -torch.inf).logsumexp(1))
    lost = torch.cat(lost)
    return lost.mean(), (-lost.detach()).exp().mean()


class TextDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c["vocabulary"], c["hidden"])
        self.layers = nn.ModuleList(DecoderLayer(c) for _ in range(c["layers"]))
        self.norm = RMSNorm(c["hidden"])

    def rotary(self, positions):
        """positions: [3, tokens], time, row and column; each takes its section of the frequencies."""
        size = self.c["hidden"] // self.c["heads"]
        frequency = self.c["theta"] ** (-torch.arange(0, size, 2, device=positions.device) / size)
        angle = positions[:, :, None].float() * frequency
        parts = angle.split(self.c["sections"], -1)
        angle = torch.cat([part[axis] for axis, part in enumerate(parts)], -1)
        angle = torch.cat((angle, angle), -1)[:, None]
        return angle.cos(), angle.sin()

    def forward(self, x, b):
        """Normed states of the told tokens; those that are asked (at clips, at names, before answers), from between the
        layers; and how well the heads point, (loss, share on the goals) by their names in the log."""
        rotary, pointed, asked = self.rotary(b.positions), {name: [] for *_, name in TAUGHT}, {}
        shared = self.c["heads"] // self.c["kv_heads"]

        def watch(q, k, at):
            for layer, head, goals, name in TAUGHT:
                if layer == at:
                    pointed[name] += [pointing(q[:, group * shared + head], k[:, group], b.pointers[goal], name in EVEN)
                                      for group, goal in enumerate(goals) if b.pointers[goal]]

        for i, layer in enumerate(self.layers[:-1], 1):
            x = layer(x, rotary, b.conversations, watch=functools.partial(watch, at=i - 1))
            for name, after in (("clocks", CLOCKS_AFTER), ("names", NAMES_AFTER), ("starts", STARTS_AFTER)):
                if i == after:
                    asked[name] = x[getattr(b, name)]
        # Behind the last attention only the tokens that are told matter: a good part of the decoder's work saved.
        return self.norm(self.layers[-1](x, rotary, b.conversations, b.told)), asked, {
            name: [sum(of) / len(heads) for of in zip(*heads)] for name, heads in pointed.items() if heads}


class QwenVL(nn.Module):
    def __init__(self, text=TEXT, vision=VISION):
        super().__init__()
        self.visual = VisionTower(vision, text["hidden"])
        self.model = TextDecoder(text)
        self.apply(self.start)
        for module in (*self.visual.blocks, *self.model.layers):
            # Residual branches begin small, so that depth does not add up.
            depth = 2 * len(self.visual.blocks if isinstance(module, VisionBlock) else self.model.layers)
            outs = (module.attn.proj, module.mlp.down_proj) if isinstance(module, VisionBlock) else (
                module.self_attn.o_proj, module.mlp.down_proj)
            for out in outs:
                out.weight.data.mul_(depth ** -0.5)

    @staticmethod
    def start(module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
        elif isinstance(module, nn.Conv3d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)

    def compile_rows(self):
        """Fuses what works row by row; attention, whose shapes change with every batch, stays as it is."""
        for block in (*self.visual.blocks, *self.model.layers):
            block.before = torch.compile(block.before, dynamic=True)
            block.after = torch.compile(block.after, dynamic=True)
        self.visual.merger.forward = torch.compile(self.visual.merger.forward, dynamic=True)

    def forward(self, b, frozen=False):
        """Logits of the told tokens; what the vision tower sees in each merged cell (pictures' order); the states that are
        asked; and how well heads point (TextDecoder.forward). frozen: nothing is learnt by the tower."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            seen, looked = self.visual(b) if len(b.patches) else (
                torch.zeros(0, self.model.c["hidden"], device=b.ids.device), {})
        x = self.model.embed_tokens(b.ids)
        x = x.index_put((b.picture_tokens,), seen[:len(b.picture_tokens)].to(x.dtype))
        out, asked, pointed = self.model(x, b)
        pointed |= {} if frozen else looked
        return F.linear(out, self.model.embed_tokens.weight).float(), seen, asked, pointed

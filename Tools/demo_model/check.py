"""Proves model.py and batches.py against Transformers: same ids, pixels and positions; logits and gradients alike.

    check.py TOKENIZER_DIR
"""
import os
import sys
import tempfile

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

import batches
import export
import model
from evaluate import Reference


def main():
    tokenizer = Tokenizer.from_file(f"{sys.argv[1]}/tokenizer.json")
    torch.manual_seed(1)
    net = model.QwenVL()
    for name, w in net.named_parameters():  # far from their initial ones and zeros
        w.data = (w.data + 0.2 * torch.randn_like(w) if w.dim() == 1 else w.data).bfloat16().float()
    with tempfile.TemporaryDirectory() as folder:
        export.write(net.state_dict(), sys.argv[1], folder)
        print("%.1f MB" % (os.path.getsize(f"{folder}/model.safetensors") / 1e6))
        reference = Reference(folder)
    examples = [batches.example(f"check/{i}") for i in range(24)]
    batch = batches.Packer(tokenizer).pack(examples)
    logits, _ = net(batch)
    loss = F.cross_entropy(logits, batch.targets, reduction="sum")
    loss.backward()
    at = start = 0
    worst, theirs_loss = 0.0, 0.0
    told = batch.told.tolist()
    for system, turns, image, _ in examples:
        inputs = reference.inputs([(system, turns[:-1], turns[-1][0], image)])
        closed = torch.tensor([tokenizer.encode(turns[-1][1]).ids + [tokenizer.token_to_id("<|im_end|>")]])
        ids = torch.cat((inputs["input_ids"], closed), 1)
        n = ids.shape[1]
        assert torch.equal(ids[0], batch.ids[start:start + n]), "ids"
        inputs = dict(inputs, input_ids=ids, attention_mask=torch.ones_like(ids))
        position, _ = reference.model.get_rope_index(ids, inputs.get("image_grid_thw"))
        assert torch.equal(position[:, 0], batch.positions[:, start:start + n]), "positions"
        out = reference.model(**inputs).logits[0]
        here = [t - start for t in told if start <= t < start + n]
        assert len(here) == sum(len(tokenizer.encode(a).ids) + 1 for _, a in turns)
        mine = logits[at:at + len(here)]
        worst = max(worst, ((out[here] - mine).abs().max() / mine.abs().max()).item())
        theirs_loss = theirs_loss + F.cross_entropy(out[here], batch.targets[at:at + len(here)], reduction="sum")
        at, start = at + len(here), start + n + 1
    theirs_loss.backward()
    theirs = dict(reference.model.named_parameters())
    apart = max(((w.grad - theirs[name].grad).norm() / w.grad.norm()).item() for name, w in net.named_parameters())
    print(f"largest difference of a logit, relative to the largest logit: {worst:.1e}; of a gradient: {apart:.1e}")
    assert worst < 1e-5 and apart < 1e-4


if __name__ == "__main__":
    main()

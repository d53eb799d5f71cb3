"""Proves model.py and batches.py against Transformers: same ids, pixels and positions; logits and gradients alike.

    check.py TOKENIZER_DIR
"""
import os
import random
import sys
import tempfile

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

import batches
import clips
import curriculum
import export
import model
import world
from reference import Reference


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
    samples = [made for i in range(12) for made in (
        world.scene_sample(random.Random(f"check/{i}"), 160 * 160),
        clips.clip_sample(random.Random(f"check/{i}"), 112 * 112))]
    samples.append(curriculum.talk(random.Random("check"), 0))
    batch = batches.Packer(tokenizer).pack(samples)
    logits, *_ = net(batch)
    loss = F.cross_entropy(logits, batch.targets, reduction="sum")
    loss.backward()
    at = start = patch = 0
    worst, theirs_loss = 0.0, 0.0
    told = batch.told.tolist()
    for sample in samples:
        inputs = reference.inputs(sample)
        closed = torch.tensor([tokenizer.encode(sample.turns[-1][1]).ids + [tokenizer.token_to_id("<|im_end|>")]])
        ids = torch.cat((inputs["input_ids"], closed), 1)
        n = ids.shape[1]
        assert torch.equal(ids[0], batch.ids[start:start + n]), "ids"
        inputs = dict(inputs, input_ids=ids, attention_mask=torch.ones_like(ids))
        position, _ = reference.model.get_rope_index(
            ids, inputs.get("image_grid_thw"), inputs.get("video_grid_thw"), inputs.get("second_per_grid_ts"))
        assert torch.equal(position[:, 0], batch.positions[:, start:start + n]), "positions"
        out = reference.model(**inputs).logits[0]
        here = [t - start for t in told if start <= t < start + n]
        assert len(here) == sum(len(tokenizer.encode(a).ids) + 1 for _, a in sample.turns)
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

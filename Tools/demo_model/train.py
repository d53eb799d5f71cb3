"""Trains the demo model on pictures drawn afresh for every step. Stop it at any time: it goes on where it was
(SIGTERM and SIGINT save first). Another --steps on resuming moves the stages and the fall of the rate along.

    OMP_NUM_THREADS=1 nice -n 19 train.py RUN_DIR --steps 4000
"""
import argparse
import json
import os
import signal
import time

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

import batches
import draw
import export
import model
import tokenizer as tokenizer_files

# Curriculum: until this share of the steps, pictures up to this area, conversations per step, share with one thing only.
# As many pictures again go through the vision tower alone.
# Small pictures first: they cost a quarter and teach the same colours and shapes.
STAGES = ((0.20, 112 * 112, 40, 1.0), (0.63, 140 * 140, 40, 0.8), (1.01, batches.MAX_PIXELS, 26, 0.7))
SAVE_SECONDS = 180
AVERAGE = 0.998  # of the weights over the steps, for the export


def parameters(net):
    """Matrices inside the blocks go to Muon; embeddings, norms and biases to AdamW."""
    matrices, others = [], []
    for name, w in net.named_parameters():
        (matrices if w.dim() == 2 and "embed_tokens" not in name else others).append(w)
    return matrices, others


def rate(step, steps):
    """Warm up over 100 steps, hold, and fall to zero over the last 35 %."""
    return min(1.0, (step + 1) / 100, max(0.0, (steps - step) / (0.35 * steps)))


class Guide(nn.Module):
    """Asks every cell of a picture which shape and colour it belongs to. It teaches the vision tower directly, where
    the answers' few words do so slowly, and is left behind at the export."""

    def __init__(self, width):
        super().__init__()
        self.shape, self.colour = nn.Linear(width, len(draw.SHAPES) + 1), nn.Linear(width, len(draw.COLOURS) + 1)

    def forward(self, seen, cells):
        loss = 0.0
        for head, labels in zip((self.shape, self.colour), cells.unbind(1)):
            each = F.cross_entropy(head(seen).float(), labels, reduction="none")
            loss = loss + each[labels > 0].mean() + each[labels == 0].mean()
        return loss


def save(path, **state):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder for checkpoints and the log")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=2e-3, help="of AdamW; Muon takes twice as much")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float32", action="store_true", help="no bfloat16 in the linear layers")
    a = parser.parse_args()
    os.makedirs(a.run, exist_ok=True)
    torch.manual_seed(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if not os.path.exists(f"{a.run}/tokenizer/tokenizer.json"):
        tokenizer_files.write(f"{a.run}/tokenizer", export.CHAT_TEMPLATE)
    packer = batches.Packer(Tokenizer.from_file(f"{a.run}/tokenizer/tokenizer.json"))
    net = model.QwenVL().to(device)
    guide = Guide(model.TEXT["hidden"]).to(device)
    matrices, others = parameters(net)
    optimizers = [torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
                  torch.optim.AdamW(guide.parameters(), weight_decay=0.0)]
    average = {name: w.detach().clone() for name, w in net.state_dict().items()}
    step = 0
    if os.path.exists(f"{a.run}/last.pt"):
        saved = torch.load(f"{a.run}/last.pt", map_location=device, weights_only=True)
        net.load_state_dict(saved["net"])
        guide.load_state_dict(saved["guide"]) if "guide" in saved else None
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        average, step = saved["average"], saved["step"]
        print(f"goes on at step {step}", flush=True)

    def keep():
        save(f"{a.run}/last.pt", net=net.state_dict(), guide=guide.state_dict(), average=average, step=step,
             optimizers=[optimizer.state_dict() for optimizer in optimizers])

    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(True))
    saved_at = logged_at = time.time()
    seen = dict(loss=0.0, guide=0.0, right=0, told=0, drawing=0.0, patches=0, tokens=0, steps=0)
    while step < a.steps and not ended:
        began = time.time()
        _, area, count, one = next(s for s in STAGES if step / a.steps < s[0])
        b = packer.pack([batches.example(f"train/{a.seed}/{step}/{i}", area, 4 if i < count else 0, one=one)
                         for i in range(2 * count)])
        b = to(b, device)
        seen["drawing"] += time.time() - began
        with torch.autocast(device, torch.bfloat16, enabled=not a.float32):
            logits, cells = net(b)
            guided = guide(cells, b.cells)
        loss = F.cross_entropy(logits, b.targets)
        (loss + 0.5 * guided).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimizer, highest in zip(optimizers, (2 * a.rate, a.rate, a.rate)):
            for group in optimizer.param_groups:
                group["lr"] = highest * rate(step, a.steps)
            optimizer.step()
            optimizer.zero_grad()
        keep_share = min(AVERAGE, (step + 1) / (step + 10))
        for name, w in net.state_dict().items():
            average[name].lerp_(w, 1 - keep_share)
        step += 1
        seen["loss"] += loss.item()
        seen["guide"] += guided.item()
        seen["right"] += (logits.argmax(-1) == b.targets).sum().item()
        seen["told"] += len(b.targets)
        seen["patches"] += len(b.patches)
        seen["tokens"] += len(b.ids)
        seen["steps"] += 1
        if step % 50 == 0:
            n, now = seen["steps"], time.time()
            line = dict(step=step, loss=round(seen["loss"] / n, 4), guide=round(seen["guide"] / n, 3),
                        right=round(seen["right"] / seen["told"], 4), seconds=round((now - logged_at) / n, 3),
                        drawing=round(seen["drawing"] / n, 3), patches=seen["patches"] // n,
                        tokens=seen["tokens"] // n, clock=time.strftime("%H:%M:%S"))
            print(json.dumps(line), flush=True)
            with open(f"{a.run}/log.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
            logged_at, seen = now, dict.fromkeys(seen, 0)
        if time.time() - saved_at > SAVE_SECONDS or step == a.steps or ended:
            keep()
            saved_at = time.time()


def to(value, device):
    """The batch with all its tensors on the device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, (list, tuple)):
        return type(value)(to(part, device) for part in value)
    return type(value)(**{name: to(field, device) for name, field in vars(value).items()})


if __name__ == "__main__":
    main()

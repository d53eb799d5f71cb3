"""Trains the demo model on pictures drawn on the fly; stop and start it as you like.

    train.py RUN --until STEPS [--workers 2] [--decay N]
    train.py RUN --until STEPS --device cuda --drawers 14 --times 12
    train.py RUN --start ../../Models/demo --step 15530   a new run that goes on from an exported model
On a CPU each worker is a process with one thread. The batches of a step are dealt out as workers come for them, each
adds up gradients of its own, and then each updates its share of the weights, which all of them see. On a GPU one worker
learns from batches (so many times as large) that drawing processes have ready.
"""
import argparse
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

import batches
import curriculum
import export
import guide
import model
import named
import tokenizer as tokenizer_files
from muon import Muon

SAVE_SECONDS = 300
KEEP_EVERY = 1000  # steps whose checkpoint stays
AVERAGE = 0.998  # of the weights over the steps, for the export
GUIDE = 0.35  # how much the guides weigh beside the answers
POINTING = 0.5  # and where some heads look
GUIDED = ("kind", "colour", "left10", "left1", "rank", "count", "way", "column", "character0", "called", "word", "check",
          "left_at", "printed", "larger", "smaller")  # of what cells are asked, for the log
LOGGED = ("number", "kind", "colour", "left", "top", "right", "begin", "end", "way", "left_of", "above", "larger",
          "asked", "rank", "picture", "since", "until", "interval", "next", "time",
          "shows", "gone", "fresh", "letter", "word", "smaller")  # of what names are asked


def rate(step, since, until, decay):
    """Warm up over the 100 steps since the optimizers know nothing, hold, and fall to a hundredth over the last `decay`."""
    return min(1.0, (step - since + 1) / 100, max(0.01, (until - step) / decay) if decay else 1.0)


@dataclass
class Drawn:
    """A batch and what the log wants to know of it."""
    batch: batches.Batch
    answers: list  # (task, tokens) in the order of the told tokens
    conversations: int
    seconds: float  # that it took


def draw(packer, step, micro, options):
    began = time.time()
    samples = curriculum.batch(step, micro, options.seed, options.times)
    batch = packer.pack(samples)
    answers = [(s.task, sum(packer.told(answer))) for s in samples for _, answer in s.turns]
    return Drawn(batch, answers, sum(bool(s.turns) for s in samples), time.time() - began)


class Ahead(torch.utils.data.Dataset):
    """Batches by (step, place in the step), for processes that draw ahead."""

    def __init__(self, packer, options):
        self.packer, self.options = packer, options

    def __getitem__(self, place):
        return draw(self.packer, *place, self.options)

    def after(self, step):
        places = [(s, m) for s in range(step, self.options.until) for m in range(curriculum.stage(s).micros)]
        return iter(torch.utils.data.DataLoader(self, batch_size=None, sampler=places, prefetch_factor=4,
                                                num_workers=self.options.drawers))


def modules():
    """All that is trained, by what its parameters' names begin with; the export leaves the guides behind."""
    width, asked = model.TEXT["hidden"], (named.SIZES, named.WEIGHTS)
    return {"": model.QwenVL(), "guide.": guide.Guide(width), "guide_names.": guide.Questions(width, *asked),
            "guide_starts.": guide.Questions(width, *asked),
            "guide_clocks.": guide.Questions(width, named.CLOCKS, named.CLOCK_WEIGHTS)}


class Learner:
    """One process: the whole network on shared weights, gradients of its own, and a share of the update."""

    def __init__(self, rank, workers, shared, options):
        self.rank, self.shared, self.options = rank, shared, options
        everything = {prefix: m.to(options.device) for prefix, m in modules().items()}
        self.net, self.guide, *asked = everything.values()
        self.asked = dict(zip(("names", "starts", "clocks"), asked))
        self.names, start = [], 0
        for prefix, module in everything.items():
            for name, w in module.named_parameters():
                w.data = shared["weights"][start:start + w.numel()].view(w.shape)
                w.grad = shared["gradients"][rank][start:start + w.numel()].view(w.shape)
                self.names.append((prefix + name, w, slice(start, start + w.numel())))
                start += w.numel()
        loads = [0] * workers
        self.own = []
        for entry in sorted(self.names, key=lambda e: -e[1].numel()):
            owner = loads.index(min(loads))
            loads[owner] += entry[1].numel()
            if owner == rank:
                self.own.append(entry)
        # Matrices inside the blocks go to Muon; embeddings, norms, biases and the guide to AdamW.
        matrices = [e for e in self.own if e[1].dim() == 2 and "embed_tokens" not in e[0] and "guide" not in e[0]]
        others = [e for e in self.own if all(e is not m for m in matrices)]
        self.optimizers = []
        if matrices:
            self.optimizers.append((matrices, 2.0, Muon([w for _, w, _ in matrices], weight_decay=0.05)))
        if others:
            self.optimizers.append((others, 1.0, torch.optim.AdamW(
                [w for _, w, _ in others], betas=(0.9, 0.98), weight_decay=0.0)))
        tokenizer = Tokenizer.from_file(f"{options.run}/tokenizer/tokenizer.json")
        self.packer = batches.Packer(tokenizer)
        if not options.eager:
            self.net.compile_rows()

    def learn(self, drawn, step):
        """Forward and backward of one batch; returns what the log wants."""
        b, stage = drawn.batch.to(self.options.device), curriculum.stage(step)
        with torch.autocast(self.options.device, torch.bfloat16, enabled=not self.options.float32):
            logits, seen, states, pointed = self.net(b, stage.frozen)
        each = F.cross_entropy(logits, b.targets, reduction="none")
        guided, right = self.guide(seen, b.cells)
        asked = {name: ask(states[name], getattr(b, name + "_labels")) for name, ask in self.asked.items()}
        # A "No." tells more in its one word than a list of boxes does in each of its hundred tokens.
        weights = torch.tensor([n ** -0.5 for _, n in drawn.answers for _ in range(n)], device=each.device)
        answered = (each * weights).sum() / weights.sum()
        guides = sum(loss for loss, _ in asked.values()) + (0 if stage.frozen else guided)
        ((answered + GUIDE * guides + POINTING * sum(loss for loss, _ in pointed.values())) / stage.micros).backward()
        hits = (logits.argmax(-1) == b.targets).float().cpu()
        line = dict(loss=each.mean().item(), guide=guided.item(), token=hits.mean().item(), drawing=drawn.seconds,
                    conversations=drawn.conversations, patches=len(b.patches), tokens=len(b.ids),
                    **{f"guide_{k}": right[k].item() for k in GUIDED if k in right})
        for name, (loss, rights) in asked.items():
            line |= {name: loss.item()} | {f"{name}_{k}": v.item() for k, v in rights.items() if k in LOGGED}
        line |= {f"point_{k}": on.item() for k, (_, on) in pointed.items()}
        at, of = 0, {}
        for task, tokens in drawn.answers:  # whole answers that are right, each token given the right ones before it
            of.setdefault(task, []).append(hits[at:at + tokens].min().item())
            at += tokens
        return line | {f"right_{task}": sum(v) / len(v) for task, v in of.items()}

    def update(self, step):
        """Sums the workers' gradients for this one's share of the weights, and steps."""
        everyone = self.shared["gradients"]
        factor = rate(step, self.options.step, self.options.until, self.options.decay) * self.options.rate
        past = step - self.options.step
        kept = min(AVERAGE, (past + 1) / (past + 10))
        for entries, times, optimizer in self.optimizers:
            for name, w, span in entries:
                rests = curriculum.stage(step).frozen and name.startswith(("visual.", "guide."))
                w.grad = None if rests else everyone[:, span].sum(0).view(w.shape)
            if isinstance(optimizer, torch.optim.AdamW):
                torch.nn.utils.clip_grad_norm_([w for _, w, _ in entries if w.grad is not None], 1.0)
            for group in optimizer.param_groups:
                group["lr"] = factor * times
            optimizer.step()
            for _, w, span in entries:
                self.shared["average"][span].lerp_(w.data.flatten(), 1 - kept)

    def clear(self):
        self.shared["gradients"][self.rank].zero_()
        for _, w, span in self.names:
            w.grad = self.shared["gradients"][self.rank][span].view(w.shape)

    def state(self):
        """The optimizers' memory of this worker's weights, by name."""
        return {name: optimizer.state[w] for entries, _, optimizer in self.optimizers for name, w, _ in entries
                if w in optimizer.state}

    def restore(self, folder):
        state = {}
        for file in os.listdir(folder):
            if file.startswith("worker"):
                state |= torch.load(f"{folder}/{file}", weights_only=True, map_location=self.options.device)
        for entries, _, optimizer in self.optimizers:
            for name, w, _ in entries:
                if name in state and all(t.dim() == 0 or t.shape == w.shape for t in state[name].values()
                                         if isinstance(t, torch.Tensor)):
                    optimizer.state[w] = state[name]


def save(learner, step, barrier):
    """Every worker writes its part; then the folder counts as the newest."""
    o = learner.options
    folder = f"{o.run}/step-{step:06d}"
    os.makedirs(folder, exist_ok=True)
    torch.save(learner.state(), f"{folder}/worker{learner.rank}.pt")
    if learner.rank == 0:
        parts = {"net": {}, "average": {}}
        for name, w, span in learner.names:
            parts["net"][name] = w.data.cpu().clone()
            parts["average"][name] = learner.shared["average"][span].view(w.shape).cpu().clone()
        torch.save(dict(parts, step=step, since=o.step), f"{folder}/weights.pt")
    barrier.wait()
    if learner.rank == 0:
        with open(f"{o.run}/last.part", "w") as file:
            file.write(os.path.basename(folder))
        os.replace(f"{o.run}/last.part", f"{o.run}/last")
        for name in sorted(os.listdir(o.run)):
            if name.startswith("step-") and name < os.path.basename(folder) and int(name[5:]) % KEEP_EVERY:
                shutil.rmtree(f"{o.run}/{name}")


def newest(run):
    """The folder of the newest checkpoint, or None."""
    return f"{run}/{open(f'{run}/last').read().strip()}" if os.path.exists(f"{run}/last") else None


def fitting(saved, fresh):
    """The saved weights; what they lack begins afresh, and so do the last rows where they have fewer (questions that were
    added)."""
    made = {}
    for name, w in fresh.items():
        old = saved[name].float() if name in saved else w[:0]
        fits = old.shape[1:] == w.shape[1:] and len(old) <= len(w)
        made[name] = torch.cat((old, w[len(old):].detach())) if fits else w
    return made


def work(rank, workers, shared, counters, barrier, options):
    torch.set_num_threads(1)
    ended, took = counters["ended"], counters["taken"]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.__setattr__("value", 1))
    learner = Learner(rank, workers, shared, options)
    folder, step = newest(options.run), options.step
    if folder:
        learner.restore(folder)
        step = int(folder[-6:])
    ahead = Ahead(learner.packer, options).after(step) if options.drawers else None
    saved_at = logged_at = time.time()
    gathered = []
    while step < options.until:
        learner.clear()
        micros = curriculum.stage(step).micros
        barrier.wait()
        if rank == 0:
            took.value = 0
            counters["stop"].value = ended.value
            counters["save"].value = time.time() - saved_at > SAVE_SECONDS or ended.value
        barrier.wait()
        if counters["save"].value:
            saved_at = time.time()
            save(learner, step, barrier)
        if counters["stop"].value:
            return
        while True:
            with took.get_lock():
                micro = took.value
                took.value += 1
            if micro >= micros:
                break
            drawn = next(ahead) if ahead else draw(learner.packer, step, micro, options)
            gathered.append(learner.learn(drawn, step))
        barrier.wait()
        learner.update(step)
        step += 1
        if step % 20 == 0:
            with open(f"{options.run}/worker{rank}.log", "a") as file:
                for line in gathered:
                    file.write(json.dumps(line) + "\n")
            keys = sorted({k for line in gathered for k in line})
            mean = {k: round(sum(v := [line[k] for line in gathered if k in line]) / len(v), 4) for k in keys}
            mean |= dict(step=step, worker=rank, batches=len(gathered), clock=time.strftime("%H:%M:%S"),
                         seconds=round((time.time() - logged_at) / 20, 2))
            with open(f"{options.run}/log.jsonl", "a") as file:
                file.write(json.dumps(mean) + "\n")
            logged_at, gathered = time.time(), []
    barrier.wait()
    save(learner, step, barrier)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder for checkpoints and the log")
    parser.add_argument("--until", type=int, default=100_000, help="the step to end with")
    parser.add_argument("--decay", type=int, default=0, help="over so many last steps the rate falls")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--drawers", type=int, default=0, help="processes that draw ahead, for one worker")
    parser.add_argument("--times", type=float, default=1, help="how much larger than on a CPU a batch is")
    parser.add_argument("--rate", type=float, default=2e-3, help="of AdamW; Muon takes twice as much")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="folder of an exported model whose weights a new run begins with")
    parser.add_argument("--step", type=int, default=0, help="of the curriculum that a new run begins with")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 in the linear layers")
    parser.add_argument("--eager", action="store_true", help="no compilation")
    options = parser.parse_args()
    if options.device != "cpu" or options.drawers:
        options.workers = 1
    os.makedirs(options.run, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    if not os.path.exists(f"{options.run}/tokenizer/tokenizer.json"):
        if options.start:  # the embeddings are its tokens'
            tokenizer_files.copy(options.start, f"{options.run}/tokenizer")
        else:
            tokenizer_files.write(f"{options.run}/tokenizer", export.CHAT_TEMPLATE)
    fresh = {prefix + n: w for prefix, m in modules().items() for n, w in m.named_parameters()}
    weights, average, folder = fresh, fresh, newest(options.run)
    if folder:
        saved = torch.load(f"{folder}/weights.pt", weights_only=True)
        options.step = saved.get("since", 0)
        weights, average = fitting(saved["net"], fresh), fitting(saved["average"], fresh)
        print(f"goes on at step {saved['step']}", flush=True)
    elif options.start:
        guides = load_file(export.GUIDES) if os.path.exists(export.GUIDES) else {}
        weights = average = fitting(load_file(f"{options.start}/model.safetensors") | guides, fresh)
    flat = lambda parts: torch.cat([w.detach().flatten() for w in parts.values()]).to(options.device).share_memory_()
    print(f"{sum(w.numel() for n, w in fresh.items() if 'guide' not in n) / 1e6:.2f} million parameters", flush=True)
    weights = flat(weights)
    shared = dict(weights=weights, average=flat(average),
                  gradients=torch.zeros(options.workers, len(weights), device=options.device).share_memory_())
    counters = dict(taken=mp.Value("i", 0), ended=mp.Value("i", 0), stop=mp.Value("i", 0), save=mp.Value("i", 0))
    barrier = mp.get_context("fork").Barrier(options.workers)
    context = mp.get_context("fork")
    if options.workers == 1:  # here: what has spoken to a GPU must not fork
        return work(0, 1, shared, counters, barrier, options)
    processes = [context.Process(target=work, args=(r, options.workers, shared, counters, barrier, options))
                 for r in range(options.workers)]
    for process in processes:
        process.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: counters["ended"].__setattr__("value", 1))
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a worker failed")


if __name__ == "__main__":
    main()

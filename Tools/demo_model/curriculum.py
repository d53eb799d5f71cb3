"""What is trained on when: tasks and their shares, the largest pictures, and how much makes one step.

Restarting a run with another table is fine: only the step decides.
"""
import importlib
import random
from dataclasses import dataclass, field

import clips
import documents
import printed
import tasks
import world
from sample import MAX_PIXELS, Sample, seen_size


@dataclass(frozen=True)
class Stage:
    until: int  # the first step that is not in it
    area: int  # of the largest pictures, pixels
    things: int  # at most, in scenes of shapes
    micros: int  # batches that make one step
    shares: dict = field(default_factory=dict)  # task family: share of the conversations
    large: float = 0.0  # the share of pictures that may be as large as the model sees them
    questions: tuple = (1, 8)  # about one picture, from – to: what the vision tower has seen pays more than once
    silent: float = 0.2  # the share of a batch's cost that teaches the guide alone
    silent_large: float = 0.0  # the share of large pictures among those
    frozen: bool = False  # the vision tower rests, and the decoder learns to ask it


def later(until, **shares):
    """A stage since the tower learns again: of them only the shares differ."""
    return Stage(until, 280 * 280, 6, 4, shares, large=0.04, questions=(6, 20), silent=0.25, silent_large=0.4)


FAMILIES = ("clips", "printed", "screens", "several", "charts", "documents")  # modules with TASKS
# What the model must do (shapes, clips, windows) has most of the shares until it is learnt; reading lettering of every
# kind takes longest and has its turn in the last stage.
STAGES = (
    Stage(150, 112 * 112, 1, 2, dict(world=1, talk=0.03)),
    Stage(400, 140 * 140, 3, 2, dict(world=1, talk=0.03, printed=0.15)),
    Stage(700, 180 * 180, 6, 2, dict(world=1, talk=0.03, clips=0.3, printed=0.25, screens=0.1, several=0.1)),
    Stage(2500, 180 * 180, 6, 2, dict(world=1, talk=0.03, clips=0.45, screens=0.25, several=0.1, printed=0.12,
                                      charts=0.04, documents=0.04)),
    Stage(4824, 240 * 240, 6, 2, dict(world=1, talk=0.03, clips=0.45, screens=0.3, several=0.12, printed=0.2,
                                      charts=0.08, documents=0.08)),
    Stage(6540, 200 * 200, 6, 2, dict(world=1, talk=0.02, clips=0.25, screens=0.2, several=0.08, printed=0.04,
                                      charts=0.02, documents=0.01)),
    Stage(6640, 180 * 180, 6, 3, dict(world=1, talk=0.02, clips=0.2, screens=0.15, several=0.08), large=0.08,
          questions=(3, 10), silent=0.1),
    Stage(8043, 200 * 200, 6, 3, dict(world=1, talk=0.02, clips=0.2, screens=0.12, several=0.08), large=0.1,
          questions=(6, 20), frozen=True),
    later(10000, world=1, talk=0.03, clips=0.4, screens=0.25, several=0.08, printed=0.05, charts=0.03, documents=0.02),
    later(11400, world=1, talk=0.04, clips=0.5, screens=0.35, several=0.1, printed=0.12, charts=0.05, documents=0.1),
    later(11700, world=1, talk=0.04, clips=0.75, screens=0.35, several=0.1, printed=0.05, charts=0.07, documents=0.08),
    later(12129, world=0.8, talk=0.03, clips=0.7, screens=0.2, several=0.15, printed=0.8, charts=0.1, documents=0.15),
    later(13740, world=1, talk=0.03, clips=0.9, screens=0.2, several=0.15, printed=0.6, charts=0.1, documents=0.2),
    later(13950, world=0.9, talk=0.03, clips=1.4, screens=0.2, several=0.15, printed=0.4, charts=0.1, documents=0.2),
    later(15000, world=0.8, talk=0.03, clips=1.4, screens=0.2, several=0.15, printed=0.6, charts=0.15, documents=0.25),
    later(15530, world=1, talk=0.03, clips=0.9, screens=0.25, several=0.2, printed=0.6, charts=0.15, documents=0.2),
    later(20000, world=1, talk=0.03, clips=0.5, screens=0.2, several=0.2, printed=0.9, charts=0.2, documents=0.3),
    Stage(10**9, 300 * 300, 6, 3, dict(world=1, talk=0.03, clips=0.4, printed=0.3, screens=0.25, several=0.15,
                                       charts=0.12, documents=0.12)),
)
THINGS = ((1, 10), (2, 16), (3, 18), (4, 18), (5, 19), (6, 19))  # how often so many: many are hardest to tell in order
COST = 3750  # of one batch, in patches and tokens: one to two seconds of one core


def stage(step):
    return next(s for s in STAGES if step < s.until)


def talk(rng, area):
    return Sample("talk", tasks.talk(rng), system=tasks.system_prompt(rng))


def draw_sample(rng, current, asks=True):
    """One sample of the stage, with questions or without."""
    kind = rng.choices(list(current.shares), list(current.shares.values()))[0]
    area = MAX_PIXELS if rng.random() < (current.large if asks else current.silent_large) else current.area
    if kind == "talk" and asks:
        return talk(rng, area)
    if kind in ("world", "talk"):
        things = [t for t in THINGS if t[0] <= current.things]
        questions = rng.randint(*current.questions) if asks else 0
        made = world.scene_sample(rng, area, questions, rng.choices(*zip(*things))[0])
    elif kind == "clips":
        made = clips.clip_sample(rng, min(area, 224 * 224) // 2, 6 if asks else 0)
    elif kind == "printed" and not asks:
        made = printed.page(rng, area)
    else:  # a module with TASKS of its own
        family = importlib.import_module(kind).TASKS
        more = dict(requests=10) if kind == "screens" else {}  # what the vision tower has seen pays more than once
        made = rng.choice(list(family.values()))(rng, area, **more)
        if made.task == "table":
            answer = next(a for _, a in made.turns if "```json" in a)
            made.turns.append((rng.choice(documents.TABLE_JSON), documents.misread(rng, answer)))
        made.turns = made.turns if asks else []
    if made.system == Sample.system:
        made.system = tasks.system_prompt(rng)
    return made


def cost(sample):
    """Patches and tokens, roughly: four characters to a token, a quarter of the patches beside them."""
    total = 0
    for medium in sample.media:
        frames = getattr(medium, "frames", None)
        width, height = seen_size(*(frames[0] if frames else medium.image).size)
        total += width * height // 196 * (len(frames) // 2 if frames else 1)
    if not sample.turns:
        return total
    return total * 5 // 4 + (len(sample.system) + sum(len(q) + len(a) + 30 for q, a in sample.turns)) // 4


def batch(step, micro, seed=0, times=1):
    """The samples of one batch, so many times the usual cost, wholly determined by step and place: those that only
    teach the guide come last."""
    current, told, silent = stage(step), [], []
    rng = random.Random(f"train/{seed}/{step}/{micro}")
    share = 0 if current.frozen else current.silent
    for into, asks, share in ((told, True, 1 - share), (silent, False, share)):
        spent = 0
        while spent < share * COST * times:
            made = draw_sample(rng, current, asks)
            spent += cost(made)
            into.append(made)
    return told + silent

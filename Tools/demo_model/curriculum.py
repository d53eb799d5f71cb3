"""What is trained on when: tasks and their shares, the largest pictures, and how much makes one step.

Restarting a run with another table is fine: only the step decides.
"""
import importlib
import random
from dataclasses import dataclass, field

import clips
import tasks
import world
from sample import Sample


@dataclass(frozen=True)
class Stage:
    until: int  # the first step that is not in it
    area: int  # of the largest pictures, pixels
    things: int  # at most, in scenes of shapes
    micros: int  # batches that make one step
    shares: dict = field(default_factory=dict)  # task family: share of the conversations


STAGES = (
    Stage(150, 112 * 112, 1, 2, dict(world=1, talk=0.04)),
    Stage(400, 140 * 140, 3, 2, dict(world=1, talk=0.04)),
    Stage(700, 180 * 180, 6, 2, dict(world=1, talk=0.04, clips=0.2)),
    Stage(1100, 224 * 224, 6, 3, dict(world=1, talk=0.04, clips=0.4)),
    Stage(10**9, 300 * 300, 6, 4, dict(world=1, talk=0.04, clips=0.4)),
)
PATCHES = 2600  # of one batch: about two seconds of one core
SILENT = 0.3  # the share of a batch's patches that teach the guide alone


def stage(step):
    return next(s for s in STAGES if step < s.until)


def talk(rng, area):
    return Sample("talk", tasks.talk(rng), system=tasks.system_prompt(rng))


def draw_sample(rng, current, turns=4):
    """One sample of the stage."""
    kind = rng.choices(list(current.shares), list(current.shares.values()))[0]
    if kind == "talk" and turns:
        return talk(rng, current.area)
    if kind in ("world", "talk"):
        things = [t for t in world.THINGS if t[0] <= current.things]
        made = world.scene_sample(rng, current.area, turns, rng.choices(*zip(*things))[0])
    elif kind == "clips":
        made = clips.clip_sample(rng, min(current.area, 224 * 224) // 2, 3 if turns else 0)
    else:  # a module with TASKS of its own
        family = importlib.import_module(kind).TASKS
        made = rng.choice(list(family.values()))(rng, current.area)
        made.turns = made.turns if turns else []
    if made.system == Sample.system:
        made.system = tasks.system_prompt(rng)
    return made


def patches_of(sample):
    from sample import seen_size
    total = 0
    for medium in sample.media:
        frames = getattr(medium, "frames", None)
        width, height = seen_size(*(frames[0] if frames else medium.image).size)
        total += width * height // 196 * (len(frames) // 2 if frames else 1)
    return total


def batch(step, micro, seed=0):
    """The samples of one batch, wholly determined by step and place: those that only teach the guide come last."""
    current, told, silent = stage(step), [], []
    rng = random.Random(f"train/{seed}/{step}/{micro}")
    for into, turns, share in ((told, 4, 1 - SILENT), (silent, 0, SILENT)):
        patches = 0
        while patches < share * PATCHES:
            made = draw_sample(rng, current, turns)
            patches += patches_of(made)
            into.append(made)
    return told + silent

"""Two or three pictures of coloured shapes: what differs, what is common, which one shows what."""
import dataclasses

import draw
from sample import Sample
from world import NUMBERS, article, listed, name, picture, sentence

DIFFERENT = ["What is different?", "What differs between the pictures?", "Find the difference.",
             "What is the difference between the two pictures?", "How do the pictures differ?"]
COMMON = ["What do the pictures have in common?", "What is in both pictures?", "What is common?",
          "What is the same in the pictures?"]
COMMON_OF_MANY = ["What do the pictures have in common?", "What is in all pictures?", "What is common?"]
WHICH = ["Which picture shows {}?", "Which picture has {}?", "In which picture is {}?"]
IN_ONE = ["What is in Picture {}?", "Describe Picture {}.", "What does Picture {} show?"]
COUNT = ["How many shapes are in Picture {}?", "Count the shapes in Picture {}."]
MORE = ["Which picture shows more shapes?", "Which picture has more shapes?"]
SHARE = 0.15  # of the questions whose answer is none or nothing


def other_look(rng, looks):
    """A colour and a shape that none of the looks has together."""
    while True:
        look = rng.choice(list(draw.COLOURS)), rng.choice(draw.SHAPES)
        if look not in looks:
            return look


def changed(rng, looks):
    """The looks with one thing's colour or shape changed, one added, or none."""
    kind = rng.random()
    if kind < SHARE / 2:
        return list(looks)
    if kind < 0.35 and len(looks) < 4:
        return [*looks, other_look(rng, looks)]
    i, changed_look = rng.randrange(len(looks)), None
    while changed_look is None or changed_look in looks:
        colour, shape = looks[i]
        if rng.random() < 0.5:
            colour = rng.choice(list(draw.COLOURS))
        else:
            shape = rng.choice(draw.SHAPES)
        changed_look = colour, shape
    return [*looks[:i], changed_look, *looks[i + 1:]]


def same_layout(rng, scene, looks):
    """The scene with other looks at its places, or None where a colour would not stand out."""
    if len(looks) != len(scene.things):
        return None
    rgb = dict(draw.pick_colours(rng, scene.background, [colour for colour, _ in looks]))
    rgb |= {t.colour: t.rgb for t in scene.things}
    if any(colour not in rgb for colour, _ in looks):
        return None
    things = [dataclasses.replace(t, colour=colour, rgb=rgb[colour], shape=shape)
              for t, (colour, shape) in zip(scene.things, looks)]
    return draw.Scene(scene.size, scene.background, tuple(things))


def looks_of(scene):
    return [(t.colour, t.shape) for t in scene.things]


def told(looks):
    return listed([article(" ".join(look)) for look in looks])


def places(numbers):
    return sentence(listed([f"Picture {n}" for n in numbers])) if numbers else "None."


def pick_scenes(rng, area):
    count = 3 if area >= 3 * 84 * 84 and rng.random() < 0.3 else 2
    each = max(84 * 84, area // count)
    first = draw.pick_scene(rng, each, rng.choice((1, 2, 2, 3)))
    if count == 2 and rng.random() < 0.65:
        looks = changed(rng, looks_of(first))
        second = same_layout(rng, first, looks) if rng.random() < 0.6 else None
        scenes = [first, second or draw.pick_scene(rng, each, looks=looks)]
    else:
        scenes = [first]
        while len(scenes) < count:
            looks = looks_of(draw.pick_scene(rng, each, rng.choice((1, 2, 2, 3))))
            kept = rng.choice(looks_of(first))
            if rng.random() < 0.7 and kept not in looks:
                looks[rng.randrange(len(looks))] = kept
            scenes.append(draw.pick_scene(rng, each, looks=looks))
    rng.shuffle(scenes)
    return scenes


def different(rng, looks):
    parts = []
    for n, (mine, other) in enumerate((looks, looks[::-1]), 1):
        only = [look for look in mine if look not in other]
        if only:
            parts.append(f"Only Picture {n} shows {told(only)}.")
    return rng.choice(DIFFERENT), " ".join(parts) or "Nothing."


def common(rng, looks):
    shared = [look for look in looks[0] if all(look in other for other in looks[1:])]
    asked = rng.choice(COMMON if len(looks) == 2 else COMMON_OF_MANY)
    return asked, f"{'Both' if len(looks) == 2 else 'All'} show {told(shared)}." if shared else "Nothing."


def which(rng, looks):
    shown = [look for mine in looks for look in mine]
    look = other_look(rng, shown) if rng.random() < SHARE else rng.choice(shown)
    return (rng.choice(WHICH).format(article(" ".join(look))),
            places([n for n, mine in enumerate(looks, 1) if look in mine]))


def in_one(rng, looks):
    n = rng.randint(1, len(looks))
    return rng.choice(IN_ONE).format(n), sentence(told(looks[n - 1]))


def count(rng, looks):
    n = rng.randint(1, len(looks))
    return rng.choice(COUNT).format(n), NUMBERS[len(looks[n - 1])] + "."


def more(rng, looks):
    most = max(map(len, looks))
    with_most = [n for n, mine in enumerate(looks, 1) if len(mine) == most]
    return rng.choice(MORE), places(with_most) if len(with_most) == 1 else "None."


def several(rng, area):
    scenes = pick_scenes(rng, area)
    looks = [looks_of(scene) for scene in scenes]
    kinds = [different, different, common, which, which, in_one, count, more] if len(scenes) == 2 else \
        [common, which, which, in_one, count]
    turns = []
    for kind in rng.sample(kinds, 4):
        turn = kind(rng, looks)
        if turn[0] not in [asked for asked, _ in turns]:
            turns.append(turn)
    return Sample("several", turns, [picture(rng, scene)[0] for scene in scenes])


TASKS = {"several": several}

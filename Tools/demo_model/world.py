"""Questions about drawn shapes, with their answers, in stills: describing, counting, comparing, finding.

`scene_sample` makes one picture with several questions; TASKS makes one with one question each.
"""
import draw
from draw import COLOURS, SHAPES
from sample import Mark, Picture, Sample, seen_box, seen_point

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six")
ZH_NUMBERS = ("没有", "一个", "两个", "三个", "四个", "五个", "六个")
ZH_COLOURS = dict(red="红色", orange="橙色", yellow="黄色", green="绿色", blue="蓝色", purple="紫色", pink="粉色", brown="棕色",
                  black="黑色", white="白色", grey="灰色")
ZH_SHAPES = dict(circle="圆形", square="正方形", triangle="三角形", star="星形", cross="十字形", heart="心形", ring="圆环",
                 diamond="菱形")

DESCRIBE = ["What is in the picture?", "What is in this picture?", "What do you see?", "Describe the picture.",
            "Describe this image.", "What is in the image?", "What does the picture show?", "What is shown here?",
            "Describe this picture.", "What is this?", "What's in the picture?", "What is drawn here?"]
ZH_DESCRIBE = ["图中有什么？", "描述这张图片。", "这张图片里有什么？", "你看到了什么？", "请描述图片。"]
COUNT = ["How many shapes are there?", "How many things are in the picture?", "How many shapes do you see?",
         "Count the shapes.", "How many objects are in the picture?"]
ZH_COUNT = ["图中有几个图形？", "有几个图形？", "图片里有多少个图形？", "数一数图形。"]
COUNT_OF = ["How many {} are there?", "How many {} do you see?", "Count the {}."]
COLOUR_OF_IT = ["What colour is it?", "What color is it?", "Which colour is it?", "Which color is it?",
                "What colour is the shape?", "What color is the shape?", "Name the colour."]
SHAPE_OF_IT = ["What shape is it?", "Which shape is it?", "What shape is this?", "What shape do you see?",
               "What is the shape?", "Name the shape.", "What kind of shape is it?"]
COLOUR_OF = ["What colour is the {}?", "What color is the {}?", "Which colour is the {}?", "Which color is the {}?",
             "What colour does the {} have?", "What is the colour of the {}?", "What is the color of the {}?"]
SHAPE_OF = ["What shape is {}?", "Which shape is {}?", "What is {}?", "What shape is the {} one?",
            "What is the {} thing?", "What shape is the {} thing?"]
IS_THERE = ["Is there {}?", "Do you see {}?", "Does the picture show {}?", "Is there {} in the picture?"]
SIDES = dict(left=("leftmost", "furthest to the left", "on the left"), right=("rightmost", "furthest to the right", "on the right"),
             above=("at the top", "highest", "topmost"), below=("at the bottom", "lowest", "lowermost"))
WORDS = dict(left=("left of", "to the left of"), right=("right of", "to the right of"), above=("above", "higher than"),
             below=("below", "lower than"))
LARGEST = ["Which shape is the largest?", "What is the largest shape?", "Which thing is biggest?"]
SMALLEST = ["Which shape is the smallest?", "What is the smallest shape?", "Which thing is smallest?"]
ALL_BOXES = ["Detect all shapes in the image and return their locations in the form of coordinates.",
             "Locate every shape, output the bbox coordinates in JSON format.", "Detect all shapes.",
             "Find all objects and output their bbox coordinates in JSON format.",
             "Outline the position of each shape and output all the coordinates in JSON format."]
BOXES = ["Locate the {}, output its bbox coordinates in JSON format.", "Detect the {}.", "Where is the {}?",
         "Outline the position of the {} and output the coordinates in JSON format.",
         "Find the {} and output its bbox coordinates in JSON format."]
MANY_BOXES = ["Locate every {}, output the bbox coordinates in JSON format.", "Detect all {}.", "Find all {}.",
              "Outline the position of each {} and output all the coordinates in JSON format."]
POINTS = ["Point to the {}.", "Locate the {} in a point format.", "Point to the {}, output its point coordinates in JSON format."]


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def sentence(words):
    return words[0].upper() + words[1:] + "."


def plural(noun):
    return noun + ("es" if noun.endswith("s") else "s")


def name(thing):
    return f"{thing.colour} {thing.shape}"


def listed(parts, last=" and "):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + last + parts[-1]


def fenced(items):
    """A list as the official cookbooks print it."""
    return "```json\n[\n" + ",\n".join("\t" + item for item in items) + "\n]\n```"


def box_item(box, label):
    return '{"bbox_2d": [%d, %d, %d, %d], "label": "%s"}' % (*box, label)


def describe(rng, scene, boxes):
    things = scene.things
    if rng.random() < 0.2:
        return rng.choice(ZH_DESCRIBE), "、".join(
            f"一个{ZH_COLOURS[t.colour]}的{ZH_SHAPES[t.shape]}" for t in things) + "。"
    return rng.choice(DESCRIBE), sentence(listed([article(name(t)) for t in things]))


def count(rng, scene, boxes):
    things, kind = scene.things, rng.random()
    if kind < 0.2:
        return rng.choice(ZH_COUNT), ZH_NUMBERS[len(things)] + "。"
    if kind < 0.6 or len(things) == 1:
        return rng.choice(COUNT), NUMBERS[len(things)] + "."
    of = rng.choice(things) if rng.random() < 0.85 else None
    if rng.random() < 0.5:
        shape = of.shape if of else rng.choice(SHAPES)
        return rng.choice(COUNT_OF).format(plural(shape)), NUMBERS[sum(t.shape == shape for t in things)] + "."
    colour = of.colour if of else rng.choice(list(COLOURS))
    return (rng.choice(COUNT_OF).format(f"{colour} shapes"), NUMBERS[sum(t.colour == colour for t in things)] + ".")


def colour(rng, scene, boxes):
    if len(scene.things) == 1 and rng.random() < 0.5:
        return rng.choice(COLOUR_OF_IT), sentence(scene.things[0].colour)
    shapes = [t.shape for t in scene.things]
    single = [t for t in scene.things if shapes.count(t.shape) == 1]
    if not single or rng.random() < 0.1:
        absent = [s for s in SHAPES if s not in shapes]
        if absent:
            shape = rng.choice(absent)
            return rng.choice(COLOUR_OF).format(shape), f"There is no {shape}."
    if not single:
        return None
    thing = rng.choice(single)
    return rng.choice(COLOUR_OF).format(thing.shape), sentence(thing.colour)


def shape(rng, scene, boxes):
    if len(scene.things) == 1 and rng.random() < 0.6:
        return rng.choice(SHAPE_OF_IT), sentence(article(scene.things[0].shape))
    colours = [t.colour for t in scene.things]
    single = [t for t in scene.things if colours.count(t.colour) == 1]
    if not single or rng.random() < 0.1:
        absent = rng.choice([c for c in COLOURS if c not in colours])
        return rng.choice(SHAPE_OF).format(absent), f"Nothing is {absent}."
    thing = rng.choice(single)
    return rng.choice(SHAPE_OF).format(thing.colour), sentence(article(thing.shape))


def presence(rng, scene, boxes):
    shown = {(t.colour, t.shape) for t in scene.things}
    colour, shape = rng.choice(sorted(shown))
    if rng.random() < 0.55:  # half of the questions are near misses: one of the two words is wrong
        while (colour, shape) in shown:
            if rng.random() < 0.5:
                colour = rng.choice(list(COLOURS))
            else:
                shape = rng.choice(SHAPES)
    return rng.choice(IS_THERE).format(article(f"{colour} {shape}")), "Yes." if (colour, shape) in shown else "No."


def place(thing, side):
    """How far the thing lies to that side."""
    return dict(left=-thing.x, right=thing.x, above=-thing.y, below=thing.y)[side]


def clear(scene, side):
    """The distance from which on one thing counts as further to a side than another."""
    return max(8, 0.06 * scene.size[0 if side in ("left", "right") else 1])


def relation(rng, scene, boxes):
    """Left, right, above, below: a yes or no about two things, or which is outermost."""
    if len(scene.things) < 2:
        return None
    side = rng.choice(list(SIDES))
    if rng.random() < 0.5:
        a, b = rng.sample(scene.things, 2)
        far = place(a, side) - place(b, side)
        if abs(far) < clear(scene, side):
            return None
        return f"Is the {name(a)} {rng.choice(WORDS[side])} the {name(b)}?", "Yes." if far > 0 else "No."
    order = sorted(scene.things, key=lambda t: place(t, side))
    if place(order[-1], side) - place(order[-2], side) < clear(scene, side):
        return None
    asked = rng.choice(SIDES[side])
    return (rng.choice([f"Which shape is {asked}?", f"What is {asked}?"]), f"The {name(order[-1])}.")


def size(rng, scene, boxes):
    if len(scene.things) < 2:
        return None
    by_size = sorted(scene.things, key=lambda t: t.radius)
    if rng.random() < 0.5:
        a, b = rng.sample(scene.things, 2)
        if not 0.8 > min(a.radius, b.radius) / max(a.radius, b.radius):
            return None
        word, more = rng.choice((("larger", 1), ("smaller", -1), ("bigger", 1)))
        return f"Is the {name(a)} {word} than the {name(b)}?", "Yes." if (a.radius - b.radius) * more > 0 else "No."
    if rng.random() < 0.5:
        if by_size[-2].radius / by_size[-1].radius > 0.83:
            return None
        return rng.choice(LARGEST), f"The {name(by_size[-1])}."
    if by_size[0].radius / by_size[1].radius > 0.83:
        return None
    return rng.choice(SMALLEST), f"The {name(by_size[0])}."


def grounding(rng, scene, boxes):
    """Boxes of all things, of those of one colour or shape, or of one, in pixels of the picture as seen."""
    found = [(t, seen_box(b, scene.size)) for t, b in zip(scene.things, boxes)]
    kind = rng.random()
    if kind < 0.45:
        asked = rng.choice(ALL_BOXES)
    elif kind < 0.85:
        thing = rng.choice(scene.things)
        asked, found = rng.choice(BOXES).format(name(thing)), [f for f in found if f[0] == thing]
    else:
        thing = rng.choice(scene.things)
        if rng.random() < 0.5:
            asked, found = plural(thing.shape), [f for f in found if f[0].shape == thing.shape]
        else:
            asked, found = f"{thing.colour} shapes", [f for f in found if f[0].colour == thing.colour]
        asked = rng.choice(MANY_BOXES).format(asked)
        asked = asked.replace("every ", "all ").replace("each ", "all ")
    return asked, fenced([box_item(box, name(t)) for t, box in found])


def point(rng, scene, boxes):
    thing = rng.choice(scene.things)
    x, y = seen_point((thing.x, thing.y), scene.size)
    return rng.choice(POINTS).format(name(thing)), fenced(['{"point_2d": [%d, %d], "label": "%s"}' % (x, y, name(thing))])


QUESTIONS = dict(describe=describe, count=count, colour=colour, shape=shape, presence=presence, relation=relation,
                 size=size, grounding=grounding, point=point)
WEIGHTS = dict(describe=4, count=4, colour=1, shape=0.7, presence=1.5, relation=2.5, size=4, grounding=4, point=1)
ONCE = ("describe", "size", "grounding", "point")  # asked again in other words, their answers would only be copied
SORTED = 0.35  # the share of conversations in which the telling answers come last
# How often so many things: counting up to six must not be learnt from a handful of pictures.
THINGS = ((1, 20), (2, 24), (3, 20), (4, 14), (5, 11), (6, 11))


def picture(rng, scene):
    image, boxes = draw.render(rng, scene)
    marks = [Mark("thing", t.shape, box, t.colour) for t, box in zip(scene.things, boxes)]
    return Picture(image, marks), boxes


def scene_sample(rng, area, turns=4, things=None):
    """One picture with up to so many different questions about it (fewer where chance repeats one)."""
    scene = draw.pick_scene(rng, area, things or rng.choices(*zip(*THINGS))[0], few=0.45)  # those are mixed up most
    shown, boxes = picture(rng, scene)
    asked, told = [], set()
    for kind in rng.choices(list(QUESTIONS), list(WEIGHTS.values()), k=turns):
        turn = QUESTIONS[kind](rng, scene, boxes)
        if not turn or turn[0] in (a for a, _ in asked) or (kind, turn[1]) in told:
            continue
        asked.append(turn)
        if kind in ONCE and turn[1] not in ("Yes.", "No."):
            told.add((kind, turn[1]))
    if turns and not asked:
        asked.append(describe(rng, scene, boxes))
    if rng.random() < SORTED:  # the telling ones last: what earlier answers say need not be seen
        asked.sort(key=lambda turn: len(turn[1]))
    return Sample("world", asked, [shown])


def single(kind):
    """A task of one question of that kind."""
    def make(rng, area):
        while True:
            scene = draw.pick_scene(rng, area, rng.choices(*zip(*THINGS))[0])
            shown, boxes = picture(rng, scene)
            turn = QUESTIONS[kind](rng, scene, boxes)
            if turn:
                return Sample(kind, [turn], [shown])
    return make


TASKS = {kind: single(kind) for kind in QUESTIONS}

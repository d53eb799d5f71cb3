"""Clips of drawn shapes: what moves, which way, and when something shows. Time is in the positions alone.

TASKS: motion, event. `clip_sample` asks several questions about one clip.
"""
import math

import draw
from sample import Clip, Mark, Sample, time_positions
from world import article, name, sentence

# Usual frame rates. Training takes any from 0.5 to 4, but none near those that are kept for the test.
RATES = (0.5, 0.8, 1.0, 1.25, 2.0, 2.5, 3.0, 4.0)
UNSEEN_RATES = (1.5, 3.5)
WAYS = dict(left=(-1, 0), right=(1, 0), up=(0, -1), down=(0, 1))
SAID = dict(left="to the left", right="to the right", up="up", down="down")
WHAT_MOVES = ["What moves?", "What is moving?", "What happens in the video?", "Describe the video.",
              "What happens in this video?", "What do you see in the video?"]
WHICH_WAY = ["Which way does the {} move?", "In which direction does the {} move?", "Where does the {} move?",
             "Which way is the {} moving?"]
WHICH_WAY_IT = ["Which way does it move?", "In which direction does it move?"]
WHEN = ["When does the {} appear?", "At what time does the {} appear?", "When do you first see the {}?"]
GONE = ["When does the {} disappear?", "At what time does the {} disappear?"]
QUERY = ["When is the {} visible?", "During which time is the {} visible?",
         "Give the query: 'the {} is visible', when does the described content occur in the video?"]
EVENTS = ["Localize a series of activity events in the video, output the start and end timestamp for each event, "
          "and describe each event with sentences. Provide the result in json format with 'mm:ss.ff' format for time "
          "depiction.", "List the events of the video with start and end time in JSON format.",
          "Output the events in JSON format."]


def clock(seconds):
    return "%02d:%05.2f" % (seconds // 60, seconds % 60)


def tenths(seconds):
    """Seconds as the answers say them: one digit behind the point."""
    return "%.1f" % (math.floor(seconds * 10 + 0.5) / 10)


def pick_rate(rng):
    """Of few rates a model learns each by heart; of all it learns to tell the time by the positions."""
    if rng.random() < 0.25:
        return rng.choice(RATES)
    while True:
        rate = round(math.exp(rng.uniform(math.log(0.5), math.log(4))), 2)
        if all(abs(rate - unseen) > 0.04 for unseen in UNSEEN_RATES):
            return rate


def told_interval(fps, count):
    """Seconds between frames as training tells them: what the positions can tell. They are whole, one for each two frames
    after the first two. Of the times between frames that give the same, those of usual rates count, and the middle of
    what is left; where there is a single position, a third of the way, for it leaves most open."""
    seen = time_positions(count // 2, fps)
    least, most = 0.0, 1e9
    for i, at in enumerate(seen.tolist()[1:], 1):
        least, most = max(least, at / (4 * i)), min(most, (at + 1) / (4 * i))
    if count <= 4:
        return least + (most - least) / 3
    usual = [1 / rate for rate in RATES if (time_positions(count // 2, rate) == seen).all()] or [least, most]
    return (min(usual) + max(usual)) / 2


def clip_size(rng, area):
    return draw.pick_size(rng, 84 * 84, area)


def frames_for(rng, area):
    """How many frames, an even number: small pictures allow more."""
    return 2 * rng.randint(2, 5 if area <= 112 * 112 else 4)


def record(rng, scene, fps, count, where, shows):
    """A clip of the scene. where(thing, i): its centre in frame i; shows(thing, i): whether it is there."""
    base, masks = draw.paint_background(scene), [draw.stamp(rng, t) for t in scene.things]
    worn = rng.random() < 0.5
    state = rng.getrandbits(32)
    frames, marks = [], []
    for i in range(count):
        image, seen = base.copy(), []
        for thing, mask in zip(scene.things, masks):
            if shows(thing, i):
                x, y = where(thing, i)
                moved = draw.Thing(thing.shape, thing.colour, thing.rgb, x, y, thing.radius)
                seen.append(Mark("thing", thing.shape, draw.paste(image, moved, mask), thing.colour))
        if worn:  # like a camera: the same wear in each frame, other noise
            rng_frame = type(rng)(f"{state}")
            image = draw.wear(rng_frame, image)
        frames.append(image)
        marks.append(seen)
    return Clip(frames, fps, marks)


def motion_clip(rng, area, fps):
    """One thing moves along a line through the picture; perhaps another stays where it is."""
    count = frames_for(rng, area)
    while True:
        scene = draw.pick_scene(rng, things=rng.choice((1, 1, 2)), size=clip_size(rng, area))
        mover, direction = rng.choice(scene.things), rng.choice(list(WAYS))
        dx, dy = WAYS[direction]
        width, height = scene.size
        length = width if dx else height
        travel = length - 2 * mover.radius
        if travel < 0.3 * length:
            continue
        distance = travel * rng.uniform(max(0.5, 0.3 * length / travel) if travel > 0.6 * length else 1.0, 1.0)
        slack = (travel - distance) * rng.random()
        start = mover.radius + slack if dx + dy > 0 else length - mover.radius - slack
        def where(thing, i):
            if thing is not mover:
                return thing.x, thing.y
            along = start + (dx + dy) * distance * i / (count - 1)
            return (along, thing.y) if dx else (thing.x, along)
        if all(math.dist(where(mover, i), (t.x, t.y)) > mover.radius + t.radius + 1
               for t in scene.things if t is not mover for i in range(count)):
            return scene, record(rng, scene, fps, count, where, lambda *_: True), mover, direction


def motion_turns(rng, scene, mover, direction):
    turns = [(rng.choice(WHAT_MOVES), f"The {name(mover)} moves {SAID[direction]}.")]
    asked = rng.choice(WHICH_WAY_IT) if rng.random() < 0.25 else rng.choice(WHICH_WAY).format(
        name(mover) if rng.random() < 0.7 or len({t.shape for t in scene.things}) < len(scene.things) else mover.shape)
    turns.append((asked, sentence(SAID[direction])))
    rng.shuffle(turns)
    return turns


def event_clip(rng, area, fps):
    """Still things that appear, and perhaps disappear again. [(thing, first frame, frame after the last)]"""
    count = frames_for(rng, area)
    scene = draw.pick_scene(rng, things=rng.choice((1, 1, 2, 2, 3)), size=clip_size(rng, area))
    spans = {}
    for i, thing in enumerate(scene.things):
        if i and rng.random() < 0.3:
            spans[thing] = (0, count)
            continue
        begin = rng.randint(1, count - 1) if rng.random() < 0.85 else 0
        end = count if rng.random() < 0.45 else rng.randint(begin + 1, count)
        spans[thing] = (begin, end)
    shows = lambda thing, i: spans[thing][0] <= i < spans[thing][1]
    clip = record(rng, scene, fps, count, lambda t, i: (t.x, t.y), shows)
    return scene, clip, spans


def event_turns(rng, scene, clip, spans, most):
    at = clip.at
    turns = []
    for thing, (begin, end) in spans.items():
        if begin > 0:
            turns.append((rng.choice(WHEN).format(name(thing)), f"At {tenths(at(begin))} seconds."))
        if end < len(clip.frames):
            turns.append((rng.choice(GONE).format(name(thing)), f"At {tenths(at(end))} seconds."))
        turns.append((rng.choice(QUERY).format(name(thing)),
                      f"The given query happens in {tenths(at(begin))} - {tenths(at(end))} seconds."))
    order = sorted(spans.items(), key=lambda s: (s[1][0], s[0].x))
    events = ['{"start_time": "%s", "end_time": "%s", "description": "%s"}' % (
        clock(at(b)), clock(at(e)), sentence(article(name(t)) + " is visible")) for t, (b, e) in order]
    turns.append((rng.choice(EVENTS), "```json\n[\n" + ",\n".join("\t" + e for e in events) + "\n]\n```"))
    return rng.sample(turns, min(most, len(turns)))


def clip_sample(rng, area, turns=3):
    fps = pick_rate(rng)
    if rng.random() < 0.2:
        scene, clip, mover, direction = motion_clip(rng, area, fps)
        return Sample("clip", motion_turns(rng, scene, mover, direction)[:max(turns, 0)], [clip])
    scene, clip, spans = event_clip(rng, area, fps)
    clip.told = told_interval(fps, len(clip.frames))
    return Sample("clip", event_turns(rng, scene, clip, spans, turns), [clip])


def motion(rng, area, rates=RATES):
    scene, clip, mover, direction = motion_clip(rng, area, rng.choice(rates))
    return Sample("motion", motion_turns(rng, scene, mover, direction)[:1], [clip])


def event(rng, area, rates=RATES):
    scene, clip, spans = event_clip(rng, area, rng.choice(rates))
    return Sample("event", event_turns(rng, scene, clip, spans, 1), [clip])


TASKS = dict(motion=motion, event=event)

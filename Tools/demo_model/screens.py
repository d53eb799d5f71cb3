"""Drawn windows with buttons, fields, check boxes and menus, worked by calls of the computer_use tool."""
import json

from canvas import SANS, Canvas, fenced, lightness, line_height, pick_em, pick_size, text_width, union
from lexicon import BUTTONS, CHECKS, FIELDS, MENUS, TITLES, WORDS, number
from sample import Sample, seen_size

CLICK = {"button": ["Click the {} button.", "Click {}.", "Press the {} button.", "Click on the {} button."],
         "field": ["Click the {} field.", "Click on the {} field.", "Select the {} field."],
         "check": ["Tick the {} check box.", "Click the {} check box.", "Tick {}."],
         "menu": ["Open the {} menu.", "Click the {} menu."],
         "close": ["Close the window.", "Click the close button."]}
TYPE = ["Type {} into the {} field.", 'Write "{}" in the {} field.', "Enter {} in the {} field."]
POINT = ["Point to the {}, output in JSON format.", "Where is the {}? Output its point in JSON format."]
BOX = ["Locate the {}, output its bounding box in JSON format.", "Find the {}, as JSON."]
DONE = "<tool_response>\nDone.\n</tool_response>"
LEAST, MOST = 13, 20  # font size in pixels as seen
LEAST_AREA = 150 * 150  # smaller pictures would hold too little

# The tool of the official cookbooks, in short.
DESCRIPTION = ("Use a mouse and keyboard to interact with a computer, and take screenshots.\n"
               "* The screen's resolution is {}x{}.\n"
               "* Click buttons, links and icons with the cursor tip in their centre.")
ACTIONS = ["key", "type", "mouse_move", "left_click", "right_click", "double_click", "scroll", "wait", "terminate"]
PARAMETERS = {
    "action": {"description": "The action to perform.", "enum": ACTIONS, "type": "string"},
    "keys": {"description": "Required only by `action=key`.", "type": "array"},
    "text": {"description": "Required only by `action=type`.", "type": "string"},
    "coordinate": {"description": "(x, y): pixels from the left and top edges.", "type": "array"},
    "status": {"description": "Required only by `action=terminate`.", "type": "string", "enum": ["success", "failure"]}}


def computer_use(width, height):
    """The tool's definition, for a screen that is seen in this size."""
    return {"type": "function", "function": {
        "name": "computer_use", "description": DESCRIPTION.format(width, height),
        "parameters": {"properties": PARAMETERS, "required": ["action"], "type": "object"}}}


def system_prompt(width, height, begin="You are a helpful assistant."):
    """As the official template writes it where tools are given."""
    return (begin + "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
            + json.dumps(computer_use(width, height), ensure_ascii=False) + "\n</tools>\n\n"
            "For each function call, return a json object with function name and arguments within "
            "<tool_call></tool_call> XML tags:\n<tool_call>\n"
            '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>')


def call(action, **arguments):
    made = {"name": "computer_use", "arguments": {"action": action, **arguments}}
    return f"<tool_call>\n{json.dumps(made, ensure_ascii=False)}\n</tool_call>"


def shade(rgb, by):
    return tuple(max(0, min(255, round(v + by))) for v in rgb)


class Window(Canvas):
    """A desktop with one window; parts holds what can be clicked: (kind, name, box)."""

    def __init__(self, rng, size):
        self.dark = rng.random() < 0.25
        desk = tuple(rng.randint(40, 220) for _ in range(3))
        super().__init__(size, desk)
        self.face = rng.choice(SANS)
        self.em = pick_em(rng, size, LEAST, min(MOST, LEAST + min(size) / 60))
        self.high = line_height(self.face, self.em)
        level = rng.randint(25, 70) if self.dark else rng.randint(222, 248)
        self.base = shade((level,) * 3, 0)
        self.ink = (240, 240, 240) if self.dark else (15, 15, 15)
        self.accent = tuple(rng.randint(20, 200) for _ in range(3))
        self.parts = []

    def wide(self, text):
        return text_width(text, self.face, self.em)

    def write(self, x, y, text, colour=None):
        return self.text(x, y, text, self.face, self.em, colour or self.ink)

    def centred(self, box, text, colour=None):
        return self.write((box[0] + box[2] - self.wide(text)) / 2, (box[1] + box[3] - self.high) / 2, text, colour)

    def add(self, kind, name, box):
        box = tuple(round(v) for v in box)
        self.parts.append((kind, name, box))
        self.part(kind, box, name)

    def border(self):
        return shade(self.base, 70 if self.dark else -90)


def draw_frame(rng, w):
    """The window, its title bar with the close button, perhaps its menu bar; what is left inside."""
    width, height = w.size
    margin = min(width, height) * rng.uniform(0.0, 0.06)
    x0, y0, x1, y1 = margin, margin * rng.random(), width - margin, height - margin
    w.rectangle((x0, y0, x1, y1), fill=w.base, outline=w.border())
    bar = w.high * rng.uniform(1.1, 1.35)
    on_bar = (255, 255, 255) if lightness(w.accent) < 140 else (0, 0, 0)
    w.rectangle((x0, y0, x1, y0 + bar), fill=w.accent)
    title = rng.choice(TITLES)
    if w.wide(title) < x1 - x0 - bar - w.em * 0.5:
        w.write(x0 + w.em * 0.4, y0 + (bar - w.high) / 2, title, on_bar)
    side = bar * 0.62
    box = (x1 - bar / 2 - side / 2, y0 + (bar - side) / 2, x1 - bar / 2 + side / 2, y0 + (bar + side) / 2)
    if rng.random() < 0.5:
        w.rectangle(box, fill=(215, 50, 45))
        on_bar = (255, 255, 255)
    inset = side * 0.25
    for a, b in (((0, 1), (2, 3)), ((0, 3), (2, 1))):
        w.pen.line((box[a[0]] + inset, box[a[1]] + (inset if a[1] == 1 else -inset), box[b[0]] - inset,
                    box[b[1]] + (inset if b[1] == 1 else -inset)), fill=on_bar, width=max(1, round(side / 9)))
    w.add("close", "close button", box)
    y = y0 + bar
    if rng.random() < 0.4:
        x, names = x0 + w.em * 0.4, rng.sample(MENUS, 4)
        w.rectangle((x0 + 1, y, x1 - 1, y + w.high * 1.15), fill=shade(w.base, 12 if w.dark else -12))
        for name in sorted(names, key=MENUS.index):
            if x + w.wide(name) + w.em > x1:
                break
            w.write(x, y + w.high * 0.07, name)
            w.add("menu", name, (x - w.em * 0.3, y, x + w.wide(name) + w.em * 0.3, y + w.high * 1.15))
            x += w.wide(name) + w.em
        y += w.high * 1.15
    return x0 + w.em * 0.5, y + w.em * 0.4, x1 - w.em * 0.5, y1 - w.em * 0.4


def draw_buttons(rng, w, room, rows):
    """One or more rows of buttons at the foot of the room; its new lower edge."""
    x0, y0, x1, y1 = room
    names = rng.sample(BUTTONS, 12)
    plain = shade(w.base, 30 if w.dark else -25)
    high = w.high * rng.uniform(1.2, 1.5)
    for _ in range(rows):
        if y1 - high < y0:
            break
        row, wide = [], 0
        for _ in range(rng.randint(1, 4)):
            name = names.pop()
            more = w.wide(name) + w.em * rng.uniform(0.9, 1.8)
            if wide + more > x1 - x0 or len(names) < 1:
                break
            row.append((name, more))
            wide += more + w.em * 0.5
        x = rng.choice((x0, x1 - wide + w.em * 0.5, (x0 + x1 - wide) / 2))
        for i, (name, across) in enumerate(row):
            box = (x, y1 - high, x + across, y1)
            fill = w.accent if i == 0 and rng.random() < 0.4 else plain
            colour = None if fill == plain else ((255, 255, 255) if lightness(fill) < 140 else (0, 0, 0))
            if rng.random() < 0.3:
                w.pen.rounded_rectangle(tuple(map(round, box)), radius=high * 0.25, fill=fill, outline=w.border())
            else:
                w.rectangle(box, fill=fill, outline=w.border())
            w.centred(box, name, colour)
            w.add("button", name, box)
            x += across + w.em * 0.5
        y1 -= high + w.em * 0.4
    return y1


def draw_form(rng, w, room, bottom):
    """Text fields with labels, and check boxes, from the top down."""
    x0, y, x1, _ = room
    fields, checks = rng.sample(FIELDS, 5), rng.sample(CHECKS, 5)
    high = w.high * rng.uniform(1.15, 1.4)
    step = high + w.em * rng.uniform(0.25, 0.6)
    label = max(w.wide(f) for f in fields) + w.em * 0.6
    inside = (25, 25, 25) if w.dark else (255, 255, 255)
    while y + high <= bottom and (fields or checks):
        if fields and (not checks or rng.random() < 0.6) and x1 - x0 - label > 2.5 * w.em:
            name = fields.pop()
            w.write(x0, y + (high - w.high) / 2, name)
            box = (x0 + label, y, min(x1, x0 + label + w.em * rng.uniform(5, 14)), y + high)
            w.rectangle(box, fill=inside, outline=w.border())
            held = rng.choice(WORDS)
            if rng.random() < 0.25 and w.wide(held) + w.em * 0.6 < box[2] - box[0]:
                w.write(box[0] + w.em * 0.3, y + (high - w.high) / 2, held)
            w.add("field", name, box)
        elif checks:
            name, side = checks.pop(), w.high * 0.75
            if x0 + side + w.em * 0.4 + w.wide(name) > x1:
                continue
            top = y + (high - side) / 2
            box = (x0, top, x0 + side, top + side)
            w.rectangle(box, fill=inside, outline=w.border())
            if rng.random() < 0.4:
                w.pen.line((x0 + side * 0.2, top + side * 0.5, x0 + side * 0.42, top + side * 0.75, x0 + side * 0.8,
                            top + side * 0.22), fill=w.ink, width=max(1, round(side / 7)))
            w.write(x0 + side + w.em * 0.4, y + (high - w.high) / 2, name)
            w.add("check", name, box)
        y += step


def spoken(kind, name):
    return {"button": f"{name} button", "field": f"{name} field", "check": f"{name} check box",
            "menu": f"{name} menu", "close": name}[kind]


def screen(rng, area, requests=4):
    """requests: at most, about one window."""
    area = max(area, LEAST_AREA)
    size = pick_size(rng, area, LEAST_AREA, wide=0.4)
    w = Window(rng, size)
    room = draw_frame(rng, w)
    bottom = draw_buttons(rng, w, room, 1 if size[1] < 200 else rng.randint(1, 3))
    draw_form(rng, w, room, bottom)
    names = [name for _, name, _ in w.parts]
    parts = [part for part in w.parts if names.count(part[1]) == 1]  # Search may be a button and a field
    seen = seen_size(*size)
    if rng.random() < 0.2:  # grounding, without the tool
        turns = []
        for kind, name, box in rng.sample(parts, min(requests - 1, len(parts))):
            what = spoken(kind, name)
            if rng.random() < 0.5:
                turns.append((rng.choice(POINT).format(what),
                              fenced([{"point_2d": w.seen_middle(box), "label": what}])))
            else:
                turns.append((rng.choice(BOX).format(what), fenced([{"bbox_2d": w.seen(box), "label": what}])))
        return Sample("screen", turns, [w.picture(rng)])
    turns = []
    for kind, name, box in rng.sample(parts, min(rng.randint(2, requests), len(parts))):
        at = w.seen_middle(box)
        if kind == "field" and rng.random() < 0.6:
            text = number(rng, 4) if rng.random() < 0.2 else rng.choice(WORDS)
            request = rng.choice(TYPE).format(text, name)
            steps = [call("left_click", coordinate=at), call("type", text=text)]
            if rng.random() < 0.4:
                request = request[:-1] + " and press Enter."
                steps.append(call("key", keys=["enter"]))
        else:
            request, steps = rng.choice(CLICK[kind]).format(name), [call("left_click", coordinate=at)]
        if rng.random() < 0.3 or len(steps) > 1:
            steps.append(call("terminate", status="success"))
        turns += list(zip([request] + [DONE] * (len(steps) - 1), steps))
    if rng.random() < 0.15:
        absent = rng.choice([b for b in BUTTONS if b not in names])
        turns.append((rng.choice(CLICK["button"][:1]).format(absent), f"There is no {absent} button."))
    return Sample("screen", turns, [w.picture(rng)], system_prompt(*seen))


TASKS = {"screen": screen}

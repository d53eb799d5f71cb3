"""Printed words, numbers and short lines: reading them and spotting them."""
from canvas import FONTS, Canvas, fenced, grown, line_height, pick_em, pick_ink, pick_paper, pick_size, text_width, union
from lexicon import EVERY, WORDS, amount, cased, money, number
from sample import Sample

READ = ["Read all the text in the image.", "Read the text.", "What does it say?", "What is written here?",
        "What text is in the picture?", "What does the picture say?", "Read this.", "Read all the text."]
READ_NUMBER = ["What number is this?", "Which number is it?", "Read the number."]
FIRST_LINE = ["What is the first line?", "Read the first line.", "Read the line at the top."]
LAST_LINE = ["What is the last line?", "Read the last line.", "Read the line at the bottom."]
SPOT = {"line": ["Spotting all the text in the image with line-level, and output in JSON format.",
                 "Find all lines of text, as JSON.", "Locate every line of text, output in JSON format."],
        "word": ["Spotting all the text in the image with word-level, and output in JSON format.",
                 "Find all words, as JSON.", "Locate every word, output in JSON format."]}
WHERE = ["Where is the word {}? Output its bounding box in JSON format.", "Locate the word {}, output in JSON format.",
         "Find {}, as JSON."]
LEAST, MOST = 13, 40  # font size in pixels as seen


def pick_line(rng, words):
    parts = [rng.choice(WORDS) if rng.random() < 0.85 else number(rng, 4) for _ in range(words)]
    kind = rng.random()
    if kind < 0.6:
        return " ".join(parts)
    if kind < 0.8:
        return " ".join(parts).capitalize()
    return " ".join(part.upper() if kind > 0.9 else part.capitalize() for part in parts)


def fitting(rng, size, make, face, room=0.94):
    """A text and a font size at which it fits into the picture: (text, font size)."""
    for _ in range(40):
        text = make()
        lines = text.split("\n")
        em = pick_em(rng, size, LEAST, MOST)
        least = pick_em(rng, size, LEAST, LEAST)
        wide = max(text_width(line, face, em) for line in lines)
        fit = min(room * size[0] / wide, room * size[1] / (line_height(face, em) * 1.25 * len(lines)))
        if fit < 1:
            em = int(em * fit)
        if em >= least:
            return text, em
    return number(rng, 1), least


def read(rng, area):
    kind = rng.choices(("word", "number", "line", "lines"), (4, 3, 2, 1.5))[0]
    if kind in ("word", "number") and rng.random() < 0.8:
        area = min(area, 224 * 224)  # one word seldom needs more
    size = pick_size(rng, area, 84 * 84 if kind in ("word", "number") else 112 * 112, wide=0.6)
    face, paper = rng.choice(FONTS), pick_paper(rng)
    make = {"word": lambda: cased(rng, rng.choice(WORDS)), "number": lambda: number(rng),
            "line": lambda: pick_line(rng, rng.randint(2, 4)),
            "lines": lambda: "\n".join(pick_line(rng, rng.randint(1, 3)) for _ in range(rng.randint(2, 3)))}[kind]
    text, em = fitting(rng, size, make, face)
    lines = text.split("\n")
    canvas, ink = Canvas(size, paper), pick_ink(rng, paper)
    step = line_height(face, em) * rng.uniform(1.0, 1.25)
    wide = max(text_width(line, face, em) for line in lines)
    x = rng.uniform(0.02 * size[0], max(0.02 * size[0], size[0] * 0.98 - wide))
    y = rng.uniform(0, max(0, size[1] - step * len(lines)))
    for i, line in enumerate(lines):
        canvas.text(x, y + i * step, line, face, em, ink)
    prompts = READ_NUMBER if text.isdigit() and rng.random() < 0.5 else READ
    turns = [(rng.choice(prompts), text)]
    if len(lines) > 1:
        turns += rng.sample([(rng.choice(FIRST_LINE), lines[0]), (rng.choice(LAST_LINE), lines[-1])], 2)
    return Sample("read", turns, [canvas.picture(rng)])


def spot(rng, area):
    """Lines of words strewn over the picture; none touches another."""
    size = pick_size(rng, area, 112 * 112, wide=0.3)
    face, paper = rng.choice(FONTS), pick_paper(rng)
    canvas, ink = Canvas(size, paper), pick_ink(rng, paper)
    wanted = rng.randint(1, 2 if size[0] * size[1] < 170 * 170 else 5)
    taken, placed = [], []  # boxes; (line's box, line, [(word's box, word)])
    for _ in range(8 * wanted):
        em = pick_em(rng, size, LEAST, min(MOST, LEAST + size[1] / 12))
        line = pick_line(rng, rng.randint(1, 2))
        wide, high = text_width(line, face, em), line_height(face, em)
        if wide > size[0] - 6 or high > size[1] - 4:
            continue
        x, y = rng.uniform(3, size[0] - wide - 3), rng.uniform(2, size[1] - high - 2)
        room = (x, y, x + wide, y + high)
        if any(x < b[2] + em and b[0] - em < room[2] and y < b[3] and b[1] < room[3] for b in taken):
            continue
        taken.append(room)
        words, at = [], x
        for word in line.split(" "):
            words.append((canvas.text(at, y, word, face, em, ink), word))
            at += text_width(word + " ", face, em)
        placed.append((union([box for box, _ in words]), line, words))
        if len(placed) == wanted:
            break
    if not placed:
        return spot(rng, area)
    placed.sort(key=lambda p: (p[0][1], p[0][0]))
    words = [word for _, _, words in placed for word in words]
    for box, word in words:
        canvas.part("word", box, word)
    told = {"line": [(box, line) for box, line, _ in placed], "word": words}
    turns = []
    for level in rng.sample(("line", "word"), 1 if len(words) > 5 else 2):
        found = [{"bbox_2d": canvas.seen(box), "text_content": text} for box, text in told[level]]
        turns.append((rng.choice(SPOT[level]), fenced(found)))
    only = [(box, word) for box, word in words if sum(w == word for _, w in words) == 1]
    for box, word in rng.sample(only, min(len(only), 2)):
        turns.append((rng.choice(WHERE).format(f'"{word}"'), fenced([{"bbox_2d": canvas.seen(box), "label": word}])))
    rng.shuffle(turns)
    return Sample("spot", turns, [canvas.picture(rng)])


def page(rng, area):
    """A picture full of words and numbers, every line in letters and colours of its own; nothing is asked. One word teaches
    a vision tower few letters for the price of its picture: these hold some hundred."""
    size = pick_size(rng, area, 112 * 112)
    paper = pick_paper(rng)
    canvas, y = Canvas(size, paper), rng.uniform(0, 6)
    while True:
        face, em = rng.choice(FONTS), pick_em(rng, size, LEAST, rng.choice((18, 26, MOST)))
        high = line_height(face, em) * rng.uniform(1.0, 1.2)
        if y + high > size[1]:
            break
        under = paper if rng.random() < 0.5 else pick_paper(rng)
        canvas.rectangle((0, y, size[0], y + high), fill=under)
        ink, x = pick_ink(rng, under), rng.uniform(1, em)
        while True:
            word = pick_line(rng, 1) if rng.random() < 0.6 else rng.choice((
                number(rng), amount(money(rng)), cased(rng, rng.choice(list(EVERY)))))
            if x + text_width(word, face, em) > size[0] - 1:
                break
            canvas.text(x, y, word, face, em, ink)
            x += text_width(word, face, em) + em * rng.uniform(0.3, 1.2)
        y += high
    return Sample("page", [], [canvas.picture(rng)])


TASKS = {"read": read, "spot": spot}

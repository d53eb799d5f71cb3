"""Bar charts: the highest and the lowest bar, and the value of one."""
import math

from canvas import SANS, SERIF, Canvas, fenced, line_height, pick_em, pick_ink, pick_size, text_width
from draw import pick_rgb
from lexicon import CITIES, DAYS, GOODS, MEASURES, MONTHS, PEOPLE
from sample import Sample

HIGHEST = ["Which bar is the highest?", "Which one has the highest value?", "What is the highest bar?",
           "Name the highest bar."]
LOWEST = ["Which bar is the lowest?", "Which one has the lowest value?", "What is the lowest bar?",
          "Name the lowest bar."]
VALUE = ["What is the value of {}?", "Read the value of {}.", "How high is {}?", "What value does {} have?"]
HIGHEST_VALUE = ["What is the highest value?", "How high is the highest bar?"]
COUNT = ["How many bars are there?", "Count the bars."]
TITLE = ["What is the title of the chart?", "What is the chart about?"]
ALL = ["Convert the chart to JSON.", "Read the chart, output in JSON format.", "Extract the values as JSON."]
NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six")
LEAST, MOST = 13, 18  # font size in pixels as seen
LEAST_AREA = 140 * 140  # smaller pictures would hold too little


def pick_labels(rng, count):
    kind = rng.randrange(6)
    if kind == 0:
        first = rng.randint(0, 12 - count)
        return MONTHS[first:first + count]
    if kind == 1:
        first = rng.randint(0, 7 - count)
        return DAYS[first:first + count]
    if kind == 2:
        first = rng.randint(2000, 2030 - count)
        return [str(first + i) for i in range(count)]
    if kind == 3:
        first = rng.randint(0, 26 - count)
        return [chr(65 + first + i) for i in range(count)]
    return rng.sample([w for w in rng.choice((PEOPLE, GOODS, CITIES)) if len(w) < 6], count)


def pick_values(rng, count, printed, step, ticks):
    """One bar stands out as the highest and one as the lowest; on the ticks where no values are printed."""
    while True:
        if printed:
            values = [rng.randint(math.ceil(ticks * step / 12), ticks * step) for _ in range(count)]
        else:
            values = [step * rng.randint(1, ticks) for _ in range(count)]
        order, gap = sorted(values), max(1, ticks * step / 14)
        if order[1] - order[0] >= gap and order[-1] - order[-2] >= gap:
            return values


def chart(rng, area):
    area = max(area, LEAST_AREA)
    size = pick_size(rng, area, LEAST_AREA, wide=0.3)
    while True:
        face = rng.choice(SANS + SERIF[:2])
        em = pick_em(rng, size, LEAST, min(MOST, LEAST + min(size) / 60))
        high = line_height(face, em)
        count = rng.randint(2, 6)
        printed = rng.random() < 0.5
        axis = not printed or rng.random() < 0.4
        ticks, step = rng.randint(3, 6), rng.choice((1, 2, 5, 10, 10, 20, 50, 100))
        labels = pick_labels(rng, count)
        title = rng.choice(MEASURES) if rng.random() < 0.6 else ""
        left = text_width(str(ticks * step), face, em) + em * 0.7 if axis else em * 0.4
        top = high * (0.6 + (1 if title else 0) + (1 if printed else 0))
        bottom = high * 1.25
        slot = (size[0] - left - 4) / count
        widest = max(text_width(s, face, em) for s in (*labels, *([str(ticks * step)] if printed else [])))
        plot = size[1] - top - bottom
        if widest + 0.35 * em <= slot and plot >= 40 and (not axis or plot / ticks >= high):
            break
        if rng.random() < 0.1:
            size = pick_size(rng, area, max(LEAST_AREA, size[0] * size[1]), wide=0.3)
    values = pick_values(rng, count, printed, step, ticks)
    paper = rng.choice(((255, 255, 255), tuple(rng.randint(225, 255) for _ in range(3)),
                        tuple(rng.randint(0, 45) for _ in range(3))))
    canvas, ink = Canvas(size, paper), pick_ink(rng, paper, 150)
    base = size[1] - bottom
    unit = plot / (ticks * step)
    if title:
        box = canvas.text((size[0] - text_width(title, face, em)) / 2, high * 0.1, title, face, em, ink)
        canvas.part("title", box, title)
    if axis:
        rule = tuple(round(0.75 * p + 0.25 * i) for p, i in zip(paper, ink))
        lines = rng.random() < 0.7
        for tick in range(ticks + 1):
            y = base - tick * step * unit
            if lines:
                canvas.pen.line((left, y, size[0] - 2, y), fill=rule)
            else:
                canvas.pen.line((left - 3, y, left, y), fill=ink)
            text = str(tick * step)
            canvas.text(left - em * 0.4 - text_width(text, face, em), y - high / 2, text, face, em, ink)
        canvas.pen.line((left, base - plot, left, base), fill=ink)
    bars = [pick_bar(rng, paper)] * count if rng.random() < 0.5 else [pick_bar(rng, paper) for _ in range(count)]
    wide = slot * rng.uniform(0.45, 0.8)
    for i, (label, value) in enumerate(zip(labels, values)):
        centre = left + slot * (i + 0.5)
        box = (centre - wide / 2, base - value * unit, centre + wide / 2, base)
        canvas.rectangle(box, fill=bars[i])
        canvas.part("bar", tuple(map(round, box)), label)
        if printed:
            text = str(value)
            canvas.text(centre - text_width(text, face, em) / 2, box[1] - high * 1.02, text, face, em, ink)
        canvas.text(centre - text_width(label, face, em) / 2, base + high * 0.1, label, face, em, ink)
    canvas.pen.line((left, base, size[0] - 2, base), fill=ink)
    return Sample("chart", turns(rng, labels, values, title), [canvas.picture(rng)])


def pick_bar(rng, paper):
    while True:
        colour = pick_rgb(rng, rng.choice(("red", "orange", "yellow", "green", "blue", "purple", "pink", "grey")))
        if math.dist(colour, paper) > 110:
            return colour


def turns(rng, labels, values, title):
    high, low = values.index(max(values)), values.index(min(values))
    asked = rng.sample(list(zip(labels, values)), min(2, len(labels)))
    told = [(rng.choice(HIGHEST), labels[high]), (rng.choice(LOWEST), labels[low]),
            (rng.choice(HIGHEST_VALUE), str(values[high])), (rng.choice(COUNT), NUMBERS[len(labels)] + "."),
            (rng.choice(ALL), fenced(dict(zip(labels, values))))]
    told += [(rng.choice(VALUE).format(label), str(value)) for label, value in asked]
    if title:
        told.append((rng.choice(TITLE), title))
    return rng.sample(told, 4)


TASKS = {"chart": chart}

"""Small invoices and receipts to JSON, tables to JSON rows or to HTML."""
import json

from canvas import FONTS, MONO, Canvas, fenced, line_height, pick_em, pick_ink, pick_size, text_width, union
from lexicon import CITIES, DAYS, FIRST, GOODS, KINDS, MONTHS, PEOPLE, WORDS, amount, money, number
from sample import Misread, Sample

KEYS = ["Extract the key-value information in the format: {}", "Extract the information as JSON: {}",
        "Fill in this form: {}"]
WHOLE = {"invoice": ["Extract all fields of the invoice as JSON.", "Read the invoice, output in JSON format.",
                     "Convert the invoice to JSON."],
         "receipt": ["Extract all fields of the receipt as JSON.", "Read the receipt, output in JSON format.",
                     "Convert the receipt to JSON."]}
ASK = {"company": ["What is the name of the company?", "Which company is it?"],
       "invoice_no": ["What is the invoice number?"], "receipt_no": ["What is the receipt number?"],
       "date": ["What is the date?", "Which date is it?"], "customer": ["Who is the customer?"],
       "city": ["Which city is it?", "What is the city?"], "time": ["What time is it?", "What is the time?"],
       "subtotal": ["What is the subtotal?"], "tax": ["How much is the tax?", "What is the tax?"],
       "total": ["What is the total?", "How much is the total?", "What is the total amount?"]}
LABELS = {"invoice_no": ["Invoice No", "Invoice No.", "Invoice number", "Invoice #"],
          "receipt_no": ["Receipt No", "Receipt", "Receipt #", "No."],
          "date": ["Date"], "customer": ["Customer", "Bill to", "Client"], "city": ["City", "Place"],
          "time": ["Time"], "subtotal": ["Subtotal", "Net"], "tax": ["Tax", "VAT"],
          "total": ["Total", "TOTAL", "Total due", "Amount due"]}
PRICE_OF = ["What does the {} cost?", "What is the price of {}?", "How much is {}?"]
LEAST, MOST = 13, 20  # font size in pixels as seen
LEAST_AREA = 168 * 168  # smaller pictures would hold too little

TABLE_JSON = ["Convert the table to JSON.", "Read the table, output in JSON format.", "Extract the table as JSON."]
TABLE_HTML = "QwenVL HTML "
CELL = ["What is the {} of {}?"]


def pick_date(rng):
    return f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def pick_fields(rng, kind):
    """Fields above the items and below them, as printed; dictionaries in order."""
    above = {"company": f"{rng.choice(FIRST)} {rng.choice(KINDS)}"}
    if kind == "invoice":
        above["invoice_no"] = f"{rng.randint(1000, 99999)}"
        more = {"date": pick_date(rng), "customer": rng.choice(PEOPLE), "city": rng.choice(CITIES)}
    else:
        more = {"receipt_no": f"{rng.randint(100, 9999)}", "date": pick_date(rng), "city": rng.choice(CITIES),
                "time": f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"}
    chosen = rng.sample(list(more), rng.randint(1, 3))
    above |= {key: more[key] for key in more if key in chosen}
    return above


def pick_items(rng, most):
    return [(name, money(rng, 60)) for name in rng.sample(GOODS, rng.randint(1, most))]


def document(rng, area):
    area = max(area, LEAST_AREA)
    kind = rng.choice(("invoice", "receipt"))
    size = pick_size(rng, area, LEAST_AREA, wide=-0.5)
    while True:
        em = pick_em(rng, size, LEAST, min(MOST, LEAST + min(size) / 28))
        face = rng.choice(MONO if kind == "receipt" and rng.random() < 0.5 else FONTS)
        step = line_height(face, em) * rng.uniform(1.0, 1.3)
        room = int((size[1] - em / 2) / step)
        above = pick_fields(rng, kind)
        left = room - len(above) - 1
        items = pick_items(rng, min(5, left)) if left > 0 else []
        below = {"total": sum(price for _, price in items) or money(rng, 1000)}
        if items and rng.random() < 0.3 and left >= len(items) + 2:
            tax = below["total"] // 10
            below = {"subtotal": below["total"], "tax": tax, "total": below["total"] + tax}
        rows = layout(rng, above, items, below)
        wide = max(text_width(a, face, em) + (text_width(b, face, em) + em if b else 0) for _, a, b in rows)
        if left >= 0 and len(rows) <= room and wide <= size[0] * 0.95:
            break
        if rng.random() < 0.2:
            size = pick_size(rng, area, max(LEAST_AREA, size[0] * size[1]), wide=-0.5)
    paper = rng.choice(((255, 255, 255), tuple(rng.randint(225, 255) for _ in range(3))))
    canvas, ink = Canvas(size, paper), pick_ink(rng, paper, 150)
    columns = rng.random() < 0.8  # values at the right edge, or straight behind their labels
    margin = rng.uniform(0.02, max(0.021, min(0.12, (size[0] - wide) / 2 / size[0]))) * size[0]
    y = rng.uniform(0, max(0.0, size[1] - step * len(rows)))
    head = rng.random() < 0.5
    for number_, (key, label, value) in enumerate(rows):
        if number_ == 0 and head:
            x = (size[0] - text_width(label, face, em)) / 2
        else:
            x = margin
        canvas.text(x, y, label, face, em, ink)
        if value:
            end = size[0] - margin - text_width(value, face, em)
            near = x + text_width(label + "  ", face, em)
            box = canvas.text(end if columns or key == "item" else near, y, value, face, em, ink)
            canvas.part("value", box, key)
        if key == "total" and rng.random() < 0.5:
            canvas.pen.line((margin, y, size[0] - margin, y), fill=ink)
        y += step
    fields = {**above, **{key: amount(cents) for key, cents in below.items()}}
    return Sample("document", document_turns(rng, kind, fields, items), [canvas.picture(rng)])


def layout(rng, above, items, below):
    """Rows of (key, what stands left, what stands right)."""
    colon = rng.choice((":", ""))
    rows = [("company", above["company"], "")]
    rows += [(key, rng.choice(LABELS[key]) + colon, value) for key, value in above.items() if key != "company"]
    rows += [("item", name, amount(price)) for name, price in items]
    rows += [(key, rng.choice(LABELS[key]) + colon, amount(cents)) for key, cents in below.items()]
    return rows


def document_turns(rng, kind, fields, items):
    listed = [{"name": name, "price": amount(price)} for name, price in items]
    whole = dict(fields)
    if items:
        total = {key: whole.pop(key) for key in ("subtotal", "tax", "total") if key in whole}
        whole |= {"items": listed, **total}
    turns = [(rng.choice(WHOLE[kind]), fenced(whole))]
    wanted = rng.sample(list(fields), rng.randint(2, min(4, len(fields))))
    form = "{" + ", ".join(f'"{key}": ""' for key in wanted) + "}"
    turns.append((rng.choice(KEYS).format(form), fenced({key: fields[key] for key in wanted})))
    turns += [(rng.choice(ASK[key]), fields[key]) for key in rng.sample(list(fields), 2)]
    if items:
        name, price = rng.choice(items)
        turns.append((rng.choice(PRICE_OF).format(name), amount(price)))
    return rng.sample(turns, min(4, len(turns)))


def column(rng, count):
    """A heading and its cells."""
    kind = rng.randrange(7)
    if kind == 0:
        return rng.choice(("Price", "Cost", "Amount")), [amount(money(rng, 40)) for _ in range(count)]
    if kind == 1:
        return rng.choice(("Number", "Count", "Age", "Points")), [number(rng, 2) for _ in range(count)]
    if kind == 2:
        return rng.choice(("City", "Place")), rng.sample(CITIES, count)
    if kind == 3:
        return "Day", [rng.choice(DAYS) for _ in range(count)]
    if kind == 4:
        return "Month", [rng.choice(MONTHS) for _ in range(count)]
    if kind == 5:
        return rng.choice(("Code", "Year")), [str(rng.randint(1000, 9999)) for _ in range(count)]
    return rng.choice(("Word", "Text")), [rng.choice([w for w in WORDS if len(w) < 7]) for _ in range(count)]


def table(rng, area):
    area = max(area, LEAST_AREA)
    size = pick_size(rng, area, LEAST_AREA, wide=0.5)
    while True:
        em = pick_em(rng, size, LEAST, min(MOST, LEAST + min(size) / 28))
        face = rng.choice(FONTS)
        rows = rng.randint(2, 5)
        names = rng.choice((("Name", PEOPLE), ("Item", GOODS), ("City", CITIES)))
        columns = [(names[0], rng.sample(names[1], rows))]
        for _ in range(rng.randint(1, 3)):
            heading, cells = column(rng, rows)
            if heading not in [h for h, _ in columns]:
                columns.append((heading, cells))
        title = f"{rng.choice(FIRST)} {rng.choice(KINDS)}" if rng.random() < 0.5 else ""
        pad, high = em * rng.uniform(0.3, 0.8), line_height(face, em) * rng.uniform(1.05, 1.5)
        widths = [max(text_width(text, face, em) for text in (h, *cells)) + 2 * pad for h, cells in columns]
        tall = high * (rows + 1 + (1.2 if title else 0))
        fits = sum(widths) <= size[0] - 4 and tall <= size[1] - 4 and text_width(title, face, em) < size[0] - 4
        if len(columns) >= 2 and fits:
            break
        if rng.random() < 0.2:
            size = pick_size(rng, area, max(LEAST_AREA, size[0] * size[1]), wide=0.5)
    paper = rng.choice(((255, 255, 255), tuple(rng.randint(225, 255) for _ in range(3))))
    canvas, ink = Canvas(size, paper), pick_ink(rng, paper, 150)
    spread = rng.uniform(1.0, min(1.6, (size[0] - 4) / sum(widths)))
    widths = [w * spread for w in widths]
    x0, y = rng.uniform(2, size[0] - sum(widths) - 2), rng.uniform(2, size[1] - tall - 2)
    title_box = None
    if title:
        title_box = canvas.text(min(x0 + pad, size[0] - text_width(title, face, em) - 2), y, title, face, em, ink)
        y += 1.2 * high
    y0, x1, y1 = y, x0 + sum(widths), y + high * (rows + 1)
    lines = rng.choice(("all", "rows", "head", "none"))
    rule = tuple(round((a + b) / 2) for a, b in zip(paper, ink))
    if rng.random() < 0.4:  # a shaded heading
        canvas.rectangle((x0, y0, x1, y0 + high), fill=tuple(round(0.88 * p + 0.12 * i) for p, i in zip(paper, ink)))
    if lines != "none":
        for r in range(rows + 2):
            if lines != "head" or r == 1:
                canvas.pen.line((x0, y0 + r * high, x1, y0 + r * high), fill=rule)
    inks, x = [], x0
    for (heading, cells), wide in zip(columns, widths):
        if lines == "all":
            canvas.pen.line((x, y0, x, y1), fill=rule)
        numeric = all(c[0].isdigit() for c in cells) and rng.random() < 0.5
        for r, text in enumerate((heading, *cells)):
            at = x + wide - pad - text_width(text, face, em) if numeric else x + pad
            top = y0 + r * high + (high - line_height(face, em)) / 2
            inks.append(canvas.part("cell", canvas.text(at, top, text, face, em, ink), text))
        x += wide
    if lines == "all":
        canvas.pen.line((x, y0, x, y1), fill=rule)
    box = (x0, y0, x1, y1) if lines == "all" else union(inks)
    rows_told = [dict(zip([h for h, _ in columns], cells)) for cells in zip(*(c for _, c in columns))]
    turns = [(rng.choice(TABLE_JSON), fenced(rows_told)),
             (TABLE_HTML, html(canvas, title, title_box, columns, box))]
    heads = [h for h, _ in columns]
    for row in rng.sample(rows_told, min(2, rows)):
        heading = rng.choice(heads[1:])
        turns.append((rng.choice(CELL).format(heading, row[heads[0]]), row[heading]))
    rng.shuffle(turns)
    return Sample("table", turns, [canvas.picture(rng)])


def misread(rng, answer):
    """A table's rows as JSON with headings and cells that are not its own, perhaps the same in each row, and perhaps more of
    them than it has."""
    rows = json.loads(answer.removeprefix("```json").removesuffix("```"))
    wide, high = len(rows[0]), len(rows)
    more, longer = (rng.randint(1, 5) if rng.random() < 0.4 else 0 for _ in range(2))
    columns = [column(rng, high) for _ in range(wide + more)]
    alike, told, wrong = rng.random() < 0.6, "```json\n[\n\t{", []
    for row in range(high + longer):
        for at, (heading, cells) in enumerate(columns):
            told += f'"{heading}": "{cells[0 if alike else row % high]}"'
            if at + 1 < len(columns):
                wrong += [len(told)] * (at + 1 >= wide)
                told += ", "
        told += "}"
        if row + 1 < high + longer:
            wrong += [len(told)] * (row + 1 >= high)
            told += ",\n\t{"
    return Misread.of(told + "\n]\n```", wrong)


def html(canvas, title, title_box, columns, box):
    """The document form of the official models: every part with its box."""
    place = lambda b: " ".join(str(v) for v in canvas.seen(b))
    row = lambda tag, cells: "<tr>" + "".join(f"<{tag}>{c}</{tag}>" for c in cells) + "</tr>"
    parts = [f'<h2 data-bbox="{place(title_box)}">{title}</h2>'] if title else []
    parts.append(f'<table data-bbox="{place(box)}">')
    parts += [row("th", [h for h, _ in columns])] + [row("td", cells) for cells in zip(*(c for _, c in columns))]
    return "```html\n<html><body>\n" + "\n".join(parts) + "\n</table>\n</body></html>\n```"


TASKS = {"document": document, "table": table}

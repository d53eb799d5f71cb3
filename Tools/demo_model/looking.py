"""What a conversation teaches the decoder besides its answers, token by token: what is asked of states, and where heads
are told to look.

A name looks at what it names; the tokens before a name in an answer, its coordinates among them, at what is named next; a
time at the slice in which the thing shows first or last; what is read at its letters, and at those that come next.
"""
import bisect
import re
from dataclasses import dataclass, field

import numpy as np

import guide
import named
from lexicon import known
from sample import FACTOR, FIRST, Clip, Misread, seen_size

COORDINATES = re.compile(r'(?:"bbox_2d": \[|"point_2d": \[|"coordinate": \[|data-bbox=")([\d, ]+)')
EVENT = re.compile(r'"start_time": "([\d:.]+)", "end_time": "([\d:.]+)", "description"')
SECONDS = re.compile(r"(?:At|in) ([\d.]+)(?: - ([\d.]+))? seconds")
ROW = re.compile(r'"\}|</td></tr>\n')  # of a table, up to what follows
ENDS = ("disappear",)  # a question about one time, of its end


@dataclass(frozen=True)
class Seen:
    """A medium among the conversation's tokens."""
    slices: int
    grid: tuple  # merged rows and columns
    tokens: np.ndarray


@dataclass
class Lesson:
    """Tokens count from the conversation's first."""
    names: list = field(default_factory=list)  # (token at which a name ends, label)
    starts: list = field(default_factory=list)  # (token before an answer or a number in it, label)
    # (token, tokens that it should look at) each
    from_names: list = field(default_factory=list)
    from_places: list = field(default_factory=list)
    firsts: list = field(default_factory=list)  # of two that are compared
    seconds: list = field(default_factory=list)
    letters: list = field(default_factory=list)  # from what is read, at its letters
    following: list = field(default_factory=list)  # and at those that come next
    before: list = field(default_factory=list)  # from what shows in a clip, at the same place in the slice before
    # Evenly, at the conversation's first token and the middles of what is named or meant, or the names said before
    counted_names: list = field(default_factory=list)
    counted: list = field(default_factory=list)
    said: list = field(default_factory=list)  # from all that follows a name, at the names said before
    earlier: list = field(default_factory=list)  # from what shows in a clip, at those that are told before it
    rows_said: list = field(default_factory=list)  # from the end of a table's row, at the ends of those before
    rows_seen: list = field(default_factory=list)  # and at the first cells of all


def cell(box, grid):
    """The merged token, in a slice, that shows the box's middle."""
    x, y = box.reshape(2, 2).mean(0) // FACTOR
    row, column = np.clip((y, x), 0, np.array(grid) - 1).astype(int)
    return row * grid[1] + column


class Teacher:
    """Writes the lesson of one conversation as its turns are written."""

    def __init__(self, sample, begins):
        """begins(text): of each token of a text, in characters."""
        self.begins, self.lesson, self.seen = begins, Lesson(), []
        self.everything, self.frames = named.shown(sample.media) if sample.media else ([], 0)
        self.several = len(sample.media) > 1
        self.characters, self.size, self.leading = [], None, []  # leading: boxes of the first cells of a table's rows, as seen
        if len(sample.media) == 1 and not isinstance(sample.media[0], Clip):
            picture = sample.media[0]
            self.characters = [m for m in picture.marks if m.kind == "char"]
            self.size = picture.image.size
            self.scale = [seen / drawn for seen, drawn in zip(seen_size(*self.size), self.size)]
            self.leading = [np.array(row[0].box) * (self.scale * 2) for row in guide.table_rows(picture.marks)]
        self.written = "".join(m.name for m in self.characters)
        self.begun = {id(letters[0]): word for word, letters in guide.printed(self.characters)}

    def sees(self, slices, grid, tokens):
        if slices > 1:
            here, first = tokens.reshape(slices, -1), [0]  # where those that are told before first show
            things = sorted((t for t in self.everything if t.medium == len(self.seen)), key=lambda t: t.rank)
            for rank, thing in enumerate(things):
                for at, shows in enumerate(named.cells([thing], slices, grid).reshape(slices, -1)):
                    cells = np.flatnonzero(shows)
                    for c in cells[::-(-len(cells) // 3) or 1]:
                        token = here[at, c]
                        if at > 0:
                            self.lesson.before.append((token, here[at - 1, c:c + 1]))
                        self.lesson.earlier.append((token, np.unique([t for t in first if t <= token])))
                        self.lesson.names.append((token, named.blank(rank=rank)))
                begins = min(thing.boxes)
                first.append(here[begins // 2, cell(thing.boxes[begins], grid)])
        self.seen.append(Seen(slices, grid, tokens))

    def label(self, what):
        return named.label(what, self.frames, self.several)

    def at(self, what, frame=None):
        """The tokens that show any of these; in the slice of that frame alone, if one is given."""
        return np.concatenate([s.tokens[named.cells([t for t in what if t.medium == i], s.slices, s.grid, frame)]
                               for i, s in enumerate(self.seen)])

    def middles(self, what):
        """The conversation's first token and, of each of these, the one that shows its middle."""
        found = [0]
        for thing in what:
            seen = self.seen[thing.medium]
            found.append(seen.tokens[cell(thing.boxes[0], seen.grid)])
        return np.unique(found)

    def names(self, text, first, context=""):
        """[(token behind the name, its end in the text, what it names)] of a text whose tokens begin at `first`."""
        if not self.everything:
            return []
        begins, found = self.begins(text), []
        for end, what in named.mentions(text, self.everything):
            what = self.meant(what, context + text[:end])
            token = first + bisect.bisect_left(begins, end) - 1
            self.lesson.names.append((token, self.label(what)))
            # What is not there: away from the picture.
            self.lesson.from_names.append((token, self.at(what) if what else np.zeros(1, int)))
            if self.frames == 1:
                self.lesson.counted_names.append((token, self.middles(what)))
            found.append((token, end, what))
        return found

    def meant(self, what, before):
        """Of several pictures, those in the one that was spoken of last."""
        spoken = re.findall(r"Picture (\d)", before) if self.several else []
        return [t for t in what if t.medium == int(spoken[-1]) - 1] if spoken else what

    def question(self, text, first):
        self.asked, self.text = self.names(text, first), text

    def answer(self, text, first):
        """An answer whose tokens begin at `first`."""
        if self.leading:
            self.rows(text, first)
        if isinstance(text, Misread):
            return
        lesson, before, asked = self.lesson, first - 1, [what for _, _, what in self.asked]
        said = self.names(text, first, self.text + "\n")
        places = {}
        if said or len(asked) == 1:
            what = said[0][2] if said else asked[0]
            lesson.starts.append((before, self.label(what)))
            places[before] = self.at(what) if what else np.zeros(1, int)
        after = first
        for i, (token, _, what) in enumerate(said):  # until a thing is named it is looked at: its place comes before its name
            if len(what) == 1:
                places |= {t: self.at(what) for t in range(after, token)}
                if after > first:
                    lesson.starts.append((after, self.label(what)))
                    lesson.counted.append((after, np.array([0, *(t for t, _, _ in said[:i])])))
            after = token + 1
        if said:
            self.lists([t for t, _, _ in said], first, first + len(self.begins(text)))
        everything = [t for t in self.meant(self.everything, self.text) if t.kind == "thing" or t.name == "bar"]
        if not said and not asked and everything:  # how many, for example: what is said is of all
            places[before] = self.at(everything)
            lesson.starts.append((before, named.blank(number=min(len(everything), named.MOST))))
            if self.frames == 1:
                lesson.counted.append((before, self.middles(everything)))
        if not said and len(asked) == 2:
            self.comparison(before, *asked)
        self.coordinates(text, first, asked, said, places)
        if self.frames > 1:
            self.times(text, first, asked, said, places)
        lesson.from_places += places.items()
        if self.characters:
            self.read(text, first)

    def lists(self, names, first, end):
        """How many names have been said is known all along, and when no other follows."""
        for i, after in enumerate([first - 1, *names]):
            until = names[i] if i < len(names) else end
            said = np.array([0, *names[:i]])
            self.lesson.said += [(token, said) for token in range(after + (i > 0), until)]
        if names[-1] + 1 < end:
            self.lesson.starts.append((names[-1] + 1, named.blank(number=0)))

    def comparison(self, before, first, second):
        """Of two things: one head for each."""
        (one, _, _), (two, _, _) = self.asked
        self.lesson.firsts.append((before, [one]))
        self.lesson.seconds.append((before, [two]))
        if self.frames == 1 and len(first) == len(second) == 1 and first[0].kind == second[0].kind == "thing" and (
                not self.several):
            self.lesson.starts.append((before, named.comparison(first[0], second[0], self.text)))

    def tokens(self, text, begin, end):
        """The tokens of text[begin:end], counted from the text's first."""
        begins = self.begins(text)
        return range(bisect.bisect_right(begins, begin) - 1, bisect.bisect_left(begins, end))

    def coordinates(self, text, first, asked, said, places):
        """Every number of a place is asked of the state before it; the first, too, what lies there."""
        for match in COORDINATES.finditer(text):
            what = next((what for _, end, what in said if end > match.end()), asked[0] if len(asked) == 1 else [])
            if len(what) == 1:
                places |= {first + t - 1: self.at(what) for t in self.tokens(text, *match.span(1))}
            for i, number in enumerate(re.finditer(r"\d+", match[1])):
                digits = self.tokens(text, match.start(1) + number.start(), match.start(1) + number.end())
                label = self.label(what) if i == 0 and len(what) == 1 else named.blank()
                if "bbox" in match[0] and abs(label[named.COLUMN["left"]] - int(number[0])) > 1:
                    label = named.blank()  # the box of a line or a table, of which what is named is only the first part
                label[named.COLUMN["next"]] = int(number[0])
                self.lesson.starts.append((first + digits[0] - 1, label))
                self.lesson.starts += [(first + t - 1, named.blank(next=int(number[0]))) for t in digits[1:]]

    def times(self, text, first, asked, said, places):
        """Every time looks at the slice with the first or the last frame that shows the thing."""
        found = [(m.span(g), next((what for _, end, what in said if end > m.end()), []), g == 2)
                 for m in EVENT.finditer(text) for g in (1, 2)]
        for m in SECONDS.finditer(text):
            what = asked[0] if len(asked) == 1 else []
            last = any(word in self.text for word in ENDS)
            found += [(m.span(1), what, last)] + ([(m.span(2), what, True)] if m[2] else [])
        for (begin, end), what, last in found:
            tokens = [first + t for t in self.tokens(text, begin, end)]
            clock = text[begin:end].split(":")
            seconds = float(clock[-1]) + (60 * int(clock[0]) if len(clock) > 1 else 0)
            self.lesson.starts += [(t - 1, named.blank(time=round(seconds * named.CLOCK))) for t in tokens]
            if len(what) == 1:
                frame = (max if last else min)(what[0].boxes)
                places |= {t - 1: self.at(what, frame) for t in tokens}

    def rows(self, text, first):
        """Behind each row of a table: how many are still to come."""
        seen = self.seen[0]
        ends = [first + self.tokens(text, m.end(), m.end() + 1)[0] for m in ROW.finditer(text)]
        for i, end in enumerate(ends):
            self.lesson.rows_said.append((end - 1, np.array([0, *ends[:i]])))
            self.lesson.rows_seen.append((end - 1, np.unique([0, *(seen.tokens[cell(b, seen.grid)] for b in self.leading)])))
            self.lesson.starts.append((end - 1, named.blank(number=min(max(len(self.leading) - 1 - i, 0), named.MOST))))

    def read(self, text, first):
        """Letters of the answer that are printed in the picture: where each token's lie."""
        picture, begins = self.seen[0], self.begins(text)
        cells, starts = {}, {}
        for at, mark in printed(text, self.written, self.characters):
            if place := guide.square(mark, self.scale, picture.grid):
                token = bisect.bisect_right(begins, at) - 1
                cells.setdefault(token, set()).add(place[0] * picture.grid[1] + place[1])
                starts.setdefault(token, mark)
        for token, where in cells.items():
            where, word = picture.tokens[sorted(where)], self.begun.get(id(starts[token]), "")
            self.lesson.letters.append((first + token, where))
            self.lesson.following.append((first + token - 1, where))
            letter = guide.CHARACTER.get(starts[token].name, 0)
            which = known(word)
            self.lesson.starts.append((first + token - 1, named.blank(
                letter=letter, word=guide.IGNORE if which is None else which)))


def printed(answer, written, characters):
    """[(place in the answer, mark)] of what it tells of the picture's letters: its strings, word by word as they stand
    there. What stands there twice is told in that order."""
    form = r'"([^"]*)"' if "```json" in answer else r">([^<>\n]+)<" if "```html" in answer else r"(.+)"
    spans = [] if "<tool_call>" in answer else [m.span(1) for m in re.finditer(form, answer, re.S)]
    found, times = [], {}
    for begin, end in spans:
        kept = [i for i in range(begin, end) if not answer[i].isspace()]
        text = "".join(answer[i] for i in kept)
        here = [at for at in occurrences(text, written) if characters[at].detail == FIRST and (
            at + len(text) == len(written) or characters[at + len(text)].detail == FIRST)] if text else []
        if here:
            at = here[times.get(text, 0) % len(here)]
            times[text] = times.get(text, 0) + 1
            found += zip(kept, characters[at:at + len(text)])
    return found


def occurrences(text, written):
    at = written.find(text)
    while at >= 0:
        yield at
        at = written.find(text, at + 1)

"""How a server holds up under load: throughput, time to the first token, time between tokens.

    qwenvl serve --model DIR --port 8080 &
    python Tools/server/load.py --url http://127.0.0.1:8080 --clients 1 4 8 16 --seconds 20
    python Tools/server/load.py --url http://127.0.0.1:8080 --again Examples/red-circle.png

Every client asks one question after another, each its own, and streams the answer. With --check each answer is
compared with the one that the server gives when it is asked that alone.
"""

import argparse
import asyncio
import base64
import json
import statistics
import time
from pathlib import Path

from connection import Connection, unchunked


def body(question, tokens, picture=None, whole=False):
    content = [{"type": "text", "text": question}]
    if picture:
        data = base64.b64encode(Path(picture).read_bytes()).decode()
        content.insert(0, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
    request = {"messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": tokens,
               "ignore_eos": True, "stream": not whole, "return_token_ids": True}
    return request if whole else request | {"stream_options": {"include_usage": True}}


async def ask(connection, request):
    """What came, as it came: [(seconds from the request on, bytes)], streamed answers still in chunks."""
    status, _, pieces = await connection.post("/v1/chat/completions", request)
    if status != 200:
        raise RuntimeError(f"{status}: {b''.join(data for _, data in pieces)[:200]}")
    return pieces


def parsed(pieces, streamed=True):
    """(token ids, time of each, usage). Read afterwards: what clients do with an answer is not the server's load."""
    if not streamed:
        reply = json.loads(b"".join(data for _, data in pieces))
        ids = reply["choices"][0]["token_ids"]
        return ids, [pieces[-1][0]] * len(ids), reply["usage"]
    ids, times, usage, rest = [], [], None, b""
    for moment, piece in unchunked(pieces):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(event["error"]["message"])
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                new = choice.get("token_ids") or []
                ids += new
                times += [moment] * len(new)
    return ids, times, usage


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def question(client, number, words):
    """Questions that share nothing: the cache does not help."""
    return f"Client {client}, question {number}: " + " ".join(str((client * 7919 + number * 104729 + i * 31) % 997) for i in range(words))


async def run(url, clients, arguments):
    answers, first, gaps = {}, [], []
    came = []
    stop = time.perf_counter() + arguments.seconds

    async def client(index):
        number = 0
        async with Connection(url) as connection:
            while time.perf_counter() < stop:
                text = question(index, arguments.offset + number, arguments.words)
                came.append((text, await ask(
                    connection, body(text, arguments.tokens, arguments.picture, arguments.whole))))
                number += 1

    begun = time.perf_counter()
    await asyncio.gather(*(client(index) for index in range(clients)))
    spent = time.perf_counter() - begun
    count = 0
    for text, pieces in came:
        ids, times, _ = parsed(pieces, not arguments.whole)
        answers[text] = ids
        first.append(times[0])
        gaps.extend(b - a for a, b in zip(times, times[1:]))
        count += len(ids)
    row = {"clients": clients, "answers": len(answers), "tokens_per_second": count / spent,
           "first_p50": statistics.median(first), "first_p95": percentile(first, .95),
           "gap_p50": statistics.median(gaps), "gap_p95": percentile(gaps, .95)}
    return row, answers


async def again(url, picture, tokens):
    """The same picture asked about twice, then a third time in other words."""
    async with Connection(url) as connection:
        # Connection and code are warm; the picture is new.
        await ask(connection, body("Hello", 2))
        for name, text in [("first", "What is in the picture?"), ("second", "What is in the picture?"),
                           ("other question", "Which colours are there?")]:
            _, times, usage = parsed(await ask(connection, body(text, tokens, picture)))
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            print(f"{name:>15}: first token after {times[0] * 1000:9.2f} ms, {cached} of {usage['prompt_tokens']} tokens known")
            if name == "first":
                cold = times[0]
            else:
                print(f"{'':>15}  {cold / times[0]:.1f} times as fast")


async def rounds(arguments):
    """Numbers of clients in turns, so that a slow minute of the machine counts for all."""
    rows = {clients: [] for clients in arguments.clients}
    for _ in range(arguments.rounds):
        for clients in arguments.clients:
            rows[clients].append((await run(arguments.url, clients, arguments))[0])
    middle = {c: {key: statistics.median(row[key] for row in of) for key in of[0]} for c, of in rows.items()}
    base = arguments.clients[0]
    print(f"medians of {arguments.rounds} rounds\nclients  tokens/s  against {base}   first token p50/p95 ms   "
          "between tokens p50/p95 ms")
    for clients, row in middle.items():
        ratio = statistics.median(a["tokens_per_second"] / b["tokens_per_second"]
                                  for a, b in zip(rows[clients], rows[base]))
        print(f"{clients:7d} {row['tokens_per_second']:9.1f} {ratio:9.2f}x {row['first_p50'] * 1000:13.1f}"
              f" {row['first_p95'] * 1000:9.1f} {row['gap_p50'] * 1000:15.2f} {row['gap_p95'] * 1000:8.2f}", flush=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--words", type=int, default=12, help="words of a question")
    parser.add_argument("--picture", help="a picture in each question")
    parser.add_argument("--whole", action="store_true", help="answers come whole, not as events: times are theirs")
    parser.add_argument("--rounds", type=int, default=1, help="each number of clients so often, in turns; medians count")
    parser.add_argument("--check", type=int, default=0, help="so many answers of each run are asked for again, alone")
    parser.add_argument("--again", metavar="PICTURE", help="ask twice about one picture instead")
    parser.add_argument("--offset", type=int, default=int(time.time()) % 100_000, help="first question's number")
    arguments = parser.parse_args()
    if arguments.again:
        await again(arguments.url, arguments.again, 4)
        return
    if arguments.rounds > 1:
        await rounds(arguments)
        return
    print("clients  answers  tokens/s   first token p50/p95 ms   between tokens p50/p95 ms")
    base = None
    for clients in arguments.clients:
        row, answers = await run(arguments.url, clients, arguments)
        base = base or row["tokens_per_second"]
        print(f"{clients:7d} {row['answers']:8d} {row['tokens_per_second']:9.1f}"
              f" {row['first_p50'] * 1000:13.1f} {row['first_p95'] * 1000:9.1f}"
              f" {row['gap_p50'] * 1000:15.2f} {row['gap_p95'] * 1000:8.2f}"
              f"   {row['tokens_per_second'] / base:.2f}x", flush=True)
        async with Connection(arguments.url) as connection:
            for text in list(answers)[:arguments.check]:
                request = body(text, arguments.tokens, arguments.picture, arguments.whole)
                ids, _, _ = parsed(await ask(connection, request), not arguments.whole)
                assert ids == answers[text], f"another answer alone: {text}"
        if arguments.check:
            print(f"        {min(arguments.check, len(answers))} answers are the same alone", flush=True)


asyncio.run(main())

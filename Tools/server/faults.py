"""What a server must survive: clients that vanish, dribble and send garbage, absurd requests, twice the load it can
take, and being told to end in the middle of it.

    python Tools/server/faults.py --qwenvl .build/release/qwenvl --model Models/demo --seconds 600

Starts a server of its own. Answers under load are compared with the same questions asked alone beforehand; memory is
read from /proc. The exit status is 0 when everything held.
"""

import argparse
import asyncio
import base64
import collections
import io
import json
import random
import signal
import socket
import struct
import subprocess
import time
import zlib
from pathlib import Path

import aiohttp


class Server:
    def __init__(self, arguments):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(arguments.log, "wb")
        self.process = subprocess.Popen(
            [arguments.qwenvl, "serve", "--model", arguments.model, "--port", str(self.port), "--max-batch", "16",
             "--max-waiting", "16", "--config", arguments.config] if arguments.config else
            [arguments.qwenvl, "serve", "--model", arguments.model, "--port", str(self.port), "--max-batch", "16",
             "--max-waiting", "16", "--log-level", "error"], stderr=self.log, env=None)

    def memory(self):
        """Resident megabytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def ready(self, session):
        while True:
            assert self.process.poll() is None, "the server has ended"
            try:
                async with session.get(self.url + "/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(.05)

    async def idle(self, session):
        """Waits until nothing runs; a server that holds on to something never gets there."""
        for _ in range(400):
            async with session.get(self.url + "/health") as response:
                state = await response.json()
                if state.get("running") == 0 and state.get("waiting") == 0:
                    return
            await asyncio.sleep(.05)
        raise AssertionError(f"still busy: {state}")


def chat(question, tokens=24, **more):
    return {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": tokens,
            "ignore_eos": True, "return_token_ids": True, **more}


def png(width, height):
    """A picture of one colour: a few kilobytes for as many pixels as one likes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(width * 3)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def picture(data):
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "What?"}]}], "max_tokens": 2}


async def post(session, server, request, path="/v1/chat/completions"):
    async with session.post(server.url + path, json=request) as response:
        return response.status, await response.json()


async def vanish(session, server):
    """Connections cut in the head, in the body, while waiting, while streaming."""
    request = json.dumps(chat("Hello", 2000, stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(request)}\r\n\r\n".encode()
    for index in range(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        whole = head + request
        cut = [10, len(head), len(head) + 20, len(whole), len(whole)][index % 5]
        writer.write(whole[:cut])
        await writer.drain()
        if index % 5 == 4:
            await reader.read(400)
        if index % 2:
            # A reset, not an orderly end.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
    await server.idle(session)
    return "60 connections cut off; none holds a place"


async def dribble(session, server):
    """A byte now and then: head, body; and a reader that does not read. Others are served meanwhile."""
    request = json.dumps(chat("Hello")).encode()
    text = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(request)}\r\n\r\n".encode() + request

    async def slow():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for byte in text[:60]:
                writer.write(bytes([byte]))
                await asyncio.sleep(.05)
            writer.close()
        except OSError:
            pass

    async def deaf():
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(text.replace(b'"max_tokens": 24', b'"max_tokens": 24'))
        await asyncio.sleep(3)
        writer.close()

    slow_ones = [asyncio.create_task(slow()) for _ in range(40)] + [asyncio.create_task(deaf()) for _ in range(10)]
    begun = time.perf_counter()
    served = 0
    while not all(task.done() for task in slow_ones):
        status, _ = await post(session, server, chat("Are you there?", 4))
        served += status == 200
        if status == 503:
            await asyncio.sleep(.1)
    await server.idle(session)
    return f"50 slow clients for {time.perf_counter() - begun:.1f} s, {served} others answered meanwhile"


async def garbage(session, server):
    random.seed(1)
    lines = [b"\x00" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
             b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n", b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
             b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"]
    for index in range(200):
        data = lines[index] if index < len(lines) else random.randbytes(random.randrange(1, 400))
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            await writer.drain()
            writer.close()
        except OSError:
            pass
    statuses = collections.Counter()
    for index in range(200):
        request = chat("Hello", 2)
        # Damage may take the limit away; the model must be able to end by itself.
        del request["ignore_eos"]
        document = bytearray(json.dumps(request).encode())
        for _ in range(random.randrange(1, 6)):
            document[random.randrange(len(document))] = random.randrange(256)
        async with session.post(server.url + "/v1/chat/completions", data=bytes(document), headers={"Content-Type": "application/json"}) as response:
            statuses[response.status] += 1
            await response.json()
    assert all(status in (200, 400, 404) for status in statuses), statuses
    deep = b'{"messages": ' + b"[" * 100_000
    async with session.post(server.url + "/v1/chat/completions", data=deep, headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
    return f"200 garbage connections, 200 damaged requests: {dict(statuses)}"


async def absurd(session, server):
    results = {}
    status, reply = await post(session, server, chat([{"type": "text", "text": "a "}] * 10_000, 2))
    results["10,000 parts of text"] = status
    status, reply = await post(session, server, {"messages": [{"role": "user", "content": "a"}] * 100_000})
    assert status == 400, reply
    results["100,000 messages"] = status
    small = "data:image/png;base64," + base64.b64encode(png(28, 28)).decode()
    status, reply = await post(session, server, chat([{"type": "image_url", "image_url": {"url": small}}] * 10_000, 2))
    assert status == 400, reply
    results["10,000 pictures"] = status
    bomb = png(30_000, 30_000)
    status, reply = await post(session, server, picture(bomb))
    assert status == 400, reply
    results[f"900 megapixels in {len(bomb) // 1024} KB"] = status
    status, reply = await post(session, server, chat("word " * 200_000))
    assert status == 400 and reply["error"]["code"] == "context_length_exceeded", reply
    results["200,000 words"] = status
    async with session.post(server.url + "/v1/chat/completions", data=b"[" + b" " * (80 << 20), headers={"Content-Type": "application/json"}) as response:
        results["80 MB"] = response.status
        assert response.status == 413
    status, _ = await post(session, server, chat("Hello", 4))
    assert status == 200
    return ", ".join(f"{name}: {status}" for name, status in results.items())


async def overload(session, server, seconds):
    """Twice as many clients as there are places, of which some give up; every answer is the one given alone."""
    questions = [f"Question {index}: name a shape and its colour, please." for index in range(64)]
    alone = {}
    for text in questions:
        status, reply = await post(session, server, chat(text))
        assert status == 200, reply
        alone[text] = reply["choices"][0]["token_ids"]
    counts = collections.Counter()
    stop = time.perf_counter() + seconds
    memory = []
    # Batch and queue together hold 32.
    clients = 64

    async def client(index):
        chance = random.Random(index)
        while time.perf_counter() < stop:
            text = chance.choice(questions)
            try:
                limit = chance.uniform(.01, .2) if chance.random() < .1 else 120
                status, reply = await asyncio.wait_for(post(session, server, chat(text)), limit)
            except asyncio.TimeoutError:
                counts["given up by the client"] += 1
                continue
            if status == 200:
                assert reply["choices"][0]["token_ids"] == alone[text], f"another answer: {text}"
                counts["answered, equal to alone"] += 1
            else:
                assert status == 503 and reply["error"]["code"] == "overloaded", reply
                counts["told to come again"] += 1
                await asyncio.sleep(.05)

    async def watch():
        while time.perf_counter() < stop:
            memory.append(server.memory())
            await asyncio.sleep(max(.2, seconds / 60))

    await asyncio.gather(watch(), *(client(index) for index in range(clients)))
    await server.idle(session)
    # The caches fill up at first; from then on nothing may grow.
    settled = memory[len(memory) // 3:]
    growth = max(settled[-5:]) - max(settled[:5])
    assert growth < 64, f"memory grew by {growth:.0f} MB: {memory}"
    counts = dict(counts)
    return f"{seconds:.0f} s: {counts}; memory {settled[0]:.0f} MB a third of the way, {settled[-1]:.0f} MB at the end; {server.files()} files open"


async def ends_under_load(session, server):
    """SIGTERM: what runs is answered whole, what comes later is told or finds nobody."""
    counts = collections.Counter()

    async def client(index):
        while True:
            try:
                status, reply = await post(session, server, chat(f"Client {index}", 200))
            except (aiohttp.ClientError, ConnectionError):
                counts["no server any more"] += 1
                return
            if status == 200:
                assert reply["usage"]["completion_tokens"] == 200
                counts["answered whole"] += 1
            else:
                assert status == 503, reply
                counts[reply["error"]["code"]] += 1
                await asyncio.sleep(.02)

    clients = [asyncio.create_task(client(index)) for index in range(24)]
    await asyncio.sleep(1)
    before = counts["answered whole"]
    server.process.send_signal(signal.SIGTERM)
    begun = time.perf_counter()
    code = await asyncio.to_thread(server.process.wait, 90)
    await asyncio.gather(*clients)
    assert code == 0, f"exit code {code}"
    assert counts["answered whole"] > before, counts
    return f"ended after {time.perf_counter() - begun:.1f} s with code {code}: {dict(counts)}"


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qwenvl", default=".build/release/qwenvl")
    parser.add_argument("--model", default="Models/demo")
    parser.add_argument("--config", help="a file of settings")
    parser.add_argument("--seconds", type=float, default=30, help="of overload")
    parser.add_argument("--log", default="/dev/null", help="where the server's log goes")
    arguments = parser.parse_args()
    server = Server(arguments)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        await server.ready(session)
        print(f"memory at the start: {server.memory():.0f} MB")
        for name, work in [("vanish", vanish(session, server)), ("dribble", dribble(session, server)),
                           ("garbage", garbage(session, server)), ("absurd", absurd(session, server)),
                           ("overload", overload(session, server, arguments.seconds)),
                           ("end", ends_under_load(session, server))]:
            result = await work
            assert name == "end" or server.process.poll() is None, "the server has ended"
            print(f"ok  {name}: {result}", flush=True)


asyncio.run(main())

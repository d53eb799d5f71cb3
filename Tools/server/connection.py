"""A connection to the server that costs a measurement little: bytes are stamped as they come and read afterwards."""

import asyncio
import json
import time
from urllib.parse import urlsplit


class Connection(asyncio.BufferedProtocol):
    """One request after another over HTTP/1.1, kept alive.

    The ready-made clients take more processor time for an answer's pieces than the server does; on one machine with it
    that would be measured too. (A plain Protocol takes and returns 256 KiB of memory for each piece.)
    """

    async def __aenter__(self):
        return self

    def __init__(self, url):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.transport = self.ended = None
        self.buffer = memoryview(bytearray(1 << 16))

    async def __aexit__(self, *_):
        if self.transport:
            self.transport.close()

    async def post(self, path, request):
        """Status, headers as bytes, and the body as it came: [(seconds from the request on, bytes)], still in chunks."""
        if self.transport is None or self.transport.is_closing():
            self.transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, self.host, self.port)
        data = json.dumps(request).encode()
        self.pieces, self.head, self.ended = [], None, asyncio.get_running_loop().create_future()
        self.begun = time.perf_counter()
        self.transport.write(
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        await self.ended
        return int(self.head.split(b" ", 2)[1]), self.head, self.pieces

    def get_buffer(self, _):
        return self.buffer

    def buffer_updated(self, count):
        data = bytes(self.buffer[:count])
        self.pieces.append((time.perf_counter() - self.begun, data))
        if self.head is None:
            whole = b"".join(piece for _, piece in self.pieces)
            self.head, separator, rest = whole.partition(b"\r\n\r\n")
            if not separator:
                self.head = None
                return
            self.pieces = [(self.pieces[-1][0], rest)] if rest else []
            self.length = None
            for line in self.head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    self.length = int(value)
        if self.length is not None:
            if sum(len(piece) for _, piece in self.pieces) >= self.length:
                self.ended.set_result(None)
        elif self.pieces and self.tail().endswith(b"0\r\n\r\n"):
            self.ended.set_result(None)

    def tail(self):
        """The last bytes: of JSON, in which no line break stands bare, only the last chunk ends so."""
        last = self.pieces[-1][1]
        return last if len(last) >= 7 else b"".join(piece for _, piece in self.pieces[-7:])

    def connection_lost(self, error):
        if self.ended and not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed the connection"))


def unchunked(pieces):
    """The body without the lengths of its chunks; each byte run keeps the time of the piece that it ends in."""
    out, rest = [], b""
    for moment, data in pieces:
        rest += data
        while True:
            size, separator, behind = rest.partition(b"\r\n")
            if not separator or len(behind) < int(size, 16) + 2:
                break
            length = int(size, 16)
            if length:
                out.append((moment, behind[:length]))
            rest = behind[length + 2:]
    return out

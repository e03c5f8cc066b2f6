"""An upstream for benchmarks of gateways: a provider of chat that answers at once, always the same.

`python -m benchmarks.upstream [delay in ms]` prints its address; it ends with its standard input.
As little of the machine as can be: plain sockets, and answers made beforehand. A stream has 20
words, of which each is a chunk.
"""

import asyncio
import json
import sys
from typing import Any, Final

import uvloop

WORDS: Final = 20
USAGE: Final = {"prompt_tokens": 8, "completion_tokens": WORDS, "total_tokens": 8 + WORDS}
_HEAD: Final[Any] = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-4o-2024-08-06"}


def _whole() -> bytes:
    message = {"role": "assistant", "content": "word " * WORDS}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(content),
        content,
    )


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _event(choices: list[Any], **more: Any) -> bytes:
    body = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
    return _chunk(b"data: " + json.dumps(body).encode() + b"\n\n")


def _choice(delta: Any, finish: str | None = None) -> list[Any]:
    return [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]


WHOLE: Final = _whole()
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
WORD: Final = _event(_choice({"content": "word "}))
STREAM_END: Final = (
    _event(_choice({}, "stop")) + _event([], usage=USAGE) + _chunk(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)  # fmt: skip
STREAM: Final = STREAM_HEAD + _event(_choice({"role": "assistant"})) + WORD * WORDS + STREAM_END


def _number(head: bytes, name: bytes) -> int:
    return int(head.partition(name)[2].split(b"\r\n", 1)[0] or b"0")


class Answering(asyncio.Protocol):
    """One connection. Who asks for it is streamed to slowly: `x-pace-ms: 200`, `x-words: 150`."""

    def __init__(self, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds
        self.buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if not separator or at < 0:
            return
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.buffer = body[length:]
        pace_ms = _number(lowered, b"x-pace-ms:")
        if pace_ms:
            self.transport.write(STREAM_HEAD)
            self._word(_number(lowered, b"x-words:") or WORDS, pace_ms / 1000)
            return
        answer = STREAM if b'"stream":true' in body.replace(b" ", b"") else WHOLE
        if self.delay_seconds:
            asyncio.get_running_loop().call_later(self.delay_seconds, self._send, answer)
        else:
            self._send(answer)

    def _word(self, left: int, pace_seconds: float) -> None:
        if not left:
            self._send(STREAM_END)
            return
        self._send(WORD)
        loop = asyncio.get_running_loop()
        loop.call_later(pace_seconds, self._word, left - 1, pace_seconds)

    def _send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def main(delay_seconds: float) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Answering(delay_seconds), "127.0.0.1", 0, backlog=2048
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0))

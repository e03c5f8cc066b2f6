"""The mock model: an upstream within this process, to see a budget at work without any provider.

It speaks as OpenAI's chat does, whole and in streams, answers to every model's name, and costs what
that model would. It writes as many words as the last message asks for in figures, else twenty, and
no more tokens than it may; with the header `X-Mock-Limit: off` it does not look at that.

Not here: the story that is told with it (`cli.gateway`).
"""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from budget.engine.switches import read_switch
from budget.gateway.formats import openai
from budget.gateway.upstreams import Upstream

NAME: Final = "mock"
SWITCH: Final = "BUDGET_GATEWAY_MOCK"
PROVIDER: Final = "openai"
"""Whose prices count."""
USUAL_WORDS: Final = 20
MOST_WORDS: Final = 20_000
MOST_BODY_BYTES: Final = 32 * 1024 * 1024
WORD_SECONDS: Final = 0.002
_WORDS: Final = re.compile(r"\w+|[^\w\s]")
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_TEXT: Final = (
    "Money", " that", " is", " held", " before", " a", " call", " cannot", " be", " spent",
    " twice", " and", " what", " is", " left", " comes", " back", " when", " it", " ends",
)  # fmt: skip
"""Each of these is one token in the encodings of OpenAI's models."""


@contextmanager
def with_mock(
    upstreams: Mapping[str, Upstream], env: Mapping[str, str]
) -> Iterator[dict[str, Upstream]]:
    """The upstreams, and the mock model among them while it is switched on."""
    if not read_switch(env, SWITCH):
        yield dict(upstreams)
        return
    with closing(Mock()) as mock:
        yield {**upstreams, NAME: mock.upstream}


class Mock:
    """The mock model, which answers on this machine alone until `close`."""

    def __init__(self, word_seconds: float = WORD_SECONDS) -> None:
        self._server = _Server(word_seconds)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def upstream(self) -> Upstream:
        """Where the gateway reaches it."""
        host, port = self._server.server_address[:2]
        return Upstream(NAME, openai.FORMAT, f"http://{host!s}:{port}/v1", PROVIDER)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Answer(NamedTuple):
    """What is written: tokens that came in, tokens that go out, and why it ends."""

    model: str
    input_tokens: int
    words: tuple[str, ...]
    finish: str

    def usage(self) -> dict[str, int]:
        """The figures as OpenAI tells them."""
        output_tokens = len(self.words)
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": self.input_tokens + output_tokens,
        }


def _answer(body: Mapping[str, Any], *, keeps_limit: bool) -> _Answer:
    messages = body.get("messages")
    texts = [
        text
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict) and isinstance(text := message.get("content"), str)
    ]
    asked = re.search(r"[0-9]{1,6}", texts[-1]) if texts else None
    count = min(MOST_WORDS, int(asked[0])) if asked else USUAL_WORDS
    limits = [body[name] for name in _LIMITS if isinstance(body.get(name), int)]
    most = min(limits) if limits and keeps_limit else count
    words = tuple(_TEXT[at % len(_TEXT)] for at in range(min(count, most)))
    model = body.get("model")
    # A token for every word and sign, and the three that every message costs.
    input_tokens = sum(len(_WORDS.findall(text)) + 3 for text in texts)
    finish = "stop" if len(words) == count else "length"
    return _Answer(model if isinstance(model, str) else "", input_tokens, words, finish)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, word_seconds: float) -> None:
        self.word_seconds = word_seconds
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One request. The connection ends with the answer, as in HTTP/1.0."""

    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing: the gateway tells of each call."""

    def do_GET(self) -> None:
        """Which models there are: any."""
        self._reply(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        """Chat."""
        if self.path != "/v1/chat/completions":
            self._problem(404, "The mock model speaks chat/completions alone.")
            return
        try:
            length = int(self.headers.get("content-length", "0"))
            body = json.loads(self.rfile.read(min(max(0, length), MOST_BODY_BYTES)))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._problem(400, "The body is no JSON object.")
            return
        answer = _answer(body, keeps_limit=self.headers.get("x-mock-limit") != "off")
        if body.get("stream") is True:
            options = body.get("stream_options")
            told = isinstance(options, dict) and options.get("include_usage") is True
            self._stream(answer, told=told)
            return
        time.sleep(len(answer.words) * self.server.word_seconds)
        message = {"role": "assistant", "content": "".join(answer.words)}
        choice = {"index": 0, "message": message, "finish_reason": answer.finish}
        self._reply(
            200,
            {**_head(answer, "chat.completion"), "choices": [choice], "usage": answer.usage()},
        )

    def _stream(self, answer: _Answer, *, told: bool) -> None:
        head = _head(answer, "chat.completion.chunk")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for word in answer.words:
                self._event({**head, "choices": [_piece({"content": word})]})
                time.sleep(self.server.word_seconds)
            self._event({**head, "choices": [_piece({}, answer.finish)]})
            if told:
                self._event({**head, "choices": [], "usage": answer.usage()})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return  # whoever listened has gone

    def _event(self, event: Mapping[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _problem(self, status: int, message: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        self._reply(status, {"error": error})

    def _reply(self, status: int, body: Mapping[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _head(answer: _Answer, kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-mock", "object": kind, "created": int(time.time()), "model": answer.model,
    }  # fmt: skip


def _piece(delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "finish_reason": finish}

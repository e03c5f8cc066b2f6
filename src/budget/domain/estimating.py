"""An estimate before the call: at least as many input tokens as a request has, without a network.

Not here: how text (`text_tokens`) and images (`image_tokens`) are counted, what was learnt from
calls that were settled (`calibration`), exact counts (`prices.exact_tokens`), and output.
"""

from collections.abc import Iterator
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Final, NamedTuple, TypeGuard

from budget.domain.errors import InvalidInput
from budget.domain.image_tokens import image_tokens_bound, size_of_base64
from budget.domain.money import ceil_div
from budget.domain.text_tokens import LOOKED_AT, family_of, text_tokens_bound, texts_tokens_bound

__all__ = [
    "WHOLE_CONTEXT_TOKENS", "Bound", "Parts", "bound_of", "input_tokens_bound", "parts_of",
    "text_tokens_bound",
]  # fmt: skip

WHOLE_CONTEXT_TOKENS: Final = 1_000_000
"""What counts for something that is only referred to, and could fill the model's context."""

MOST_PARTS: Final = 500_000
"""Values and keys that are looked at in one request; more are refused."""


class Parts(NamedTuple):
    """A request taken apart: its texts, and the tokens of all that is not text.

    `fixed_tokens` are those of the others that have nothing to do with how text is cut: images,
    files, what is only referred to, tokens as such. No factor that texts have taught applies.
    """

    texts: tuple[str, ...]
    other_tokens: int
    fixed_tokens: int = 0


class Bound(NamedTuple):
    """At least as many input tokens as a request has; of them those that no factor applies to."""

    tokens: int
    fixed_tokens: int


class _Overhead(NamedTuple):
    """Tokens around what the caller wrote: once a request, once a message, once for having tools.

    OpenAI: 3 a message, 1 for a name, 3 to begin the answer (its cookbook), and room. Anthropic:
    its page on tool use lists up to 804 tokens for having tools. The rest is not published; the
    figures of the unknown leave room for the system prompt that some open models come with.
    """

    request: int
    message: int
    tools: int


_OVERHEADS: Final = {
    "o200k": _Overhead(8, 4, 16),
    "cl100k": _Overhead(8, 4, 16),
    "claude": _Overhead(16, 8, 804),
    "claude-new": _Overhead(16, 8, 804),
    "gemini": _Overhead(8, 6, 64),
}
_UNKNOWN_OVERHEAD: Final = _Overhead(48, 12, 300)
_OWN_TOOL: Final = 1500
"""A tool that the provider defines (computer, text editor, search) brings its own description."""

_MESSAGES: Final = frozenset({"messages", "input", "contents", "history"})
_INSTRUCTIONS: Final = frozenset(
    {"instructions", "system", "systemInstruction", "system_instruction", "prompt", "suffix"}
)
_TOOLS: Final = frozenset({"tools", "functions"})
_REFERENCES: Final = frozenset(
    {"previous_response_id", "conversation", "cachedContent", "cached_content"}
)
# Settings that the model never reads.
_SETTINGS: Final = """
    model stream stream_options temperature top_p top_k topP topK max_tokens max_output_tokens
    max_completion_tokens n stop stop_sequences seed user metadata store logprobs top_logprobs
    logit_bias presence_penalty frequency_penalty service_tier parallel_tool_calls reasoning
    reasoning_effort safety_identifier prompt_cache_key prompt_cache_retention truncation include
    background max_tool_calls modalities audio keep_alive options raw think thinking
    safetySettings safety_settings betas inference_geo dimensions encoding_format verbosity
"""
_FREE: Final = frozenset(_SETTINGS.split())
_QUIET: Final = frozenset({"role", "type", "cache_control", "status"})
_CHAT: Final = frozenset(
    {"content", "text", "parts", "output", "summary", "thinking", "refusal", "reasoning_content"}
)
_QUIET_CHARS: Final = 64
_LISTS: Final = (list, tuple)
_TEXT_FIELDS: Final = frozenset({"role", "type", "content", "text"})
_TEXT_TYPES: Final = ("text", "message", "input_text", "output_text")


def input_tokens_bound(request: object, *, provider: str, model: str) -> int:
    """At least as many input tokens as the request has, in all but rare cases; never below 0.

    `request` is a text, a list of messages, or the body as the provider takes it (OpenAI's chat and
    responses, Anthropic, Gemini, Ollama). What is not known counts by its JSON text. Raises
    InvalidInput, naming the field, for what is not JSON or has more than MOST_PARTS parts.
    """
    return bound_of(request, provider=provider, model=model).tokens


def bound_of(request: object, *, provider: str, model: str) -> Bound:
    """The same, with the part that is not text kept apart."""
    parts = parts_of(request, provider=provider, model=model)
    texts_tokens = texts_tokens_bound(parts.texts, family_of(provider, model))
    return Bound(texts_tokens + parts.other_tokens, parts.fixed_tokens)


def parts_of(request: object, *, provider: str, model: str) -> Parts:
    """Take a request apart; it raises what `input_tokens_bound` does."""
    if isinstance(request, str):
        request = [request]
    if isinstance(request, _LISTS):
        request = {"messages": request}
    if not isinstance(request, dict):
        raise InvalidInput("request", "must be a text, a list of messages or an object.")
    walk = _Walk(request, provider, model)
    for key, value in request.items():
        if value is not None and key not in _FREE:
            walk.field = key if isinstance(key, str) else "request"
            walk.top(key, value)
    return Parts(tuple(walk.texts), walk.tokens, walk.fixed)


class _Walk:
    """One pass over a request. It keeps its own stack, so that no depth is too deep."""

    def __init__(self, request: dict[object, object], provider: str, model: str) -> None:
        self.provider = provider
        self.model = model
        self.overhead = _OVERHEADS.get(family_of(provider, model), _UNKNOWN_OVERHEAD)
        self.request = request
        self.field = "request"
        self.texts: list[str] = []
        self.tokens = self.overhead.request
        self.fixed = 0
        self.left = MOST_PARTS

    def top(self, key: object, value: object) -> None:
        if key in _MESSAGES:
            self.messages(value)
        elif key in _REFERENCES or (key == "prompt" and isinstance(value, dict) and "id" in value):
            self.fix(WHOLE_CONTEXT_TOKENS)
        elif key in _INSTRUCTIONS:
            self.tokens += self.overhead.message
            self.chat(value)
        elif key in _TOOLS:
            self.tools(value)
        elif key == "images" and isinstance(value, list):
            self.images(value)
        elif key == "context" and _is_ids(value):
            self.fix(len(value))
        else:
            self.json(key, value)

    def fix(self, tokens: int) -> None:
        """Count tokens that are not those of a text."""
        self.tokens += tokens
        self.fixed += tokens

    def messages(self, value: object) -> None:
        if _is_ids(value):
            self.fix(len(value))
        elif isinstance(value, _LISTS):
            self.tokens += self.overhead.message * len(value)
            self.chat(value)
        else:
            self.tokens += self.overhead.message
            self.chat(value)

    def tools(self, value: object) -> None:
        tools = value if isinstance(value, _LISTS) else (value,)
        if not tools:
            return
        self.tokens += self.overhead.tools
        for tool in tools:
            if isinstance(tool, dict) and not _is_callers_tool(tool):
                self.fix(_OWN_TOOL)
        self.json("", tools)

    def chat(self, value: object) -> None:
        """Messages and what is in them: envelopes cost nothing, what they hold does."""
        stack = [value]
        while stack:
            value = stack.pop()
            self.spend()
            if isinstance(value, str):
                self.texts.append(value)
            elif isinstance(value, _LISTS):
                stack.extend(reversed(value))
            elif not isinstance(value, dict):
                self.texts.append(self.scalar(value))
            elif _is_text(value):  # nearly all that is said
                for key, said in value.items():
                    if said is not None and key in _CHAT:
                        stack.append(said)
            elif self.media(value, stack):
                stack.extend(said for key, said in value.items() if key in _CHAT and said)
            else:
                stack.extend(self.envelope(value))

    def envelope(self, block: dict[object, object]) -> Iterator[object]:
        """Yield what is chat in a message or block; count the rest."""
        for key, value in block.items():
            if value is None or (key in _QUIET and _is_short(value)):
                continue
            if key in _CHAT:
                yield value
            elif key == "images" and isinstance(value, list):
                self.images(value)
            else:
                self.json(key, value)

    def media(self, block: dict[object, object], stack: list[object]) -> bool:
        """Count a block that holds an image, a file or sound; False where it holds none."""
        source, kind = block.get("source"), block.get("type")
        if not isinstance(kind, str):
            kind = ""
        if "image_url" in block or kind in {"input_image", "computer_screenshot"}:
            held = block.get("image_url")
            inner: dict[object, object] = held if isinstance(held, dict) else {}
            self.image(inner.get("url", held), block.get("detail") or inner.get("detail"))
        elif kind == "image" and isinstance(source, dict):
            self.image(source.get("data"), None)
        elif kind == "document" and isinstance(source, dict):
            stack.extend(block[key] for key in ("title", "context") if block.get(key))
            if source.get("type") in ("text", "content"):
                stack.extend(source[key] for key in ("data", "content") if source.get(key))
            else:
                self.file(source.get("data"), streams=False)
        elif kind == "input_audio" and isinstance(block.get("input_audio"), dict):
            self.file(_inner(block, "input_audio").get("data"), streams=True)
        elif kind in {"file", "input_file"}:
            held = block.get("file")
            self.file((held if isinstance(held, dict) else block).get("file_data"), streams=False)
        else:
            return self.google(block)
        return True

    def google(self, block: dict[object, object]) -> bool:
        for key in ("inlineData", "inline_data", "fileData", "file_data"):
            held = block.get(key)
            if isinstance(held, dict):
                mime = str(held.get("mimeType") or held.get("mime_type"))[:_QUIET_CHARS]
                if mime.startswith("image/"):
                    level = block.get("mediaResolution") or block.get("media_resolution")
                    self.image(
                        held.get("data"), level.get("level") if isinstance(level, dict) else level
                    )
                else:
                    self.file(held.get("data"), streams=mime.startswith(("audio/", "video/")))
                return True
        return False

    def images(self, values: list[object]) -> None:
        for value in values:
            self.spend()
            self.image(value, None)

    def image(self, data: object, detail: object) -> None:
        self.fix(
            image_tokens_bound(
                self.provider,
                self.model,
                detail=detail if isinstance(detail, str) else _general_detail(self.request),
                size=size_of_base64(data) if isinstance(data, str) else None,
            )
        )

    def file(self, data: object, *, streams: bool) -> None:
        """A file that is sent along, by its bytes.

        Sound and film are at most 300 tokens a second (Gemini) and hardly ever below 6 kB a second.
        A document packs at most one token into a byte, or fills the context.
        """
        if not isinstance(data, str | bytes):
            self.fix(WHOLE_CONTEXT_TOKENS)
            return
        length = len(data) if isinstance(data, bytes) else ceil_div(len(data) * 3, 4)
        tokens = 300 + ceil_div(length * 50, 1000) if streams else 10_000 + length
        self.fix(min(tokens, WHOLE_CONTEXT_TOKENS))

    def json(self, key: object, value: object) -> None:
        """Anything else counts by its JSON text."""
        out = [f"{self.quoted(key)}: " if key != "" else ""]
        stack: list[tuple[bool, object]] = [(False, value)]
        while stack:
            written, value = stack.pop()
            if written:
                out.append(str(value))
                continue
            self.spend()
            if isinstance(value, dict):
                out.append("{")
                stack.append((True, "}"))
                for name, held in reversed(value.items()):
                    self.spend()
                    stack += ((True, ", "), (False, held), (True, f"{self.quoted(name)}: "))
            elif isinstance(value, _LISTS):
                out.append("[")
                stack.append((True, "]"))
                for held in reversed(value):
                    stack += ((True, ", "), (False, held))
            else:
                out.append(self.quoted(value))
        self.texts.append("".join(out))

    def quoted(self, value: object) -> str:
        return encode_basestring(value) if isinstance(value, str) else self.scalar(value)

    def scalar(self, value: object) -> str:
        """The text of what is neither a list nor an object."""
        if isinstance(value, str):
            return value
        if isinstance(value, bytes):
            return value.hex()
        if value is None or isinstance(value, bool | float | Decimal):
            return str(value)
        if isinstance(value, int):
            # Python refuses to spell out very long ones.
            return str(value) if value.bit_length() < 10_000 else "9" * (value.bit_length() // 3)
        raise InvalidInput(
            self.field, f"holds a {type(value).__name__[:80]}, which is not JSON; make it a dict."
        )

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InvalidInput(self.field, f"has more than {MOST_PARTS} parts, or holds itself.")


def _inner(block: dict[object, object], key: str) -> dict[object, object]:
    held = block.get(key)
    return held if isinstance(held, dict) else {}


def _is_text(block: dict[object, object]) -> bool:
    """Whether a message or block holds text, or blocks, and nothing else that counts."""
    return (
        block.keys() <= _TEXT_FIELDS
        and block.get("type", "text") in _TEXT_TYPES
        and _is_word(block.get("role", ""))
    )


def _is_ids(value: object) -> TypeGuard[list[int]]:
    """Whether it is text that was turned into tokens already."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= LOOKED_AT
        and all(type(item) is int for item in value)
    )


def _is_short(value: object) -> bool:
    """Whether it can be a word such as `user`, or `{"type": "ephemeral", "ttl": "1h"}`."""
    if isinstance(value, dict):
        return len(value) <= 4 and all(_is_word(held) for held in value.values())
    return _is_word(value)


def _is_word(value: object) -> bool:
    return (isinstance(value, str) and len(value) <= _QUIET_CHARS) or type(value) is bool


def _is_callers_tool(tool: dict[object, object]) -> bool:
    """Whether the caller describes the tool: the others the provider does."""
    described = ("function", "parameters", "input_schema", "functionDeclarations")
    also = ("function_declarations", "inputSchema", "format")
    return tool.get("type") in ("custom", "function") or any(
        key in tool for key in described + also
    )


def _general_detail(request: dict[object, object]) -> str | None:
    """Gemini's setting for all images of a request."""
    for key in ("generationConfig", "generation_config"):
        config = _inner(request, key)
        detail = config.get("mediaResolution") or config.get("media_resolution")
        if isinstance(detail, str):
            return detail
    return None

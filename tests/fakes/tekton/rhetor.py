"""Rhetor: a model manager as Tekton's answers, traps included.

What is told of it is in the wire facts: word counts for tokens, always the same `model` in an
answer, a 500 when its specialist does not listen, a 404 for a path without its slash. Not here: how
it fails otherwise (`component`).
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.tekton.component import Asked, Component, Told

UNTRUE_MODEL: Final = "llama3.3:70b"
"""What it says that every answer is of."""

_HANDS: Final[tuple[tuple[str, str, str, tuple[str, ...], int, int], ...]] = (
    ("anthropic", "claude-opus-4-1-20250805", "Claude Opus 4.1",
     ("code", "planning", "reasoning", "chat", "vision"), 200_000, 32_000),
    ("anthropic", "claude-sonnet-4-20250514", "Claude Sonnet 4",
     ("code", "planning", "reasoning", "chat", "vision"), 200_000, 64_000),
    ("anthropic", "claude-opus-4-20250514", "Claude Opus 4",
     ("code", "planning", "reasoning", "chat"), 200_000, 32_000),
    ("anthropic", "claude-3-5-haiku-20241022", "Claude Haiku 3.5",
     ("code", "chat"), 200_000, 8_192),
    ("openai", "gpt-4o", "GPT-4o",
     ("code", "reasoning", "chat", "vision", "functions"), 128_000, 16_384),
    ("openai", "gpt-4o-mini", "GPT-4o mini", ("chat", "vision", "functions"), 128_000, 16_384),
    ("openai", "gpt-3.5-turbo", "GPT-3.5 Turbo", ("chat", "functions"), 16_385, 4_096),
    ("openai", "gpt-4-turbo", "GPT-4 Turbo",
     ("code", "reasoning", "chat", "vision"), 128_000, 4_096),
    ("xai", "grok-4-0709", "Grok 4", ("reasoning", "chat"), 256_000, 8_192),
    ("xai", "grok-3-20250827", "Grok 3", ("reasoning", "chat"), 131_072, 8_192),
    ("xai", "grok-3-mini-20250827", "Grok 3 mini", ("chat",), 131_072, 8_192),
    ("xai", "grok-code-fast-1", "Grok Code Fast", ("code",), 256_000, 10_000),
    ("gemini", "gemini-2-5-pro", "Gemini 2.5 Pro",
     ("code", "planning", "reasoning", "chat", "vision"), 1_048_576, 65_536),
    ("gemini", "gemini-2-5-flash", "Gemini 2.5 Flash", ("chat", "vision"), 1_048_576, 65_536),
    ("gemini", "gemini-2-5-flash-lite", "Gemini 2.5 Flash Lite", ("chat",), 1_048_576, 65_536),
    ("ollama", "gpt-oss:120b", "GPT-OSS 120B", ("reasoning", "chat"), 131_072, 8_192),
    ("ollama", "gpt-oss:20b", "GPT-OSS 20B", ("chat",), 131_072, 8_192),
    ("ollama", "llama3.3:70b", "Llama 3.3 70B", ("reasoning", "chat"), 131_072, 8_192),
    ("ollama", "deepseek-r1:32b", "DeepSeek R1 32B", ("reasoning",), 131_072, 8_192),
    ("ollama", "qwen2.5-coder:32b-instruct", "Qwen 2.5 Coder", ("code",), 32_768, 8_192),
    ("ollama", "codestral:22b", "Codestral", ("code",), 32_768, 8_192),
    ("ollama", "command-r:35b", "Command R", ("chat",), 131_072, 4_096),
    ("ollama", "solar:10.7b", "Solar", ("chat",), 4_096, 2_048),
    ("ollama", "gemma3:4b", "Gemma 3 4B", ("chat",), 131_072, 8_192),
)  # fmt: skip

_CODING: Final = "claude-opus-4-1-20250805"
_ASSIGNED: Final[Any] = {
    "defaults": {"code": _CODING, "planning": _CODING, "reasoning": _CODING,
                 "chat": "claude-3-5-haiku-20241022"},
    "components": {"penia": {"chat": "gpt-3.5-turbo"}, "telos": {"reasoning": "gpt-4o"}},
}  # fmt: skip


@dataclass
class Rhetor(Component):
    """One that runs. `listens`: its specialist's socket answers, with `says`. `rows` are those of
    its table of usage of today: provider, model, input and output tokens, cost. `streams` is what
    its chat streams.
    """

    listens: bool = True
    says: str = "Hello from the specialist."
    streams: bytes = b""
    rows: list[tuple[str, str, int, int, float]] = field(default_factory=list)

    def __init__(self, **more: Any) -> None:
        self.listens, self.says, self.rows = True, "Hello from the specialist.", []
        self.streams = b'data: {"error": "Streaming is not available", "done": true}\n\n'
        super().__init__(answer=self._answer, **more)

    def _answer(self, asked: Asked) -> Told:
        if asked.path.startswith("/api/models/"):
            return self._models(asked, asked.path.removeprefix("/api/models/"))
        body = asked.body if isinstance(asked.body, dict) else {}
        match asked.method, asked.path:
            case "GET", "/health":
                return 200, {"status": "healthy", "component": "rhetor", "version": "0.1.0",
                             "registeredWithHermes": True,
                             "details": {"llm_client": True, "budget_manager": True}}  # fmt: skip
            case "POST", "/api/v1/generate":
                return self._generate(body)
            case "POST", "/api/v1/chat":
                return self._chat(body)
            case "POST", "/api/v1/chat/stream":
                return 200, self.streams
            case "GET", "/api/v1/models":
                return 500, {"detail": "Internal Server Error"}
            case "POST", "/api/v1/budget/policies":
                return 400, {"detail": "'BudgetManager' object has no attribute 'create_policy'"}
            case "GET", "/api/v1/budget/usage":
                return 200, self._usage()
        return 404, {"detail": "Not Found"}

    # --- Models ----------------------------------------------------------------------------------

    def _models(self, asked: Asked, rest: str) -> Told:
        if asked.method == "POST" and rest == "select":
            return self._select(asked.body if isinstance(asked.body, dict) else {})
        if asked.method != "GET":
            return 405, {"detail": "Method Not Allowed"}
        if rest == "":
            wanted = asked.query.get("provider"), asked.query.get("capability")
            return 200, [
                one for one in map(_listed, _HANDS)
                if (wanted[0] or one["provider"]) == one["provider"]
                and (wanted[1] is None or wanted[1] in one["capabilities"])
            ]  # fmt: skip
        if rest == "providers":
            return 200, sorted({provider for provider, *_ in _HANDS})
        if rest == "assignments":
            return 200, _ASSIGNED
        if rest.startswith("resolve/"):
            alias = rest.removeprefix("resolve/")
            found = [hand for hand in _HANDS if alias in (hand[1], _alias(hand[1]))]
            if found:
                return 200, {"alias": alias, "model_id": found[0][1]}
            return 404, {"detail": f"Model not found: {alias}"}
        return 404, {"detail": "Not Found"}

    def _select(self, body: dict[str, Any]) -> Told:
        missing = [name for name in ("component", "capability") if name not in body]
        if missing:
            return 422, {"detail": [{"type": "missing", "loc": ["body", name],
                                     "msg": "Field required"} for name in missing]}  # fmt: skip
        own = _ASSIGNED["components"].get(body["component"], {})
        model_id = own.get(body["capability"]) or _ASSIGNED["defaults"].get(body["capability"])
        if model_id is None:
            return 404, {"detail": f"No model assigned for {body['component']}"}
        hand = next(hand for hand in _HANDS if hand[1] == model_id)
        provider, _, name, _, window, most = hand
        return 200, {"model_id": model_id, "provider": provider, "name": name,
                     "context_window": window, "max_output": most}  # fmt: skip

    # --- Asking ----------------------------------------------------------------------------------

    def _generate(self, body: dict[str, Any]) -> Told:
        if "prompt" not in body:
            return _required("prompt")
        if not self.listens:
            return _deaf()
        counted = _counted(body["prompt"], self.says)
        return 200, {"response": self.says, "model": UNTRUE_MODEL, "usage": counted}

    def _chat(self, body: dict[str, Any]) -> Told:
        if "messages" not in body:
            return _required("messages")
        if body.get("contextId") or body.get("context_id"):
            return 500, {"detail": "'ContextManager' object has no attribute 'add_message'"}
        if not self.listens:
            return _deaf()
        said = [one["content"] for one in body["messages"] if one.get("role") == "user"]
        counted = _counted(said[-1] if said else "", self.says)
        return 200, {"content": self.says, "model": UNTRUE_MODEL, "usage": counted,
                     "contextId": None, "metadata": {}, "response": self.says}  # fmt: skip

    # --- Cost ------------------------------------------------------------------------------------

    def _usage(self) -> dict[str, Any]:
        if not self.rows:
            return {"period": "daily", "total_cost": 0.0, "total_tokens": 0, "groups": {}}
        groups: dict[str, dict[str, Any]] = {}
        for provider, _, came_in, went_out, cost in self.rows:
            own = groups.setdefault(
                provider, {"cost": 0.0, "input_tokens": 0, "output_tokens": 0, "count": 0}
            )
            own["cost"] += cost
            own["input_tokens"] += came_in
            own["output_tokens"] += went_out
            own["count"] += 1
        came_in = sum(own["input_tokens"] for own in groups.values())
        went_out = sum(own["output_tokens"] for own in groups.values())
        return {"period": "daily", "total_cost": sum(own["cost"] for own in groups.values()),
                "total_input_tokens": came_in, "total_output_tokens": went_out,
                "total_tokens": came_in + went_out, "count": len(self.rows),
                "groups": groups}  # fmt: skip


def fill(path: str, rows: list[tuple[Any, ...]], settings: list[tuple[Any, ...]]) -> None:
    """A database as Rhetor makes it: rows are (timestamp, provider, model, component, task type,
    input tokens, output tokens, cost), settings (period, provider, limit, enforcement, active).
    """
    import sqlite3

    with sqlite3.connect(path) as made:
        made.execute(
            "CREATE TABLE usage (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, "
            "provider TEXT NOT NULL, model TEXT NOT NULL, component TEXT NOT NULL, "
            "task_type TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT "
            "NULL, cost REAL NOT NULL, metadata TEXT)"
        )
        made.execute(
            "CREATE TABLE budget_settings (id INTEGER PRIMARY KEY AUTOINCREMENT, period TEXT NOT "
            "NULL, provider TEXT NOT NULL, limit_amount REAL NOT NULL, enforcement TEXT NOT NULL, "
            "start_date TEXT, active INTEGER NOT NULL DEFAULT 1)"
        )
        made.executemany(
            "INSERT INTO usage (timestamp, provider, model, component, task_type, input_tokens, "
            "output_tokens, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
        )  # fmt: skip
        made.executemany(
            "INSERT INTO budget_settings (period, provider, limit_amount, enforcement, active, "
            "start_date) VALUES (?, ?, ?, ?, ?, ?)",
            [(*each, dt.date(2026, 11, 1).isoformat()) for each in settings],
        )
    made.close()


def _listed(hand: tuple[str, str, str, tuple[str, ...], int, int]) -> dict[str, Any]:
    provider, model_id, name, capabilities, window, most = hand
    return {"id": model_id, "provider": provider, "name": name, "aliases": [_alias(model_id)],
            "capabilities": list(capabilities), "context_window": window, "max_output": most,
            "deprecated": False, "fallback": None}  # fmt: skip


def _alias(model_id: str) -> str:
    return model_id.rpartition("-20")[0] or model_id.replace(":", "-")


def _counted(prompt: str, said: str) -> dict[str, int]:
    came_in, went_out = len(prompt.split()), len(said.split())
    return {"prompt_tokens": came_in, "completion_tokens": went_out,
            "total_tokens": came_in + went_out}  # fmt: skip


def _required(name: str) -> Told:
    told = {"type": "missing", "loc": ["body", name], "msg": "Field required"}
    return 422, {"detail": [told]}


def _deaf() -> Told:
    return 500, {"detail": "Failed to get response from numa-ai: Could not connect to numa-ai: "
                 "[Errno 111] Connect call failed ('127.0.0.1', 45016)"}  # fmt: skip

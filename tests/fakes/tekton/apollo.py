"""Apollo as it was seen to answer: 200 for errors too, and a budget route that never works.

It checks messages as its models do: an unknown type or priority is 422. What it was sent lies in
`messages`; a restart forgets that, as it forgets its contexts.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.tekton.component import Asked, Component, Told

TYPES: Final = ("budget.allocated", "budget.updated", "budget.exceeded", "budget.reset")
PRIORITIES: Final = (1, 5, 8, 10)
ALLOCATE_ERROR: Final = (
    "TokenBudgetManager.allocate_budget() got an unexpected keyword argument 'requested_tokens'"
)

Json = dict[str, Any]


@dataclass
class FakeApollo:
    """Apollo with contexts and predictions; `refuses` answers these types of messages with 200 and
    an error.
    """

    contexts: list[Json] = field(default_factory=list)
    predictions: list[Json] = field(default_factory=list)
    messages: list[Json] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def component(self) -> Component:
        return Component(self.answer)

    def forget(self) -> None:
        """What a restart does."""
        self.contexts.clear()
        self.predictions.clear()
        self.messages.clear()

    def of_type(self, type: str) -> list[Json]:
        return [one for one in self.messages if one["type"] == type]

    def answer(self, asked: Asked) -> Told:
        match asked.method, asked.path.strip("/").split("/"):
            case "GET", ["health"]:
                return 200, {"status": "healthy", "uptime": 1.5, "version": "0.1.0",
                             "component_name": "apollo"}  # fmt: skip
            case "GET", ["api", "status"]:
                return 200, _well({"contexts": len(self.contexts)})
            case "GET", ["api", "contexts"]:
                wanted = asked.query.get("status")
                some = [one for one in self.contexts if wanted in (None, one.get("health"))]
                return 200, _well(some)
            case "GET", ["api", "contexts", id]:
                return 200, _one(self.contexts, "context_id", id)
            case "GET", ["api", "predictions"]:
                return 200, _well(self.predictions)
            case "GET", ["api", "predictions", id]:
                return 200, _one(self.predictions, "context_id", id)
            case "POST", ["api", "messages"]:
                return self._take(asked.body)
            case "POST", ["api", "budget", "allocate"]:
                return 200, _ill("Error allocating budget", ALLOCATE_ERROR)
            case "POST", ["api", "messages", "subscription"]:
                return 500, {"detail": "Object of type datetime is not JSON serializable"}
        return 404, {"detail": "Not Found"}

    def _take(self, body: Any) -> Told:
        if (
            not isinstance(body, dict)
            or body.get("type") not in TYPES
            or not body.get("source")
            or body.get("priority", 5) not in PRIORITIES
            or not isinstance(body.get("payload", {}), dict)
            or not isinstance(body.get("metadata", {}), dict)
        ):
            return 422, {"detail": [{"loc": ["body"], "msg": "not a message", "type": "value"}]}
        if body["type"] in self.refuses:
            return 200, _ill("Error sending message", "no handler")
        self.messages.append(body)
        return 200, _well({"message_id": str(uuid.uuid4())})


def context(context_id: str, **more: Any) -> Json:
    """A context as Apollo tells it, with zero metrics unless others are given."""
    metrics = {
        "input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "max_tokens": 4000,
        "token_utilization": 0.0, "input_token_rate": 0.0, "output_token_rate": 0.0,
        "token_rate_change": 0.0, "repetition_score": 0.0, "self_reference_score": 0.0,
        "coherence_score": 1.0, "latency": 0.0, "processing_time": 0.0,
        "timestamp": "2026-11-26T10:00:00.000001", **more.pop("metrics", {}),
    }  # fmt: skip
    return {
        "context_id": context_id, "component_id": context_id.removesuffix("-ci"),
        "provider": "anthropic", "model": "claude-3-haiku", "task_type": "default",
        "metrics": metrics, "health": "excellent", "health_score": 1.0,
        "creation_time": "2026-11-26T09:00:00", "last_updated": "2026-11-26T10:00:00",
        "metadata": {}, **more,
    }  # fmt: skip


def _one(some: list[Json], name: str, id: str) -> Json:
    for one in some:
        if one[name] == id:
            return _well(one)
    return _ill(f"{id} not found", "not found")


def _well(data: Any) -> Json:
    return {"status": "success", "message": None, "data": data, "errors": None}


def _ill(message: str, error: str) -> Json:
    return {"status": "error", "message": message, "data": None, "errors": [error]}

"""Hermes as it was seen to answer, traps included.

A token is signed, not kept: it stays good until its time is up, also after a restart or when its
component was unregistered, so that a heartbeat is answered for who is not there. The list of
components has who is there. Its bus answers each publication with an error; with `secure`, as it is
unless told otherwise, it lets nobody publish at all. `/api/v1` is nowhere.
"""

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.tekton.component import Asked, Component, Told

HEADER: Final = "x-authentication-token"
LIFETIME_SECONDS: Final = 3600
AWAIT_ERROR: Final = "object bool can't be used in 'await' expression"
_SECRET: Final = b"the same after every restart"

Json = dict[str, Any]


@dataclass
class FakeHermes:
    """Hermes with what is in its registries; `tokens_live_seconds` is shortened by tests."""

    secure: bool = True
    tokens_live_seconds: int = LIFETIME_SECONDS
    clock: Callable[[], float] = time.time
    entries: dict[str, Json] = field(default_factory=dict)
    tools: dict[str, Json] = field(default_factory=dict)
    published: list[Json] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def component(self) -> Component:
        return Component(self.answer)

    def forget(self) -> None:
        """What a restart does."""
        with self._lock:
            self.entries.clear()
            self.tools.clear()
            self.published.clear()

    def register(self, name: str, endpoint: str, **more: Any) -> str:
        """An entry as Tekton's components make theirs: without an id of their own."""
        body = {"name": name, "version": "0.1.0", "type": name, "endpoint": endpoint, **more}
        id: str = self._register(body)[1]["componentId"]
        return id

    def answer(self, asked: Asked) -> Told:
        with self._lock:
            return self._answer(asked)

    def _answer(self, asked: Asked) -> Told:
        match asked.method, asked.path.removeprefix("/").split("/"):
            case "GET", ["health"]:
                return 200, {"status": "healthy", "component": "hermes", "version": "0.1.0",
                             "port": 8001, "registered": True,
                             "services": {"registered_services": 10}}  # fmt: skip
            case "POST", ["api", "register"]:
                return self._register(asked.body)
            case "POST", ["api", "heartbeat"]:
                return self._heartbeat(asked)
            case "POST", ["api", "unregister"]:
                return self._unregister(asked)
            case "POST", ["api", "query"]:
                return self._query(asked.body)
            case "GET", ["api", "components"]:
                return self._components(asked.query)
            case "GET", ["api", "components", name]:
                for entry in self.entries.values():
                    if name in (entry["component_id"], entry["name"]):
                        return 200, _shown(entry)
                return 404, {"detail": f"Component '{name}' not found"}
            case "POST", ["api", "a2a", "v1", ""]:
                return self._bus(asked.body)
            case method, ["api", "mcp", "v2", "tools", *rest]:
                return self._tools(method, rest, asked.body)
        return 404, {"detail": "Not Found"}

    def _register(self, body: Any) -> Told:
        missing = _missing(body, "name", "version", "endpoint")
        if missing is None and not (body.get("type") or body.get("component_type")):
            missing = _unfit("type", "Field required")
        if missing is not None:
            return missing
        type = body.get("type") or body["component_type"]
        given = body.get("component_id") or body.get("componentId")
        id = given or f"{type}-{body['name']}-{uuid.uuid4().hex[:8]}"
        self.entries[id] = {
            "component_id": id, "name": body["name"], "version": body["version"], "type": type,
            "endpoint": body["endpoint"], "capabilities": body.get("capabilities", []),
            "metadata": body.get("metadata", {}), "registered_at": self.clock(),
            "last_heartbeat": None,
        }  # fmt: skip
        return 200, {"success": True, "componentId": id, "token": self._token(id),
                     "message": "Component registered successfully"}  # fmt: skip

    def _token(self, id: str) -> str:
        now = int(self.clock())
        payload = {"component_id": id, "token_id": str(uuid.uuid4()), "iat": now,
                   "exp": now + self.tokens_live_seconds}  # fmt: skip
        return json.dumps({"payload": payload, "signature": _signature(payload)})

    def _is_good(self, token: str, id: Any) -> bool:
        """Whether a token is one of ours, to the letter, of this component, and not too old."""
        try:
            told = json.loads(token)
            payload = told["payload"]
        except (ValueError, TypeError, KeyError):
            return False
        return (
            token == json.dumps(told)
            and hmac.compare_digest(told["signature"], _signature(payload))
            and payload["component_id"] == id
            and payload["exp"] > self.clock()
        )

    def _heartbeat(self, asked: Asked) -> Told:
        if HEADER not in asked.headers:
            return _unfit("X-Authentication-Token", "Field required", place="header")
        missing = _missing(asked.body, "component_id")
        if missing is None and not isinstance(asked.body.get("status"), dict):
            missing = _unfit("status", "Input should be a valid dictionary")
        if missing is not None:
            return missing
        id = asked.body["component_id"]
        if not self._is_good(asked.headers[HEADER], id):
            return 401, {"detail": "Invalid authentication token"}
        if id in self.entries:
            self.entries[id]["last_heartbeat"] = self.clock()
        return 200, {"success": True, "timestamp": self.clock(), "message": "Heartbeat received"}

    def _unregister(self, asked: Asked) -> Told:
        id = asked.query.get("component_id")
        if id is None:
            return _unfit("component_id", "Field required", place="query")
        if HEADER not in asked.headers:
            return _unfit("X-Authentication-Token", "Field required", place="header")
        if not self._is_good(asked.headers[HEADER], id):
            return 401, {"detail": "Invalid authentication token"}
        there = self.entries.pop(id, None) is not None
        return 200, {"success": there, "message": "Component unregistered" if there else
                     "Component not registered"}  # fmt: skip

    def _query(self, body: Any) -> Told:
        if not isinstance(body, dict):
            return _unfit("body", "Input should be a valid dictionary")
        able = body.get("capability")
        of_type = body.get("component_type") or body.get("componentType")
        if body.get("healthy_only") or body.get("healthyOnly"):
            return 200, []
        return 200, [
            {"componentId": one["component_id"], "name": one["name"], "version": one["version"],
             "type": one["type"], "endpoint": one["endpoint"],
             "capabilities": one["capabilities"], "metadata": one["metadata"], "healthy": None,
             "lastHeartbeat": one["last_heartbeat"]}
            for one in self.entries.values()
            if (able is None or able in one["capabilities"]) and of_type in (None, one["type"])
        ]  # fmt: skip

    def _components(self, query: Mapping[str, str]) -> Told:
        able = query.get("capability")
        found = [
            _shown(one)
            for one in self.entries.values()
            if (able is None or able in one["capabilities"])
            and "component_type" not in query  # its type is always null, so none is of any
            and (query.get("healthy_only") != "true" or self._is_alive(one))
        ]
        return 200, {"total": len(found), "components": found}

    def _is_alive(self, one: Json) -> bool:
        last = one["last_heartbeat"]
        return last is not None and self.clock() - last <= 60

    def _tools(self, method: str, rest: list[str], body: Any) -> Told:
        match method, rest:
            case "GET", []:
                return 200, list(self.tools.values())
            case "POST", []:
                missing = _missing(body, "name", "description", "schema")
                if missing is not None:
                    return missing
                id = body.get("id") or f"tool-{uuid.uuid4()}"
                self.tools[id] = {**body, "id": id}
                return 200, {"success": True, "toolId": id, "message": "Tool registered"}
            case "GET", [id] if id in self.tools:
                return 200, self.tools[id]
            case "DELETE", [id] if id in self.tools:
                del self.tools[id]
                return 200, {"success": True, "message": "Tool unregistered"}
            case "POST", [id, "execute"] if id in self.tools:
                return self._executed(self.tools[id], body)
        return 404, {"detail": "Tool not found"}

    def _executed(self, tool: Json, body: Any) -> Told:
        if not tool.get("endpoint"):
            return 400, {"detail": "Tool has no endpoint"}
        parameters = body.get("parameters", {}) if isinstance(body, dict) else {}
        message = f"Remote tool {tool['name']} would be executed via {tool['endpoint']}"
        return 200, {"success": True, "tool_id": tool["id"], "tool_name": tool["name"],
                     "result": {"message": message, "parameters": parameters},
                     "execution_time": 0.1}  # fmt: skip

    def _bus(self, body: Any) -> Told:
        if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
            return 200, _wrong(None, -32600, "Invalid Request")
        id = body.get("id")
        if self.secure:
            return 200, _wrong(id, -32002, "Authentication required")
        if body.get("method") == "channel.publish":
            self.published.append(body["params"])
            return 200, _wrong(id, -32603, AWAIT_ERROR)
        return 200, _wrong(id, -32601, "Method not found")


def _shown(entry: Json) -> Json:
    return {
        "component_id": entry["component_id"], "name": entry["name"],
        "version": entry["version"], "type": None, "port": None, "status": "unknown",
        "capabilities": entry["capabilities"], "endpoint": entry["endpoint"],
        "last_heartbeat": entry["last_heartbeat"], "registered_at": entry["registered_at"],
        "metadata": {**entry["metadata"], "type": entry["type"]},
    }  # fmt: skip


def _signature(payload: Json) -> str:
    return hmac.new(_SECRET, json.dumps(payload).encode(), hashlib.sha256).hexdigest()


def _wrong(id: Any, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}


def _missing(body: Any, *names: str) -> Told | None:
    if not isinstance(body, dict):
        return _unfit("body", "Input should be a valid dictionary")
    camel = {name: "".join((first, *map(str.title, rest))) for name in names
             for first, *rest in [name.split("_")]}  # fmt: skip
    gone = [name for name in names if name not in body and camel[name] not in body]
    return _unfit(gone[0], "Field required") if gone else None


def _unfit(name: str, message: str, place: str = "body") -> Told:
    return 422, {"detail": [{"type": "missing", "loc": [place, name], "msg": message}]}

"""Works: what goes on at a fake provider when its call was answered: batches, answers in the
background. They end when a test says so.

Each request of a batch uses 10 input and 5 output tokens; an answer in the background 30 and 7.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.openai_media import Reply

IN_BATCH: Final = (10, 5)
BEHIND: Final = (30, 7)


class Works:
    """What goes on. `end` ends all of it; while it `is_away` nobody is told how it stands."""

    def __init__(self) -> None:
        self.is_away = False
        self._files: dict[str, bytes] = {}
        self._works: dict[str, dict[str, Any]] = {}
        self._requests: dict[str, list[dict[str, Any]]] = {}

    def end(self, status: str = "completed") -> None:
        """All that goes on is done, or has failed before it began."""
        for work in self._works.values():
            if work.get("type") == "message_batch":
                work |= {"processing_status": "ended", "results_url": "https://elsewhere/"}
            elif work["object"] == "response":
                work |= {"status": status, "usage": _usage("input", "output", BEHIND)}
            elif status == "completed":
                file_id = f"file-of-{work['id']}"
                self._files[file_id] = self._output(work)
                work |= {"status": status, "output_file_id": file_id}
            else:
                work["status"] = status

    def answer(self, method: str, path: str, body: Mapping[str, Any], raw: bytes) -> Reply | None:
        """The answer to a request that has to do with such work; None for any other."""
        path = path.partition("?")[0].removeprefix("/v1")
        parts = path.split("/")[1:]
        if parts[0] == "files":
            return self._file(method, parts, raw)
        if method == "POST" and path == "/batches":
            lines = self._files[body["input_file_id"]].splitlines()
            return self._begin("batch", body, [json.loads(line) for line in lines])
        if method == "POST" and path == "/responses" and body.get("background"):
            return self._begin("response", body, [])
        if method == "POST" and path == "/messages/batches":
            return self._begin_messages(body)
        if parts[-1] == "results":
            return Reply(self._results(parts[-2]), "application/x-jsonl")
        if path in ("/batches", "/messages/batches"):
            return _json({"object": "list", "data": list(self._works.values()), "has_more": False})
        if self.is_away:
            return _json({"error": {}}, 500)
        if parts[-1] in self._works:
            return _json(self._works[parts[-1]])
        return None

    def _file(self, method: str, parts: list[str], raw: bytes) -> Reply:
        if method == "GET":
            held = self._files.get(parts[1])
            return _json({"error": {}}, 404) if held is None else Reply(held, "text/plain")
        file_id = f"file-{len(self._files) + 1}"
        begin = raw.index(b"\r\n\r\n", raw.index(b"filename=")) + 4
        self._files[file_id] = raw[begin : raw.index(b"\r\n--", begin)]
        return _json({"id": file_id, "object": "file", "bytes": 1, "purpose": "batch"})

    def _begin(self, kind: str, body: Mapping[str, Any], requests: list[Any]) -> Reply:
        work_id = f"{kind}_{len(self._works) + 1}"
        self._requests[work_id] = requests
        self._works[work_id] = {
            "id": work_id, "object": kind, "metadata": body.get("metadata"), "created_at": 1,
            "status": "queued" if kind == "response" else "validating",
            "model": body.get("model"), "endpoint": body.get("endpoint"), "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": None,
            "completion_window": "24h", "input_file_id": body.get("input_file_id"),
        }  # fmt: skip
        return _json(self._works[work_id])

    def _begin_messages(self, body: Mapping[str, Any]) -> Reply:
        work_id = f"msgbatch_{len(self._works) + 1}"
        self._requests[work_id] = list(body["requests"])
        self._works[work_id] = {
            "id": work_id, "type": "message_batch", "processing_status": "in_progress",
            "results_url": None, "created_at": "2026-11-26T00:00:00Z",
            "expires_at": "2026-11-27T00:00:00Z",
            "request_counts": {
                "processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0
            },
        }  # fmt: skip
        return _json(self._works[work_id])

    def _output(self, work: Mapping[str, Any]) -> bytes:
        lines = []
        for request in self._requests[work["id"]]:
            answer = {
                "id": "chatcmpl-1", "model": request["body"]["model"], "object": "chat.completion",
                "choices": [{"index": 0, "message": {}, "finish_reason": "stop"}],
                "usage": _usage("prompt", "completion", IN_BATCH),
            }  # fmt: skip
            told = {"status_code": 200, "body": answer}
            lines.append(json.dumps({"custom_id": request["custom_id"], "response": told}))
        return "\n".join(lines).encode()

    def _results(self, batch_id: str) -> bytes:
        lines = []
        for request in self._requests[batch_id]:
            message = {
                "id": "msg_1", "type": "message", "role": "assistant", "content": [],
                "model": request["params"]["model"], "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": IN_BATCH[0], "output_tokens": IN_BATCH[1]},
            }  # fmt: skip
            result = {"type": "succeeded", "message": message}
            lines.append(json.dumps({"custom_id": request["custom_id"], "result": result}))
        return "\n".join(lines).encode()


def _usage(read: str, wrote: str, counts: tuple[int, int]) -> dict[str, Any]:
    return {f"{read}_tokens": counts[0], f"{wrote}_tokens": counts[1], "total_tokens": sum(counts)}


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status=status)

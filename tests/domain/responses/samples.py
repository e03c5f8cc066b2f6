"""Responses and streams as providers document them, written by hand; figures in round numbers.

Not here: what they must be read as (the tests of each shape).
"""

from typing import Any

Json = dict[str, Any]

CHAT: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5.1-2025-11-13",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    ],
    "service_tier": "default",
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 300,
        "total_tokens": 1300,
        "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 250},
    },
}

CHAT_STREAM: list[Json] = [
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o", "usage": None,
     "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]},
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o", "usage": None,
     "choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": None}]},
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o", "usage": None,
     "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [],
     "usage": {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57,
               "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}},
]  # fmt: skip

EMBEDDINGS: Json = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}

OPENROUTER: Json = {
    "id": "gen-1",
    "object": "chat.completion",
    "model": "anthropic/claude-sonnet-4.5",
    "provider": "Anthropic",
    "choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 2000,
        "completion_tokens": 100,
        "total_tokens": 2100,
        "cost": 0.00123,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
        "prompt_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
    },
}

RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-5.1",
    "service_tier": "flex",
    "output": [],
    "usage": {
        "input_tokens": 500,
        "input_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 50},
        "output_tokens": 90,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 590,
    },
}

RESPONSE_STREAM: list[Json] = [
    {"type": "response.created",
     "response": {"id": "resp_1", "object": "response", "status": "in_progress",
                  "model": "gpt-5.1", "usage": None}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Yes."},
    {"type": "response.completed", "response": RESPONSE},
]  # fmt: skip

REALTIME: Json = {
    "type": "response.done",
    "event_id": "event_1",
    "response": {
        "id": "resp_r1",
        "object": "realtime.response",
        "status": "completed",
        "usage": {
            "total_tokens": 400,
            "input_tokens": 300,
            "output_tokens": 100,
            "input_token_details": {
                "text_tokens": 100,
                "audio_tokens": 180,
                "image_tokens": 20,
                "cached_tokens": 150,
                "cached_tokens_details": {
                    "text_tokens": 50, "audio_tokens": 90, "image_tokens": 10,
                },
            },
            "output_token_details": {"text_tokens": 30, "audio_tokens": 70},
        },
    },
}  # fmt: skip

IMAGES: Json = {
    "created": 1,
    "data": [{"b64_json": "AAAA"}],
    "usage": {
        "input_tokens": 60,
        "output_tokens": 272,
        "total_tokens": 332,
        "input_tokens_details": {"text_tokens": 20, "image_tokens": 40},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 272},
    },
}

MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Yes."}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 400},
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "standard",
        "speed": "fast",
        "inference_geo": "us",
    },
}

MESSAGE_STREAM: list[Json] = [
    {"type": "message_start",
     "message": {"id": "msg_2", "type": "message", "role": "assistant",
                 "model": "claude-haiku-4-5", "content": [], "stop_reason": None,
                 "usage": {"input_tokens": 25, "cache_read_input_tokens": 100,
                           "cache_creation_input_tokens": 0, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Yes"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 8}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
]  # fmt: skip

GEMINI: Json = {
    "responseId": "r-1",
    "modelVersion": "gemini-2.5-pro",
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "toolUsePromptTokenCount": 50,
        "candidatesTokenCount": 80,
        "thoughtsTokenCount": 120,
        "totalTokenCount": 1250,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 400},
            {"modality": "AUDIO", "tokenCount": 300},
            {"modality": "IMAGE", "tokenCount": 200},
            {"modality": "DOCUMENT", "tokenCount": 60},
            {"modality": "VIDEO", "tokenCount": 40},
        ],
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": 300},
            {"modality": "AUDIO", "tokenCount": 100},
        ],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 80}],
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
    },
}

GEMINI_STREAM: list[Json] = [
    {"modelVersion": "gemini-2.5-flash", "responseId": "r-2",
     "candidates": [{"content": {"parts": [{"text": "Y"}]}, "index": 0}],
     "usageMetadata": {"promptTokenCount": 30, "totalTokenCount": 50, "thoughtsTokenCount": 20}},
    {"modelVersion": "gemini-2.5-flash", "responseId": "r-2",
     "candidates": [{"content": {"parts": [{"text": "es"}]}, "index": 0}]},
    {"modelVersion": "gemini-2.5-flash", "responseId": "r-2",
     "candidates": [{"content": {"parts": [{"text": "."}]}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 30, "candidatesTokenCount": 5, "totalTokenCount": 55}},
]  # fmt: skip

CONVERSE: Json = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}},
    "stopReason": "end_turn",
    "metrics": {"latencyMs": 900},
    "serviceTier": {"type": "priority"},
    "usage": {
        "inputTokens": 100,
        "outputTokens": 20,
        "totalTokens": 1020,
        "cacheReadInputTokens": 600,
        "cacheWriteInputTokens": 300,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 100}],
    },
}

CONVERSE_STREAM: list[Json] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Yes."}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15},
                  "metrics": {"latencyMs": 300}}},
]  # fmt: skip

COHERE: Json = {
    "id": "c-2",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
    "usage": {
        "billed_units": {"input_tokens": 5.0, "output_tokens": 9.0},
        "tokens": {"input_tokens": 71.0, "output_tokens": 12.0},
    },
}

COHERE_V1: Json = {
    "response_id": "c-1",
    "generation_id": "g-1",
    "text": "Yes.",
    "finish_reason": "COMPLETE",
    "meta": {
        "api_version": {"version": "1"},
        "billed_units": {"input_tokens": 5, "output_tokens": 9, "search_units": 1},
        "tokens": {"input_tokens": 71, "output_tokens": 12},
    },
}

COHERE_STREAM: list[Json] = [
    {"type": "message-start", "id": "c-3", "delta": {"message": {"role": "assistant"}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Yes."}}}},
    {"type": "content-end", "index": 0},
    {"type": "message-end",
     "delta": {"finish_reason": "COMPLETE",
               "usage": {"billed_units": {"input_tokens": 6, "output_tokens": 2},
                         "tokens": {"input_tokens": 66, "output_tokens": 4}}}},
]  # fmt: skip

OLLAMA: Json = {
    "model": "llama3.2",
    "created_at": "2026-11-01T00:00:00Z",
    "message": {"role": "assistant", "content": "Yes."},
    "done": True,
    "done_reason": "stop",
    "total_duration": 5_000_000,
    "prompt_eval_count": 26,
    "eval_count": 290,
}

OLLAMA_STREAM: list[Json] = [
    {"model": "llama3.2", "message": {"role": "assistant", "content": "Y"}, "done": False},
    {"model": "llama3.2", "message": {"role": "assistant", "content": "es"}, "done": False},
    {"model": "llama3.2", "message": {"role": "assistant", "content": ""}, "done": True,
     "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 18},
]  # fmt: skip

WHOLE: tuple[Json, ...] = (
    CHAT, EMBEDDINGS, OPENROUTER, RESPONSE, REALTIME, IMAGES, MESSAGE, GEMINI, CONVERSE, COHERE,
    COHERE_V1, OLLAMA,
)  # fmt: skip
STREAMS: tuple[list[Json], ...] = (
    CHAT_STREAM, RESPONSE_STREAM, MESSAGE_STREAM, GEMINI_STREAM, CONVERSE_STREAM, COHERE_STREAM,
    OLLAMA_STREAM,
)  # fmt: skip

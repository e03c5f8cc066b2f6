"""What a request needs of a model is read from its body, in the words of its format."""

from typing import Any, Final

import pytest

from budget.gateway.needing import needs_of
from budget.prices.capabilities import Needs

TEXT: Final[Any] = {"role": "user", "content": "Hello"}


def said(*parts: Any) -> Any:
    """A message of parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


def thing(**part: Any) -> Any:
    """Contents of Gemini's of one part."""
    return {"contents": [{"parts": [part]}]}


@pytest.mark.parametrize(
    ("api", "body", "needs"),
    [
        ("chat", {"messages": [TEXT]}, Needs()),
        ("chat", {"tools": [{"type": "function"}]}, Needs(tools=True)),
        ("chat", {"functions": [{"name": "f"}]}, Needs(tools=True)),
        ("chat", {"tools": []}, Needs()),
        ("chat", said({"type": "image_url", "image_url": {}}), Needs(vision=True)),
        ("chat", said({"type": "input_audio"}), Needs(audio=True)),
        ("chat", {"modalities": ["text", "audio"]}, Needs(audio=True)),
        ("chat", {"response_format": {"type": "json_schema"}}, Needs(json=True)),
        ("chat", {"response_format": {"type": "text"}}, Needs()),
        ("chat", {"reasoning_effort": "low"}, Needs(reasoning=True)),
        ("chat", {"reasoning_effort": "none"}, Needs()),
        ("chat", {"reasoning": {"max_tokens": 10}}, Needs(reasoning=True)),
        ("responses", {"input": "Hello"}, Needs()),
        ("responses", {"input": [{"content": [{"type": "input_image"}]}]}, Needs(vision=True)),
        (
            "responses",
            {"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]},
            Needs(vision=True),
        ),
        ("responses", {"text": {"format": {"type": "json_object"}}}, Needs(json=True)),
        (
            "responses",
            {"tools": [{"type": "web_search"}], "reasoning": {"effort": "high"}},
            Needs(tools=True, reasoning=True),
        ),
        ("messages", {"messages": [TEXT]}, Needs()),
        ("messages", {"tools": [{"name": "f"}]}, Needs(tools=True)),
        ("messages", said({"type": "image", "source": {}}), Needs(vision=True)),
        (
            "messages",
            said({"type": "tool_result", "content": [{"type": "image"}]}),
            Needs(vision=True),
        ),
        ("messages", {"thinking": {"type": "enabled"}}, Needs(reasoning=True)),
        ("messages", {"thinking": {"type": "disabled"}}, Needs()),
        ("messages", {"output_config": {"format": {"type": "json_schema"}}}, Needs(json=True)),
        ("messages", {"output_config": {"effort": "low"}}, Needs()),
        ("generate_content", thing(text="Hello"), Needs()),
        ("generate_content", {"tools": [{"functionDeclarations": []}]}, Needs(tools=True)),
        ("generate_content", thing(inlineData={"mimeType": "image/png"}), Needs(vision=True)),
        ("generate_content", thing(file_data={"mime_type": "video/mp4"}), Needs(vision=True)),
        ("generate_content", thing(inlineData={"mimeType": "audio/wav"}), Needs(audio=True)),
        (
            "generate_content",
            {"generationConfig": {"responseMimeType": "application/json"}},
            Needs(json=True),
        ),
        (
            "generate_content",
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}},
            Needs(reasoning=True),
        ),
        (
            "generate_content",
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
            Needs(),
        ),
        ("ollama", {"messages": [TEXT]}, Needs()),
        ("ollama", {"prompt": "Hello", "images": ["aGk="]}, Needs(vision=True)),
        ("ollama", {"messages": [{**TEXT, "images": ["aGk="]}]}, Needs(vision=True)),
        ("ollama", {"format": "json"}, Needs(json=True)),
        ("ollama", {"format": {"type": "object"}}, Needs(json=True)),
        ("ollama", {"think": True, "tools": [{}]}, Needs(tools=True, reasoning=True)),
        ("ollama", {"think": False}, Needs()),
        ("embeddings", {"input": "Hello", "tools": [{}]}, Needs()),
    ],
)
def test_a_body_says_what_it_needs(api: str, body: Any, needs: Needs) -> None:
    assert needs_of(api, body) == needs


@pytest.mark.parametrize(
    "api", ["chat", "responses", "messages", "generate_content", "ollama", "nonsense"]
)
@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, [None], ["text"], [{"content": 7}]])
def test_what_is_not_understood_needs_nothing(api: str, odd: Any) -> None:
    names = ("messages", "input", "contents", "response_format", "text", "thinking", "reasoning",
             "generationConfig", "output_config", "modalities")  # fmt: skip
    assert needs_of(api, dict.fromkeys(names, odd)) == Needs()

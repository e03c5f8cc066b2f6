"""Chunks whose figures the next one tells anew are not read: that changes nothing that is told."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.responses import Stream

FIGURES: st.SearchStrategy[Any] = st.sampled_from([0, 1, 5, 70, -1, 10**13, 2.0, "7", None, True])


def gemini() -> st.SearchStrategy[Any]:
    details = st.lists(
        st.fixed_dictionaries({"modality": st.just("AUDIO"), "tokenCount": FIGURES}), max_size=2
    )
    usage = st.fixed_dictionaries(
        {"promptTokenCount": FIGURES, "candidatesTokenCount": FIGURES},
        optional={"thoughtsTokenCount": FIGURES, "promptTokensDetails": details},
    )
    candidate = st.fixed_dictionaries({"index": st.just(0)}, optional={"finishReason": NAMES})
    return st.fixed_dictionaries(
        {"usageMetadata": usage | st.just(None)},
        optional={
            "candidates": st.lists(candidate, max_size=2),
            "modelVersion": NAMES, "responseId": NAMES,
            "promptFeedback": st.just({"blockReason": "SAFETY"}),
        },
    )  # fmt: skip


NAMES = st.sampled_from(["a", "b", "", None])


def chat() -> st.SearchStrategy[Any]:
    usage = st.fixed_dictionaries(
        {"prompt_tokens": FIGURES, "completion_tokens": FIGURES}, optional={"total_tokens": FIGURES}
    )
    choice = st.fixed_dictionaries(
        {"delta": st.sampled_from([{}, {"content": "x"}])}, optional={"finish_reason": NAMES}
    )
    return st.fixed_dictionaries(
        {"choices": st.lists(choice, max_size=1)},
        optional={
            "usage": usage | st.just(None), "id": NAMES, "model": NAMES, "service_tier": NAMES,
            "x_groq": st.fixed_dictionaries({"usage": usage, "id": NAMES}),
        },
    )  # fmt: skip


def responses() -> st.SearchStrategy[Any]:
    usage = st.fixed_dictionaries({"input_tokens": FIGURES, "output_tokens": FIGURES})
    response = st.fixed_dictionaries(
        {"object": st.sampled_from(["response", "realtime.response"]), "usage": usage | st.none()},
        optional={"id": NAMES, "model": NAMES, "service_tier": NAMES},
    )
    kinds = ["response.created", "response.in_progress", "response.completed", "response.failed"]
    return st.fixed_dictionaries(
        {"type": st.sampled_from(kinds), "response": response}, optional={"usage": usage}
    )


@given(
    st.sampled_from([("generate_content", gemini()), ("chat", chat()), ("responses", responses())])
    .flatmap(lambda one: st.tuples(st.just(one[0]), st.lists(one[1], max_size=6))),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_what_is_told_in_the_end_does_not_depend_on_who_asked_before(
    stream: tuple[str, list[Any]], doubled: bool
) -> None:
    api, chunks = stream
    if doubled:  # what overtakes is alike, mostly
        chunks = [one for chunk in chunks for one in (chunk, chunk)]
    once, often = Stream("", api), Stream("", api)
    for chunk in chunks:
        once.take(chunk)
        often.take(chunk)
        often.told()
    assert once.told() == often.told()

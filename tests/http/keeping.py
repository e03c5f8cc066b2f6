"""Keeping: what schemathesis would make anew for each example, and look through for garbage.

Not here: what is run with it (`fuzzing`).
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from schemathesis.specs.openapi.adapter.parameters import OpenApiBody, OpenApiParameterSet


@contextmanager
def kept_strategies() -> Iterator[None]:
    """Strategies of captured values are made once for an operation, not for each of its examples.

    One binds the ids captured so far, which change between operations; to make and validate it is
    15 % of an example. And where it changes while Hypothesis compares cases, that takes the
    operation for flaky, and schemathesis ends it without a word, after 13 of 200 examples.
    """
    made = [(owner, owner.get_strategy) for owner in (OpenApiBody, OpenApiParameterSet)]
    for owner, make in made:
        _set(owner, _kept(make))
    try:
        yield
    finally:
        for owner, make in made:
            _set(owner, make)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Garbage is looked for more rarely: what a run holds is large, and little of it goes."""
    usual = gc.get_threshold()
    gc.set_threshold(2_000, 10, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _set(owner: Any, make: Callable[..., Any]) -> None:
    owner.get_strategy = make


def _kept(make: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; what it made lasts until it is asked for another operation."""
    kept: dict[Any, Any] = {}
    of_now = ""

    def get_strategy(
        of: Any, operation: Any, settings: Any, mode: Any, *exclude: Any, **named: Any
    ) -> Any:
        nonlocal of_now
        if operation.label != of_now:
            kept.clear()
            of_now = operation.label
        sources = named["feedback"]
        learnt = sources.error_feedback
        key = (
            id(of), mode, *map(frozenset, exclude), named["mix_examples"],
            id(sources.extra_data_source), id(sources.constants_value_source),
            None if learnt is None else learnt.generation,
        )  # fmt: skip
        if key not in kept:
            kept[key] = make(of, operation, settings, mode, *exclude, **named)
        return kept[key]

    return get_strategy

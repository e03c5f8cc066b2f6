"""Matching: which balances a call must have met, worked out anew from scopes and attributes.

A policy left out of a call is money nobody watches, so every admission and every usage that nobody
reserved is held against this (I9).
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from budget.engine.audit.history import Policy, Scope

Attributes = Mapping[str, str]
Read = Callable[[str, str], str]
"""How a value of an attribute compares."""

_REGIONS = frozenset((
    "apac", "ap", "au", "ca", "eu", "global", "in", "jp", "sa", "us-gov", "us",
))  # fmt: skip
_VENDORS = frozenset((
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax",
    "mistral", "moonshot", "moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs",
    "writer", "xai", "zai",
))  # fmt: skip


class Met(NamedTuple):
    """The policies that a call falls under, each with its balance, if any; and all balances."""

    policies: tuple[tuple[Policy, int | None], ...]
    head_ids: frozenset[int | None]


class Matching:
    """All policies by their scopes, and all heads by their partitions."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        heads: Iterable[tuple[int, Policy, str]],
        alike_after: int = -1,
    ) -> None:
        """`alike_after` is the last entry for which names compared as they were written."""
        self._alike_after = alike_after
        self._heads = {
            (policy.policy_id, _partition(policy, json.loads(partition), _written)): head_id
            for head_id, policy, partition in heads
        }
        self._exact: dict[tuple[str, str], list[Policy]] = defaultdict(list)
        self._others: list[Policy] = []
        for policy in policies.values():
            self._file(policy)
        self._turns = sorted(
            {p.born for p in policies.values()} | {p.gone for p in policies.values()}
        )
        self._met = lru_cache(maxsize=4096)(self._find)

    def _file(self, policy: Policy) -> None:
        """Under each value of its first attribute that has whole values only, if it has one."""
        for key, wanted in policy.scope.items():
            values = _listed(wanted)
            if not any(value.endswith("*") for value in values):
                for value in values:
                    self._exact[key, _plain(key, value)].append(policy)
                return
        self._others.append(policy)

    def met(self, attributes: str, entry_id: int) -> Met:
        """What a call with these attributes (JSON) met, as of an entry."""
        turns = bisect_left(self._turns, entry_id)
        return self._met(attributes, turns, entry_id > self._alike_after)

    def _find(self, text: str, turns: int, alike: bool) -> Met:
        """What a call meets after so many times that a policy came into force or went out of it."""
        read = _plain if alike else _written
        attributes: dict[str, str] = json.loads(text)
        candidates = list(self._others)
        for key, value in attributes.items():
            candidates += self._exact.get((key, _plain(key, value)), ())
        after = self._turns[turns - 1] if turns else -1
        found = tuple(
            (policy, self._heads.get((policy.policy_id, _partition(policy, attributes, read))))
            for policy in candidates
            if policy.born <= after < policy.gone and _falls_under(policy.scope, attributes, read)
        )
        return Met(found, frozenset(head_id for _, head_id in found))


def _listed(wanted: str | list[str]) -> list[str]:
    return [wanted] if isinstance(wanted, str) else wanted


def _falls_under(scope: Scope, attributes: Attributes, read: Read) -> bool:
    for key, wanted in scope.items():
        value = attributes.get(key)
        if value is None or not any(
            _fits(key, value, pattern, read) for pattern in _listed(wanted)
        ):
            return False
    return True


def _fits(key: str, value: str, pattern: str, read: Read) -> bool:
    if not pattern.endswith("*"):
        return read(key, value) == read(key, pattern)
    start = read(key, pattern[:-1])
    whole = value.lower() if read is _plain and key in ("model", "provider") else value
    return read(key, value).startswith(start) or whole.startswith(start)


def _written(key: str, value: str) -> str:
    """A value as it was written, which is how every name once compared."""
    del key
    return value


def _plain(key: str, value: str) -> str:
    """A provider's name in lower case; a model's without its path and its vendor at Bedrock."""
    if key == "provider":
        return value.lower()
    if key != "model":
        return value
    name = value.lower().split("/")[-1]
    while True:
        region, _, rest = name.partition(".")
        inner = rest if region in _REGIONS else name
        vendor, _, rest = inner.partition(".")
        if vendor not in _VENDORS or not rest:
            return name or value.lower()
        name = rest


def _partition(
    policy: Policy, attributes: Mapping[str, str | None], read: Read
) -> tuple[str | None, ...]:
    values = ((key, attributes.get(key)) for key in policy.partition_by)
    return tuple(None if value is None else read(key, value) for key, value in values)

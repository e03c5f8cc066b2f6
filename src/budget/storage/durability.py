"""Durability: what the writer's connection has been told about disks, read back from it."""

from collections.abc import Mapping
from typing import NamedTuple


class Durability(NamedTuple):
    """Settings by name, and whether a commit that was acknowledged outlives a loss of power."""

    settings: Mapping[str, str]
    durable: bool

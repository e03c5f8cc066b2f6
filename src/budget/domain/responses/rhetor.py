"""Rhetor, the model manager of Tekton: answers whose figures are of no use.

What it calls tokens are words, and the model that it names is always the same. So nothing is read
of an answer, and what was used is counted elsewhere.
Source: what a running one answers.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape


def read(_chunk: Mapping[str, Any], _provider: str) -> Heard:
    """Nothing."""
    return Heard()


def parts_of(_counts: Mapping[str, int], _provider: str) -> Parts:
    """No counts."""
    return Parts(None, None)


SHAPE: Final = Shape("rhetor", read, parts_of)

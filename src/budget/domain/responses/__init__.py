"""Responses: what a provider's answer tells about the usage of the call, in our words.

Pure functions over parsed JSON that is not trusted; one file per shape of it. Not here: bytes and
connections, what is done when a response does not tell, and what usage costs (`pricing`).
"""

from budget.domain.responses.stream import Stream, usage_of
from budget.domain.responses.told import Told

__all__ = ["Stream", "Told", "usage_of"]

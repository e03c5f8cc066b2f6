"""Stream: what the chunks of one response tell together, also when they end too early.

Not here: how bytes become chunks (the gateway and the client read SSE, NDJSON and event streams).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from budget.domain.errors import InvalidInput
from budget.domain.responses.parts import Heard, Shape, merged, told
from budget.domain.responses.recognising import default_shape, named_shape, recognised
from budget.domain.responses.told import Told

_NOTHING: Final = Heard()


class Stream:
    """Takes the chunks of one response in their order; may be asked at any time.

    `provider` and `api` are as in `usage_of`. It keeps figures and one chunk, and never raises:
    what is no object, or has counts that cannot be true, only leaves the answer incomplete.
    """

    __slots__ = ("_heard", "_odd", "_provider", "_shape", "_unread")

    def __init__(self, provider: str | None = None, api: str | None = None) -> None:
        self._provider = (provider or "").lower()
        self._shape: Shape | None = named_shape(self._provider, (api or "").lower())
        self._heard = _NOTHING
        self._unread: tuple[Shape, Mapping[str, Any]] | None = None
        """The last chunk: it is read when the next one does not tell all that it does."""
        self._odd = False

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Hear one more chunk, parsed from its JSON."""
        if type(chunk) is not dict and not isinstance(chunk, Mapping):
            self._odd = True  # type: ignore[unreachable]  # JSON has more than objects
            return
        shape = self._shape or recognised(chunk)
        if shape is None:
            shape = default_shape(self._provider)  # but a later chunk may say better
        else:
            self._shape = shape
        if shape is None:
            return
        older = self._unread
        if older is not None and not (older[0] is shape and shape.overtakes(chunk, older[1])):
            self._read(*older)
        self._unread = shape, chunk

    def _read(self, shape: Shape, chunk: Mapping[str, Any]) -> None:
        heard = shape.read(chunk, self._provider)
        self._heard = heard if self._heard is _NOTHING else merged(self._heard, heard)

    def told(self) -> Told:
        """What is known so far."""
        shape = self._shape or default_shape(self._provider)
        if shape is None:
            return Told()
        if self._unread is not None:
            self._read(*self._unread)
            self._unread = None
        answer = told(self._heard, shape, self._provider)
        return answer._replace(complete=False) if self._odd else answer


def usage_of(
    response: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    provider: str | None = None,
    api: str | None = None,
) -> Told:
    """What a whole response tells, as its JSON was parsed; a list is the chunks of a stream.

    `provider` and `api` (chat, embeddings, responses, realtime, images, transcriptions, messages,
    generate_content, converse) need not be known: the shape is seen in the response. InvalidInput
    if it is neither an object nor a list; whatever is in it, nothing else is raised.
    """
    given: object = response  # whatever the types say
    if isinstance(given, Mapping):
        chunks: Sequence[Any] = (given,)
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray):
        chunks = given
    else:
        raise InvalidInput("response", "must be a JSON object, or a list of them.")
    stream = Stream(provider, api)
    for chunk in chunks:
        stream.take(chunk)
    return stream.told()

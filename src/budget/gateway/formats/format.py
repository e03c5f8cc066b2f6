"""Format: what the gateway must know of a wire format, and the values that pass to and fro.

Not here: the formats themselves (one file each), and what is done with a call (`passing`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol

Body = Mapping[str, Any]
Costs = Literal["tokens", "nothing", "batch"]
"""What a route costs: by what was used; nothing; or as much as all requests of a batch together."""
HELD_SECONDS: Final = 86_400
"""How long is held for what goes on when its call was answered: a day, in which batches end."""
Framing = Literal["events", "lines", "array", "bytes", "spoken"]
"""How a stream is cut: server-sent events, lines of JSON, one JSON array; not at all; or in events
for the gateway, and not at all for the caller.
"""


class Target(NamedTuple):
    """Where a request goes, below its mount: `/v1/chat/completions`, and its parsed body if JSON.

    `body` is None where the request has none, or none that is a JSON object.
    """

    method: str
    path: str
    query: str
    body: Body | None


class Most(NamedTuple):
    """The most that a call may use whose answer is not text that grows, in all its answers.

    `units` are those that count where the model's price has them. `input_tokens` None: as many as
    the request's text has.
    """

    output_tokens: int
    units: Mapping[str, int] = {}
    input_tokens: int | None = None


class Asked(NamedTuple):
    """What a request asks for, as far as the budget must know.

    `api` names the shape of its answer as `domain.responses` does. `streams`: the caller wants the
    answer as it comes, in this `framing`. `can_stream`: the upstream can send it so. `most` is all
    that is held for it; None: its output is counted while it comes. `later`: the answer only says
    that it has begun.
    """

    api: str
    model: str | None = None
    streams: bool = False
    can_stream: bool = False
    costs: Costs = "tokens"
    framing: Framing = "events"
    most: Most | None = None
    later: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether the caller is sent no text, so that no word of ours fits in."""
        return self.framing in ("bytes", "spoken")

    @property
    def has_comments(self) -> bool:
        """Whether clients pass over comments in its stream; Google's own does not."""
        return self.framing == "events" and self.api != "generate_content"


class Changes(NamedTuple):
    """What budgeting writes into a request; None leaves it as it is.

    `max_output_tokens` is for each answer that is asked for. `mark` is the id of the hold, for what
    is told later.
    """

    model: str | None = None
    max_output_tokens: int | None = None
    stream: bool = False
    mark: str | None = None


class Notice(NamedTuple):
    """Why a call was refused, cut or went wrong, for people and for programs.

    `told` is the whole problem as the API tells it, without what belongs to HTTP. `output_tokens`
    are those that came before the cut.
    """

    status: int
    code: str
    message: str
    told: Mapping[str, Any] = {}
    output_tokens: int = 0


class Transcript(Protocol):
    """What has come of a streamed answer. It may be asked at any time, and never raises."""

    def take(self, event: Body) -> None:
        """Hear one more event."""

    def say(self, text: str) -> None:
        """Hear more text, where the last event that was `plain` brought some."""

    def whole(self) -> Body:
        """The answer as it would have come in one piece."""

    def ending(self, notice: Notice) -> bytes:
        """What ends the stream here, properly, because the money has ended."""

    def cut_short(self, notice: Notice) -> Body:
        """`whole`, with the reason to finish that says so."""


def nothing_plain(_transcript: Transcript, _event: Body) -> str | None:
    """For a format whose events are all looked at closely."""
    return None


class Format(NamedTuple):
    """A wire format.

    `asked` tells what a request asks; None for a route that it does not know. `written` is the body
    with the changes in it; `path` where it goes then, with its query. `tells` says whether an event
    may have more to say than a piece of text; only such a one may be the last, or hidden. `is_last`
    tells an event after which nothing of worth comes; `is_hidden` one that the caller has not asked
    for. `broken` tells of an error in the middle of a stream. `attributes` are those that a body
    names. `plain` is the quick way for what nearly all events are, nothing but a piece of text: the
    transcript takes it, and the text is returned; None for any other event, of which nothing was
    taken.
    """

    name: str
    asked: Callable[[Target], Asked | None]
    written: Callable[[Asked, Body, Changes], Body]
    path: Callable[[Target, Asked, Changes], str]
    transcript: Callable[[Asked], Transcript]
    tells: Callable[[Body], bool]
    is_last: Callable[[Body], bool]
    is_hidden: Callable[[Target, Body], bool]
    problem: Callable[[Notice], Body]
    broken: Callable[[Asked, Notice], bytes]
    attributes: Callable[[Body], Mapping[str, str]]
    key_header: str
    """The header in which a provider's key travels; `authorization` takes it as a bearer."""
    plain: Callable[[Any, Body], str | None] = nothing_plain
    plain_tells: bool = False
    """Whether such an event tells figures too."""
    is_error: Callable[[Body], bool] | None = None
    """Whether an answer of status 200 is an error in place of one, which costs nothing; None: an
    error has a status of its own."""
    shown: Callable[[Target, Asked, Body], tuple[bytes, bytes]] | None = None
    """What the caller is shown of an answer in one piece, and its content type, where that speaks
    otherwise than the upstream; None: as it is."""
    ignored_limit_tokens: int | None = None
    """So many tokens of output are held for a call that says nothing, to an upstream that does not
    tell its models of any limit; None: it does."""
    own_headers: Mapping[str, str] = {}
    """What an upstream asks for in the head of every request, beside the key."""


def model_in(body: Body) -> str | None:
    """The model that a body names, as most formats do it."""
    model = body.get("model")
    return model if isinstance(model, str) and model else None


def path_as_it_came(target: Target, _asked: Asked, _changes: Changes) -> str:
    """Where a request goes whose path no change concerns."""
    return f"{target.path}?{target.query}" if target.query else target.path


def hides_nothing(_target: Target, _event: Body) -> bool:
    """Whether an event is hidden where callers are told all that comes."""
    return False

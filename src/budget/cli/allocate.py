"""`budget allocate create`, `list`, `release` and `settle`: money and tokens held for calls.

Not here: running a program with an envelope (`run`).
"""

from typing import Annotated, Final, Literal, cast

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page, spoken
from budget.cli.refusal_words import show_refusal
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import given, parse_pairs, parse_seconds, typed_as
from budget.domain import wire
from budget.domain.allocations import Held
from budget.domain.answers import Allocation, Check, Refusal
from budget.domain.asks import AllocationAsk, UsageAsk
from budget.domain.errors import BudgetRefused, InvalidInput
from budget.domain.money import format_usd

STATUSES: Final = ("open", "settled", "released", "expired")
_TYPED: Final = {
    "tokens": "--tokens", "tokens_allocated": "--tokens", "usd": "--usd",
    "requests": "--requests", "input_tokens": "--input-tokens", "fit": "--fit",
    "output_tokens": "--output-tokens", "cache_read_tokens": "--cache-read-tokens",
    "cache_write_tokens": "--cache-write-tokens", "cost": "--cost",
    "max_output_tokens": "--max-output-tokens", "min_output_tokens": "--min-output-tokens",
    "provider": "--provider", "model": "--model", "priority": "--priority",
    "envelope": "--envelope", "parent_id": "--parent-id", "ttl_seconds": "--ttl",
    "allocation_id": "ID", "attributes": "--attribute", "context_id": "--context-id",
    "component": "--component", "task_type": "--task-type", "tier": "--tier",
    "user_id": "--user-id", "reason": "--reason", "status": "--status",
}  # fmt: skip
_ALLOCATIONS: Final = (
    Column("Allocation"),
    Column("Status", rank=2),
    Column("Context", optional=True, folds=True, rank=5),
    Column("Component", optional=True, folds=True, rank=4),
    Column("Model", optional=True, folds=True, rank=6),
    Column("USD", "amount", optional=True),
    Column("Tokens", "amount", optional=True),
    Column("Placed", rank=8),
    Column("Expires", rank=7),
)

Words = Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")]


def create(
    *,
    context_id: str | None = None,
    component: str | None = None,
    tokens: int | None = None,
    provider: str | None = None,
    model: str | None = None,
    tier: str | None = None,
    task_type: str | None = None,
    priority: int | None = None,
    usd: str | None = None,
    requests: int | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    min_output_tokens: int | None = None,
    fit: bool = False,
    envelope: bool = False,
    parent_id: str | None = None,
    ttl: str | None = None,
    user_id: str | None = None,
    attribute: Words = (),
    dry_run: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Hold money and tokens for a call, or say why it may not go.

    How much: --input-tokens and --max-output-tokens of a model, priced; or --usd and --tokens as
    they are; or what is usual for a task of this type and priority.

    Parameters
    ----------
    context_id:
        Of which session the call is.
    component:
        Of which component it is.
    tokens:
        How many tokens to hold.
    provider:
        Who sells the model.
    model:
        The model that is to be called.
    tier:
        local_lightweight, local_midweight or remote_heavyweight; that of the model unless given.
    task_type:
        default, chat, coding, analysis or embedding: how much is usual.
    priority:
        1 to 10, 5 unless given; above 5 a key must allow it.
    usd:
        How many USD to hold, such as 0.25.
    requests:
        How many requests to hold.
    input_tokens:
        How many tokens go in, at most.
    max_output_tokens:
        How many may come out.
    min_output_tokens:
        With --fit: how few will do.
    fit:
        Where not all of the output fits, hold what fits.
    envelope:
        Hold for many calls, such as an agent run; calls draw on it by --parent-id.
    parent_id:
        Draw on this envelope.
    ttl:
        How long to hold, such as 15m or 2h.
    user_id:
        Whose call it is.
    attribute:
        A further attribute of the call, such as team=search; may be given several times.
    dry_run:
        Hold nothing; say what would be answered.
    """
    asked = {
        "context_id": context_id, "component": component, "tokens": tokens, "provider": provider,
        "model": model, "tier": tier, "task_type": task_type, "priority": priority, "usd": usd,
        "requests": requests, "input_tokens": input_tokens,
        "max_output_tokens": max_output_tokens, "min_output_tokens": min_output_tokens,
        "parent_id": parent_id, "user_id": user_id,
        "attributes": parse_pairs(attribute, "--attribute") or None,
        "ttl_seconds": None if ttl is None else parse_seconds(ttl, "--ttl"),
        "fit": fit or None, "envelope": envelope or None,
    }  # fmt: skip
    ask = cast(AllocationAsk, given(asked))
    with open_budget(face, priced=True) as books, typed_as(**_TYPED):
        answer: Allocation | Check | Refusal = (
            books.check(**ask) if dry_run else books.allocate(**ask)
        )
    if isinstance(answer, Refusal):
        return _refused(face, answer, dry_run=dry_run)
    if not isinstance(answer, Allocation):
        if face.json:
            face.print_json(wire.check(answer))
        else:
            face.print(f"Would hold {held_words(answer.reserved)}{_on(answer.legs)}.")
        return exits.OK
    if face.json:
        face.print_json(wire.allocation(answer))
    elif face.quiet:
        face.print(answer.allocation_id)
    else:
        face.print(
            f"Holds {held_words(answer.reserved)} as {answer.allocation_id} until "
            f"{spoken(answer.expires_us)}{_on(answer.legs)}."
        )
        for warning in wire.warnings(answer.legs):
            face.note(f"Warning: {warning['detail']}")
    return exits.OK


def _refused(face: Face, refusal: Refusal, *, dry_run: bool) -> int:
    if face.json:
        face.print_json(wire.check(refusal) if dry_run else wire.refusal(refusal))
    elif face.quiet:
        raise BudgetRefused(refusal)
    else:
        show_refusal(face, refusal)
    return exits.REFUSED


def _on(legs: tuple[object, ...]) -> str:
    return f", on {counted(len(legs), 'limit')}" if legs else "; no limit meets this call"


def held_words(held: Held) -> str:
    """What is held, in words."""
    parts = [
        None if held.usd is None else f"{format_usd(held.usd)} USD",
        None if held.tokens is None else counted(held.tokens, "token"),
        None if held.requests in (None, 0) else counted(held.requests or 0, "request"),
    ]
    return ", ".join(part for part in parts if part) or "nothing"


def list_allocations(
    *,
    context_id: str | None = None,
    component: str | None = None,
    active_only: bool = False,
    all: bool = False,
    status: str | None = None,
    parent_id: str | None = None,
    attribute: Words = (),
    limit: int = 100,
    format: Literal["table", "json"] = "table",
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List what is held, newest first.

    Parameters
    ----------
    context_id:
        Only of this session.
    component:
        Only of this component.
    active_only:
        Only what is still held: so it is unless --all or --status is given.
    all:
        What has ended, too.
    status:
        Only what is open, settled, released or expired.
    parent_id:
        Only what draws on this envelope.
    attribute:
        Only calls with this attribute, such as team=search; may be given several times.
    limit:
        How many to show at most.
    format:
        table, or json, which is the same as --json.
    """
    if active_only and (all or status not in (None, "open")):
        raise InvalidInput("--active-only", "says the opposite of --all and --status.")
    if status is not None and status not in STATUSES:
        raise InvalidInput("--status", f"{status[:80]!r} is not known.", STATUSES)
    wanted = parse_pairs(attribute, "--attribute", component=component)
    active = True if not all and status is None else None
    with open_budget(face) as books, typed_as(**_TYPED):
        page = gather(
            lambda most, at: books.allocations(
                status=status, is_active=active, session=context_id, parent_id=parent_id,
                attributes=wanted or None, limit=most, cursor=at,
            ),
            limit,
        )  # fmt: skip
    if face.json or format == "json":
        print_page(face, page, wire.allocation)
    elif page.items:
        show(face, _ALLOCATIONS, [_row(one, face) for one in page.items])
        note_rest(face, page)
    else:
        face.note("Nothing is held." if active else "No allocation to show.")
    return exits.OK


def _row(one: Allocation, face: Face) -> Row:
    held = one.remaining if one.status == "open" else one.reserved
    return Row(
        (
            one.allocation_id,
            f"{one.status} envelope" if one.envelope else one.status,
            one.attributes.get("session", ""),
            one.attributes.get("component", ""),
            one.model or "",
            "" if held.usd is None else format_usd(held.usd),
            "" if held.tokens is None else str(held.tokens),
            moment(face, one.placed_us),
            moment(face, one.expires_us),
        )
    )


def release(
    allocation_id: str,
    /,
    *,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Return what is held: the call will not be made.

    Parameters
    ----------
    allocation_id:
        Its id, as `budget allocate list` shows it.
    reason:
        Why; kept in the journal.
    """
    with open_budget(face) as books, typed_as(**_TYPED):
        done = books.release(allocation_id, reason=reason)
    if face.json:
        face.print_json(wire.allocation(done))
    else:
        before = " before" if done.replayed else ""
        face.print(f"{done.allocation_id} is {done.status}{before}.")
    return exits.OK


def settle(
    allocation_id: str,
    /,
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    provider: str | None = None,
    model: str | None = None,
    cost: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Book what a call really used; the rest of what was held returns.

    Parameters
    ----------
    allocation_id:
        Its id, as `budget allocate create` told it.
    input_tokens:
        How many tokens went in, those read from and written to caches among them.
    output_tokens:
        How many came out.
    cache_read_tokens:
        How many of those that went in were read from a cache.
    cache_write_tokens:
        How many of those that went in were written to a cache.
    provider:
        Who sold the model, if it was another.
    model:
        The model that answered, if it was another.
    cost:
        What the provider says that it cost, in USD.
    """
    asked = {
        "input_tokens": input_tokens, "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens, "cache_write_tokens": cache_write_tokens,
        "provider": provider, "model": model, "cost": cost,
    }  # fmt: skip
    ask = cast(UsageAsk, given(asked))
    with open_budget(face, priced=True) as books, typed_as(**_TYPED):
        done = books.settle(allocation_id, **ask)
    if face.json:
        face.print_json(wire.receipt(done))
        return exits.OK
    costs = "an unknown cost" if done.cost_nanos is None else f"{format_usd(done.cost_nanos)} USD"
    flags = f" ({', '.join(done.flags)})" if done.flags else ""
    face.print(f"Booked {costs} as {done.usage_id}{flags}; {allocation_id} is {done.status}.")
    return exits.OK

"""`budget keys list`, `show`, `create`, `rotate` and `revoke`: who may ask, and for what.

Not here: the key that the commands of this machine use (`key`).
"""

from typing import Annotated, Final

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.budget_making import agreed
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page, spoken
from budget.cli.naming import find_key
from budget.cli.tables import Column, Row, show
from budget.cli.typed import is_duration, parse_pairs, parse_seconds, parse_until, typed_as
from budget.domain.answers_keys import ApiKey
from budget.domain.asks_keys import NewKeyAsk
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire.keys import key as in_json
from budget.domain.wire.keys import new_key

_TYPED: Final = {
    "name": "NAME", "scopes": "--scopes", "bound": "--bound", "max_priority": "--max-priority",
    "expires_at": "--expires", "ttl_seconds": "--expires", "overlap_seconds": "--overlap",
}  # fmt: skip
_KEYS: Final = (
    Column("Name", folds=True),
    Column("Rights", folds=True),
    Column("Bound to", optional=True, folds=True, rank=1),
    Column("Priority", "amount", rank=5),
    Column("Status"),
    Column("Expires", optional=True, rank=2),
    Column("Last used", rank=4),
    Column("Created", rank=6),
    Column("Key"),
)
_MOODS: Final = {"expired": "warn", "revoked": "over"}


def list_keys(
    *,
    revoked: bool = False,
    limit: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List keys, newest first.

    Parameters
    ----------
    revoked:
        Those that were revoked, too.
    limit:
        How many to show at most; all unless given.
    """
    with open_budget(face) as books:
        page = gather(lambda most, at: books.keys(revoked=revoked, limit=most, cursor=at), limit)
    if face.json:
        print_page(face, page, in_json)
    elif page.items:
        show(face, _KEYS, [_row(one, face) for one in page.items])
        note_rest(face, page)
    else:
        face.note("No key to show. `budget keys create NAME --scopes spend,read` makes one.")
    return 0


def _row(one: ApiKey, face: Face) -> Row:
    return Row(
        (
            one.name,
            ",".join(one.scopes),
            _pairs(one),
            str(one.max_priority),
            one.status,
            moment(face, one.expires_us),
            moment(face, one.last_used_us, "never"),
            moment(face, one.created_us),
            one.key_id,
        ),
        _MOODS.get(one.status, ""),
    )


def show_key(key: str | None = None, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show a key, or the one in use: what it may do, and until when. What opens the door is not
    shown.

    Parameters
    ----------
    key:
        Its id, or its name where no other key has it; the one in use unless given.
    """
    with open_budget(face) as books:
        if key is not None:
            found = find_key(books, key)
        else:
            try:
                found = books.own_key()
            except NotFound:
                raise NotFound(
                    "key", "", "No key is in use: the database is opened directly. Name a key; "
                    "`budget keys list` lists them.",
                ) from None  # fmt: skip
    if face.json:
        face.print_json(in_json(found))
        return 0
    face.print(f"{found.name!r} ({found.key_id}) is {found.status}.")
    lines = {
        "rights": ", ".join(found.scopes),
        "bound to": _pairs(found),
        "highest priority": str(found.max_priority),
        "created": _when(found.created_us, found.created_by),
        "last used": _when(found.last_used_us) or "never",
        "expires": _when(found.expires_us),
        "revoked": _when(found.revoked_us),
        "in place of": found.rotates or "",
    }
    for title, text in lines.items():
        if text:
            face.print(f"  {title}: {text}")
    return 0


def create_key(
    name: str,
    /,
    *,
    scopes: str | None = None,
    bound: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    expires: str | None = None,
    max_priority: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Make a key. It is shown once, on standard output; whoever has it may use it.

    Parameters
    ----------
    name:
        Whose it is, or what for.
    scopes:
        What it may do, such as spend,read: spend, read, manage, audit or admin. Required.
    bound:
        It spends and sees as this alone, such as team=search; may be given several times.
    expires:
        After how long it ends, such as 30d, or when: a day or a time; never unless given.
    max_priority:
        The highest priority that its calls may have; 5 unless given.
    """
    if scopes is None:
        raise InvalidInput("--scopes", "is required: what the key may do, such as spend,read.")
    asked: NewKeyAsk = {"name": name, "scopes": [word.strip() for word in scopes.split(",")]}
    if bound:
        asked["bound"] = parse_pairs(bound, "--bound")
    if expires is not None:
        if is_duration(expires):
            asked["ttl_seconds"] = parse_seconds(expires, "--expires")
        else:
            asked["expires_at"] = parse_until(expires)
    if max_priority is not None:
        asked["max_priority"] = max_priority
    with open_budget(face, create=True) as books, typed_as(**_TYPED):
        made = books.create_key(**asked)
    return _told_once(face, made, "")


def rotate_key(
    key: str, /, *, overlap: str | None = None, face: Annotated[Face, Parameter(parse=False)]
) -> int:
    """Replace a key by a new one of the same rights; the old one works on for a while.

    Parameters
    ----------
    key:
        Its id, or its name where no other key has it.
    overlap:
        How long the old key works on, such as 1h, or 0; a day unless given.
    """
    with open_budget(face) as books, typed_as(**_TYPED):
        old = find_key(books, key)
        if overlap is None:
            made = books.rotate_key(old.key_id)
        else:
            seconds = parse_seconds(overlap, "--overlap")
            made = books.rotate_key(old.key_id, overlap_seconds=seconds)
        ends_us = books.key(old.key_id).expires_us
    until = "" if ends_us is None else f" {old.key_id} works until {spoken(ends_us)}."
    return _told_once(face, made, until)


def _told_once(face: Face, made: ApiKey, more: str) -> int:
    """The key itself, alone on standard output; what goes with it beside it."""
    if face.json:
        face.print_json(new_key(made))
        return 0
    if made.text is None:
        face.note(f"{made.key_id} was made before, and is shown once only: rotate it.")
        return 1
    face.print(made.text)
    bound = f", bound to {_pairs(made)}" if made.bound else ""
    ends = "" if made.expires_us is None else f", until {spoken(made.expires_us)}"
    face.note(
        f"This is the key {made.key_id} of {made.name!r} ({', '.join(made.scopes)}{bound}{ends}). "
        f"It is not shown again.{more}"
    )
    return 0


def revoke_key(
    key: str, /, *, yes: bool = False, face: Annotated[Face, Parameter(parse=False)]
) -> int:
    """End a key for good.

    Parameters
    ----------
    key:
        Its id, or its name where no other key has it.
    yes:
        Do not ask.
    """
    with open_budget(face) as books:
        found = find_key(books, key)
        if not yes and not agreed(f"End {found.name!r} ({found.key_id}) for good?"):
            face.note("Nothing was changed.")
            return 1
        done = books.revoke_key(found.key_id)
    if face.json:
        face.print_json(in_json(done))
    else:
        before = " before" if done.replayed else ""
        face.print(f"{done.name!r} ({done.key_id}) was revoked{before}: nobody can use it.")
    return 0


def _pairs(key: ApiKey) -> str:
    return ",".join(f"{name}={value}" for name, value in key.bound.items())


def _when(at_us: int | None, by: str | None = None) -> str:
    if at_us is None:
        return ""
    return f"{spoken(at_us)} by {by}" if by else spoken(at_us)

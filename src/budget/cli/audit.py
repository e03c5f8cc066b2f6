"""`budget audit`: who changed what, when, from what to what.

Not here: what calls did (`watch`, `explain`), and whether the books add up (`verify`).
"""

from typing import Annotated, Final

from cyclopts import Parameter

from budget.cli.audit_words import change_words
from budget.cli.books import open_budget
from budget.cli.dates import past
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page
from budget.cli.naming import budget_names, find_budget
from budget.cli.tables import Column, Row, show
from budget.cli.typed import typed_as
from budget.domain import cursors
from budget.domain.answers_audit import AuditRecord
from budget.domain.shapes_audit import AuditRecordShape
from budget.domain.wire.audit import audit_record

_TYPED: Final = {
    "since": "--from", "until": "--to", "kind": "--kind", "actor": "--actor",
    "policy_id": "--policy-id", "budget_id": "--budget",
}  # fmt: skip
_RECORDS: Final = (
    Column("When", rank=1),
    Column("Who", folds=True),
    Column("What", folds=True),
    Column("Change", folds=True),
)


def audit(
    *,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    actor: str | None = None,
    kind: str | None = None,
    budget: str | None = None,
    policy_id: str | None = None,
    limit: int = 50,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Show who changed what, newest first.

    Parameters
    ----------
    since:
        From when on: a day (midnight UTC), a time, or 7d: so long ago.
    until:
        Until when.
    actor:
        Only what this key did, by its id; `local` is whoever opened the database directly.
    kind:
        Only this kind of change, such as budget_changed or key_created.
    budget:
        Only of this budget: its id or its name.
    policy_id:
        Only of this limit.
    limit:
        How many to show at most.
    """
    start, end = (None if text is None else past(text) for text in (since, until))
    with open_budget(face) as books, typed_as(**_TYPED):
        of = None if budget is None else find_budget(books, budget, "--budget").budget_id
        page = gather(
            lambda most, at: books.audit(
                actor=actor, kind=kind, budget_id=of, policy_id=policy_id, since=start,
                until=end, limit=most, cursor=at,
            ),
            limit,
        )  # fmt: skip
        names = {} if face.json else budget_names(books, (one.budget_id for one in page.items))
    if face.json:
        print_page(face, page, _in_json)
    elif page.items:
        show(face, _RECORDS, [_row(one, names, face) for one in page.items])
        note_rest(face, page)
    else:
        face.note("Nobody changed anything of that kind.")
    return 0


def _in_json(one: AuditRecord) -> AuditRecordShape:
    return audit_record(one, cursors.encode(one.cursor))


def _row(one: AuditRecord, names: dict[str, str], face: Face) -> Row:
    told = _in_json(one)
    who = one.actor_name or one.actor
    of = names.get(one.budget_id or "", one.budget_id or one.policy_id or one.usage_id)
    what = one.kind.replace("_", " ")
    return Row(
        (
            moment(face, one.at_us),
            who,
            f"{what}: {of}" if of else what,
            change_words(told["changes"], told["detail"]),
        )
    )

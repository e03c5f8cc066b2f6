"""Bulk: many usage records in one request, each booked or refused by itself.

They go to the ledger together, in their order, and so share its batches. Not here: what a record
may say (`intake`), and how it is booked (`acts.recording`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from budget.domain.answers import Bulk, Receipt
from budget.domain.asks import BulkRecordAsk
from budget.domain.errors import BudgetError, InvalidInput
from budget.engine.commands import Command
from budget.engine.fields import MAX_KEY_CHARS, only_fields, parse_idempotency_key
from budget.engine.job import Job

T = TypeVar("T")

MAX_RECORDS: Final = 1000
MAX_BULK_KEY_CHARS: Final = MAX_KEY_CHARS - len(f"#{MAX_RECORDS - 1}")
"""Leaves room for the number of the record, which is put behind it."""


_FIELDS: Final = frozenset(BulkRecordAsk.__annotations__)


def booking(
    records: object,
    idempotency_key: object,
    command_of: Callable[[dict[str, Any]], Command],
) -> Job[Bulk]:
    """The job of `record_bulk`; `command_of` makes the command of one record, or raises."""
    key = _parse_key(idempotency_key)
    failed: dict[int, BudgetError] = {}
    commands: list[Command] = []
    for at, record in enumerate(_parse_records(records)):
        try:
            commands.append(command_of(_recognisable(record, key, at)))
        except BudgetError as error:
            failed[at] = _within(error, at)

    def answer(answers: Sequence[Receipt | BudgetError]) -> Bulk:
        booked = iter(answers)
        every = range(len(answers) + len(failed))
        return Bulk(
            tuple(failed[at] if at in failed else _within(next(booked), at) for at in every)
        )

    return Job(commands=commands, finish=answer)


def _parse_records(records: object) -> Sequence[object]:
    if not isinstance(records, list | tuple) or not records:
        raise InvalidInput("records", f"must be a list of 1 to {MAX_RECORDS} usage records.")
    if len(records) > MAX_RECORDS:
        raise InvalidInput("records", f"must be at most {MAX_RECORDS}; send the rest in another.")
    return records


def _parse_key(given: object) -> str | None:
    key = parse_idempotency_key({"idempotency_key": given})
    if key is not None and len(key) > MAX_BULK_KEY_CHARS:
        raise InvalidInput(
            "idempotency_key", f"must have at most {MAX_BULK_KEY_CHARS} characters here."
        )
    return key


def _recognisable(record: object, key: str | None, at: int) -> dict[str, Any]:
    """The record by what it is known when it comes again: its id, its key, or its place here."""
    if not isinstance(record, Mapping):
        raise InvalidInput("", "must be an object.")
    only_fields(record, _FIELDS)
    asked = dict(record)
    if asked.get("idempotency_key") is None and asked.get("usage_id") is None:
        if key is None:
            raise InvalidInput(
                "usage_id",
                "is required, or an idempotency_key here or of the whole request, so that what is "
                "sent again is not booked again.",
            )
        asked["idempotency_key"] = f"{key}#{at}"
    return asked


def _within(result: T, at: int) -> T | InvalidInput:
    """The result of one record; an error of a field names it as `records[17].input_tokens`."""
    if not isinstance(result, InvalidInput):
        return result
    field = f"records[{at}]" + (f".{result.field}" if result.field else "")
    told = InvalidInput(field, "", code=result.code)
    told.detail = f"{field}: {result.detail.removeprefix(f'{result.field}: ')}"
    told.allowed = result.allowed
    return told

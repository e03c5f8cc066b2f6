"""`budget estimate`: how many input tokens a request has at most, before it is sent."""

import json
from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget, read_budget
from budget.cli.contents import content_of
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show
from budget.domain.errors import InvalidInput
from budget.domain.shapes_estimates import EstimateShape, FactorsShape
from budget.domain.wire import estimate as shape
from budget.domain.wire import factors as factors_shape

MOST_BYTES: Final = 16 * 1024 * 1024

_COLUMNS: Final = (
    Column("Family"),
    Column("Factor", "amount"),
    Column("Taught by"),
    Column("Own calls", "amount"),
    Column("All calls", "amount", rank=1),
    Column("Keys", "amount", rank=1),
)
_HOW: Final = {
    "counted": "its texts counted exactly",
    "bound": "at most",
    "learnt": "at most, by what was learnt",
}


def estimate(
    model: str | None = None,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,  # -
    /,
    *,
    provider: str | None = None,
    max_output_tokens: int | None = None,
    factors: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Say how many input tokens a request has at most; nothing is sent, held or kept.

    Parameters
    ----------
    model:
        The model, such as gpt-4o.
    file:
        The request: JSON as its provider takes it, a list of messages, or plain text; - is
        standard input.
    provider:
        Who sells it; without it the model's name decides.
    max_output_tokens:
        The most output; unless given, what the request itself allows.
    factors:
        Show instead what settled calls have taught about each family of models.
    """
    if factors:
        with open_budget(face) as books:
            told = factors_shape(books.factors())
        if face.json:
            face.print_json(told)
        else:
            _show_factors(face, told)
        return exits.OK
    if model is None:
        raise InvalidInput("model", "is required: `budget estimate MODEL FILE`.")
    if file is None:
        raise InvalidInput("FILE", "is required: the file of the request, or - to read it here.")
    ask: dict[str, Any] = {"model": model, "request": _read(face, file)}
    if provider:
        ask["provider"] = provider
    if max_output_tokens is not None:
        ask["max_output_tokens"] = max_output_tokens
    with read_budget(face) as books:
        found = shape(books.estimate(**ask))
    if face.json:
        face.print_json(found)
    else:
        _show(face, found)
    return exits.OK


def _read(face: Face, file: str) -> Any:
    """A request from a file or standard input: JSON where it is an object or a list, else text."""
    if file.startswith("-") and file != "-":
        raise InvalidInput("FILE", f"{file[:80]!r} is neither a file nor an option here.")
    content = content_of(file, MOST_BYTES)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("FILE", f"is not UTF-8 at byte {error.start}.") from None
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        request = json.loads(text, parse_constant=_refuse)
        json.dumps(request, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent
        return request
    except (ValueError, RecursionError):
        if file.endswith(".json"):
            raise InvalidInput("FILE", f"{file[:200]} is not JSON.") from None
        face.note("This is not JSON: it is counted as plain text.")
        return text


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _show(face: Face, found: EstimateShape) -> None:
    seller = "" if found["provider"] is None else f"{found['provider']} "
    how = _HOW[found["how"]]
    if found["factor"] is not None:
        how += f": {found['factor']} of a bound of {found['bound_tokens']:,}"
    face.print(f"{seller}{found['model']}: {found['input_tokens']:,} input tokens, {how}")
    if found["basis"] is None:
        face.print("The price of the model is not known.")
        return
    face.print(f"Input costs {found['input_cost']} USD, prices of {found['basis']}")
    if found["hold"] is not None:
        most = f"{found['max_output_tokens']:,}"
        face.print(f"A call with up to {most} output tokens holds {found['hold']} USD")


def _show_factors(face: Face, told: FactorsShape) -> None:
    if not told["items"]:
        face.print("Nothing was learnt yet: no call that was held by its request is settled.")
        return
    rows = [
        Row(
            (
                one["family"],
                one["factor"],
                one["taught_by"],
                str(one["own_samples"]),
                str(one["samples"]),
                str(one["keys"]),
            )
        )
        for one in told["items"]
    ]
    show(face, _COLUMNS, rows)

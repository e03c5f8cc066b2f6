"""Own price files: YAML, JSON or CSV, read into entries whose every value is still a text.

Not here: what the entries mean (`own`). Numbers stay as they were written, so that no float comes
near a price, and YAML's `no` is a word like any other. A field given twice is remembered, not lost.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from budget.domain.errors import InvalidInput

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_BYTES: Final = 4_000_000
MAX_ENTRIES: Final = 10_000
MAX_COLUMNS: Final = 100
SUFFIXES: Final = (".yaml", ".yml", ".json", ".csv")
SECTIONS: Final = ("prices", "discounts", "deployments", "models")

_MAX_DEPTH: Final = 6
"""How deep the start of a tier of a unit lies; nothing lies deeper."""
_NESTED_COLUMNS: Final = {"units": "units.searches", "context": "context.region"}
_CELLS_OF_DISCOUNTS: Final = ("percent", "fixed")
_NOT_IN_TABLES: Final = ("deployment", "deployments", "name", "models", "tier", "context_window")
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(_TAG + kind for kind in ("str", "int", "float", "timestamp"))


class Mapped(dict[str, object]):
    """A mapping as it stands in the file; `twice` is a field that it gives more than once."""

    twice: str | None = None


class Entry(NamedTuple):
    """One entry: where it stands, in words, and its fields."""

    place: str
    """Such as `prices.yaml: price 3`."""
    fields: Mapped


Entries = tuple[Entry, ...]
Sections = tuple[Entries, Entries, Entries, Entries]


class Document(NamedTuple):
    """What a file says, by section."""

    prices: tuple[Entry, ...]
    discounts: tuple[Entry, ...]
    deployments: tuple[Entry, ...]
    models: tuple[Entry, ...]
    sha256: str


def read_document(path: Path) -> Document:
    """The entries of a file. InvalidInput names the file and where in it, if known."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(str(path), "must be a file of prices by its suffix.", SUFFIXES)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            str(path), f"cannot be read as a file of prices: {error.strerror or error}."
        ) from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(path.name, f"must have at most {MAX_BYTES} bytes; leave entries out.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(path.name, f"is not UTF-8 at byte {error.start}; save it so.") from error
    if suffix == ".csv":
        sections: Sections = (*_table(text, path.name), (), ())
    else:
        found = _json(text, path.name) if suffix == ".json" else _yaml(text, path.name)
        sections = _sections(found, path.name)
    if sum(map(len, sections)) > MAX_ENTRIES:
        raise InvalidInput(path.name, f"must have at most {MAX_ENTRIES} entries.")
    return Document(*sections, hashlib.sha256(data).hexdigest())


def _sections(found: object, file: str) -> Sections:
    if not isinstance(found, Mapped):
        raise InvalidInput(file, f"must have some of {', '.join(SECTIONS)}, each a list.")
    if found.twice is not None:
        raise InvalidInput(f"{file}: {found.twice[:80]}", "is given twice; make it one list.")
    for name in found:
        if name not in SECTIONS:
            raise InvalidInput(f"{file}: {name[:80]}", "is not a section.", SECTIONS)
    prices, discounts, deployments, models = (
        _entries(found.get(section), file, section, section.removesuffix("s"))
        for section in SECTIONS
    )
    return prices, discounts, deployments, models


def _entries(listed: object, file: str, section: str, word: str) -> tuple[Entry, ...]:
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise InvalidInput(f"{file}: {section}", "must be a list of entries.")
    entries = []
    for number, fields in enumerate(listed, 1):
        place = f"{file}: {word} {number}"
        if not isinstance(fields, Mapped):
            raise InvalidInput(place, "must be fields and their values.")
        entries.append(Entry(place, fields))
    return tuple(entries)


# --- JSON ----------------------------------------------------------------------------------------


def _mapped(pairs: Iterable[tuple[str, object]]) -> Mapped:
    mapped = Mapped()
    for name, value in pairs:
        if name in mapped:
            mapped.twice = name
        mapped[name] = value
    return mapped


def _json(text: str, file: str) -> object:
    try:
        return json.loads(
            text, object_pairs_hook=_mapped, parse_float=str, parse_int=str, parse_constant=str
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{file}: line {error.lineno}", f"is not JSON: {error.msg}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise InvalidInput(file, "is nested too deeply.") from error


# --- YAML ----------------------------------------------------------------------------------------


def _yaml(text: str, file: str) -> object:
    import yaml

    # Nodes only: nothing is constructed, so no tag can make an object, nor a number a float.
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml's is 10 times as fast
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = file if mark is None else f"{file}: line {mark.line + 1}"
        raise InvalidInput(where, f"is not YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise InvalidInput(file, "is not YAML: it has characters that are not allowed.") from error
    except RecursionError as error:
        raise InvalidInput(file, "is nested too deeply.") from error
    return None if root is None else _value_of(root, file, 0, {})


def _value_of(node: "Node", file: str, depth: int, known: dict[int, object]) -> object:
    """A node as texts, lists and mappings. What an alias repeats is built once, not each time."""
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    where = f"{file}: line {node.start_mark.line + 1}"
    if depth > _MAX_DEPTH:  # also where an alias leads into itself
        raise InvalidInput(where, "is nested too deeply.")
    if id(node) in known:
        return known[id(node)]
    value: object
    if isinstance(node, ScalarNode):
        if node.tag not in _PLAIN_TAGS:
            raise InvalidInput(where, f"has a tag, {node.tag[:80]!r}; leave it out.")
        empty = node.style is None and node.value in ("", "~", "null")
        value = None if empty else str(node.value)
    elif isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        value = [_value_of(part, file, depth + 1, known) for part in node.value]
    elif isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
        pairs = []
        for key, part in node.value:
            if not isinstance(key, ScalarNode):
                raise InvalidInput(where, "has a field whose name is not a word.")
            pairs.append((str(key.value), _value_of(part, file, depth + 1, known)))
        value = _mapped(pairs)
    else:
        raise InvalidInput(where, f"has a tag, {node.tag[:80]!r}; leave it out.")
    known[id(node)] = value
    return value


# --- CSV -----------------------------------------------------------------------------------------


def _table(text: str, file: str) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The rows: those with a percent or a fixed amount are discounts. An empty cell is absent."""
    prices: list[Entry] = []
    discounts: list[Entry] = []
    header: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            row = [cell.strip() for cell in cells]
            place = f"{file}: row {number}"
            if not header:
                header = row
                _check_header(header, place)
            elif any(row):
                if len(row) != len(header):
                    raise InvalidInput(
                        place, f"has {len(row)} cells, but the first row {len(header)}."
                    )
                entry = Entry(place, _row(header, row, place))
                is_discount = any(name in entry.fields for name in _CELLS_OF_DISCOUNTS)
                (discounts if is_discount else prices).append(entry)
    except csv.Error as error:
        raise InvalidInput(f"{file}: row {number + 1}", f"is not CSV: {error}.") from error
    if not header:
        raise InvalidInput(file, "must begin with a row that names the columns.")
    return tuple(prices), tuple(discounts)


def _check_header(header: list[str], place: str) -> None:
    if len(header) > MAX_COLUMNS:
        raise InvalidInput(place, f"must have at most {MAX_COLUMNS} columns.")
    for name in header:
        if not name or header.count(name) > 1:
            raise InvalidInput(f"{place}, {name[:80]}", "must be a column's name, once.")
        if name in _NOT_IN_TABLES:
            raise InvalidInput(
                f"{place}, {name}", "a table has prices and discounts only; write deployments and "
                "what models can do in a file of YAML or JSON.",
            )  # fmt: skip
        if name in _NESTED_COLUMNS:
            raise InvalidInput(
                f"{place}, {name}", f"must be a column for each, such as {_NESTED_COLUMNS[name]}."
            )


def _row(header: list[str], row: list[str], place: str) -> Mapped:
    fields = Mapped()
    for name, cell in zip(header, row, strict=True):
        if not cell:
            continue
        value = _tiers(cell, f"{place}, {name}") if cell.startswith("[") else cell
        group, dot, rest = name.partition(".")
        if dot and group in _NESTED_COLUMNS:
            nested = fields.setdefault(group, Mapped())
            assert isinstance(nested, Mapped)
            nested[rest] = value
        else:
            fields[name] = value
    return fields


def _tiers(cell: str, field: str) -> object:
    """Tiers in a cell, written as in JSON."""
    try:
        return json.loads(cell, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            field, 'must be a price or tiers such as [[0, "1.25"], [200001, "2.5"]].'
        ) from error

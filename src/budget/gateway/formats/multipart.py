"""Multipart: the fields of a form that brings files, as images and audio are sent to OpenAI's API.

What is priced is what is sent: a field that comes twice could mean one thing here and another to
the provider, so that is an error. Source: RFC 7578. Not here: what the fields ask (`openai_media`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput

MAX_PARTS: Final = 100
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_NAME: Final = re.compile(r'[;\s]name="((?:[^"\\]|\\.)*)"')
_FILE: Final = re.compile(r"[;\s]filename\*?=", re.IGNORECASE)
_MANY: Final = "[]"


class File(NamedTuple):
    """A file in a form."""

    content: bytes


class _Part(NamedTuple):
    name: str
    is_file: bool
    begin: int
    end: int
    """Where its content is in the body."""


def is_form(content_type: bytes) -> bool:
    """Whether a body is such a form."""
    return content_type.strip().lower().startswith(b"multipart/form-data")


def fields_of(raw: bytes, content_type: bytes) -> Mapping[str, Any]:
    """The fields by name: texts, files, and lists of both where the name ends in `[]`.

    InvalidInput for a body that is no such form, or in which a name comes twice.
    """
    fields: dict[str, Any] = {}
    for part in _parts(raw, content_type):
        content = raw[part.begin : part.end]
        value: Any = File(content) if part.is_file else content.decode("utf-8", "replace")
        if part.name.endswith(_MANY):
            fields.setdefault(part.name[: -len(_MANY)], []).append(value)
        elif part.name in fields:
            raise InvalidInput(part.name[:80], "comes twice in the form; send it once.")
        else:
            fields[part.name] = value
    return fields


def with_model(raw: bytes, content_type: bytes, model: str) -> bytes:
    """The form with another model's name in it, and nothing else changed."""
    for part in _parts(raw, content_type):
        if part.name == "model":
            return raw[: part.begin] + model.encode() + raw[part.end :]
    return raw


def _parts(raw: bytes, content_type: bytes) -> Iterator[_Part]:
    found = _BOUNDARY.search(content_type.decode("latin-1"))
    if found is None:
        raise InvalidInput("Content-Type", "names no boundary between the parts of the form.")
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    if not raw.startswith(mark):
        raise InvalidInput("body", "does not begin with the boundary that Content-Type names.")
    at, count = len(mark), 0
    while not raw.startswith(b"--", at):
        head_end = raw.find(b"\r\n\r\n", at)
        end = raw.find(b"\r\n" + mark, head_end)
        count += 1
        if head_end < 0 or end < 0 or count > MAX_PARTS:
            raise InvalidInput("body", f"is no form, or one of more than {MAX_PARTS} parts.")
        yield _part(raw[at:head_end], head_end + 4, max(end, head_end + 4))
        at = end + 2 + len(mark)


def _part(head: bytes, begin: int, end: int) -> _Part:
    """A part, by its head."""
    for line in head.split(b"\r\n"):
        label, _, text = line.decode("utf-8", "replace").partition(":")
        if label.strip().lower() == "content-disposition":
            named = _NAME.search(text)
            if named is not None:
                return _Part(named[1], _FILE.search(text) is not None, begin, end)
    raise InvalidInput("body", "is a form with a part that has no name.")

"""Forms: what is read is what the provider reads."""

import pytest

from budget.domain.errors import InvalidInput
from budget.gateway.formats.multipart import File, fields_of, is_form, with_model

KIND = b'multipart/form-data; boundary="a b"'


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form of such parts: what stands behind `form-data;`, and the content."""
    told = (
        b"--a b\r\nContent-Disposition: form-data; "
        + head.encode()
        + b"\r\n\r\n"
        + content
        + b"\r\n"
        for head, content in parts
    )
    return b"".join(told) + b"--a b--\r\n"


MODEL = ('name="model"', b"whisper-1")
FILE = ('name="file"; filename="a.wav"', b"RIFF\r\n\r\n--a c\r\n")


def test_fields_and_files_are_read_as_they_are() -> None:
    assert fields_of(form(MODEL, FILE), KIND) == {"model": "whisper-1", "file": File(FILE[1])}


def test_names_with_brackets_may_come_again() -> None:
    one, two = ('name="image[]"; filename="1"', b"1"), ('name="image[]"; filename="2"', b"")
    assert fields_of(form(one, two), KIND) == {"image": [File(b"1"), File(b"")]}


def test_another_model_is_written_and_nothing_else_changed() -> None:
    assert with_model(form(FILE, MODEL), KIND, "large-v3") == form(FILE, (MODEL[0], b"large-v3"))


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (form(MODEL, MODEL), KIND),
        (form(MODEL), b"multipart/form-data"),
        (form(MODEL), b"multipart/form-data; boundary=other"),
        (form(MODEL)[:-20], KIND),
        (form(('filename="a"', b"no name")), KIND),
        (form(*[('name="x[]"', b"")] * 101), KIND),
        (b"", KIND),
        (b"--a b", KIND),
    ],
    ids=["twice", "no boundary", "another", "no end", "no name", "many", "empty", "only begun"],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_an_error(raw: bytes, kind: bytes) -> None:
    with pytest.raises(InvalidInput):
        fields_of(raw, kind)


def test_a_form_is_known_by_its_type() -> None:
    assert is_form(b" Multipart/Form-Data; boundary=x")
    assert not is_form(b"application/json")

"""Cursors: the order of entries, and what text shows of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.cursors import (
    MAX_ENTRIES_PER_BATCH,
    NUMBER_BITS,
    XID_BITS,
    Cursor,
    decode,
    encode,
    pack,
    unpack,
)
from budget.domain.errors import InvalidInput

cursors = st.builds(
    Cursor,
    st.integers(1, 1023),
    st.integers(0, 2**XID_BITS - 1),
    st.integers(0, MAX_ENTRIES_PER_BATCH - 1),
)


def test_the_bits_fill_a_signed_64_bit_integer() -> None:
    assert 10 + XID_BITS + NUMBER_BITS == 63
    assert pack(1023, 2**XID_BITS - 1, MAX_ENTRIES_PER_BATCH - 1) == 2**63 - 1


def test_a_cursor_is_its_three_numbers_side_by_side() -> None:
    assert pack(0, 0, 5) == 5
    assert pack(0, 3, 0) == 3 * 2**13
    assert pack(2, 0, 0) == 2 * 2**53
    assert pack(1, 2, 3) == 2**53 + 2 * 2**13 + 3


@given(cursors)
def test_what_is_packed_comes_out_again(cursor: Cursor) -> None:
    assert unpack(pack(*cursor)) == cursor
    assert 0 < pack(*cursor) < 2**63


@given(cursors, cursors)
def test_ids_and_their_text_sort_as_epoch_transaction_and_number_do(
    one: Cursor, other: Cursor
) -> None:
    assert (pack(*one) < pack(*other)) == (one < other)
    assert (encode(pack(*one)) < encode(pack(*other))) == (one < other)


@given(cursors)
def test_text_says_which_entry_it_was(cursor: Cursor) -> None:
    assert decode(encode(pack(*cursor))) == pack(*cursor)


@pytest.mark.parametrize(
    "given_text",
    ["", "7", None, 7, "ent_", "ent_1", "ent_000000000000000g", "ent_8000000000000000",
     "ent_0000000000000001\n", " ent_0000000000000001", "ENT_0000000000000001"],
)  # fmt: skip
def test_what_is_no_cursor_is_invalid_input(given_text: object) -> None:
    with pytest.raises(InvalidInput, match="after: is not a cursor"):
        decode(given_text)


def test_a_batch_has_a_limited_number_of_entries() -> None:
    with pytest.raises(AssertionError):
        pack(1, 1, MAX_ENTRIES_PER_BATCH)

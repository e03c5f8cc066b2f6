"""Contexts, efficiency and learnt sizes are told alike by the books and by the clients."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire import contexts as wire
from budget.engine.price_book.settings import PriceSettings
from tests.client.ways import Ways, ways
from tests.http.running import migrate, running
from tests.support.databases import SqliteTemplates, sqlite_url


@pytest.fixture(scope="module")
def used(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Ways]:
    """Both ways to books with two contexts."""
    file = tmp_path_factory.mktemp("contexts") / "budget.db"
    file.write_bytes(sqlite_templates.file_from(migrate).read_bytes())
    with (
        running(sqlite_url(file), price_settings=PriceSettings()) as started,
        ways(started) as found,
    ):
        for name in ("a/b c", "plain"):
            hold: Any = found.client.allocate(
                context_id=name, component="rhetor", task_type="chat", model="gpt-4o"
            )
            found.client.settle(hold.allocation_id, input_tokens=1000, output_tokens=200)
        yield found


def each(shape: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda told: [shape(one) for one in told.items]


def test_contexts_are_told_alike(used: Ways) -> None:
    page = used.read(each(wire.context), "contexts", component="rhetor", limit=1)
    assert [one.session for one in page.items] == ["a/b c"]
    assert page.next_cursor is not None
    used.read(each(wire.context), "contexts", cursor=page.next_cursor)
    told = used.read(wire.context_in_full, "context", "a/b c")
    assert (told.window_tokens, told.fill_tokens, told.efficiency_bps) == (128_000, 1200, 3000)
    assert [(one.of, one.left) for one in told.exhaustions] == [("window", 126_800)]
    for ask in (used.client.context, used.budget.context):
        with pytest.raises(NotFound):
            ask("nobody")


def test_what_use_teaches_is_told_alike(used: Ways) -> None:
    by = used.read(wire.efficiencies, "efficiency", group_by=["session", "tag.none"])
    assert [one.values for one in by.groups] == [("a/b c", ""), ("plain", "")]
    used.read(wire.efficiencies, "efficiency", context_id="plain", task_type="chat")
    (size,) = used.read(wire.sizes, "sizes")
    assert (size.component, size.family, size.calls, size.tokens) == ("rhetor", "gpt-4o", 2, 4000)
    for ask in (used.client.efficiency, used.budget.efficiency):
        with pytest.raises(InvalidInput) as caught:
            ask(group_by="nothing")
        assert caught.value.field == "group_by"

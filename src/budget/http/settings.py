"""Setting handlers: what can be set while Budget runs, beside what the process was started with."""

from collections.abc import Mapping
from typing import Any

from budget.domain.wire import settings as wire
from budget.http.calls import Answered, Call


async def settings(call: Call) -> Answered:
    """All that can be set while Budget runs, and, to read only, what this node was started with."""
    return Answered(wire.settings(await call.run(call.jobs.settings()), _process(call)))


async def change_settings(call: Call) -> Answered:
    """Change the settings given, on every node; null sets one back to its default."""
    changed = await call.run(call.jobs.change_settings(**call.ask))
    return Answered(wire.changed_settings(changed, _process(call)), changed.replayed)


def _process(call: Call) -> Mapping[str, Any]:
    service = call.service
    described = service.budget.books.database.describe()
    return {**service.process, "port": service.port, "database": described}

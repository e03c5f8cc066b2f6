"""What came before: keys and ids that were used, and the holdings that commands name."""

from budget.domain.allocations import Holding
from budget.domain.errors import KeyReused, NotFound
from budget.domain.rights import Bound, covers
from budget.engine.batch import Batch
from budget.engine.commands import Command


def claim(batch: Batch, command: Command, ref: str) -> None:
    if command.key is not None:
        batch.needs.keys.append(
            (command.actor, command.act, command.key, command.request_hash, ref, batch.now_us)
        )


def seen(batch: Batch, command: Command) -> str | None:
    """What an earlier command under the same key made; KeyReused if its payload was another."""
    if command.key is None:
        return None
    found = batch.keys.get((command.actor, command.act, command.key))
    if found is None:
        return None
    request_hash, ref, _ = found
    if request_hash != command.request_hash:
        raise KeyReused("This idempotency key was used before with another payload; use a new key.")
    return ref


def holding_of(batch: Batch, allocation_id: str, bound: Bound) -> Holding:
    """The allocation; NotFound for one that is not there, or not for a caller so bound."""
    holding = batch.holdings.get(allocation_id)
    if holding is None or (bound and not covers(bound, holding.terms.attributes)):
        raise NotFound("allocation", allocation_id)
    return holding


def parent_of(batch: Batch, holding: Holding) -> Holding | None:
    parent_id = holding.terms.parent_id
    return None if parent_id is None else batch.holdings[parent_id]

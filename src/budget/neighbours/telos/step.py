"""A step: one requirement and its budget brought in step, and what is to be written there of it.

Where both sides were changed, the stricter stands (`merging`). A limit that was made there may be
made less strict there, and an alert tells of it if it is hard; one of a budget of ours may not. Not
here: which belong together (`telos`), and what they cost (`costs`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from budget.domain.attributes import scope_to_json
from budget.domain.errors import Conflict, InvalidInput, NotFound
from budget.domain.money import format_usd
from budget.engine.budget import AsyncBudget
from budget.engine.rows import to_json
from budget.neighbours.telos import keeping
from budget.neighbours.telos.keeping import Kept
from budget.neighbours.telos.merging import Merged, merged
from budget.neighbours.telos.requirements import (
    METADATA,
    TAG,
    Key,
    Limit,
    Limits,
    Requirement,
    Terms,
    is_limit_tag,
    noted_limits,
    read_terms,
    recalled_limits,
    written_limits,
)

IN_FORCE: Final = "in force"
ARCHIVED: Final = "archived"

_ONE_LIMIT: Final = ("unit", "period", "limit", "enforcement")


@dataclass(slots=True)
class Step:
    """What comes of a requirement: what is written there, what is noted, what people are told.

    `is_wrong`: what it says cannot be done, and why is written there.
    """

    note: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] | None = None
    said: list[str] = field(default_factory=list)
    is_wrong: bool = False

    def state(self, state: str, budget_id: str) -> None:
        """Write how its budget is."""
        self.metadata |= {"budget_id": budget_id, "budget_state": state, "budget_error": None}

    def wrong(self, why: str) -> None:
        """Write why nothing was done."""
        self.is_wrong = True
        self.metadata["budget_error"] = why

    def changes(self, requirement: Requirement) -> dict[str, Any]:
        """What of the metadata is not there yet."""
        there = requirement.metadata
        return {name: told for name, told in self.metadata.items() if there.get(name) != told}


async def in_step(
    budget: AsyncBudget, requirement: Requirement, kept: Kept | None, note: Mapping[str, Any]
) -> Step:
    """Bring a requirement and its budget in step; `kept` None: it has none."""
    step = Step({**note, "title": requirement.title, "status": requirement.status})
    is_ours = kept is not None and kept.requirement is None
    if not requirement.carries:
        if kept is not None and not is_ours:
            await _withdraw(budget, requirement, kept, step)
        return step
    try:
        terms = read_terms(requirement)
        if kept is not None and kept.is_live:
            await _follow(budget, requirement, kept, terms, step)
        elif kept is not None and is_ours:
            step.state(ARCHIVED, kept.budget.budget_id)
        else:
            await _begin(budget, requirement, kept, terms, step)
    except (InvalidInput, Conflict, NotFound) as error:
        step.wrong(error.detail)
    return step


def copied(requirement: Requirement, note: Mapping[str, Any]) -> Step:
    """A copy of the requirement of one of our budgets makes no budget."""
    step = Step({**note, "title": requirement.title, "status": requirement.status})
    if requirement.carries:
        step.wrong("budget_id: is that of another requirement; take it out if this is a new limit.")
    return step


async def withdrawn(
    budget: AsyncBudget, requirement: Requirement, kept: Kept, note: Mapping[str, Any]
) -> Step:
    """A requirement is gone: its budget is taken out of force."""
    step = Step(dict(note))
    await _withdraw(budget, requirement, kept, step)
    return step


async def _withdraw(budget: AsyncBudget, requirement: Requirement, kept: Kept, step: Step) -> None:
    if not kept.is_live:
        return
    await budget.archive_budget(kept.budget.budget_id)
    step.note.pop("limits", None)
    step.note["withdrawn"] = True
    step.state(ARCHIVED, kept.budget.budget_id)
    if any(limit.enforcement == "hard_limit" for limit in kept.limits.values()):
        step.said.append(f"Telos withdrew {requirement.title!r}: its hard limits are archived.")


async def _begin(
    budget: AsyncBudget, requirement: Requirement, kept: Kept | None, terms: Terms, step: Step
) -> None:
    """Make a budget, unless the last one was archived here and nothing was changed there since."""
    note, digest = step.note, _digest(terms)
    was_withdrawn, left = note.pop("withdrawn", False), note.get("left")
    if kept is not None and not was_withdrawn and left in (None, digest):
        note.pop("limits", None)
        note["left"] = digest
        step.state(ARCHIVED, kept.budget.budget_id)
        return
    made_before = note.get("made", 0)
    made = await keeping.make(budget, requirement, terms, made_before)
    note.pop("left", None)
    note |= {"made": made_before + 1, "limits": noted_limits(terms.limits)}
    step.state(IN_FORCE, made.budget_id)


async def _follow(
    budget: AsyncBudget, requirement: Requirement, kept: Kept, terms: Terms, step: Step
) -> None:
    """Bring the limits of both sides together."""
    is_ours, ours = kept.requirement is None, kept.limits
    is_hard = any(limit.enforcement == "hard_limit" for limit in ours.values())
    if not is_ours:
        if is_hard and kept.budget.scope != terms.scope:
            step.said.append(
                f"Telos moved the hard limits of {requirement.title!r} to other calls."
            )
        await keeping.follow_words(budget, kept, requirement, terms.scope)
    base = recalled_limits(step.note.get("limits"))
    both = merged(base, terms.limits, ours, may_loosen=not is_ours)
    if not both.limits:  # all were archived here
        await budget.archive_budget(kept.budget.budget_id)
        step.note["left"] = _digest(terms)
        step.state(ARCHIVED, kept.budget.budget_id)
        return
    if both.limits != ours:
        await keeping.bring(budget, kept, both.limits, terms)
    if both.limits != terms.limits:
        step.metadata[METADATA] = _written(requirement, both.limits, terms)
        step.tags = _tags(requirement.tags)
    step.note["limits"] = noted_limits(both.limits)
    step.state(IN_FORCE, kept.budget.budget_id)
    step.said += _sentences(requirement, both, ours, terms.limits, is_ours=is_ours)


def _written(requirement: Requirement, limits: Limits, terms: Terms) -> dict[str, Any]:
    """The limits in the metadata of a requirement, beside what else was said there."""
    before = requirement.metadata.get(METADATA)
    kept = dict(before) if isinstance(before, Mapping) else {}
    for name in _ONE_LIMIT:
        kept.pop(name, None)
    return {**kept, "limits": written_limits(limits, terms.policies)}


def _tags(tags: Iterable[str]) -> list[str]:
    """The tags without those that say a limit, which the metadata say now."""
    kept = [tag for tag in tags if not is_limit_tag(tag)]
    return kept if any(tag.lower() == TAG for tag in kept) else [*kept, TAG]


def _digest(terms: Terms) -> str:
    said = to_json([scope_to_json(terms.scope), noted_limits(terms.limits)])
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


# --- What people are told ------------------------------------------------------------------------


def _sentences(
    requirement: Requirement, both: Merged, ours: Limits, theirs: Limits, *, is_ours: bool
) -> list[str]:
    title, said = f"{requirement.title!r}", []
    for key in both.conflicts:
        stands = _text(key, both.limits.get(key))
        said.append(f"Telos and Budget both changed {title}: the stricter limit stands, {stands}.")
    for key in both.loosened:
        asked, now = _text(key, theirs.get(key)), _text(key, ours.get(key))
        if is_ours:
            said.append(f"Telos would have {asked} for {title}; {now} stays, since Budget made it.")
        elif key not in both.conflicts:
            said.append(f"Telos made a hard limit of {title} less strict: {now} became {asked}.")
    return said


def _text(key: Key, limit: Limit | None) -> str:
    """A limit in words: 5.00 USD daily (hard_limit)."""
    unit, period = key
    if limit is None:
        return f"no {_unit(unit)} {period} limit"
    return f"{_amount(limit, unit)} {_unit(unit)} {period} ({limit.enforcement})"


def _amount(limit: Limit, unit: str) -> str:
    return format_usd(limit.amount) if unit == "usd" else f"{limit.amount:,}"


def _unit(unit: str) -> str:
    return "USD" if unit == "usd" else unit.replace("_", " ")

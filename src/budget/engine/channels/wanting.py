"""Wanting: whether a channel is told of an entry.

Not here: what an entry is about (`events.subjects`), and when it is sent (`outbox`).
"""

from budget.domain.answers import Event
from budget.domain.answers_channels import Channel, Wanted
from budget.engine.events.subjects import Subject, sees


def wants(channel: Channel, kinds: frozenset[str], event: Event, subject: Subject) -> bool:
    """Whether a channel is told of an entry; `kinds` are those of its topics too."""
    wanted = channel.wanted
    return (
        event.kind in kinds
        and (not wanted.severities or subject.severity in wanted.severities)
        and _meets(wanted, subject)
        and sees(channel.bound, subject)
    )


def _meets(wanted: Wanted, subject: Subject) -> bool:
    about = [place.budget for place in subject.places]
    return (
        (wanted.budget_id is None or any(b.budget_id == wanted.budget_id for b in about))
        and (wanted.owner is None or any(b.owner == wanted.owner for b in about))
        and sees(wanted.attributes, subject)
    )

"""The frame of `top`: what stands on the screen, line by line, in as many columns as there are.

Pure: from figures to text. Not here: reading them, and drawing (`top`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from budget.cli.balance_words import mood, named, used_bps, used_text
from budget.cli.event_lines import who
from budget.cli.refusals import Refused
from budget.cli.tables import bar
from budget.domain.answers import BalanceView
from budget.domain.answers_usage import Figures, Group
from budget.domain.budgets import BPS
from budget.domain.wire.parts import amount

_NARROW: Final = 100
_SHORTEST: Final = 16
_GAP: Final = 2
_CENT: Final = 10_000_000
_MINUTES_A_DAY: Final = 1440
_HOURS_ALONE: Final = 600


class Line(NamedTuple):
    """A line, and what is the matter with it: `title`, `warn`, `over` or nothing."""

    text: str
    mood: str = ""


class Frame(NamedTuple):
    """What is shown: usage of today, this month, the last hour and minute; the fullest balances,
    each with what its budget used in the last hour; who spends most today; the last refusals.
    """

    at_us: int
    today: Figures
    month: Figures
    hour: Figures
    minute: Figures
    fullest: Sequence[tuple[BalanceView, Figures]]
    users: Sequence[Group]
    models: Sequence[Group]
    refused: Sequence[Refused]


def lines(frame: Frame, width: int) -> list[Line]:
    """The frame in lines no longer than the screen is wide."""
    at = datetime.fromtimestamp(frame.at_us // 1_000_000, UTC)
    found = [
        Line(f"budget top  {at:%Y-%m-%d %H:%M:%S} UTC", "title"),
        Line(
            f"Today {_usd(frame.today)} USD, {frame.today.requests:,} calls"
            f"   Month {_usd(frame.month)} USD"
            f"   Rate {_usd(frame.minute)} USD/min, {_usd(frame.hour)} USD/h"
        ),
        Line(""),
        Line("Fullest limits", "title"),
        *_limits(frame.fullest, width),
    ]
    if not frame.fullest:
        found.append(Line("There is no limit. `budget set-limit daily 5.00` sets one."))
    for title, groups in (("users", frame.users), ("models", frame.models)):
        shown = [f"{one.values[0] or '(none)'} {_usd(one.figures)}" for one in groups]
        if shown:
            found += [
                Line(""),
                Line(f"Top {title} today, USD", "title"),
                Line(_whole(shown, width)),
            ]
    found += [Line(""), Line("Last refusals", "title")]
    found += [_refusal(one) for one in reversed(frame.refused)] or [Line("None.")]
    return [Line(_cut(one.text, width), one.mood) for one in found]


def _limits(fullest: Sequence[tuple[BalanceView, Figures]], width: int) -> list[Line]:
    """The fullest balances in columns; names have what the other columns leave."""
    figures = [_figures(view, rate, held=width >= _NARROW) for view, rate in fullest]
    wide = [max(map(len, column)) for column in zip(*figures, strict=True)]
    room = max(_SHORTEST, width - sum(wide) - _GAP * len(wide))
    names = [named(view) for view, _ in fullest]
    longest = min(room, max(map(len, names), default=0))
    return [
        Line(
            "  ".join((
                f"{_cut(name, longest):<{longest}}",
                *(cell.ljust(size) for cell, size in zip(cells, wide, strict=True)),
            )).rstrip(),
            mood(view),
        )
        for name, cells, (view, _) in zip(names, figures, fullest, strict=True)
    ]  # fmt: skip


def _figures(view: BalanceView, rate: Figures, *, held: bool) -> tuple[str, ...]:
    """The cells of a balance but its name."""
    unit = view.policy.unit
    full = (used_bps(view) or 0) / BPS
    return (
        view.policy.period.text[:9],
        f"{bar(full)} {used_text(view):>5}%",
        f"{_amount(view.spent + view.assumed, unit)}/{_amount(view.limit, unit)}",
        f"held {_amount(view.reserved, unit)}" if held and view.reserved else "",
        until_full(view, rate),
    )


def _whole(words: Sequence[str], width: int) -> str:
    """As many of the words as fit whole, at least one; an ellipsis for the rest."""
    for count in range(len(words), 1, -1):
        told = "  ".join(words[:count]) + ("" if count == len(words) else "  …")
        if len(told) <= width:
            return told
    return words[0]


def until_full(view: BalanceView, rate: Figures) -> str:
    """How long until a balance is full at the rate of the last hour, or that it will not be."""
    per_hour = {
        "usd": rate.cost_nanos,
        "tokens": rate.input_tokens + rate.output_tokens,
        "input_tokens": rate.input_tokens,
        "output_tokens": rate.output_tokens,
        "requests": rate.requests,
    }[view.policy.unit]
    if not view.remaining:
        return "full"
    if per_hour <= 0:
        return ""
    minutes = view.remaining * 60 // per_hour
    if minutes >= 2 * _MINUTES_A_DAY:
        return f"full in {minutes // _MINUTES_A_DAY} d"
    if minutes >= _HOURS_ALONE:
        return f"full in {minutes // 60} h"
    if minutes >= 60:
        return f"full in {minutes // 60} h {minutes % 60} min"
    return f"full in {minutes} min"


def _refusal(one: Refused) -> Line:
    at = datetime.fromtimestamp(one.at_us // 1_000_000, UTC)
    times = f" ({one.times:,}x)" if one.times > 1 else ""
    return Line(f"{at:%H:%M:%S}  {who(one.attributes) or one.actor}  {one.why}{times}", "over")


def _usd(figures: Figures) -> str:
    return _amount(figures.cost_nanos, "usd")


def _amount(value: int, unit: str) -> str:
    """An amount to the cent, cut; what is less than that in full."""
    if unit == "usd" and abs(value) >= _CENT:
        value -= value % _CENT
    told = amount(value, unit)
    return told if isinstance(told, str) else f"{told:,}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

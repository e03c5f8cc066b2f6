"""Figures: what a benchmark found, what it should reach, and how both are printed."""

import datetime as dt
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `goal` is a number to stay at or above (`at_least`) or at or below."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def machine() -> str:
    """One line that says on what and when this was measured."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    today = dt.datetime.now(dt.UTC).date()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {today.isoformat()}"
    )


def show(figures: Iterable[Figure]) -> None:
    """Print figures as a table, one line each."""
    for figure in figures:
        goal = ""
        if figure.goal is not None:
            sign = ">=" if figure.at_least else "<="
            goal = f"goal {sign} {_number(figure.goal)} {figure.unit}"
        mark = {True: "ok  ", False: "MISS", None: "    "}[figure.reached]
        line = f"{mark} {figure.name:<58} {_number(figure.value):>10} {figure.unit:<6} {goal}"
        print(f"{line.rstrip()}{'  ' + figure.note if figure.note else ''}", flush=True)


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def median_of(measure: Callable[[], float], rounds: int) -> float:
    """The median of several rounds: these machines are noisy."""
    return statistics.median(measure() for _ in range(rounds))


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]

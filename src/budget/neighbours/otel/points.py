"""Points: what metrics of calls to models tell, read and put together by whose they are.

A series is what is counted of one kind of calls: the same resource, scope and attributes. Each of
its figures has a start; whoever starts anew counts from nothing, beside what was before.
Pure. Not here: what was counted before (`counting`), and spans (`spans`).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import msgspec

from budget.domain.money import MAX_TOKENS
from budget.neighbours.otel import names
from budget.neighbours.otel.encodings import Encoding, number, whole
from budget.neighbours.otel.spans import attributes_of, included, model_of

_DELTA: Final = 1
_CUMULATIVE: Final = 2
_KINDS: Final = ("sum", "histogram", "exponential_histogram")
_APART: Final = frozenset({names.TOKEN_TYPE, names.MODALITY})
"""What tells figures of one series apart, rather than series."""
_UNITS: Final[Mapping[tuple[str, str], str]] = {
    ("input_tokens", "audio"): "input_audio_tokens",
    ("input_tokens", "image"): "input_image_tokens",
    ("output_tokens", "audio"): "output_audio_tokens",
    ("output_tokens", "image"): "output_image_tokens",
}

Source = Literal["new", "old", "each", "calls"]
"""From the newer counters, the older histogram, or one of those with a value for each call."""
_SOURCES: Final[Mapping[str, Source]] = {
    "new": "new",
    "old": "old",
    "each": "each",
    "calls": "calls",
}


class Figure(NamedTuple):
    """One of the figures of a series."""

    source: Source
    counted: str
    modality: str = ""

    def name(self, since: str) -> str:
        """What it is noted under: `since` is its start and, where it ends, its end."""
        return f"{self.source}:{self.counted}:{self.modality}:{since}"


@dataclass(slots=True)
class Series:
    """The figures of a series in one request, by name: until when each counts, in ns, and what.

    Those that are `cumulative` count since their start, others since what was told before.
    """

    series_id: str
    about: Mapping[str, Any]
    said: Mapping[str, Any]
    cumulative: bool
    figures: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, figure: Figure, start_ns: int, at_ns: int, value: int) -> None:
        """A point; of one figure the newest counts."""
        since = f"{start_ns}" if self.cumulative else f"{start_ns}-{at_ns}"
        name = figure.name(since)
        if name not in self.figures or self.figures[name][0] < at_ns:
            self.figures[name] = (at_ns, value)


def series_of(request: Any, encoding: Encoding) -> tuple[list[Series], int]:
    """The series of a request, and how many of its points cannot be."""
    found: dict[str, Series] = {}
    bad = 0
    for metric, about, scope in _metrics(request, encoding):
        for kind in _KINDS:
            points = getattr(metric, kind)
            if points.aggregation_temporality not in (_DELTA, _CUMULATIVE):
                continue
            for point in points.data_points:
                said = {one.key: encoding.value(one.value) for one in point.attributes}
                cumulative = points.aggregation_temporality == _CUMULATIVE
                start_ns = whole(point.start_time_unix_nano) or 0
                at_ns = whole(point.time_unix_nano) or 0
                series = _series(found, about, scope, said, cumulative=cumulative)
                for figure, value in _figures(metric.name, kind, point, said):
                    if value is None or not 0 <= value <= MAX_TOKENS:
                        bad += 1
                    else:
                        series.add(figure, start_ns, at_ns, value)
    return [one for one in found.values() if one.figures], bad


def _metrics(request: Any, encoding: Encoding) -> Iterator[tuple[Any, Mapping[str, Any], str]]:
    """The metrics that we know, each with what its resource says, and its scope."""
    for resource_metrics in request.resource_metrics:
        about = {one.key: encoding.value(one.value) for one in resource_metrics.resource.attributes}
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                if metric.name in names.METRICS:
                    yield metric, about, scope_metrics.scope.name


def _series(
    found: dict[str, Series],
    about: Mapping[str, Any],
    scope: str,
    said: Mapping[str, Any],
    *,
    cumulative: bool,
) -> Series:
    """The series of a point, which may be there already."""
    own = {key: value for key, value in said.items() if key not in _APART}
    series_id = digest([sorted(about.items()), scope, sorted(own.items()), cumulative])
    if series_id not in found:
        found[series_id] = Series(series_id, about, own, cumulative)
    return found[series_id]


def digest(told: Any) -> str:
    """32 digits that stand for what is told."""
    content = msgspec.json.encode(told)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _figures(
    metric: str, kind: str, point: Any, said: Mapping[str, Any]
) -> Iterator[tuple[Figure, int | None]]:
    """What a point counts."""
    modality = said.get(names.MODALITY)
    known = modality.replace(":", ".")[:20] if isinstance(modality, str) else ""
    if kind == "sum":
        ours = names.COUNTERS.get(metric)
        if ours is not None:
            yield Figure("new", ours, known), _sum(point)
        return
    if names.PER_OPERATION.get(metric) == "input_tokens":
        yield Figure("each", "requests", known), whole(point.count)
    elif metric == names.TOKEN_USAGE:
        ours = names.TOKEN_TYPES.get(str(said.get(names.TOKEN_TYPE)))
        if ours is not None:
            yield Figure("old", ours), _rounded(point.sum)
            if ours == "input_tokens":
                yield Figure("old", "requests"), whole(point.count)
    elif metric == names.DURATION:
        yield Figure("calls", "requests"), whole(point.count)


def _sum(point: Any) -> int | None:
    return whole(point.as_int) or _rounded(point.as_double)


def _rounded(value: Any) -> int | None:
    """A number as a count; None for what is none."""
    read = number(0 if value is None else value)
    return None if read is None or not abs(read) < 2**63 else round(read)


def usage_of_series(series: Series, grown: Mapping[str, int]) -> dict[str, Any] | None:
    """What a series has grown by as `record_bulk` takes it, without its id; None: no tokens.

    Where both the newer and the older metrics tell of it, the newer ones count.
    """
    figures: Counter[Figure] = Counter()
    for name, count in grown.items():
        figures[_read(name)] += count
    source = "new" if any(name.startswith("new:") for name in series.figures) else "old"
    counts: Counter[str] = Counter()
    units: Counter[str] = Counter()
    for figure, count in figures.items():
        if figure.source == source and figure.counted != "requests":
            counts[figure.counted] += count
            unit = _UNITS.get((figure.counted, figure.modality))
            if unit is not None and count:
                units[unit] += count
    if not any(counts.values()):
        return None
    said = series.said
    ask: dict[str, Any] = {
        **included(counts),
        "requests": _requests(figures),
        "attributes": attributes_of(series.about, said),
        **model_of(said),
    }
    if units and _fit(units, ask):
        ask["units"] = dict(units)
    return ask


def _read(name: str) -> Figure:
    source, counted, modality, _ = name.split(":", 3)
    return Figure(_SOURCES[source], counted, modality)


def _requests(figures: Mapping[Figure, int]) -> int:
    """How many calls it were, as far as that is told."""
    for source in ("calls", "each", "old"):
        told = [
            count
            for figure, count in figures.items()
            if figure.source == source and figure.counted == "requests"
        ]
        if told:
            return max(told)  # a call of text and sounds is told once for each
    return 0


def _fit(units: Mapping[str, int], ask: Mapping[str, Any]) -> bool:
    """Whether tokens of sound and images can be parts of the others."""
    cached = ask.get("cache_read_tokens", 0) + ask.get("cache_write_tokens", 0)
    heard = sum(count for unit, count in units.items() if unit.startswith("input"))
    made = sum(count for unit, count in units.items() if unit.startswith("output"))
    return bool(heard + cached <= ask["input_tokens"] and made <= ask["output_tokens"])

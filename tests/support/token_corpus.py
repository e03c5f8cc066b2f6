"""A corpus to measure bounds of tokens on: our own prose and code, sentences, and made-up data.

Every text is written in this repository or generated from a seed, so that it comes out the same on
every machine. Cases are cut at lengths from a dozen characters to several thousand.
"""

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SENTENCES: Final = Path(__file__).with_suffix(".txt")
LENGTHS: Final = (12, 40, 80, 160, 400, 1000, 3000)
KEYS: Final = ("id", "name", "amount_nanos", "isActive", "tags", "createdAt", "parent_id", "note")
NAMES: Final = ("Ada", "Grace Hopper", "Zoë", "Jürgen", "张伟", "Иван", "O'Brien", "user_42")
ICONS: Final = ("🙂", "🚀", "✅", "👩‍💻", "❤️", "🔥", "🇩🇪", "👍🏽")

Case = tuple[str, str]
"""The kind of text, and the text."""


def cases(seed: int, each: int) -> Iterator[Case]:
    """`each` cases of every kind; twice as many of the kinds that requests are mostly made of."""
    rng = random.Random(seed)
    for kind, make in _kinds().items():
        for _ in range(2 * each if kind in {"english", "python", "chinese", "json"} else each):
            yield kind, make(rng)


def _kinds() -> dict[str, Callable[[random.Random], str]]:
    prose = "\n".join(path.read_text() for path in sorted(ROOT.glob("docs/**/*.md")))
    code = "\n".join(path.read_text() for path in sorted(ROOT.glob("src/budget/**/*.py")))
    languages = _languages()
    kinds: dict[str, Callable[[random.Random], str]] = {
        "english": lambda rng: _window(rng, prose),
        "python": lambda rng: _window(rng, code),
        "json": lambda rng: json.dumps(_record(rng, 3), indent=rng.choice((None, None, 2, 4))),
        "json as unicode": lambda rng: json.dumps(_record(rng, 3), ensure_ascii=False),
        "base64": lambda rng: base64.b64encode(rng.randbytes(rng.choice(LENGTHS))).decode(),
        "hex": lambda rng: rng.randbytes(rng.choice(LENGTHS)).hex(),
        "uuids": lambda rng: "\n".join(_uuid(rng) for _ in range(rng.randrange(1, 20))),
        "numbers": _numbers,
        "codes": lambda rng: " ".join(_code(rng) for _ in range(rng.randrange(1, 40))),
        "columns": _columns,
        "csv": _table,
        "log": _log,
        "urls": lambda rng: "\n".join(_url(rng) for _ in range(rng.randrange(1, 10))),
        "indented": _indented,
        "rules": lambda rng: "\n".join(_rule(rng) for _ in range(rng.randrange(1, 12))),
        "gibberish": lambda rng: " ".join(_letters(rng, 9) for _ in range(rng.randrange(3, 80))),
        "shouting": lambda rng: _window(rng, prose).upper(),
        "symbols": lambda rng: "".join(rng.choices(string.punctuation, k=rng.choice(LENGTHS))),
        "printable": lambda rng: "".join(rng.choices(string.printable, k=rng.choice(LENGTHS))),
        "mixed": lambda rng: "\n".join(
            rng.choice(rng.choice(list(languages.values()))) for _ in range(rng.randrange(1, 12))
        ),
        "chat": lambda rng: _chat(rng, prose, languages["chinese"]),
    }
    for language, sentences in languages.items():
        kinds[language] = _speaker(sentences, "" if language in _UNSPACED else " ")
    return kinds


_UNSPACED: Final = {"chinese", "traditional", "japanese", "thai", "khmer", "emoji"}


def _languages() -> dict[str, list[str]]:
    languages: dict[str, list[str]] = {}
    for line in SENTENCES.read_text().splitlines():
        if line.startswith("["):
            languages[line.strip("[]")] = []
        elif not line.startswith("#"):
            languages[list(languages)[-1]].append(line)
    return languages


def _speaker(sentences: list[str], between: str) -> Callable[[random.Random], str]:
    return lambda rng: between.join(rng.choices(sentences, k=rng.choice((1, 1, 2, 4, 12, 40))))


def _window(rng: random.Random, text: str) -> str:
    length = rng.choice(LENGTHS)
    start = rng.randrange(len(text) - length)
    return text[start : start + length]


def _record(rng: random.Random, depth: int) -> object:
    roll = rng.randrange(8 if depth else 6)
    if roll == 0:
        return rng.choice((True, False, None))
    if roll == 1:
        return rng.randrange(10 ** rng.randrange(1, 16))
    if roll == 2:
        return rng.choice(NAMES)
    if roll == 3:
        return f"{rng.randrange(10**6) / 100:.2f}"
    if roll == 4:
        return f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T10:30:00Z"
    if roll == 5:
        return _letters(rng, 12) if rng.random() < 0.3 else rng.choice(KEYS)
    if roll == 6:
        return [_record(rng, depth - 1) for _ in range(rng.randrange(1, 6))]
    return {rng.choice(KEYS): _record(rng, depth - 1) for _ in range(rng.randrange(1, 8))}


def _letters(rng: random.Random, longest: int) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randrange(1, longest + 1)))


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))


def _numbers(rng: random.Random) -> str:
    count = rng.randrange(1, 60)
    return rng.choice((" ", ", ", "\n", "")).join(
        str(rng.randrange(10 ** rng.randrange(1, 30))) for _ in range(count)
    )


def _code(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_uppercase + string.digits, k=rng.randrange(4, 30)))


def _columns(rng: random.Random) -> str:
    return "\n".join(
        f"{rng.choice(KEYS):16}{rng.randrange(10**6):>10}  {rng.random():8.3f}"
        for _ in range(rng.randrange(1, 30))
    )


def _table(rng: random.Random) -> str:
    rows = [",".join(rng.sample(KEYS, 4))]
    rows += [
        f"{rng.randrange(10**5)},{rng.choice(NAMES)},{rng.random():.4f},{rng.choice(KEYS)}"
        for _ in range(rng.randrange(1, 40))
    ]
    return "\n".join(rows)


def _log(rng: random.Random) -> str:
    return "\n".join(
        f"2026-11-{rng.randrange(1, 29):02d} 0{rng.randrange(10)}:{rng.randrange(10, 60)}:07,"
        f"{rng.randrange(100, 999)} [{rng.choice(('INFO', 'WARNING', 'DEBUG'))}] budget.engine."
        f"{rng.choice(KEYS)}: took {rng.randrange(900)} ms, request={_uuid(rng)[:13]}"
        for _ in range(rng.randrange(1, 30))
    )


def _url(rng: random.Random) -> str:
    path = "/".join(_letters(rng, 10) for _ in range(rng.randrange(1, 5)))
    return f"https://{_letters(rng, 8)}.example.org/{path}?{rng.choice(KEYS)}={rng.getrandbits(40)}"


def _indented(rng: random.Random) -> str:
    unit = rng.choice(("  ", "    ", "\t"))
    ends = rng.choice(("\n", "\r\n", "\n\n", " \n"))
    lines = (
        unit * rng.randrange(12) + rng.choice(("}", "end", "x = 1;", "if (a) {", "// note", ""))
        for _ in range(rng.randrange(1, 80))
    )
    return ends.join(lines)


def _rule(rng: random.Random) -> str:
    return rng.choice("=-*#_.~/\\|+<>!? \t") * rng.randrange(1, 120)


def _chat(rng: random.Random, prose: str, sentences: list[str]) -> str:
    parts = [
        rng.choice((_window(rng, prose)[:200], rng.choice(sentences), rng.choice(ICONS)))
        for _ in range(rng.randrange(1, 12))
    ]
    return rng.choice((" ", "\n", "\n\n- ")).join(parts)

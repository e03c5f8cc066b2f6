"""Text, in tokens: an upper bound by the look of its characters, for a family of encodings.

Not here: exact counts (`prices.exact_tokens`), and what a request has besides text (`estimating`).
The figures below were fitted to cl100k and o200k; docs/technical/estimating.md tells how, and how
well they do.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

LOOKED_AT: Final = 2_000_000
"""Characters that are looked at; each byte of the rest counts as a token."""

_AT_ONCE: Final = 32_768
"""Characters that are looked at in one go, so that other threads have their turn between."""

_MILLI: Final = 1000
SLACK_TOKENS: Final = 2
"""Added once to the bound of any text."""


@dataclass(frozen=True, slots=True)
class Family:
    """Encodings that are alike: which column of the figures is theirs, and by how much to raise it.

    `scale_milli` is 1000 where the figures were measured. `digits` is how many digits share a
    token.
    """

    name: str
    new: bool
    scale_milli: int
    digits: int


# Claude's tokenizers are not published: its makers say that the one of Opus 4.7 and later makes
# about 30% more of a text than the one before. Gemini, Qwen and the unknown split digits singly.
FAMILIES: Final = {
    family.name: family
    for family in (
        Family("o200k", True, 1000, 3),
        Family("cl100k", False, 1000, 3),
        Family("llama", False, 1050, 3),
        Family("qwen", False, 1050, 1),
        Family("mistral", False, 1150, 1),
        Family("gemini", False, 1150, 1),
        Family("claude", False, 1300, 1),
        Family("claude-new", False, 1750, 1),
        Family("unknown", False, 1500, 1),
    )
}

# What a model's name begins with, the longest first where one begins the other.
_BEGINNINGS: Final = (
    ("gpt-4o", "o200k"),
    ("gpt-4.1", "o200k"),
    ("gpt-4.5", "o200k"),
    ("gpt-5", "o200k"),
    ("gpt-oss", "o200k"),
    ("chatgpt-4o", "o200k"),
    ("codex-mini", "o200k"),
    ("o1", "o200k"),
    ("o3", "o200k"),
    ("o4", "o200k"),
    ("gpt-4", "cl100k"),
    ("gpt-3.5", "cl100k"),
    ("gpt-35", "cl100k"),
    ("text-embedding-", "cl100k"),
    ("claude-2", "claude"),
    ("claude-3", "claude"),
    ("claude-instant", "claude"),
    ("claude", "claude-new"),
    ("gemini", "gemini"),
    ("gemma", "gemini"),
    ("llama-3", "llama"),
    ("llama3", "llama"),
    ("qwen", "qwen"),
    ("mistral", "mistral"),
    ("ministral", "mistral"),
    ("codestral", "mistral"),
    ("pixtral", "mistral"),
)
_KEPT_CHARS: Final = 200
_CLAUDE_4: Final = re.compile(r"claude-(?:opus|sonnet|haiku)-4(?:-([0-9]))?(?![0-9])")


def bare_name(model: str) -> str:
    """The model's own name, small, without who serves it: `anthropic/Claude-x` is `claude-x`."""
    name = model.strip().lower().rpartition("/")[2]
    for maker in ("anthropic.", "meta.", "openai.", "mistral.", "google.", "qwen."):
        before, found, after = name.partition(maker)
        if found and len(before) <= 3:  # as in eu.anthropic.claude-3
            return after
    return name


def family_of(provider: str, model: str) -> str:
    """The name of the family whose encoding the model has; `unknown` where nobody published it."""
    if len(provider) + len(model) > _KEPT_CHARS:  # made up: not worth its room
        return _family_of.__wrapped__(provider, model)
    return _family_of(provider, model)


@lru_cache(1_000)
def _family_of(provider: str, model: str) -> str:
    name = bare_name(model)
    claude = _CLAUDE_4.match(name)
    if claude and not (claude[1] and int(claude[1]) >= 7):
        return "claude"
    for beginning, family in _BEGINNINGS:
        if name.startswith(beginning):
            return family
    return "claude-new" if provider.strip().lower() == "anthropic" else "unknown"


def text_tokens_bound(text: str, family: str) -> int:
    """At least as many tokens as the text has in the family's encoding, in all but rare cases.

    A family that is not in FAMILIES is taken as `unknown`. The work is linear in the text.
    """
    return texts_tokens_bound((text,), family)


def texts_tokens_bound(texts: Iterable[str], family: str) -> int:
    """The same for texts that are sent as one input."""
    look = FAMILIES.get(family, FAMILIES["unknown"])
    cost_milli = beyond = 0
    left = LOOKED_AT
    empty = True
    for text in texts:
        if not text:
            continue
        empty = False
        seen = text[:left]
        left -= len(seen)
        for at in range(0, len(seen), _AT_ONCE):
            cost_milli += _cost_milli(seen[at : at + _AT_ONCE], look)
        if len(seen) < len(text):
            beyond += len(text[len(seen) :].encode("utf-8", "surrogatepass"))
    if empty:
        return 0
    return -(-cost_milli * look.scale_milli // _MILLI**2) + SLACK_TOKENS + beyond


_PIECES: Final = re.compile(
    r" ?[A-Z]?[a-z]{1,64}"
    r"| ?[A-Z]{1,64}"
    r"|[0-9]{1,64}"
    r"|[ \t]{1,64}(?![A-Za-z])"
    r"|[\r\n]{1,64}"
    r"| ?[!-/:-@\[-`{-~]{1,64}[\r\n]{0,64}"
    r"|[\x00-\x20\x7f]"
)


# Digits take no blank into their token, so the last of several is one of its own.
# Each run is taken whole: to look behind instead takes twice as long.
_BLANKS_AND_DIGIT: Final = re.compile(r"[ \t][ \t]++([0-9])?")
_JOINED_SPACES: Final = re.compile(r"(?<![ \t]) (?=[\u00c0-\u1fff])")


def _cost_milli(text: str, look: Family) -> int:
    cost = words = known = letters_beyond = 0
    for piece, times in Counter(_PIECES.findall(text)).items():
        if piece[-1].isalpha():
            word = piece.lstrip(" ")
            words += times
            if word.lower() in _KNOWN:
                known += times
                cost += times * (1050 if word[-1].islower() else 1300)
            else:
                cost += times * _word_milli(word)
                letters_beyond += times * max(0, len(word) - 3)
        else:
            cost += times * _piece_milli(piece, look)
    if "  " in text or "\t" in text:  # else there are none, and to look takes long
        cost += 1000 * sum(map(bool, _BLANKS_AND_DIGIT.findall(text)))
    # Where hardly a word is a common one, the text is in another language or in none.
    if known * 10 > words * 3:
        cost += 120 * letters_beyond
    else:
        cost += (270 if look.new else 340) * letters_beyond + 170 * words
    if not text.isascii():
        column = 1 if look.new else 0
        for char, times in Counter(text).items():
            if char > "\x7f":
                cost += times * _char_milli(char, column)
        if look.new:  # o200k has the space in the token of the word, in most scripts with spaces
            cost -= 600 * len(_JOINED_SPACES.findall(text))
    return cost


# Letters that often follow each letter in English and in code. Where others do, the word is not
# one that an encoding knows, and falls into small parts.
_FOLLOWERS: Final = frozenset(
    (line[0], letter)
    for line in (
        "a bcdfgiklmnprstuvwxy",
        "b aeijlorsuy",
        "c acehiklorstuy",
        "d abdegilmnorsuy",
        "e abcdefgilmnopqrstvwxy",
        "f aefilortuy",
        "g aeghilnoprsu",
        "h aeinortu",
        "i abcdefgilmnoprstvxz",
        "j eos",
        "k aeilns",
        "l adefilostuy",
        "m abdeilmopsuy",
        "n acdefgiklnopstuvy",
        "o abcdefgijklmnoprstuvw",
        "p aehiloprstuy",
        "q lu",
        "r acdefgiklmnoprstuvy",
        "s acdeghiklopqrstuvwy",
        "t acefghilmoprstuwy",
        "u abcdefgilmnprst",
        "v aei",
        "w aehinors",
        "x acept",
        "y denoprst",
        "z aeo",
    )
    for letter in line[2:]
)


def _piece_milli(piece: str, look: Family) -> int:
    last = piece[-1]
    if last.isdigit():
        return -(-len(piece) // look.digits) * 1000
    marks = piece.strip(" \t\r\n")
    if not marks or marks < " ":
        return 1000 + _run_milli(piece)
    beyond = _run_milli(marks)
    if last in "\r\n":  # ends of line share the token of a mark, mostly
        beyond += 300 + _run_milli(piece[piece.rindex(marks[-1]) :])
    return 1000 + beyond


def _run_milli(run: str) -> int:
    """What a run of one character costs beyond its first: some have tokens for long ones."""
    if len(set(run)) > 1:
        return 700 * (len(run) - 1)
    each = 60 if run[0] in " -=*#_./~" else 1000 if run[0] == "\r" else 300
    return each * (len(run) - 1)


def _word_milli(word: str) -> int:
    """What a word costs, but for how long it is."""
    rare = len(word) - 1 - sum(map(_FOLLOWERS.__contains__, pairwise(word.lower())))
    if len(word) > 1 and word[1].isupper():
        return 1150 + 270 * (len(word) - 2) + 150 * rare
    return 1100 + 400 * rare + (150 * (len(word) - 2) if rare > 1 else 0)


# Words of English and of code that are so common that every encoding has them whole.
_WORDS: Final = """
    a about above account action add after again all also always am amount an and another any api
    are args argument array as ask assert async at await back balance based be because been before
    being below between body bool both budget build but by bytes call called can case change char
    check class client code column comment common company config const content copy could count
    create current customer data database date day def default delete description different do
    document does done down each else end error even event every example except exception expected
    export false field file final find first float for format found from full function general
    get give given go good great group had has have he header help her here high his hold how id if
    import in index info input instead int integer into is isinstance it item its just key know
    large last left len length less let level license like limit line list local log long look
    made make many may me message method mode model money month more most much must my name need
    never new next no none not note notice now null number object of off old on once one only open
    option or order other our out output over own package page parameter part password path people
    period place please point policy possible post previous price print private process project
    property public put query raise range rate raw read record report request required response
    result return right role root row rule run said same save say see select self send server
    service session set she should show since size so some source space spent start state static
    status still stop store str string such support system table take text than that the their
    them then there these they thing this those three through time title to today token tokens
    tool total true try tuple two type under unit until up update url us usage use used user using
    value values version very view void want was way we week well were what when where which while
    who whose why will window with without word words work would write year yes yield you your
"""
_KNOWN: Final = frozenset(_WORDS.split())

# From which code point on, and what one character costs then in cl100k and in o200k.
_CHARS: Final = (
    (0x0080, 1300, 1300),
    (0x00C0, 1000, 800),
    (0x0250, 2000, 2000),
    (0x0370, 1100, 600),
    (0x0400, 750, 420),
    (0x0450, 1700, 900),
    (0x0530, 2150, 700),
    (0x0590, 1300, 600),
    (0x0600, 1000, 450),
    (0x0671, 1500, 900),
    (0x0780, 2000, 1500),
    (0x0900, 1250, 450),
    (0x0980, 2150, 600),
    (0x0A00, 2150, 750),
    (0x0B00, 3000, 1400),
    (0x0B80, 2150, 650),
    (0x0D80, 2150, 800),
    (0x0E00, 1250, 650),
    (0x0E80, 2600, 1600),
    (0x10A0, 2300, 700),
    (0x1100, 3000, 3000),
    (0x1200, 3000, 2200),
    (0x1780, 2200, 1200),
    (0x1800, 3000, 2200),
    (0x1E00, 1700, 900),
    (0x2000, 1300, 1300),
    (0x200C, 2000, 1700),
    (0x200E, 1300, 1300),
    (0x2070, 2700, 2300),
    (0x3000, 1150, 1100),
    (0x3040, 1150, 900),
    (0x3100, 3000, 3000),
    (0x4E00, 1600, 1050),
    (0xA000, 3000, 3000),
    (0xAC00, 1600, 900),
    (0xD7A4, 3000, 3000),
    (0xFE00, 2000, 1500),
    (0xFE10, 3000, 3000),
    (0xFF00, 1300, 1300),
    (0xFFF0, 3000, 3000),
    (0x10000, 4000, 4000),
    (0x1F1E6, 3000, 2100),
    (0x1F200, 3000, 2600),
    (0x1FA00, 3100, 3100),
    (0x20000, 4000, 4000),
)
_STARTS: Final = tuple(start for start, *_ in _CHARS)


def _char_milli(char: str, column: int) -> int:
    code = ord(char)
    if 0x4E00 <= code < 0xA000:
        return _han_milli(char, column)
    return _CHARS[bisect_right(_STARTS, code) - 1][1 + column]


def _han_milli(char: str, column: int) -> int:
    """By how common a character is: the two old national sets put the common ones first."""
    coded = char.encode("gb2312", "ignore")
    if coded and coded[0] <= 0xD7:
        return (1600, 1050)[column]
    coded = char.encode("big5", "ignore")
    if coded and coded[0] <= 0xC6:
        return (2400, 1700)[column]
    return (2800, 2100)[column]

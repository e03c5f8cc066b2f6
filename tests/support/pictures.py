"""Pictures of the command in a terminal, for looking at: `python -m tests.support.pictures FOLDER`.

Books of a firm that could be are made in FOLDER; each command runs in a pseudo-terminal of 80 and
of 140 columns; what it wrote becomes SVG, and PNG where there is Chromium. Not here: what commands
answer, which transcripts and tests hold fast.
"""

import fcntl
import os
import pty
import random
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from budget.domain.asks_budgets import PolicyAsk
from budget.domain.errors import BudgetRefused
from budget.domain.windows import to_rfc3339
from budget.engine.budget import Budget
from budget.prices.book import PriceBook

WIDTHS: Final = (80, 140)
COMMANDS: Final = {
    "help": ["--help"],
    "status": ["status"],
    "top": ["top", "--once"],
    "report": ["report", "week"],
    "budgets": ["budgets", "list"],
    "show": ["budgets", "show", "Search team, retrieval and ranking"],
    "alerts": ["alerts", "list"],
    "wrong-command": ["budgts", "list"],
    "wrong-option": ["status", "--jsn"],
    "wrong-amount": ["set-limit", "daily", "5$"],
    "wrong-budget": ["budgets", "show", "Serch team"],
}
_ERASED: Final = re.compile(
    r"[^\n]*(\r\x1b\[2K|\n(\x1b\[\?25h)?\r?\x1b\[1A\x1b\[2K)"
)  # a bar of progress that was there
_DAY_US: Final = 86_400_000_000
_MODELS: Final = (
    ("anthropic", "claude-sonnet-4-5-20250929"), ("openai", "gpt-5-mini"),
    ("openai", "text-embedding-3-large"), ("google", "gemini-2.5-flash"),
)  # fmt: skip
_USERS: Final = ("ann", "bob", "carla.von-weizsaecker@example.com", "deployment-bot")


def limit(amount: str | int, period: str, *, hard: bool = False, unit: str = "usd") -> PolicyAsk:
    """A limit of a budget."""
    enforcement = "hard_limit" if hard else "warn"
    return {"unit": unit, "period": period, "limit": amount, "enforcement": enforcement}


def furnish(url: str) -> None:
    """Books with a fortnight of spend: limits that are fine, warned and over, and refusals."""
    drawn = random.Random(5)
    with Budget.open(url, prices=PriceBook(None), sweep=False) as books:
        books.create_budget(name="Company", policies=[limit("400", "monthly", hard=True)])
        books.create_budget(
            name="Search team, retrieval and ranking", scope={"team": "search"},
            policies=[limit("10", "daily"), limit("200", "monthly"),
                      limit(2_000_000, "weekly", unit="tokens")],
        )  # fmt: skip
        books.create_budget(
            name="Each user", per=["user"], policies=[limit("4", "daily", hard=True)]
        )
        books.create_budget(
            name="Nightly batch", scope={"component": "batch"}, policies=[limit("5", "weekly")]
        )
        now_us = time.time_ns() // 1000
        for at in range(600):
            ago_us = (at * 14 * _DAY_US // 600) * drawn.randint(90, 100) // 100
            provider, model = drawn.choice(_MODELS)
            books.record_usage(
                provider=provider, model=model, input_tokens=drawn.randint(200, 9000),
                output_tokens=drawn.randint(10, 900), cost=f"0.{drawn.randint(10, 400):04}9",
                occurred_at=to_rfc3339(now_us - ago_us),
                attributes={
                    "team": drawn.choice(("search", "search", "support")),
                    "user": drawn.choice(_USERS),
                    "component": drawn.choice(("api", "batch")),
                },
            )  # fmt: skip
        books.record_usage(provider="openai", model="gpt-5", cost="9.10", input_tokens=900_000,
                           attributes={"team": "search", "user": "ann"})  # fmt: skip
        books.allocate(usd="1.25", attributes={"team": "search", "user": "bob"})
        for usd in ("3.50", "0.80", "12"):
            try:
                books.allocate(usd=usd, attributes={"user": "ann", "team": "search"})
            except BudgetRefused:
                continue


def written(arguments: list[str], columns: int, url: str) -> str:
    """What the command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "BUDGET_TARGET": url}
    running = subprocess.Popen(
        [sys.executable, "-m", "budget", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    told = b"".join(_read(ours))
    running.wait()
    os.close(ours)
    return _ERASED.sub("", told.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield piece


def draw(text: str, columns: int, title: str, svg: Path) -> None:
    """The picture of a terminal that shows a text."""
    from rich.console import Console
    from rich.text import Text

    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(text))
        svg.write_text(console.export_svg(title=title))


def as_png(svg: Path, columns: int, lines: int) -> None:
    """The same picture in pixels, where there is Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    size = f"{columns * 13 + 40},{lines * 25 + 120}"
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}",
         f"--screenshot={svg.with_suffix('.png')}", svg.absolute().as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip


def main() -> None:
    """Make the books if there are none, and every picture, or those that are named."""
    folder, *names = sys.argv[1:]
    database = Path(folder).absolute() / "budget.db"
    database.parent.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{database}"
    if not database.exists():
        furnish(url)
    for name in names or COMMANDS:
        for columns in WIDTHS:
            told = written(COMMANDS[name], columns, url)
            svg = database.parent / f"{name}-{columns}.svg"
            draw(told, columns, f"budget {' '.join(COMMANDS[name])}", svg)
            as_png(svg, columns, told.count("\n"))


if __name__ == "__main__":
    main()

"""The documents hold: their links lead somewhere, and what they say can be typed works.

Blocks marked `sh` in docs/ are run in order, each document in a shell and a home of its own, with a
service beside it; blocks marked `python` are run in order too, in one process for each document.
"""

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from budget.cli.app import run
from budget.engine.setting_names import NAMES
from budget.http.live.sockets import SOCKETS
from budget.http.routes import ROUTES
from tests.support.command import ROOT
from tests.support.markdown import blocks, links, shell_script

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
)
PAGES = sorted(file.name for file in (ROOT / "docs" / "reference").glob("*.md"))
"""Where routes, and the fields of their requests, may be told."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "WS")
GUIDES = [file for file in DOCUMENTS if file.is_relative_to(ROOT / "docs")]
COMMANDS_RUN_ELSEWHERE = {"getting-started.md"}  # with what each step is answered, in its own file


def name(file: Path) -> str:
    """A document as it is called in the repository."""
    return str(file.relative_to(ROOT))


def anchor(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_link_within_the_repository_leads_somewhere(file: Path) -> None:
    for link in links(file):
        path, _, part = link.partition("#")
        to = (file.parent / path).resolve() if path else file
        assert to.exists(), f"{name(file)} points to {link}"
        if part:
            headings = re.findall(r"^#+ (.+)$", to.read_text(), re.MULTILINE)
            assert part in map(anchor, headings), f"{name(file)} points to {link}"


@pytest.mark.parametrize(
    "file",
    [f for f in GUIDES if blocks(f, "sh") and f.name not in COMMANDS_RUN_ELSEWHERE],
    ids=name,
)
def test_the_commands_of_a_guide_work(file: Path, user: dict[str, str], address: str) -> None:
    heard = subprocess.run(
        ["bash", "-c", shell_script(file, address)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=user, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stdout
    assert '"status":4' not in heard.stdout.replace('"status":402', ""), heard.stdout
    assert '"status":5' not in heard.stdout, heard.stdout


@pytest.mark.parametrize("file", [f for f in GUIDES if blocks(f, "python")], ids=name)
def test_the_programs_of_a_guide_run(file: Path, user: dict[str, str], tmp_path: Path) -> None:
    program = "\n".join(block.text for block in blocks(file, "python"))
    heard = subprocess.run(
        ["python", "-c", program],
        capture_output=True, text=True, env=user, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stderr


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert named
    for path in named:
        assert (ROOT / "src" / "budget" / path).exists() or (ROOT / path).exists(), path


# --- References are complete ---------------------------------------------------------------------


def rows(file: str) -> list[list[str]]:
    """The cells of every table row of a reference."""
    document = (ROOT / "docs" / "reference" / file).read_text()
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in document.splitlines()
        if line.startswith("| ")
    ]


def quoted(text: str) -> set[str]:
    """What stands in back quotes, outside fenced blocks."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([^`]+)`", outside))


def sources() -> str:
    """All of the code, as text."""
    return "".join(file.read_text() for file in (ROOT / "src" / "budget").rglob("*.py"))


def test_the_reference_of_http_has_every_route_with_its_right() -> None:
    told = {
        (row[0], path, row[2])
        for page in PAGES
        for row in rows(page)
        if len(row) == 4 and row[0] in METHODS
        for path in quoted(row[1])
    }
    sockets = {("WS", socket.path, socket.scope) for socket in SOCKETS}
    assert told == {(route.method, route.path, route.scope) for route in ROUTES} | sockets


def test_the_reference_of_http_names_every_field_of_a_request() -> None:
    document = "".join((ROOT / "docs" / "reference" / page).read_text() for page in PAGES)
    fields = {field for route in ROUTES for field in route.fields} - {"idempotency_key"}
    assert fields - quoted(document) == set()


def test_the_reference_of_errors_names_every_code() -> None:
    codes = set(re.findall(r"\bcode(?:: str)? ?= ?\"([a-z_]+)\"", sources()))
    document = (ROOT / "docs" / "reference" / "errors.md").read_text()
    assert codes - quoted(document) == {"error", "budget_refused"}  # roots, never seen


def test_the_reference_of_settings_names_every_variable() -> None:
    found = set(re.findall(r"\bBUDGET_[A-Z_]+\b(?=[\"\]])", sources()))
    begun = tuple(name for name in found if name.endswith("_"))  # the rest is put together
    told = {name for row in rows("settings.md") for name in quoted(row[0])}
    named = {name for name in told if name.startswith("BUDGET_")}
    variables = found - set(begun)
    assert variables - named == set()
    assert {name for name in named - variables if not name.startswith(begun)} == set()
    assert {name for name in named if "<" not in name and name[-1] != "_"} == NAMES


@pytest.mark.parametrize(
    "command",
    [
        "serve", "status", "set-limit", "verify", "calc-cost", "estimate", "whatif",
        "prices list",
        "prices show", "prices history", "prices compare", "prices set", "prices end",
        "prices update", "prices sources", "prices updates", "prices accept", "prices reject",
        "prices rerate", "prices coverage", "replay", "key",
        "budgets list", "budgets show", "budgets create", "budgets edit", "budgets archive",
        "budgets top-up", "budgets request", "budgets requests", "budgets approve",
        "budgets reject", "limits list", "allocate create", "allocate list", "allocate release",
        "allocate settle", "alerts list", "alerts acknowledge", "alerts dismiss", "keys list",
        "get-usage", "report", "simulate", "run", "watch",
        "explain", "top",
        "gateway demo", "gateway list", "neighbours",
        "init", "doctor", "db check", "config get", "config set", "login", "completion",
        "keys show", "keys create", "keys rotate", "keys revoke", "audit", "recommend",
        "plan", "progress",
        "export csv", "export focus", "export parquet", "import", "reconcile", "backup", "restore",
    ],
)  # fmt: skip
def test_the_reference_of_the_command_names_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = (ROOT / "docs" / "reference").glob("cli*.md")
    document = "".join(page.read_text() for page in pages)
    run([*command.split(), "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    told = {word for text in quoted(document) for word in re.findall(r"--[a-z-]+", text)}
    assert options - told == set()
    assert f"\n## {command}\n" in document


def test_the_example_of_an_error_is_what_the_service_answers(
    user: dict[str, str], address: str
) -> None:
    (example,) = blocks(ROOT / "docs" / "reference" / "errors.md", "json")
    key = subprocess.run(
        ["budget", "key"], capture_output=True, text=True, env=user, check=True
    ).stdout.strip()  # fmt: skip
    asked = {"name": "x", "policies": [{"unit": "eur", "period": "daily", "limit": "1"}]}
    request = urllib.request.Request(
        f"http://{address}/api/v1/budgets",
        json.dumps(asked).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value as answer:
        assert json.load(answer) == json.loads(example.text)

"""Known neighbours: the table of all that Budget can speak with, and what turns each on.

A neighbour's own module is imported only where its setting is there. Not here: what is said to
each, which lies in a file or folder of its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from budget.neighbours.neighbour import Neighbour

if TYPE_CHECKING:
    from budget.engine.budget import AsyncBudget


@dataclass(frozen=True, slots=True)
class Setup:
    """What neighbours are made from: the environment, the books, and how this service is called.

    `url` is where others reach it, `instance` tells this run from any other.
    """

    env: Mapping[str, str]
    budget: "AsyncBudget"
    url: str
    port: int
    instance: str


@dataclass(frozen=True, slots=True)
class Known:
    """One that Budget knows. `setting` is the variable that turns it on; so does the `former` one,
    which the program before this one had. `make` raises InvalidInput for settings that cannot be.
    """

    name: str
    about: str
    setting: str
    make: Callable[[Setup], Neighbour]
    former: str | None = None

    def is_on(self, env: Mapping[str, str]) -> bool:
        """Whether the environment asks for it."""
        value = env.get(self.setting) or (env.get(self.former) if self.former else None)
        return bool(value) and value != "off"


def _apollo(setup: Setup) -> Neighbour:
    from budget.neighbours.apollo.neighbour import Apollo

    return Apollo(setup)


def _athena(setup: Setup) -> Neighbour:
    from budget.neighbours.athena.athena import Athena
    from budget.neighbours.calling import read_address

    return Athena(setup.budget, read_address(setup.env, "BUDGET_ATHENA_URL"))


def _hermes(setup: Setup) -> Neighbour:
    from budget.neighbours.hermes.hermes import Hermes

    return Hermes(setup)


def _litellm(setup: Setup) -> Neighbour:
    from budget.neighbours.litellm.watching import LiteLLM

    return LiteLLM(setup.budget)


def _mcp(setup: Setup) -> Neighbour:
    from budget.neighbours.mcp import Clients

    del setup
    return Clients()


def _rhetor(setup: Setup) -> Neighbour:
    from budget.neighbours.rhetor.rhetor import Rhetor

    return Rhetor(setup)


def _otel(setup: Setup) -> Neighbour:
    from budget.neighbours.otel.emitting import Emitter
    from budget.neighbours.otel.receiver import check_extra

    check_extra("BUDGET_OTEL_METRICS")
    return Emitter(setup)


def _otlp(setup: Setup) -> Neighbour:
    from budget.neighbours.otel.receiver import Otlp, check_extra

    check_extra("BUDGET_OTLP")
    return Otlp(setup)


def _telos(setup: Setup) -> Neighbour:
    from budget.neighbours.calling import read_address
    from budget.neighbours.telos.telos import Telos

    named = (one.strip() for one in setup.env.get("BUDGET_TELOS_PROJECTS", "").split(","))
    wanted = {one for one in named if one and one != "all"}
    return Telos(setup.budget, read_address(setup.env, "BUDGET_TELOS_URL"), wanted)


KNOWN: Final[tuple[Known, ...]] = (
    Known(
        "apollo",
        "is told of token budgets of contexts, and asked what it sees of contexts",
        "BUDGET_APOLLO_URL",
        _apollo,
        former="APOLLO_API_URL",
    ),
    Known(
        "athena",
        "keeps the graph of spend: what funds, governs, spends on and explains what",
        "BUDGET_ATHENA_URL",
        _athena,
    ),
    Known(
        "hermes",
        "knows where Budget is, and what it can do, for all others; and where those are",
        "BUDGET_HERMES_URL",
        _hermes,
        former="HERMES_URL",
    ),
    Known(
        "litellm",
        "holds and settles its calls here, by our callback in its process",
        "BUDGET_LITELLM",
        _litellm,
    ),
    Known(
        "mcp",
        "models' clients, which come for tools; answered unless it is off, shown if it is on",
        "BUDGET_MCP",
        _mcp,
    ),
    Known(
        "rhetor",
        "has models, which are priced here and chosen within budgets",
        "BUDGET_RHETOR_URL",
        _rhetor,
        former="RHETOR_API_URL",
    ),
    Known(
        "otel",
        "is told of decisions, tokens and cost by OpenTelemetry, as metrics and spans",
        "BUDGET_OTEL_METRICS",
        _otel,
    ),
    Known(
        "otlp",
        "OpenTelemetry of others: spans of their calls to models are usage here, each once",
        "BUDGET_OTLP",
        _otlp,
    ),
    Known(
        "telos",
        "has requirements whose limits are budgets here, and is told what each has cost",
        "BUDGET_TELOS_URL",
        _telos,
    ),
)


def read_neighbours(setup: Setup) -> list[Neighbour]:
    """The neighbours that are asked for; InvalidInput names the setting that is wrong."""
    return [known.make(setup) for known in KNOWN if known.is_on(setup.env)]

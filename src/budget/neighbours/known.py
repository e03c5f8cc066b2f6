"""Known neighbours: the table of all that Budget can speak with, and what turns each on.

A neighbour's own module is imported only where its setting is there. Not here: what is said to
each, which lies in a file or folder of its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from budget.engine.switches import read_switch
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
    """One that Budget knows. `setting` is the variable that turns it on, an address unless it is a
    `switch`; so does the `former` one, which the program before this one had. `usually_on`: it is
    on unless the switch is off. `make` raises InvalidInput for settings that cannot be; so does
    `read` for the `further` ones, which is asked where one of them is given, even if the neighbour
    is off.
    """

    name: str
    about: str
    setting: str
    make: Callable[[Setup], Neighbour]
    former: str | None = None
    switch: bool = False
    usually_on: bool = False
    further: tuple[str, ...] = ()
    read: Callable[[Mapping[str, str]], Any] | None = None

    def check(self, env: Mapping[str, str]) -> None:
        """InvalidInput for a further setting that cannot be."""
        if self.read is not None and any(env.get(setting) for setting in self.further):
            self.read(env)

    def is_on(self, env: Mapping[str, str]) -> bool:
        """Whether the environment asks for it; InvalidInput if it does neither nor."""
        if self.switch:
            return read_switch(env, self.setting, usual=self.usually_on)
        value = env.get(self.setting) or (env.get(self.former) if self.former else None)
        return bool(value) and value != "off"


def _apollo(setup: Setup) -> Neighbour:
    from budget.neighbours.apollo.neighbour import Apollo

    return Apollo(setup)


def _athena(setup: Setup) -> Neighbour:
    from budget.neighbours.athena.athena import Athena
    from budget.neighbours.calling import read_address

    return Athena(setup.budget, read_address(setup.env, "BUDGET_ATHENA_URL", port=8005))


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
    return Telos(setup.budget, read_address(setup.env, "BUDGET_TELOS_URL", port=8008), wanted)


def _read_apollo(env: Mapping[str, str]) -> Any:
    from budget.neighbours.apollo.neighbour import read_poll_seconds

    return read_poll_seconds(env)


def _read_hermes(env: Mapping[str, str]) -> Any:
    from budget.neighbours.hermes.components import read_origins
    from budget.neighbours.hermes.hermes import read_endpoint, read_ids

    return read_ids(env), read_endpoint(env, ""), read_origins(env)


def _read_otlp(env: Mapping[str, str]) -> Any:
    return read_switch(env, "BUDGET_OTLP_METRICS")


def _read_rhetor(env: Mapping[str, str]) -> Any:
    from budget.neighbours.rhetor.rhetor import read_poll_seconds

    return read_poll_seconds(env)


KNOWN: Final[tuple[Known, ...]] = (
    Known(
        "apollo",
        "is told of token budgets of contexts, and asked what it sees of contexts",
        "BUDGET_APOLLO_URL",
        _apollo,
        former="APOLLO_API_URL",
        further=("BUDGET_APOLLO_POLL_SECONDS",),
        read=_read_apollo,
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
        further=("BUDGET_HERMES_IDS", "BUDGET_HERMES_ENDPOINT", "BUDGET_NEIGHBOUR_ORIGINS"),
        read=_read_hermes,
    ),
    Known(
        "litellm",
        "holds and settles its calls here, by our callback in its process",
        "BUDGET_LITELLM",
        _litellm,
        switch=True,
    ),
    Known(
        "mcp",
        "models' clients, which come for tools; on unless it is turned off",
        "BUDGET_MCP",
        _mcp,
        switch=True,
        usually_on=True,
    ),
    Known(
        "rhetor",
        "has models, which are priced here and chosen within budgets",
        "BUDGET_RHETOR_URL",
        _rhetor,
        former="RHETOR_API_URL",
        further=("BUDGET_RHETOR_POLL_SECONDS",),
        read=_read_rhetor,
    ),
    Known(
        "otel",
        "is told of decisions, tokens and cost by OpenTelemetry, as metrics and spans",
        "BUDGET_OTEL_METRICS",
        _otel,
        switch=True,
    ),
    Known(
        "otlp",
        "OpenTelemetry of others: spans of their calls to models are usage here, each once",
        "BUDGET_OTLP",
        _otlp,
        switch=True,
        further=("BUDGET_OTLP_METRICS",),
        read=_read_otlp,
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
    for known in KNOWN:
        known.check(setup.env)
    return [known.make(setup) for known in KNOWN if known.is_on(setup.env)]

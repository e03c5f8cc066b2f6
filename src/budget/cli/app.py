"""The command `budget`: its commands, what may be said with each of them, and how it ends.

Commands are named here and imported when they are called, so that `budget --help` is quick. Not
here: what they do.
"""

import os
import re
import sys
from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Annotated, Any, Final

from cyclopts import (
    App,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnusedCliTokensError,
)

from budget import __version__
from budget.cli.face import Face
from budget.cli.help import PlainHelp, PrettyHelp

_COMMANDS: Final = (
    ("init:init", "init", "Begin: write the configuration and a first budget."),
    ("serve:serve", "serve", "Start the service."),
    ("mcp:mcp", "mcp", "Give a model tools for its budget, over standard input and output."),
    ("status:status", "status", "Show every balance: spent, held, limit and what is left."),
    ("usage:get_usage", "get-usage", "Show what was used in a period, by day and model."),
    ("contexts:contexts", "contexts", "Show what contexts use of their tokens."),
    ("report:report", "report", "Report on a day, a week or a month."),
    ("top:top", "top", "Watch spend, burn rate and refusals on a live screen."),
    ("watch:watch", "watch", "Show events as they come."),
    ("explain:explain", "explain", "Say why a call was admitted or refused."),
    ("simulate:simulate", "simulate", "Try limits on the past: what would have been refused."),
    ("limits:set_limit", "set-limit", "Set how much may be spent in a period."),
    ("recommend:recommend", "recommend", "Name models that would do, the cheapest first."),
    ("route:route", "route", "Say which model a call should go to within its budgets."),
    ("plan:plan", "plan", "Say which tasks to do, and with which model, within the limits."),
    ("progress:progress", "progress", "Show what a project has cost, against its limits."),
    ("costs:calc_cost", "calc-cost", "Say what usage of a model costs, line by line."),
    ("estimate:estimate", "estimate", "Say how many input tokens a request has at most."),
    ("whatif:what_if", "whatif", "Say what past usage would have cost on other models."),
    ("run:run", "run", "Run a program with an envelope of money; print the bill."),
    ("replay:replay", "replay", "Drive a recorded trace of calls through the service."),
    ("importing:import_usage", "import", "Book usage that others recorded."),
    ("reconcile:reconcile", "reconcile", "Hold the books against a provider's own export."),
    ("audit:audit", "audit", "Show who changed what."),
    ("verify:verify", "verify", "Recompute the books and list whatever does not add up."),
    ("backup:backup", "backup", "Copy the books while they are in use."),
    ("restore:restore", "restore", "Put a copy of the books in force."),
    ("doctor:doctor", "doctor", "Check the installation and say what to do."),
    (
        "neighbours:neighbours",
        "neighbours",
        "Show with whom Budget is in touch, and how that goes.",
    ),
    ("key:key", "key", "Print the key that the commands of this machine use."),
    ("login:login", "login", "Print a link that logs a browser in, once."),
    ("completion:completion", "completion", "Print what makes a shell complete commands."),
)
"""Commands by themselves: where each lies, its name and what it does."""

_GROUPS: Final = (
    ("budgets", "Budgets: who is limited, how much, and requests for more.", (
        ("budgets:list_budgets", "list", "List budgets and their limits."),
        ("budgets:show_budget", "show", "Show a budget: scope, limits, top-ups and balances."),
        ("budget_making:create_budget", "create", "Create a budget."),
        ("budget_making:edit_budget", "edit", "Change a budget or one of its limits."),
        ("budget_making:archive_budget", "archive", "Take a budget out of force."),
        ("budget_raising:top_up", "top-up", "Raise a limit for now, or until a date."),
        ("budget_raising:request", "request", "Ask for more."),
        ("budget_raising:requests", "requests", "List what was asked for."),
        ("budget_raising:approve", "approve", "Grant what was asked for."),
        ("budget_raising:reject", "reject", "Decline what was asked for."),
    )),
    ("limits", "Limits: what stands, everywhere.", (
        ("limits_list:list_limits", "list", "List every limit in force."),
        ("apollo_limits:apollo_limits", "apollo", "Set up Apollo's limits of tokens, by tier."),
    )),
    ("allocate", "Allocations: money held for calls.", (
        ("allocate:create", "create", "Hold money and tokens for a call."),
        ("allocate:list_allocations", "list", "List what is held."),
        ("allocate:release", "release", "Return what is held."),
        ("allocate:settle", "settle", "Book what a call used; the rest returns."),
    )),
    ("alerts", "Alerts: what people should see.", (
        ("alerts:list_alerts", "list", "List alerts."),
        ("alerts:acknowledge", "acknowledge", "Say that an alert was seen."),
        ("alerts:dismiss", "dismiss", "Take an alert off the list."),
    )),
    ("keys", "Keys: who may ask, and for what.", (
        ("keys:list_keys", "list", "List keys."),
        ("keys:show_key", "show", "Show a key, or the one in use."),
        ("keys:create_key", "create", "Make a key; it is shown once."),
        ("keys:rotate_key", "rotate", "Replace a key; the old one works on for a while."),
        ("keys:revoke_key", "revoke", "End a key."),
    )),
    ("prices", "Prices: what models cost, on whose word, and what past usage costs at them.", (
        ("prices:list_prices", "list", "List what models cost."),
        ("prices:show_price", "show", "Show a model's price, and who says so."),
        ("prices:history", "history", "Show every price that a model had, has and will have."),
        ("prices:compare", "compare", "Compare what each source says of a model."),
        ("price_setting:set_price", "set", "Set the price of a model, over every source."),
        ("price_setting:end_price", "end", "End a price that was set."),
        ("price_sources:update", "update", "Read sources anew; show what changed or is held."),
        ("price_sources:sources", "sources", "Show where prices come from."),
        ("price_sources:updates", "updates", "Show what changed, and what waits in quarantine."),
        ("price_sources:accept", "accept", "Let a price that is held come into force."),
        ("price_sources:reject", "reject", "Say no to a price that is held."),
        ("rerate:rerate", "rerate", "Say what past usage costs now; with --apply, book that."),
        ("coverage:coverage", "coverage", "Say how much of what was called has a price."),
    )),
    ("export", "Exports: usage for other programs.", (
        ("export:export_focus", "focus", "Export usage as FOCUS rows of cost."),
        ("export:export_csv", "csv", "Export usage records as CSV."),
        ("export:export_parquet", "parquet", "Export usage records as Parquet."),
    )),
    ("gateway", "The gateway: providers, called within budgets.", (
        ("gateway:demo", "demo", "Show a budget running dry, with a mock model."),
        ("gateway:list_upstreams", "list", "List the upstreams, and which have a key."),
    )),
    ("config", "Configuration: what the commands of this user go by.", (
        ("config:get", "get", "Show what is set, and where."),
        ("config:set_value", "set", "Set something."),
    )),
    ("db", "The database.", (
        ("doctor:check_database", "check", "Check the database."),
    )),
)  # fmt: skip
"""Groups of commands: the name and the meaning of each, and its commands."""

_FORMER: Final = (("serve:serve", "start"), ("verify:recalculate", "recalculate"))
"""Names that commands had in the program before this one."""

_WORDS: Final = {
    **{name: () for _, name, _ in _COMMANDS},
    **{name: () for _, name in _FORMER},
    **{group: tuple(name for _, name, _ in commands) for group, _, commands in _GROUPS},
}
"""The words that name commands: the first ones, and those that may follow each."""


_UNCONVERTED: Final = re.compile(r"unable to convert (.+) into (int|float)\.")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_MISSING: Final = re.compile(r'^Command ".*?" parameter (\S+) requires an argument\.')
_OPTIONS: Final = {
    "starts_at": "--from", "since": "--from", "until": "--to", "at": "--at",
    "reason": "--reason",
}  # fmt: skip
"""Options that have another name than the field of the API which they fill."""


def make_app() -> App:
    """The command line; its help is plain text where nobody looks at colours."""
    app = App(
        name="budget",
        help="Ask before you spend on language models: limits that hold, books that add up.",
        version=f"budget {__version__}",
        help_format="plaintext",
        help_formatter=PrettyHelp() if sys.stdout.isatty() else PlainHelp(),
        group_parameters=Group("Options", sort_key=1),
        default_parameter=Parameter(negative="", show_default=_shown),
        config=_only_whole,
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for order, (place, name, help_text) in enumerate(_COMMANDS):
        app.command(f"budget.cli.{place}", name=name, help=help_text, sort_key=order)
    for behind, (group, about, commands) in enumerate(_GROUPS, len(_COMMANDS)):
        room = App(name=group, help=about, version_flags=(), sort_key=behind)
        for order, (place, name, help_text) in enumerate(commands):
            room.command(f"budget.cli.{place}", name=name, help=help_text, sort_key=order)
        app.command(room)
    for place, name in _FORMER:
        app.command(f"budget.cli.{place}", name=name, show=False)
    app.meta.suppress_keyboard_interrupt = False
    every = Group("With every command", sort_key=99)

    @app.meta.default
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        target: Annotated[
            str | None,
            Parameter(
                group=every,
                help="Whose books: sqlite:///file.db, postgresql://… or the http://… of a "
                "service. Without it, those that BUDGET_TARGET names, else those of this machine.",
            ),
        ] = None,
        json: Annotated[bool, Parameter(group=every, help="Answer in JSON, for programs.")] = False,
        no_color: Annotated[
            bool, Parameter(group=every, help="No colours; NO_COLOR says the same.")
        ] = False,
        quiet: Annotated[
            bool, Parameter(group=every, help="The answer alone: no progress, no notes.")
        ] = False,
        debug: Annotated[
            bool,
            Parameter(
                group=every,
                negative="--no-debug",
                help="Show log lines, and where an error that nobody foresaw came from.",
            ),
        ] = False,
        api_url: Annotated[str | None, Parameter(show=False)] = None,
    ) -> int:
        if debug:
            _log()
        place = _place(target or None, api_url)
        return _launch(app, _spelt(tokens), Face(place, json, no_color, quiet))

    return app


def _place(target: str | None, api_url: str | None) -> str | None:
    """The target that was typed; --api-url is what it was called once, and names a service."""
    if api_url is None:
        return target
    from budget.domain.errors import InvalidInput
    from budget.engine.places import service_url

    if target not in (None, api_url):
        raise InvalidInput("--api-url", "says the same as --target; give one of them.")
    return service_url(api_url, "--api-url")


def _spelt(tokens: Sequence[str]) -> list[str]:
    """The same words, with commands in the one spelling that they have here: get-usage."""
    spelt = list(tokens)
    words: Collection[str] = _WORDS
    for place, token in enumerate(tokens):
        word = token.replace("_", "-")
        if word not in words:
            break
        spelt[place] = word
        words = _WORDS.get(word, ()) if place == 0 else ()
    return spelt


def _said(tokens: Sequence[str], *flags: str) -> str | None:
    """Which of these flags was said last, before what belongs to another program."""
    ours = takewhile(lambda word: word != "--", tokens)
    return next((token for token in reversed(list(ours)) if token in flags), None)


def _log() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s: %(message)s")
    logging.getLogger("budget").setLevel(logging.DEBUG)


def _only_whole(_: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """No count is rounded: where a whole number is wanted, 1.5 and 0x10 are none."""
    for argument in arguments:
        if argument.hint not in (int, int | None):
            continue
        for token in argument.tokens:
            if token.value and not _WHOLE.fullmatch(token.value):
                raise CoercionError(
                    token=token, argument=argument, target_type=int, command_chain=commands
                )


def _shown(default: object) -> str | None:
    """A default worth showing in the help: not of a flag, nor an empty one."""
    return None if default in (None, False, "", ()) else str(default)


def _launch(app: App, tokens: Sequence[str], face: Face) -> int:
    command, bound, ignored = app.parse_args(tokens)
    if "face" in ignored:
        bound.arguments["face"] = face
    answer: Any = command(*bound.args, **bound.kwargs)
    return answer if isinstance(answer, int) else 0


def run(tokens: Sequence[str]) -> int:
    """Run one command line and return its exit code; an error is one sentence on standard error."""
    from budget.cli import exits
    from budget.domain.errors import BudgetError

    if _said(tokens, "--no-color"):
        os.environ["NO_COLOR"] = "1"  # for the help, which is printed before options are read
    if tokens and tokens[0] == "help":
        tokens = [*tokens[1:], "--help"]
    try:
        answer: Any = make_app().meta(tokens, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        _complain(f"{_sentence(error)} See `{_how(error)} --help`.")
        return exits.USAGE
    except BudgetError as error:
        _complain(_as_typed(_one_line(error.detail)))
        return exits.exit_code(error)
    except BrokenPipeError:
        # Whoever read our answer had enough of it, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.FAILED
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return exits.INTERRUPTED
    except Exception as error:  # the last stop: nobody is shown a traceback
        if _said(tokens, "--debug", "--no-debug") == "--debug" or os.environ.get("BUDGET_DEBUG"):
            raise
        what = _one_line(f"{type(error).__name__}: {error}")
        _complain(f"This should not happen: {what} --debug shows where.")
        return exits.FAILED
    return answer if isinstance(answer, int) else exits.OK


def _sentence(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        words = " ".join(error.unused_tokens or ())
        return f"{words!r} is more than `{_how(error)}` takes."
    told = _one_line(str(error))
    if isinstance(error, CoercionError):
        kind = "whole number" if error.target_type is int else "number"
        return _UNCONVERTED.sub(rf"\1 is not a {kind}.", told)
    if isinstance(error, MissingArgumentError):
        return _MISSING.sub(rf"\1 {'needs a value' if error.keyword else 'is required'}.", told)
    return told


def _how(error: CycloptsError) -> str:
    return " ".join(("budget", *(error.command_chain or ())))


def _as_typed(sentence: str) -> str:
    """An error of a field of the API, under the option that it was typed as."""
    field, colon, rest = sentence.partition(": ")
    if field.startswith("price_context."):
        return f"--context {field.removeprefix('price_context.')}: {rest}"
    if not colon or field not in _OPTIONS:
        return sentence
    told = rest.replace("must be an RFC 3339 time with", "must be a day, or a time with")
    return f"{_OPTIONS[field]}: {told}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _complain(sentence: str) -> None:
    print(f"budget: {sentence}", file=sys.stderr)


def main() -> None:
    """What the command `budget` runs."""
    sys.exit(run(sys.argv[1:]))

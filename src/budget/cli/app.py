"""The command `budget`: its commands, what may be said with each of them, and how it ends.

Commands are named here and imported when they are called, so that `budget --help` is quick. Not
here: what they do.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError

from budget import __version__
from budget.cli.face import Face
from budget.cli.help import PlainHelp, PrettyHelp

_COMMANDS: Final = (
    ("serve:serve", "serve", "Start the service."),
    ("status:status", "status", "Show every balance: spent, held, limit and what is left."),
    ("limits:set_limit", "set-limit", "Set how much may be spent in a period."),
    ("verify:verify", "verify", "Recompute the books and list whatever does not add up."),
    ("costs:calc_cost", "calc-cost", "Say what usage of a model costs, line by line."),
    ("estimate:estimate", "estimate", "Say how many input tokens a request has at most."),
    ("whatif:what_if", "whatif", "Say what past usage would have cost on other models."),
    ("replay:replay", "replay", "Drive a recorded trace of calls through the service."),
    ("key:key", "key", "Print the key that the commands of this machine use."),
)
_PRICES: Final = (
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
)


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
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for order, (place, name, help_text) in enumerate(_COMMANDS):
        app.command(f"budget.cli.{place}", name=name, help=help_text, sort_key=order)
    prices = App(
        name="prices",
        help="Prices: what models cost, on whose word, and what past usage costs at them.",
        version_flags=(),
        sort_key=len(_COMMANDS),
    )
    for order, (place, name, help_text) in enumerate(_PRICES):
        prices.command(f"budget.cli.{place}", name=name, help=help_text, sort_key=order)
    app.command(prices)
    app.command("budget.cli.limits:set_limit", name="set_limit", show=False)
    app.command("budget.cli.costs:calc_cost", name="calc_cost", show=False)
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
    ) -> int:
        return _launch(app, tokens, Face(target or None, json, no_color, quiet))

    return app


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

    if "--no-color" in tokens:
        os.environ["NO_COLOR"] = "1"  # for the help, which is printed before options are read
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
        if os.environ.get("BUDGET_DEBUG"):
            raise
        what = _one_line(f"{type(error).__name__}: {error}")
        _complain(f"This should not happen: {what} BUDGET_DEBUG=1 shows where.")
        return exits.FAILED
    return answer if isinstance(answer, int) else exits.OK


def _sentence(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        words = " ".join(error.unused_tokens or ())
        return f"{words!r} is more than `{_how(error)}` takes."
    return _one_line(str(error))


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

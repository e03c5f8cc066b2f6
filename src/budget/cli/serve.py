"""`budget serve`: the service, and what to know to use it."""

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from budget import __version__
from budget.cli.face import Face

if TYPE_CHECKING:
    from budget.http.serve import Started


def serve(
    *,
    host: str | None = None,
    port: str | None = None,
    insecure_behind_proxy: bool = False,
    new_admin_key: bool = False,
    prices: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Start the service; it answers until Ctrl-C or SIGTERM.

    The first start makes the database, and an admin key that the commands of this user find.

    Parameters
    ----------
    host:
        The address to listen on; 127.0.0.1, or BUDGET_HOST.
    port:
        The port to listen on; 8013, or BUDGET_PORT. 0 takes any that is free.
    insecure_behind_proxy:
        Listen where other machines can reach it: a proxy before it keeps the traffic private.
    new_admin_key:
        Make a further admin key and keep it in this user's key file.
    prices:
        A file of your own prices and discounts: YAML, JSON or CSV; also BUDGET_PRICES.
    """
    from budget.engine.settings import Settings
    from budget.http.serve import serve as run

    settings = Settings.read(target=face.target, host=host, port=port, prices=prices)
    run(
        settings,
        on_start=lambda started: _tell(face, started),
        behind_proxy=insecure_behind_proxy,
        new_admin_key=new_admin_key,
    )
    return 0


def _tell(face: Face, started: "Started") -> None:
    """Print where it answers, where the key lies and what to try. Nothing secret."""
    from budget.engine.key_file import books_name
    from budget.gateway.pointing import SDKS, addresses

    target = books_name(started.target)
    curl = started.curl.replace("$(budget key)", f"$({_key_command(started.target)})")
    if face.json:
        key_file = None if started.key_file is None else str(started.key_file)
        face.print_json(
            {"url": started.url, "target": target, "key_file": key_file, "curl": curl,
             "gateway": addresses(started.url)}
        )  # fmt: skip
    else:
        key = started.key_file or "not in this user's file; --new-admin-key makes another"
        lines = [
            ("Address", started.url),
            ("Gateway", f"{started.url}{', '.join(sdk.path for sdk in SDKS.values())}"),
            ("Ledger", target),
            ("Admin key", str(key)),
            ("Try", curl),
            ("Demo", "budget gateway demo"),
        ]
        _print_lines(face, lines)
    sys.stdout.flush()  # whoever started us through a pipe waits for this


def _print_lines(face: Face, lines: list[tuple[str, str]]) -> None:
    if not face.pretty:
        face.print(f"Budget {__version__}")
        for title, text in lines:
            face.print(f"{title:<9}  {text}")
        return
    from rich.text import Text

    console = face.console()
    console.print(Text(f"Budget {__version__}", style="bold"))
    for title, text in lines:
        shown = Text.assemble(
            (f"{title:<9}  ", "dim"), (text, "" if title in ("Try", "Demo") else "cyan")
        )
        console.print(shown, soft_wrap=True)
    console.print(Text("Ctrl-C stops it.", style="dim"))


def _key_command(target: str) -> str:
    """How to print the key from another terminal, where this target need not be the usual one."""
    from budget.engine.settings import default_target

    if shutil.which("budget"):
        command = "budget"
    elif sys.argv[0].endswith("__main__.py"):
        command = f"{shlex.quote(sys.executable)} -m budget"
    else:
        command = shlex.quote(os.path.relpath(sys.argv[0]))
    usual = os.environ.get("BUDGET_TARGET") or default_target()
    return f"{command} key" if target == usual else f"{command} key --target {shlex.quote(target)}"

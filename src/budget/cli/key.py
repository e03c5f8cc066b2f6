"""`budget key`: the key that this machine's commands use, for `curl` and for programs."""

import os
from typing import Annotated

from cyclopts import Parameter

from budget.cli.face import Face
from budget.domain.errors import NotFound


class NoKey(NotFound):
    """No key is kept here for these books."""

    def __init__(self, books: str, file: str, *, left_aside: bool) -> None:
        aside = " BUDGET_KEY is left aside: --target says whose key is meant." if left_aside else ""
        super().__init__(
            "key for",
            books,
            f"There is no key for {books} in {file}.{aside} `budget serve` makes one at its first "
            "start; `budget serve --new-admin-key` makes another.",
        )


def key(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Print the key that the commands of this machine use, and nothing else.

    BUDGET_KEY=$(budget key) hands it to a program. It lies in a file that only its owner can read.
    BUDGET_KEY itself is printed if it is set, unless --target names other books.
    """
    from budget.engine import key_file
    from budget.engine.places import check_target
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    check_target(settings.target)
    url = settings.target.startswith("http")
    books = settings.target if url else key_file.books_name(settings.target)
    file = key_file.path_of(settings.config_dir)
    named = os.environ.get("BUDGET_KEY") or None
    # A target that was typed has a key of its own; that of BUDGET_TARGET goes with BUDGET_KEY.
    use_named = named is not None and face.target is None
    found = named if use_named else key_file.find_key(settings.config_dir, settings.target)
    if found is None:
        raise NoKey(books, str(file), left_aside=named is not None)
    if face.json:
        place = None if use_named else str(file)
        face.print_json({"key": found, "file": place, "target": books})
    else:
        face.print(found)
    return 0

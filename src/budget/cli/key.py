"""`budget key`: the key that this machine's commands use, for `curl` and for programs."""

from typing import Annotated

from cyclopts import Parameter

from budget.cli.face import Face
from budget.domain.errors import NotFound


class NoKey(NotFound):
    """No key is kept here for these books."""

    def __init__(self, target: str, file: str) -> None:
        super().__init__("key for", target)
        self.detail = (
            f"There is no key for {target} in {file}. `budget serve` makes one at its first start; "
            "`budget serve --new-admin-key` makes another."
        )


def key(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Print the key that the commands of this machine use, and nothing else.

    BUDGET_KEY=$(budget key) hands it to a program. It lies in a file that only its owner can read.
    """
    from budget.cli.books import find_key
    from budget.engine import key_file
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    found = find_key(settings, settings.target)
    path = key_file.path_of(settings.config_dir)
    if found is None:
        raise NoKey(settings.target, str(path))
    if face.json:
        face.print_json({"key": found, "file": str(path), "target": settings.target})
    else:
        face.print(found)
    return 0

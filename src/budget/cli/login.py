"""`budget login`: a link that logs a browser in to the service, once."""

from typing import Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.domain.errors import Unavailable
from budget.domain.windows import to_rfc3339
from budget.engine.places import find_place
from budget.engine.settings import Settings


def login(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Print a link that logs a browser in, once, within 5 minutes, with the rights of the key."""
    place = find_place(Settings.read(target=face.target))
    if place.url is None:
        raise Unavailable(
            "A browser needs a service, and none has these books open. Start one with "
            "`budget serve`, or name one with --target http://….",
            code="no_service",
        )
    with open_budget(face) as books:
        link = books.login_link()
    url = link.url or f"{place.url}/login?token={link.token}"
    if face.json:
        face.print_json({"url": url, "expires_at": to_rfc3339(link.expires_us)})
    else:
        face.print(url)
        face.note("It works once, for 5 minutes.")
    return exits.OK

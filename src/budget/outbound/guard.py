"""The address guard: which URLs our code may ask, when somebody else may say which.

A URL is read by one strict grammar of its own, because most ways past a guard are spellings that
two parsers read differently. The name is looked up once, and every address it has must be public.
Whoever connects takes the addresses that come out, and never the name again.

Not here: connecting, limits and answers (`fetching`). Nothing here knows of prices.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from budget.domain.errors import InvalidInput, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name, for a port; OSError if it has none."""

MAX_URL_CHARS: Final = 2048
RETRY_AFTER_SECONDS: Final = 60

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

# Of RFC 3986, without `#`. What else people write, parsers disagree about, so nothing of it passes.
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?]+)(?P<path>(?:[/?].*)?)")
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# With a last label like this, resolvers take the whole for an IPv4 address, oddly spelled or not.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def _networks(written: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in written.split())


# `is_global` differs between releases of Python, so the registries of IANA are written out; what
# carries an IPv4 address inside (6to4, Teredo, NAT64, mapped) is refused whatever it carries.
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC: Final = _networks("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4
    ::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16
    3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
""")
# Where clouds hand out credentials. One of these, Azure's, is a public address.
_METADATA: Final = _networks("""
    169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32
    fd00:ec2::254/128 fd20:ce::254/128
""")
# Where a mirror of one's own may stand.
_NEAR: Final = _networks("""
    10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7
""")


@dataclass(frozen=True, slots=True)
class Allow:
    """What the operator allows. Without further words: https, port 443, any public host.

    `hosts`: these names alone, if given. `ports`: these. `origins`, such as
    `http://mirror.lan:8080`: exempt from all of this, and may stand on a private network, though
    never where clouds keep their metadata unless that very address is written. `setting` is where
    the operator names them.
    """

    hosts: frozenset[str] | None = None
    ports: frozenset[int] = frozenset({443})
    origins: frozenset[str] = frozenset()
    setting: str = "BUDGET_PRICE_ORIGINS"

    def __post_init__(self) -> None:
        sites = [read_url(origin, "origins") for origin in self.origins]
        if any(site.path != "/" for site in sites):
            raise InvalidInput("origins", "An origin is a scheme, a host and a port, without path.")
        object.__setattr__(self, "origins", frozenset(site.origin for site in sites))
        if self.hosts is not None:
            object.__setattr__(self, "hosts", frozenset(host.lower() for host in self.hosts))


PUBLIC_ONLY: Final = Allow()


@dataclass(frozen=True, slots=True)
class Site:
    """A URL taken apart: `host` in lower case and without brackets, `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def host_header(self) -> str:
        """What the Host header says: brackets for IPv6, the port if it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port always written."""
        return f"{self.scheme}://{self.host}:{self.port}"


def read_url(url: str, field: str = "url") -> Site:
    """Take a URL apart; InvalidInput, which repeats nothing of it, if it breaks the grammar."""
    if len(url) > MAX_URL_CHARS:
        raise InvalidInput(field, f"A URL has at most {MAX_URL_CHARS} characters.")
    if not _CHARACTERS.fullmatch(url):
        raise InvalidInput(
            field,
            "Write the host in ASCII (xn-- if need be), other characters as %XX, and no fragment.",
        )
    parts = _URL.fullmatch(url)
    if parts is None or parts["scheme"].lower() not in _DEFAULT_PORTS:
        raise InvalidInput(field, "A URL begins with https:// and a host.")
    if "@" in parts["authority"]:
        raise InvalidInput(field, "A URL may not carry credentials; take out all up to the @.")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise InvalidInput(field, "After https:// comes a host, and perhaps a colon and a port.")
    scheme, path = parts["scheme"].lower(), parts["path"]
    port = int(authority["port"] or _DEFAULT_PORTS[scheme])
    if port > 65535:
        raise InvalidInput(field, "A port is at most 65535.")
    host, literal = _read_host(authority["v6"], authority["name"], field)
    return Site(scheme, host, port, path if path.startswith("/") else f"/{path}", literal)


def _read_host(v6: str | None, name: str, field: str) -> tuple[str, Address | None]:
    if v6 is not None:
        try:
            literal = ipaddress.IPv6Address(v6)
        except ValueError:
            raise InvalidInput(field, "What is in brackets is not an IPv6 address.") from None
        return str(literal), literal
    name = name.lower()
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidInput(
            field, "A host is labels of letters, digits and hyphens, with single dots between."
        )
    if not _NUMBER.fullmatch(labels[-1]):
        return name, None
    try:
        return name, ipaddress.IPv4Address(name)
    except ValueError:
        raise InvalidInput(field, "An IPv4 address is four decimal numbers up to 255.") from None


def system_addresses(host: str, port: int) -> list[str]:
    """What this machine's resolver says, in its order of preference; OSError if nothing."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def allowed_addresses(
    site: Site, allow: Allow, resolve: Resolve, within_seconds: float
) -> list[str]:
    """The addresses to connect to, and no others; the name is looked up once, here.

    InvalidInput, field `url`, if the site or any of its addresses is not allowed. Unavailable if
    the name has none, or the look-up takes longer than `within_seconds`.
    """
    check_site(site, allow)
    if site.literal is not None:
        return [str(site.literal)]
    named = site.origin in allow.origins
    found = _looked_up(site, resolve, within_seconds)
    # All of them, or a name with one good address and one bad would be a matter of luck.
    if not all(_may_be_named(address) if named else is_public(address) for address in found):
        raise _not_public(site.host)
    return [str(address) for address in found]


def check_site(site: Site, allow: Allow) -> None:
    """InvalidInput, field `url`, for what may not be asked wherever its name leads."""
    if site.origin in allow.origins:
        return
    _refuse_origin(site, allow)
    if site.literal is not None and not is_public(site.literal):
        raise _not_public(site.host)


def _refuse_origin(site: Site, allow: Allow) -> None:
    if site.scheme != "https":
        raise InvalidInput(
            "url",
            "must be https, unless the operator has named its origin: "
            f"{allow.setting}=http://host.lan:8080.",
        )
    if site.port not in allow.ports:
        ports = [str(port) for port in sorted(allow.ports)]
        raise InvalidInput("url", f"Port {site.port} is not one to connect to.", ports)
    if allow.hosts is not None and site.host not in allow.hosts:
        raise InvalidInput("url", f"{site.host} is not one to ask.", sorted(allow.hosts))
    if site.literal is None and "." not in site.host:
        # Such a name means what the search list of this machine makes of it.
        raise InvalidInput("url", f"{site.host} is not a full name: it has no dot.")


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the internet may reach, and nothing special."""
    if address.version == 6 and (address.scope_id is not None or address not in _GLOBAL_V6):
        return False
    return address.is_global and not any(
        address in network for network in (*_NOT_PUBLIC, *_METADATA)
    )


def _may_be_named(address: Address) -> bool:
    """Whether a name that the operator has named may have this address."""
    if any(address in network for network in _METADATA):
        return False
    return is_public(address) or any(address in network for network in _NEAR)


def _not_public(host: str) -> InvalidInput:
    # Which address it is stays unsaid, or whoever may set a URL could map the network with it.
    return InvalidInput(
        "url",
        f"{host} is not at a public address. If it is meant, the operator has to name its origin.",
    )


def _looked_up(site: Site, resolve: Resolve, within_seconds: float) -> list[Address]:
    # In a thread, for a look-up cannot be told when to stop: one that hangs is left to itself.
    answer: Future[list[Address]] = Future()

    def look_up() -> None:
        try:
            found = [ipaddress.ip_address(each) for each in resolve(site.host, site.port)]
            answer.set_result(found)
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            answer.set_exception(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        found = answer.result(within_seconds)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise _not_looked_up(site.host) from error
    if not found:
        raise _not_looked_up(site.host)
    return found


def _not_looked_up(host: str) -> Unavailable:
    return Unavailable(f"{host} could not be looked up.", retry_after_seconds=RETRY_AFTER_SECONDS)

"""The address guard: more than 150 hostile URLs, none of which gets a connection."""

import contextlib
import ipaddress
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpcore2
import pytest

from budget.domain.errors import BudgetError, InvalidInput, Unavailable
from budget.outbound import connecting, guard
from budget.outbound.fetching import Limits, fetch
from budget.outbound.guard import PUBLIC_ONLY, Allow, allowed_addresses, is_public, read_url

# {p} is the port of the listeners, which the tests allow: it is never the reason of a refusal,
# but where the reason is the port itself.

LOOPBACK_SPELLINGS = """
127.0.0.1:{p} 127.0.0.2:{p} 127.255.255.254:{p} 127.1:{p} 127.0.1:{p} 2130706433:{p}
0x7f000001:{p} 0x7F.1:{p} 0x7f.0x0.0x0.0x1:{p} 017700000001:{p} 0177.0.0.1:{p} 0177.1:{p}
0177.0.0.01:{p} 127.0.0.01:{p} 127.000.000.001:{p} 0000127.0.0.1:{p} 127.0.0.0x1:{p} 127.0x1:{p}
127.0.0.1.:{p} 127.0.0.1..:{p} .127.0.0.1:{p} 127..0.0.1:{p} 127.0.0.1.0:{p} 383.0.0.1:{p}
6425673729:{p} 0x17f000001:{p} 0x:{p} 0:{p} 0.0.0.0:{p} 0x0:{p} 00000000:{p} 0.1:{p}
1:{p} 127.0.0.256:{p} 127.0.0:{p} 127:{p} localhost:{p} LOCALHOST:{p} localhost.:{p}
loopback:{p} ip6-localhost:{p} budget:{p} intranet:{p}
[::1]:{p} [0:0:0:0:0:0:0:1]:{p} [0000:0000:0000:0000:0000:0000:0000:0001]:{p} [::0001]:{p}
[::]:{p} [0::]:{p} [::127.0.0.1]:{p} [::7f00:1]:{p} [::ffff:127.0.0.1]:{p} [::ffff:7f00:1]:{p}
[::FFFF:127.0.0.1]:{p} [0:0:0:0:0:ffff:127.0.0.1]:{p} [::ffff:0:127.0.0.1]:{p}
[::ffff:0.0.0.0]:{p} [::1%25lo]:{p} [::1%lo]:{p} [::1%251]:{p} [fe80::1%25eth0]:{p} [::1.]:{p}
[::1[::1]]:{p} [[::1]]:{p} ::1:{p} [127.0.0.1]:{p} [localhost]:{p} [v1.127.0.0.1]:{p} []:{p}
[::1]x:{p} [::1]::{p} [::1]:{p}:{p} [::ffff:0x7f.0.0.1]:{p} [::ffff:127.1]:{p} [:::1]:{p}
"""

PRIVATE_ADDRESSES = """
10.0.0.1:{p} 10.255.255.255:{p} 172.16.0.1:{p} 172.31.255.254:{p} 192.168.0.1:{p} 192.168.1.1:{p}
100.64.0.1:{p} 100.127.255.254:{p} 169.254.0.1:{p} 169.254.169.254:{p} 169.254.170.2:{p}
100.100.100.200:{p} 168.63.129.16:{p} 192.0.0.1:{p} 192.0.0.192:{p} 192.0.2.1:{p}
192.88.99.1:{p} 198.18.0.1:{p} 198.19.255.254:{p} 198.51.100.7:{p} 203.0.113.9:{p}
224.0.0.1:{p} 239.255.255.250:{p} 240.0.0.1:{p} 255.255.255.255:{p} 0.0.0.1:{p} 0.255.0.1:{p}
2852039166:{p} 0xa9fea9fe:{p} 0xA9.0xFE.0xA9.0xFE:{p} 0251.0376.0251.0376:{p} 169.254.43518:{p}
169.16689662:{p} 167772161:{p} 012.0.0.1:{p} 0xa.1:{p} 3232235777:{p} 8.8.8:{p} 134744072:{p}
[fc00::1]:{p} [fd00::1]:{p} [fd00:ec2::254]:{p} [fd20:ce::254]:{p} [fe80::1]:{p} [febf::1]:{p}
[fec0::1]:{p} [ff02::1]:{p} [ff0e::1]:{p} [100::1]:{p} [64:ff9b::127.0.0.1]:{p}
[64:ff9b::a9fe:a9fe]:{p} [64:ff9b::8.8.8.8]:{p} [64:ff9b:1::1]:{p} [2001::1]:{p}
[2001:0:4136:e378:8000:63bf:80ff:fffe]:{p} [2001:2::1]:{p} [2001:10::1]:{p} [2001:20::1]:{p}
[2001:db8::1]:{p} [2002:7f00:1::]:{p} [2002:a9fe:a9fe::1]:{p} [2002:808:808::1]:{p} [3fff::1]:{p}
[5f00::1]:{p} [4000::1]:{p} [::ffff:10.0.0.1]:{p} [::ffff:169.254.169.254]:{p}
[::ffff:a9fe:a9fe]:{p} [::ffff:8.8.8.8]:{p} [::8.8.8.8]:{p} [::ffff:0:8.8.8.8]:{p}
"""

TRICKS = [
    "https://user@127.0.0.1:{p}/",
    "https://user:pass@127.0.0.1:{p}/",
    "https://feeds.example.com@127.0.0.1:{p}/",
    "https://feeds.example.com:443@127.0.0.1:{p}/",
    "https://127.0.0.1:{p}@feeds.example.com/",
    "https://@127.0.0.1:{p}/",
    "https://:@127.0.0.1:{p}/",
    "https://a@b@127.0.0.1:{p}/",
    "https://feeds.example.com%40127.0.0.1:{p}/",
    "https://feeds.example.com#@127.0.0.1:{p}/",
    "https://127.0.0.1:{p}#@feeds.example.com/",
    "https://feeds.example.com\\@127.0.0.1:{p}/",
    "https://127.0.0.1:{p}\\@feeds.example.com/",
    "https://127.0.0.1:{p}\\.feeds.example.com/",
    "https:\\\\127.0.0.1:{p}\\",
    "https:/\\127.0.0.1:{p}/",
    "https://feeds.example.com:{p}\\127.0.0.1/",
    "https:127.0.0.1:{p}/",
    "https:/127.0.0.1:{p}/",
    "https:///127.0.0.1:{p}/",
    "https:////127.0.0.1:{p}/",
    "//127.0.0.1:{p}/",
    "127.0.0.1:{p}/",
    "",
    " ",
    "https://",
    "https://?",
    "https://:{p}/",
    " https://127.0.0.1:{p}/",
    "https://127.0.0.1:{p}/ ",
    "https:// 127.0.0.1:{p}/",
    "https://127.0.0.1 :{p}/",
    "https://127.0.0.1 feeds.example.com:{p}/",
    "https://127.0.0.1\t:{p}/",
    "https://127.0.0.1\n:{p}/",
    "https://127.0.0.1:{p}/\r\nHost: feeds.example.com",
    "https://127.0.0.1:{p}/\n",
    "ht\ntps://127.0.0.1:{p}/",
    "https://127.0.0.1\x00.example.com:{p}/",
    "https://127.0.0.1%00.example.com:{p}/",
    "https://127.0.0.1%2eexample.com:{p}/",
    "https://%31%32%37.0.0.1:{p}/",
    "https://127%2e0%2e0%2e1:{p}/",
    "https://%6c%6f%63alhost:{p}/",
    "https://%5B::1%5D:{p}/",
    "https://127.0.0.1%0a:{p}/",
    "https://\u0661\u0662\u0667.0.0.1:{p}/",  # Arabic-Indic digits
    "https://\uff11\uff12\uff17.0.0.1:{p}/",  # fullwidth digits
    "https://\u2460\u2461\u2466.0.0.1:{p}/",  # circled digits
    "https://\u00b9\u00b2\u2077.0.0.1:{p}/",  # superscripts
    "https://127\u30020\u30020\u30021:{p}/",  # ideographic full stops
    "https://127\uff0e0\uff0e0\uff0e1:{p}/",  # fullwidth full stops
    "https://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{p}/",  # circled letters
    "https://loc\u00adalhost:{p}/",  # a soft hyphen
    "https://127.0.0.1\u200b:{p}/",
    "https://127.0.0.1\u2024example.com:{p}/",
    "https://127.0.0.1\uff0ffeeds.example.com:{p}/",
    "https://b\u00fccher.example.com:{p}/",
    "https://feeds_.example.com:{p}/",
    "https://-feeds.example.com:{p}/",
    "https://feeds-.example.com:{p}/",
    "https://feeds..example.com:{p}/",
    "https://feeds.example.com.:{p}/",
    "https://" + "a" * 64 + ".example.com:{p}/",
    "https://" + "a." * 127 + "com:{p}/",
    "https://*.example.com:{p}/",
    "https://{{127.0.0.1}}:{p}/",
    "https://127.0.0.1,feeds.example.com:{p}/",
    "https://127.0.0.1;feeds.example.com:{p}/",
    "https://127.0.0.1&feeds.example.com:{p}/",
    "https://127.0.0.1=feeds.example.com:{p}/",
    "https://feeds.example.com/" + "a" * 2048,
    "https://feeds.example.com:{p}/a b",
    'https://feeds.example.com:{p}/"',
    "https://feeds.example.com:{p}/#fragment",
    "https://127.0.0.1:0{p}/",
    "https://127.0.0.1:+{p}/",
    "https://127.0.0.1:-{p}/",
    "https://127.0.0.1:0/",
    "https://127.0.0.1:65536/",
    "https://127.0.0.1:99999999999/",
    "https://127.0.0.1:/",
    "https://127.0.0.1:{p}:443/",
    "https://127.0.0.1:443:{p}/",
    "https://127.0.0.1:0x1bb/",
    "https://127.0.0.1:\u0664\u0664\u0663/",
]

OTHER_SCHEMES = """
http://feeds.example.com/ http://feeds.example.com:{p}/ http://8.8.8.8/ http://127.0.0.1:{p}/
HTTP://127.0.0.1:{p}/ file:///etc/passwd file://127.0.0.1:{p}/ ftp://127.0.0.1:{p}/
gopher://127.0.0.1:{p}/_GET dict://127.0.0.1:{p}/ ldap://127.0.0.1:{p}/ tftp://127.0.0.1:{p}/
ws://127.0.0.1:{p}/ wss://127.0.0.1:{p}/ unix:///var/run/docker.sock http+unix://%2Frun%2Fx.sock/
jar:https://127.0.0.1:{p}!/ data:text/plain,x javascript:alert(1) netdoc://127.0.0.1:{p}/
blob:https://127.0.0.1:{p}/ view-source:https://127.0.0.1:{p}/ https+x://127.0.0.1:{p}/
"""

OTHER_PORTS = [
    *(f"https://8.8.8.8:{port}/" for port in (1, 22, 25, 53, 80, 2375, 5432, 6379, 8080, 9200)),
    *(f"https://feeds.example.com:{port}/" for port in (21, 444, 3306, 8443, 11211, 65535)),
    "https://[2606:4700::1111]:22/",
]

MISLEADING_NAMES = {
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "localtest.me.example.com": ["127.0.0.1"],
    "app.localhost": ["127.0.0.1", "::1"],
    "six.example.com": ["::1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "scoped.example.com": ["fe80::1%eth0"],
    "scoped-global.example.com": ["2606:4700::1111%1"],
    "nat64.example.com": ["64:ff9b::7f00:1"],
    "sixtofour.example.com": ["2002:7f00:1::"],
    "teredo.example.com": ["2001:0:7f00:1::1"],
    "any.example.com": ["0.0.0.0"],
    "any6.example.com": ["::"],
    "metadata.google.internal": ["169.254.169.254"],
    "wireserver.example.com": ["168.63.129.16"],
    "alibaba.example.com": ["100.100.100.200"],
    "ec2.example.com": ["fd00:ec2::254"],
    "ten.example.com": ["10.1.2.3"],
    "lan.example.com": ["192.168.1.1"],
    "cgnat.example.com": ["100.64.0.9"],
    "benchmark.example.com": ["198.18.0.1"],
    "multicast.example.com": ["224.0.0.251"],
    "broadcast.example.com": ["255.255.255.255"],
    "ula.example.com": ["fd12:3456::1"],
    "good-then-bad.example.com": ["8.8.8.8", "127.0.0.1"],
    "bad-then-good.example.com": ["127.0.0.1", "8.8.8.8"],
    "mixed-families.example.com": ["2606:4700::1111", "10.0.0.1"],
    "xn--bcher-kva.example.com": ["127.0.0.1"],
}


def spelled() -> list[str]:
    """URLs that are refused for how they are written: no name of theirs is looked up."""
    hosts = [*LOOPBACK_SPELLINGS.split(), *PRIVATE_ADDRESSES.split()]
    return [*(f"https://{host}/" for host in hosts), *TRICKS, *OTHER_SCHEMES.split(), *OTHER_PORTS]


def named() -> list[str]:
    """URLs that are refused for what their name stands for."""
    return [f"https://{host}:{{p}}/prices.json" for host in MISLEADING_NAMES]


@dataclass
class Listeners:
    """Sockets on every address of this machine that hostile URLs can mean, counting who comes."""

    port: int
    on_v6: bool
    came: list[str] = field(default_factory=list)


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    v4 = socket.create_server(("0.0.0.0", 0))
    port = v4.getsockname()[1]
    bound = [v4]
    with contextlib.suppress(OSError):  # a machine without IPv6
        bound.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    listening = Listeners(port, on_v6=len(bound) == 2)
    stop, stopped = socket.socketpair()

    def count() -> None:
        with selectors.DefaultSelector() as selector:
            for each in (*bound, stopped):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is stopped:
                        return
                    assert isinstance(key.fileobj, socket.socket)
                    connection, address = key.fileobj.accept()
                    listening.came.append(str(address[0]))
                    connection.close()

    thread = threading.Thread(target=count)
    thread.start()
    yield listening
    stop.close()
    thread.join()
    for each in (*bound, stopped):
        each.close()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that anything tried to connect to, whether or not somebody listens there."""
    connected: list[str] = []
    connect = httpcore2.SyncBackend.connect_tcp

    def counting(
        self: httpcore2.SyncBackend, host: str, port: int, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        connected.append(host)
        return connect(self, host, port, timeout)

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", counting)
    return connected


def no_names(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host!r} was looked up")


def misleading(host: str, port: int) -> list[str]:
    return MISLEADING_NAMES[host]


def refusal(url: str, port: int, resolve: guard.Resolve) -> BudgetError | None:
    allow = Allow(ports=frozenset({443, port}))
    try:
        fetch(url, allow=allow, resolve=resolve, limits=Limits(total_seconds=2))
    except BudgetError as error:
        return error
    return None


def test_the_corpus_has_more_than_150_urls_all_different() -> None:
    urls = [*spelled(), *named()]
    assert len(urls) > 250
    assert len(set(urls)) == len(urls)


def test_no_hostile_url_gets_a_connection(listeners: Listeners, tried: list[str]) -> None:
    for urls, resolve in ((spelled(), no_names), (named(), misleading)):
        for url in urls:
            error = refusal(url.format(p=listeners.port), listeners.port, resolve)
            assert isinstance(error, InvalidInput), (url, error)
            assert error.field == "url"
    assert tried == []
    assert listeners.came == []


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://127.0.0.1:{p}/", "127.0.0.1"),
        ("https://[::1]:{p}/", "::1"),
        ("https://127.0.0.1.nip.io:{p}/", "127.0.0.1"),
        ("https://good-then-bad.example.com:{p}/", "127.0.0.1"),
        ("https://six.example.com:{p}/", "::1"),
        ("https://any.example.com:{p}/", "0.0.0.0"),
    ],
)
def test_without_the_guard_the_listeners_are_reached(
    url: str,
    address: str,
    listeners: Listeners,
    tried: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if address == "::1" and not listeners.on_v6:
        pytest.skip("no IPv6 on this machine")
    monkeypatch.setattr(
        guard, "is_public", lambda address: address != ipaddress.ip_address("8.8.8.8")
    )
    monkeypatch.setitem(MISLEADING_NAMES, "good-then-bad.example.com", ["127.0.0.1"])
    error = refusal(url.format(p=listeners.port), listeners.port, misleading)
    assert isinstance(error, Unavailable)  # the listener speaks no TLS
    assert tried == [address]
    assert len(listeners.came) == 1


class Rebinding:
    """A resolver whose first answer is public and whose later ones are not."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return ["192.0.43.8"] if len(self.asked) == 1 else ["127.0.0.1"]


@pytest.fixture
def no_internet(tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What would go out of this machine is refused, after it was noted in `tried`."""
    connect = httpcore2.SyncBackend.connect_tcp

    def near_only(
        self: httpcore2.SyncBackend, host: str, port: int, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        if host.startswith("127."):
            return connect(self, host, port, timeout)
        tried.append(host)
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", near_only)


@pytest.mark.usefixtures("no_internet")
def test_a_name_is_looked_up_once_and_only_that_answer_is_connected_to(
    listeners: Listeners, tried: list[str]
) -> None:
    rebinding = Rebinding()
    url = f"https://rebind.example.com:{listeners.port}/"
    assert isinstance(refusal(url, listeners.port, rebinding), Unavailable)
    assert rebinding.asked == ["rebind.example.com"]
    assert tried == ["192.0.43.8"]
    # The next fetch looks anew, and is refused.
    assert isinstance(refusal(url, listeners.port, rebinding), InvalidInput)
    assert len(rebinding.asked) == 2
    assert tried == ["192.0.43.8"]
    assert listeners.came == []


@pytest.mark.usefixtures("no_internet")
def test_a_connection_that_looked_up_again_would_be_rebound(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebinding = Rebinding()

    def by_name(self: object, host: str, port: int, **_: object) -> httpcore2.NetworkStream:
        return httpcore2.SyncBackend().connect_tcp(rebinding(host, port)[0], port, 1)

    monkeypatch.setattr(connecting._Backend, "connect_tcp", by_name)
    url = f"https://rebind.example.com:{listeners.port}/"
    assert isinstance(refusal(url, listeners.port, rebinding), Unavailable)
    assert len(listeners.came) == 1


@pytest.mark.parametrize(
    "host",
    ["feeds.example.com", "FEEDS.Example.COM", "8.8.8.8", "[2606:4700::1111]", "xn--bcher-kva.de"],
)
def test_what_is_public_passes(host: str) -> None:
    site = read_url(f"https://{host}/v1/prices.json?a=%20b")
    assert (site.scheme, site.port, site.path) == ("https", 443, "/v1/prices.json?a=%20b")
    assert site.host == host.lower().strip("[]")
    found = allowed_addresses(site, PUBLIC_ONLY, lambda *_: ["8.8.4.4", "2606:4700::1111"], 1)
    assert found == ([site.host] if site.literal else ["8.8.4.4", "2606:4700::1111"])


@pytest.mark.parametrize(
    ("url", "path", "header"),
    [
        ("https://feeds.example.com", "/", "feeds.example.com"),
        ("https://feeds.example.com?x=1", "/?x=1", "feeds.example.com"),
        ("https://feeds.example.com:443/a@b:c", "/a@b:c", "feeds.example.com"),
        ("HTTPS://feeds.example.com:8443//x", "//x", "feeds.example.com:8443"),
        ("http://feeds.example.com:443/", "/", "feeds.example.com:443"),
        ("https://[2606:4700:0::1111]:8443/", "/", "[2606:4700::1111]:8443"),
    ],
)
def test_a_url_is_taken_apart_as_it_is_written(url: str, path: str, header: str) -> None:
    site = read_url(url)
    assert (site.path, site.host_header) == (path, header)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "223.255.255.255", "2a00:1450::1"]
)
def test_addresses_just_outside_of_the_private_ones_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_only_the_hosts_on_the_list_are_asked_if_there_is_one() -> None:
    allow = Allow(hosts=frozenset({"Feeds.example.com"}))
    assert allowed_addresses(
        read_url("https://feeds.example.com/"), allow, lambda *_: ["8.8.8.8"], 1
    )
    for other in ("example.com", "a.feeds.example.com", "feeds.example.com.evil.org", "8.8.8.8"):
        with pytest.raises(InvalidInput, match=r"Allowed: feeds\.example\.com\."):
            allowed_addresses(read_url(f"https://{other}/"), allow, no_names, 1)


def test_an_origin_that_the_operator_named_may_be_private_and_plain_and_no_other_may() -> None:
    allow = Allow(
        origins=frozenset({"http://Mirror.lan:8080", "https://10.0.0.7", "http://[::1]:81"})
    )

    def near(host: str, port: int) -> list[str]:
        return ["192.168.1.5", "fd00::5"]

    assert allowed_addresses(read_url("http://mirror.lan:8080/x"), allow, near, 1) == near("", 0)
    assert allowed_addresses(read_url("https://10.0.0.7:443/"), allow, no_names, 1) == ["10.0.0.7"]
    assert allowed_addresses(read_url("http://[0::1]:81/"), allow, no_names, 1) == ["::1"]
    for other in (
        "https://mirror.lan:8080/",
        "http://mirror.lan/",
        "http://mirror.lan:8081/",
        "http://a.mirror.lan:8080/",
        "http://192.168.1.5:8080/",
        "http://10.0.0.7/",
        "https://10.0.0.8/",
        "https://mirror.lan/",
    ):
        with pytest.raises(InvalidInput):
            allowed_addresses(read_url(other), allow, near, 1)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "fd00:ec2::254",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_a_named_origin_does_not_reach_the_metadata_of_a_cloud(address: str) -> None:
    allow = Allow(origins=frozenset({"http://mirror.lan"}))
    with pytest.raises(InvalidInput):
        allowed_addresses(read_url("http://mirror.lan/"), allow, lambda *_: [address], 1)


@pytest.mark.parametrize("origin", ["mirror.lan", "http://mirror.lan/x", "ftp://mirror.lan", "*"])
def test_an_origin_that_is_none_is_refused_when_it_is_named(origin: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Allow(origins=frozenset({origin}))
    assert refused.value.field == "origins"


def test_a_refusal_repeats_neither_credentials_nor_addresses() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_url("https://user:hunter2@feeds.example.com/?token=abc")
    assert "hunter2" not in refused.value.detail
    with pytest.raises(InvalidInput) as refused:
        allowed_addresses(
            read_url("https://ten.example.com/?token=abc"), PUBLIC_ONLY, misleading, 1
        )
    assert "10.1.2.3" not in refused.value.detail
    assert "abc" not in refused.value.detail
    assert "ten.example.com" in refused.value.detail


def answers_nothing(host: str, port: int) -> list[str]:
    return []


def fails(host: str, port: int) -> list[str]:
    raise socket.gaierror(-2, "Name or service not known")


def answers_nonsense(host: str, port: int) -> list[str]:
    return ["not an address"]


@pytest.mark.parametrize("resolve", [answers_nothing, fails, answers_nonsense])
def test_a_name_without_an_address_is_unavailable(
    resolve: Callable[[str, int], list[str]],
) -> None:
    with pytest.raises(Unavailable, match=r"feeds\.example\.com could not be looked up"):
        allowed_addresses(read_url("https://feeds.example.com/"), PUBLIC_ONLY, resolve, 1)


def test_a_look_up_that_hangs_is_not_waited_for() -> None:
    go_on = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        go_on.wait(10)
        return ["8.8.8.8"]

    with pytest.raises(Unavailable, match="looked up"):
        allowed_addresses(read_url("https://feeds.example.com/"), PUBLIC_ONLY, hangs, 0.1)
    go_on.set()

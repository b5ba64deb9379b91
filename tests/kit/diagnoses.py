"""Diagnoses made by hand, for the tests of their forms."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dnsrenew.base.model import CertificateStatus, Change, Check, CheckResult, Diagnosis, RouteTaken
from dnsrenew.errors import Text

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HTTP = RouteTaken(ca="letsencrypt", challenge="http-01")
DNS = RouteTaken(ca="letsencrypt", challenge="dns-01", dns=("duckdns",))
HOUSE = "my-house.duckdns.org"
SHOP = "shop.example.org"

HOSTILE = (
    "</title><script>alert(1)</script>",
    "`code` *bold* | cell | [link](javascript:alert(1)) <img src=x onerror=alert(1)> ![](http://192.0.2.66/x.png)",
    "```\n# heading\n<details>\n\n- list",
    "\x1b]0;title\x07\x1b[31mred\r\n\u202egnp.exe\u2066 \u200b\x00 \ue002 \udc80",
    "{name} {0.__class__} %s $x ${x}",
    "@everyone #1 &amp; &#60;script&#62;",
    "字" * 300,
)
"""What a DNS answer, an HTTP header or the name of a process may hold."""


def check(
    code: str,
    result: CheckResult,
    summary: str,
    fix: str = "",
    blocks: tuple[str, ...] = (),
    **evidence: Any,  # JSON values
) -> Check:
    """Return a check whose sentences are filled from its evidence, as those of the doctor are."""
    return Check.of(Text(code, summary, fix), result, evidence, blocks=blocks)


INTERNET = check("internet", "ok", "The internet can be reached by IPv4 and IPv6.", families=["IPv4", "IPv6"])
CLOCK = check("clock", "ok", "The clock of this machine is right within {seconds} s.", seconds=1)
STORE = check("store", "ok", "The store {path} can be written.", path="/var/lib/dnsrenew")
CA = check("ca-reachable", "ok", "{ca} answers.", ca="letsencrypt", seconds=0.2)
ACCOUNT = check("dns-account", "ok", "The account {dns} may write for {name}.", dns="duckdns", name=HOUSE)
DELEGATION = check(
    "delegation", "ok", "All {count} name servers of {zone} answer.", count=4, zone="duckdns.org",
    servers=[{"server": "ns1.duckdns.org", "address": "198.51.100.53", "udp": True, "tcp": True}],
)  # fmt: skip
GOOD = (INTERNET, CLOCK, STORE, CA, ACCOUNT, DELEGATION)

PORT_USED = check(
    "port-80-free", "bad", "Port 80 is used by {owner} (process {pid}), so dnsrenew cannot answer there.",
    'Stop it, or write webroot = "/var/www/html" in the certificate.', ("http-01",), owner="nginx", pid=812, port=80,
)  # fmt: skip
FIREWALL = check(
    "port-80-firewall", "bad", "The firewall of this machine drops connections to port 80: {rule}",
    "Run: nft add rule inet filter input tcp dport 80 accept", ("http-01",), rule="tcp dport 80 drop",
)  # fmt: skip
OUTSIDE = check(
    "port-80-outside", "unknown",
    "Whether port 80 can be reached from outside is not known: only a helper outside can tell.",
    "Write [doctor] probe_url with the URL of a helper.", ("http-01",), address="203.0.113.9",
)  # fmt: skip
NAT = check(
    "nat", "bad", "The router has the private address {wan} on its outer side, so there is another router before it.",
    "Forward the ports on both routers, or use dns-01.", (), wan="192.168.178.20", router="192.168.1.1",
)  # fmt: skip
CREDENTIALS = check(
    "dns-account", "bad", "DuckDNS refuses the token of the account {dns}.",
    "Copy the token from https://www.duckdns.org/ into /etc/dnsrenew/duckdns.token.", ("dns-01",),
    dns="duckdns", http=401,
)  # fmt: skip
SPLIT = check(
    "split-dns", "unknown",
    "The resolver {resolver} does not answer, so what this network sees of {name} is not known.",
    "Set a resolver that answers.", ("all",), resolver="192.168.1.1", name=HOUSE,
)  # fmt: skip
EXPIRY = check(
    "expiry", "bad", "The certificate expires in {days} days, and was due {due} days ago.", "Run dnsrenew renew.",
    (), days=9, due=21,
)  # fmt: skip
MOVED = Change(code="address", was="203.0.113.4", now="203.0.113.9", since=NOW - 7 * DAY)
CLOSED = Change(code="port-80-free", was="ok", now="bad", since=NOW - 7 * DAY)


def diagnosis(
    name: str | None, checks: Sequence[Check], renewable: bool | None = True, **more: Any
) -> Diagnosis:  # as the field
    """Return a diagnosis; by default the certificate can be renewed by dns-01."""
    route = DNS if renewable else None
    return Diagnosis(**{
        "name": name, "renewable": renewable, "route": route, "next_action": None, "checks": tuple(checks), **more
    })  # fmt: skip


HEALTHY = diagnosis(HOUSE, GOOD)
FALLBACK = diagnosis(HOUSE, [*GOOD, PORT_USED, FIREWALL, OUTSIDE, NAT], next_action=NAT.fix, changes=(MOVED, CLOSED))
"""Port 80 is blocked, and dns-01 works."""
NOTHING_WORKS = diagnosis(
    HOUSE,
    [*GOOD[:4], DELEGATION, CREDENTIALS, PORT_USED, OUTSIDE, NAT, EXPIRY],
    renewable=False,
    next_action=CREDENTIALS.fix,
)
NOT_KNOWN = diagnosis(SHOP, [*GOOD[:4], SPLIT, OUTSIDE], renewable=None, next_action=SPLIT.fix)
HOST = diagnosis(None, [INTERNET, PORT_USED, OUTSIDE, NAT], renewable=None)
"""Without a configuration."""


def fleet(count: int) -> list[Diagnosis]:
    """Return diagnoses of many certificates on one host; one fails, one is unknown."""
    host = (INTERNET, CLOCK, STORE, CA, PORT_USED, NAT)
    good = [diagnosis(f"web-{n:03}.example.org", [*host, _exists(n)], next_action=NAT.fix) for n in range(count - 2)]
    return [good[0], NOTHING_WORKS, NOT_KNOWN, *good[1:]]


def _exists(number: int) -> Check:
    return check("name-exists", "ok", "{name} exists.", name=f"web-{number:03}.example.org")


def hostile() -> Diagnosis:
    """Return a diagnosis in which every foreign text is hostile."""
    checks = [
        check(
            "served",
            "bad",
            "{host} serves {text}",
            "Look at {text}.",
            (),
            host=HOUSE,
            text=text,
            **{f"k{text}": [text]},
        )
        for text in HOSTILE
    ]
    changes = tuple(Change(code="address", was=text, now=text[::-1], since=NOW) for text in HOSTILE)
    return diagnosis(HOSTILE[0], checks, renewable=False, next_action=HOSTILE[1], changes=changes)


def status(name: str = HOUSE, age: float = 30, life: float = 90, **more: Any) -> CertificateStatus:
    """Return the status of a certificate that is this number of days old."""
    start = NOW - age * DAY
    return CertificateStatus(**{
        "name": name, "domains": (name,), "ca": "letsencrypt", "issuer": "R10", "serial": "2f" * 16,
        "not_before": start, "not_after": start + life * DAY, "state": "valid",
        "next_renewal": start + life * DAY * 2 / 3, "reason": "renew-before", "route": DNS.to_dict(),
        "last_failure": None, "next_attempt": None, "path": None, **more,
    })  # fmt: skip


STATUSES = (
    status(),
    status(SHOP, age=85, state="due"),
    status("new.example.org", not_before=None, not_after=None, next_renewal=None, state="missing"),
    status("old.example.org", age=100, state="expired"),
)

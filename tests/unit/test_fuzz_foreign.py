"""No text that others wrote crashes or hangs a parser, or costs more than a second and 64 MiB."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Final

import pytest

pytest.importorskip("resource", reason="limits of POSIX")

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, seed, settings

from tests.kit.bounds import bounds
from tests.kit.folders import quick_folder
from tests.kit.foreign_parsers import FILE, GROUPS, Foreign, parsers
from tests.kit.fuzzing import foreign

pytestmark = [
    # Our readers refuse such certificates and files; cryptography warns of them before it hands them out.
    pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive"),
    pytest.mark.filterwarnings("ignore:PKCS#12 bundle could not be parsed as DER"),
]
SECONDS: Final = float(os.environ.get("DNSRENEW_FUZZ_SECONDS", "600"))
"""How long the fuzz run takes: ``make soak FUZZ_SECONDS=60``."""
SEED: Final = 1
FEW: Final = 2
"""Examples for each parser in the normal tests."""
MANY: Final = 100
"""Examples for each parser in one round of the fuzz run."""
SMALL: Final = 1 << 16


@pytest.fixture(scope="module")
def all_parsers() -> Iterator[dict[str, Foreign]]:
    """The parsers by name, with a folder in memory for what they read."""
    with quick_folder() as folder:
        yield parsers(folder)


@pytest.mark.parametrize("group", GROUPS)
def test_a_few_texts(all_parsers: dict[str, Foreign], group: str) -> None:
    """Each example is parsed, and a few other texts like it."""
    for name, parser in all_parsers.items():
        if name.startswith(f"{group}:"):
            for example in parser.examples:
                parser.parse(example)
            many(name, parser, SEED, FEW, SMALL)


def test_every_parser_is_in_a_group(all_parsers: dict[str, Foreign]) -> None:
    """None is left out by its name."""
    assert {name.partition(":")[0] for name in all_parsers} == set(GROUPS)


def repeated(text: bytes, most: int = FILE) -> bytes:
    """Repeat a text up to the size of the largest file."""
    return text * (most // len(text))


def large_key() -> bytes:
    """Make an RSA key of 7,640 bits, from the primes of Mersenne."""
    p, q, e = 2**4423 - 1, 2**3217 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *exponents, rsa.RSAPublicNumbers(e, p * q))
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


FOUND: Final = {
    "section": ("import: certbot, cli.ini", repeated(b"[")),
    "notes": ("import: certbot, cli.ini", repeated(b"x\n")),
    "hook": ("import: certbot, renewal", b"[renewalparams]\npre_hook = " + repeated(b"x")),
    "blanks": ("import: acme.sh, settings", b"A=" + repeated(b" ") + b"x y"),
    "an address": ("import: acme.sh, ca.conf", b"CA_EMAIL='" + repeated(b"x") + b"'\n"),
    "an address of many lines": ("import: acme.sh, ca.conf", b'CA_EMAIL="' + repeated(b"x\n") + b'"\n'),
    "TSIG keys": ("import: acme.sh, TSIG key", repeated(b"key a{")),
    "doubled variables": ("import: lego, script", b"#!/bin/sh\nA=xx\n" + b"A=$A$A\n" * 40 + b"lego run $A\n"),
    "NUL": ("import: lego, crontab", b"LEGO_PATH=\0\n1 1 * * * root lego --dns x -d example.test renew\n"),
    "calls": ("import: lego, script", b"#!/bin/sh\n" + repeated(b"A=1 lego run\n", 1 << 16)),
    "YAML": ("import: lego, compose", b"lego\n" + repeated(b" ")),
    "joined lines": ("import: lego, unit", repeated(b"a\\\n")),
    "quotes": ("import: caddy, Caddyfile", repeated(b'x"')),
    "lines": ("import: caddy, Caddyfile", repeated(b"a,\n")),
    "addresses": ("import: caddy, Caddyfile", repeated(b"a\n")),
    "text of many lines": ("import: hfs, config.yaml", b"acme_domain: a.test\ncert: |\n" + repeated(b" a\n")),
    "settings": (
        "import: hfs, config.yaml",
        b"acme_domain: a.test\n" + b"".join(b"acme_%d: 1\n" % n for n in range(70_000)),
    ),
    "domains": ("import: hfs, config.yaml", b"acme_domain: " + repeated(b"a.test,")),
    "a long line": ("import: nginx, lines", b"/etc/lego" + repeated(b"listen 1 ")),
    "blank lines": ("init: HAProxy", repeated(b"\n")),
    "settings of Mosquitto": ("init: Mosquitto", repeated(b"port 1\n")),
    "no file": ("init: nginx", b"server { ssl_certificate a; ssl_certificate_key; }"),
    "servers": ("init: nginx", b"http {" + repeated(b"ssl_certificate x; server {}") + b"}"),
    "a word": ("init: Apache", repeated(b"x")),
    "a command": ("schedule: crontab", b"17 3 * * * root dnsrenew renew --" + repeated(b"x", 1 << 18)),
    "name servers": ("file: resolv.conf", repeated(b"nameserver ::1\n")),
    "services": ("answer: UPnP, router", b"<a>" + b"<service>" * 3_400 + b"</service>" * 3_400 + b"</a>"),
    "keys without an end": ("x509: key", repeated(b"-----BEGIN PRIVATE KEY-----\n")),
    "large primes": ("x509: key", large_key()),
    "a large modulus": (
        "x509: JWK",
        b'{"kty":"RSA","e":"AQAB","n":"' + b"9" * 16_000 + b'","d":"' + b"9" * 16_000 + b'"}',
    ),
}
"""What earlier runs have found, and what hung or crashed when it was tried: the parser, and its text."""


@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_stays_mended(all_parsers: dict[str, Foreign], case: str) -> None:
    """Each text stays within the bounds."""
    name, data = FOUND[case]
    with bounds():
        all_parsers[name].run(data)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_any_text(all_parsers: dict[str, Foreign]) -> None:
    """Texts of all sizes for as long as the run takes, another one each time; a failure names its seed."""
    number = random.SystemRandom().randrange(1 << 32)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for name, parser in all_parsers.items():
            number += 1
            many(name, parser, number, MANY, parser.most)


def many(name: str, parser: Foreign, number: int, examples: int, most: int) -> None:
    """Try a parser with a number of texts, each within the bounds.

    :param number: the seed.
    :param most: the bytes of the largest text.
    """

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=foreign(parser.examples, most))
    def run(data: bytes) -> None:
        with bounds():
            parser.run(data)

    try:
        run()
    except BaseException as error:
        error.add_note(f"parser {name!r}, seed {number}")
        raise

"""What `check` knows that a public CA will refuse: too many names, IP addresses, a CA without its account binding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.config_files import AGREED, HOME, check, mistake

LAB = '[ca.lab]\ndirectory = "https://127.0.0.1:14000/dir"\n'
LAB_TOO = ', ca = "lab"'
BOTH = 'routes = [{ challenge = "dns-01" }, { challenge = "dns-01", ca = "lab" }]\n'


def many(count: int, more: str = "", tables: str = "") -> str:
    """Return a configuration with a certificate for so many domains."""
    domains = [f"a{number}.example.test" for number in range(count)]
    return f"{AGREED}{HOME}[[certificate]]\ndomains = {domains}\n{more}{tables}"


def codes(folder: Path, text: str) -> list[str]:
    """Return the codes of the warnings of `check`."""
    return [notice.code for notice in check(folder, text).warnings]


@pytest.mark.parametrize(
    ("count", "more"),
    [
        (26, 'profile = "tlsserver"\n'),
        (26, f'profile = "shortlived"\n{BOTH}'),
        (101, 'profile = { prefer = "tlsserver" }\n'),
        (101, 'profile = "classic"\n'),
        (101, ""),
    ],
    ids=["tlsserver", "shortlived", "far too many of a preferred one", "classic", "no profile"],
)
def test_too_many_names_are_a_mistake(tmp_path: Path, count: int, more: str) -> None:
    """Let's Encrypt takes 25 names with its shorter profiles, and 100 else; more are one mistake at `domains`."""
    said = mistake(tmp_path, many(count, more, LAB), check)
    assert said["key"] == "certificate[0].domains"
    assert said["found"].startswith(str(count))
    assert f"at most {25 if count == 26 else 100} domains" in said["expected"]


def test_as_many_as_it_takes_are_none(tmp_path: Path) -> None:
    """25 and 100 names are no mistake; nor are more for a CA of one's own, whose limits are not known."""
    assert codes(tmp_path, many(25, 'profile = "tlsserver"\n')) == []
    assert codes(tmp_path, many(100)) == []
    assert codes(tmp_path, many(200, 'ca = "lab"\nprofile = "tlsserver"\n', LAB)) == []


def test_too_many_for_a_preferred_profile_are_a_warning(tmp_path: Path) -> None:
    """A profile that is only preferred makes a warning of it, because the CA may not offer it any more."""
    assert codes(tmp_path, many(26, 'profile = { prefer = "tlsserver" }\n')) == ["ca-will-refuse"]
    assert codes(tmp_path, many(25, 'profile = { prefer = "tlsserver" }\n')) == []


@pytest.mark.parametrize("ca", ["google", "zerossl", "sslcom", "actalis"])
def test_a_fallback_without_its_account_binding_is_a_mistake(tmp_path: Path, ca: str) -> None:
    """A CA that wants an account binding, and is only a fallback, is a mistake where it stands."""
    routes = f'routes = [{{ challenge = "dns-01" }}, {{ challenge = "dns-01", ca = "{ca}" }}]\n'
    said = mistake(tmp_path, many(1, routes), check)
    assert said["key"] == "certificate[0].routes[1].ca"
    assert "eab" in said["expected"]
    eab = f'[ca.{ca}]\neab = {{ kid = "k", hmac = "literal:aG1hYw" }}\n'
    assert check(tmp_path, many(1, routes, eab))


def addresses(profile: str) -> str:
    """Return a configuration with an IP address and this profile at Let's Encrypt."""
    route = '{{ challenge = "http-01", webroot = "."{ca} }}'
    routes = f"routes = [{route.format(ca='')}, {route.format(ca=LAB_TOO)}]"
    return f'{AGREED}[[certificate]]\ndomains = ["1.1.1.1"]\n{profile}{routes}\n{LAB}'


def test_ip_addresses_need_the_short_profile(tmp_path: Path) -> None:
    """Let's Encrypt issues for addresses with `shortlived` alone; with another one that is only preferred it warns."""
    for line in ("", 'profile = "tlsserver"\n'):
        assert mistake(tmp_path, addresses(line), check)["key"] == "certificate[0].profile"
    assert codes(tmp_path, addresses('profile = { prefer = "tlsserver" }\n')) == ["ca-will-refuse"]
    for line in ('profile = "shortlived"\n', 'profile = { prefer = "shortlived" }\n'):
        assert codes(tmp_path, addresses(line)) == []


@pytest.mark.parametrize("profile", ['"shortlived"', '{ prefer = "shortlived" }'])
def test_a_short_life_needs_a_second_ca(tmp_path: Path, profile: str) -> None:
    """Six days and one CA are a warning; a second CA in a route ends it."""
    line = f"profile = {profile}\n"
    assert codes(tmp_path, many(1, line)) == ["short-life-one-ca"]
    assert codes(tmp_path, many(1, f"{line}{BOTH}", LAB)) == []
    assert codes(tmp_path, many(1, 'profile = "tlsserver"\n')) == []

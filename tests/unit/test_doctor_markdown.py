"""Diagnoses as Markdown."""

import json
import re

from dnsrenew.base.model import Diagnosis
from dnsrenew.cli.formatting import escaped
from dnsrenew.extensions.doctor.arranged import markdown
from tests.kit import diagnoses


def shown(*found: Diagnosis) -> str:
    """The post."""
    return markdown(found, version="1.2", system="Debian 13")


def test_the_order_of_a_post() -> None:
    """Headline, what is bad, what is worth knowing, what is unknown, the good ones folded, the conclusion."""
    text = shown(diagnoses.NOTHING_WORKS)
    parts = [
        "*dnsrenew 1.2 on Debian 13*",
        "### ❌ my-house.duckdns.org cannot be renewed",
        "❌ `dns-account` DuckDNS refuses the token of the account duckdns.",
        "→ Copy the token",
        "Stops routes through the DNS account duckdns.",
        '```json\n{"dns": "duckdns", "http": 401}\n```',
        "⚠️ `nat`",
        "❔ `port-80-outside`",
        "<details>\n<summary>5 checks found no problem.</summary>\n\n✅ `internet`",
        "</details>\n\n**Next: Copy the token",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_several_certificates_fit_a_post() -> None:
    """Equal checks are shown once. Similar certificates share one headline."""
    text = shown(*diagnoses.fleet(300))
    assert text.count("`port-80-free`") == 1
    assert "### ✅ 298 certificates: no problem was found for dns-01 with duckdns at letsencrypt" in text
    assert text.rstrip().splitlines()[-1].startswith("**Next, for my-house.duckdns.org:")


def test_the_host_alone() -> None:
    """Without a configuration only the host is reported."""
    text = shown(diagnoses.HOST)
    assert "### This machine alone" in text
    assert "`port-80-free`" in text


def test_changes() -> None:
    """Changes are shown as a list."""
    assert "- The public address has changed since 2026-11-20 10:00 UTC: 203.0.113.4 → 203.0.113.9." in shown(
        diagnoses.FALLBACK
    )


def test_hostile_bytes_are_text() -> None:
    """Foreign text cannot become markup, HTML, a fence, a heading or a mention. Invisible characters are shown."""
    text = shown(diagnoses.hostile())
    fences = re.findall(r"^(`{3,})json\n(.+)\n\1$", text, re.MULTILINE)
    assert len(fences) == len(diagnoses.HOSTILE)
    assert all(isinstance(json.loads(evidence), dict) for _, evidence in fences)
    prose = re.sub(r"^(`{3,})json\n.+\n\1$", "", text, flags=re.MULTILINE)
    assert re.findall(r"(?<!\\)<\w+", prose) == []
    assert re.findall(r"(?<!\\)[`|\[]", re.sub(r"`[a-z0-9-]+(?: [\w.=/:-]+)*`", "", prose)) == []
    assert [line for line in prose.splitlines() if line.startswith(("#", "-", "<")) and "served" in line] == []
    assert "@everyone" not in prose
    assert all(character.isprintable() for character in text.replace("\n", "").replace("\u200b", ""))
    text.encode()


def test_escapes() -> None:
    """Markup characters in a text are escaped."""
    assert escaped("- a_b\n# c") == r"\- a\_b \# c"
    assert escaped("1. first, root@host @all") == "1\\. first, root@host @\u200ball"
    assert escaped("<b>&amp;</b> | `x` [y](z) $1$") == r"\<b\>\&amp;\</b\> \| \`x\` \[y\](z) \$1\$"


def test_long_evidence_is_cut() -> None:
    """Long evidence is cut."""
    check = diagnoses.check("served", "bad", "It is long.", "", (), text="x" * 10_000)
    assert len(shown(diagnoses.diagnosis("a", [check]))) < 5000


def test_names_in_backticks_are_code() -> None:
    """The names of settings in a sentence stay code; what others wrote is escaped."""
    check = diagnoses.check("port-53", "bad", "Set `doh`, or {x}.", "Use `propagation.check`.", x="`<b>`")
    text = markdown([diagnoses.diagnosis("a.test", [check])], version="1", system="x")
    assert "Set `doh`, or \\`\\<b\\>\\`." in text
    assert "Use `propagation.check`." in text

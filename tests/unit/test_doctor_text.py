"""Diagnoses on a terminal."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from dnsrenew.base.model import Check, Diagnosis
from dnsrenew.base.values import replace
from dnsrenew.cli import formatting
from dnsrenew.cli.terminal import Output
from dnsrenew.extensions.doctor import command
from tests.kit import diagnoses

GOLDEN = Path(__file__).parent / "golden"
SCENES: dict[str, tuple[Sequence[Diagnosis], int, bool]] = {
    "healthy": ([diagnoses.HEALTHY], 0, False),
    "healthy, -v": ([diagnoses.HEALTHY], 1, False),
    "healthy, -q": ([diagnoses.HEALTHY], 0, True),
    "port 80 is blocked, dns-01 works": ([diagnoses.FALLBACK], 0, False),
    "nothing works": ([diagnoses.NOTHING_WORKS], 0, False),
    "nothing works, -q": ([diagnoses.NOTHING_WORKS], 0, True),
    "nothing works, -vv": ([diagnoses.NOTHING_WORKS], 2, False),
    "not known": ([diagnoses.NOT_KNOWN], 0, False),
    "only the host": ([diagnoses.HOST], 0, False),
    "three certificates": ([diagnoses.HEALTHY, diagnoses.NOT_KNOWN, diagnoses.NOTHING_WORKS], 0, False),
    "300 certificates": (diagnoses.fleet(300), 0, False),
    "300 certificates, -q": (diagnoses.fleet(300), 0, True),
}


def shown(found: Sequence[Diagnosis], columns: int | None = None, verbose: int = 0, *, quiet: bool = False) -> str:
    """What a terminal without colours shows."""
    output = Output(None, colour=False, dumb=True)
    return "\n".join(map(output.render, command.report_lines(found, columns, verbose=verbose, quiet=quiet)))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_pictures(columns: int) -> None:
    """The output equals tests/unit/golden (to renew one, delete it and run this twice).

    No line is wider than the terminal.
    """
    pictures = []
    for title, (found, verbose, quiet) in SCENES.items():
        text = shown(found, columns, verbose, quiet=quiet)
        pictures.append(f"── {title}\n{text}\n")
        assert max(map(formatting.width, text.splitlines()), default=0) <= columns, title
    text = "\n".join(pictures)
    golden = GOLDEN / f"doctor-{columns}.txt"
    if not golden.exists():
        golden.write_text(text, "utf-8", newline="\n")
        pytest.fail(f"{golden} did not exist and was written: review it")
    assert text == golden.read_text("utf-8")


def test_the_last_line_is_the_conclusion() -> None:
    """The last line has the route or the next action, for several certificates that of the first failing one."""
    assert "dns-01 with duckdns at letsencrypt" in shown([diagnoses.HEALTHY]).splitlines()[-1]
    for found in ([diagnoses.NOTHING_WORKS], diagnoses.fleet(30)):
        assert diagnoses.CREDENTIALS.fix in shown(found).splitlines()[-1]


def test_what_is_equal_is_said_once() -> None:
    """Equal checks of 300 certificates are shown once. Every failure has its own lines."""
    text = shown(diagnoses.fleet(300))
    assert text.count(diagnoses.PORT_USED.summary) == 1
    assert len(text.splitlines()) < 40
    assert diagnoses.CREDENTIALS.summary in text
    assert diagnoses.SPLIT.summary in text


def test_with_v_every_certificate_has_its_line() -> None:
    """With -v every certificate has its line."""
    text = shown(diagnoses.fleet(300), verbose=1)
    assert all(f" {each.name}" in text for each in diagnoses.fleet(300))


def test_quiet_shows_only_what_is_bad() -> None:
    """With -q only bad results are shown."""
    assert shown([diagnoses.HEALTHY, diagnoses.NOT_KNOWN], quiet=True) == ""
    text = shown([diagnoses.FALLBACK], quiet=True)
    assert diagnoses.PORT_USED.fix in text
    assert diagnoses.OUTSIDE.summary not in text


def test_hostile_bytes_stay_on_their_line() -> None:
    """Foreign text cannot begin a line, set a colour or control the terminal."""
    text = shown([diagnoses.hostile()])
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "\\u202egnp" in text
    assert "\\ue002" in text  # our own mark for a colour
    assert not any(line.startswith(("#", "<details>", "- list")) for line in text.splitlines())


def test_letters_beyond_ascii() -> None:
    """A name is shown as people write it, but in a command, which takes the name of the certificate."""
    fix = "Run dnsrenew renew xn--fsqu00a.test, or look at xn--fsqu00a.test."
    check = replace(diagnoses.CREDENTIALS, summary="dnsrenew found no A record at xn--fsqu00a.test.", fix=fix)
    text = shown([replace(diagnoses.NOTHING_WORKS, name="xn--fsqu00a.test", checks=(check,))])
    assert ("no A record at 例子.test." in text, "✗ 例子.test" in text) == (True, True)
    assert "Run dnsrenew renew xn--fsqu00a.test, or look at 例子.test." in text


def test_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an ASCII terminal, signs are replaced by ASCII text."""
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(stream, "isatty", lambda: False)
    output = Output(stream, colour=False, dumb=True)
    for line in command.report_lines([diagnoses.FALLBACK], 80, verbose=0, quiet=False):
        assert output.render(output.encodable(line)).isascii()


def test_a_check_through_one_account_says_so() -> None:
    """A bad account is reported as blocking only its own routes."""
    assert "Stops routes through the DNS account duckdns." in shown([diagnoses.NOTHING_WORKS])


def test_certificates_are_counted() -> None:
    """The summary counts only the states that occur."""
    can, cannot, unknown = diagnoses.HEALTHY, diagnoses.NOTHING_WORKS, diagnoses.NOT_KNOWN
    assert "There is nothing to do: no problem was found for the 2 certificates." in shown([can, can])
    assert "Of 2 certificates, 1 can be renewed and 1 cannot." in shown([can, cannot])
    assert "Of 2 certificates, 1 can be renewed; for 1, dnsrenew could not find out." in shown([can, unknown])
    assert "1 can be renewed and 1 cannot; for 1, dnsrenew could not find out." in shown([can, cannot, unknown])
    assert "certificates" not in shown([diagnoses.FALLBACK, diagnoses.FALLBACK]).splitlines()[-2]


def test_no_action_is_known() -> None:
    """Without an action the conclusion states that none was found."""
    stuck = replace(diagnoses.NOTHING_WORKS, next_action=None)
    assert "nothing that you can change" in shown([stuck]).splitlines()[-1]


def test_an_account_that_was_not_tested() -> None:
    """Without `--probe` the verdict says that the account was not tested, and how to test it."""
    text = shown([diagnoses.HEALTHY])
    assert "my-house.duckdns.org can be renewed" not in text
    assert "To test the account duckdns too, run: dnsrenew doctor --probe" in text
    assert "works" not in text
    tested = diagnoses.check("dns-credentials", "ok", "The host accepts {dns}.", dns="duckdns")
    text = shown([replace(diagnoses.HEALTHY, checks=(*diagnoses.HEALTHY.checks, tested))])
    assert "✓ my-house.duckdns.org can be renewed by dns-01 with duckdns at letsencrypt" in text
    assert "--probe" not in text


def test_a_step_of_the_machine_names_no_certificate() -> None:
    """A next step that stands at every certificate is for no single one."""
    schedule = diagnoses.check("schedule", "bad", "Nothing renews.", "Renew automatically: dnsrenew schedule install")
    urgent = replace(diagnoses.HEALTHY, checks=(schedule,), next_action=schedule.fix)
    other = replace(diagnoses.NOTHING_WORKS, checks=(*diagnoses.NOTHING_WORKS.checks, schedule))
    assert "Next: Renew automatically" in shown([urgent, replace(other, renewable=True)]).splitlines()[-1]
    assert "Next, for " in shown([replace(diagnoses.HEALTHY, next_action="Else."), other]).splitlines()[-1]


def failed(*checks: Check) -> Diagnosis:
    """A diagnosis whose route failed in the last run, beside other checks."""
    last = diagnoses.check("last-run", "bad", "The last renewal failed.", "Agree.", name="a", open=True)
    return replace(diagnoses.HEALTHY, checks=(*checks, last), next_action=last.fix)


def test_a_failed_renewal_has_no_tick_above_it() -> None:
    """Where the route that a run would take has failed, and was not tested since, nothing says that all is well."""
    text = shown([failed()])
    assert "✗ The last renewal failed." in text
    assert text.startswith(f"? {diagnoses.HOUSE}: dnsrenew could not find out")
    assert "no problem was found" not in text


def test_the_only_advice_is_said_once() -> None:
    """Where all is well but for one thing, its fix stands in the last line alone."""
    schedule = diagnoses.check("schedule", "bad", "Nothing renews.", "Install it.")
    well = [check for check in diagnoses.HEALTHY.checks if check.result == "ok"]
    text = shown([replace(diagnoses.HEALTHY, checks=(*well, schedule), next_action=schedule.fix)])
    assert [line.strip() for line in text.splitlines() if "Install it." in line] == ["Next: Install it."]


def test_the_fix_of_the_last_run_is_said_once() -> None:
    """It stands where its cause is shown, or as the next step; with -q, which has none, at the failure."""
    terms = diagnoses.check("ca-terms", "bad", "You have not agreed.", "Agree.", ("all",))
    assert [line.strip() for line in shown([failed(terms)]).splitlines() if "Agree." in line] == [
        "→ Agree.",
        "Next: Agree.",
    ]
    assert [line for line in shown([failed()]).splitlines() if "Agree." in line] == ["Next: Agree."]
    assert "→ Agree." in shown([failed()], quiet=True)


def test_one_cause_of_many_checks_is_said_once() -> None:
    """Checks that fail for the same reason, such as a resolver that is down, are one sentence with one fix."""
    silent = [
        diagnoses.check(code, "unknown", "No DNS server answers.", "Check the network.", ("all",))
        for code in ("caa", "cname")
    ]
    text = shown([replace(diagnoses.HOST, checks=tuple(silent))])
    assert (text.count("No DNS server answers."), text.count("→ Check the network.")) == (1, 1)


@pytest.mark.parametrize("renewable", [None, False])
def test_what_is_undetermined_is_not_called_renewable(*, renewable: bool | None) -> None:
    """Nothing says that a certificate can be renewed by hand unless it is known; what is unknown comes first then."""
    checks = (
        diagnoses.check("schedule", "bad", "No schedule.", "Install one."),
        diagnoses.check("caa", "unknown", "No answer.", "Ask again.", ("all",)),
    )
    text = shown([replace(failed(*checks), renewable=renewable)])
    assert "renew anyway" not in text
    assert text.index("No answer.") < text.index("Also worth knowing")


def test_a_port_that_only_this_user_cannot_open_is_determined() -> None:
    """What is seen of a port without a configuration is not listed as undetermined, and stops nothing yet."""
    forbidden = diagnoses.check("port-80-free", "unknown", "No.", "Use root.", ("http-01",), errno=13)
    text = shown([replace(diagnoses.HOST, checks=(forbidden,))])
    assert "! No." in text
    assert "Not known" not in text
    assert "May stop" not in text

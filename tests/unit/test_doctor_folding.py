"""What only follows from another finding, such as a missing Internet, is none of its own; anything else stays."""

import pytest

from dnsrenew.base.model import Check
from dnsrenew.base.values import replace
from dnsrenew.errors import Text
from dnsrenew.extensions.doctor.folding import fold, follows, while_stopped, with_mended
from dnsrenew.extensions.doctor.host.texts import INTERNET_SILENT
from dnsrenew.extensions.doctor.issuer.texts import CAA_CA_SILENT, CAA_UNKNOWN, CLOCK_UNKNOWN, TERMS_UNKNOWN
from dnsrenew.extensions.doctor.keeping import texts

SILENT = Check("internet", "unknown", "None answers.", {"hosts": ["ca.test"]}, "Look.", ("all",))
ALONE = Check("internet", "bad", "Not connected.", {}, "Connect it.", ("all",))
CLOSED = Check("port-53", "bad", "Closed.", {"silent_roots": True}, "Set doh.", ("dns-01",))
OTHERS = (
    Check("ca-reachable", "bad", "No address.", {"ca": "lab"}, "Look.", ("all",)),
    Check("caa", "unknown", "No answer.", {}, "Look.", ("all",)),
    Check("port-80-listens", "unknown", "No answer.", {"error": {"code": "dns-unreachable"}}, "Look."),
    Check("port-80-free", "bad", "Taken.", {}, "Stop it.", ("http-01",)),
    Check("served", "unknown", "Nothing there.", {}, "Look."),
    Check("clock", "ok", "Right."),
)


def folded(*checks: Check) -> dict[str, Check]:
    """Return the checks by code, after what follows is folded."""
    return {check.code: check for check in fold(dict(enumerate(checks))).values()}


@pytest.mark.parametrize("checks", [(SILENT, CLOSED), (ALONE, CLOSED), (ALONE,)])
def test_what_follows_is_unknown(checks: tuple[Check, ...]) -> None:
    """No Internet is certain and stops all; what only follows from it is unknown, and what does not stays."""
    found = folded(*checks, *OTHERS)
    assert (found["internet"].result, found["internet"].blocks) == ("bad", ("all",))
    its = {code for code, check in found.items() if follows(check)}
    assert its == {"ca-reachable", "caa", "port-80-listens"} | {check.code for check in checks[1:]}
    assert {found[code].result for code in its} == {"unknown"}
    assert found["internet"].evidence["left_out"] == sorted(its)
    assert [found[check.code] for check in OTHERS[3:]] == list(OTHERS[3:])


@pytest.mark.parametrize(
    "checks",
    [
        (Check("internet", "ok", "It works."), CLOSED),
        (SILENT,),
        (SILENT, Check("port-53", "ok", "Open.")),
        (SILENT, Check("port-53", "unknown", "Servers down.", {})),
        (Check("internet", "unknown", "Late."), CLOSED),
        (CLOSED,),
    ],
)
def test_what_is_not_certain_is_not_folded(checks: tuple[Check, ...]) -> None:
    """Where a CA or a root server answers, or nobody asked them, every check stands for itself."""
    assert folded(*checks, *OTHERS) == {check.code: check for check in (*checks, *OTHERS)}


def about(code: str, result: str, *names: str) -> Check:
    """A check about names."""
    return Check(code, result, code, {"names": list(names)}, "Look.")  # type: ignore[arg-type]  # a result


def test_one_name_that_is_absent_is_one_finding() -> None:
    """What is said about a name follows from its absence; about other names, and where all is well, it does not."""
    checks = (
        about("domain", "bad", "a.test"),
        about("name-exists", "bad", "a.test"),
        about("address", "bad", "a.test"),
        about("cname", "unknown", "a.test"),
        about("txt-stale", "unknown", "a.test", "b.test"),
        about("wildcard-shadow", "ok", "a.test"),
        about("port-80-free", "bad", "a.test"),
    )
    found = folded(*checks)
    assert {code: check.evidence["follows_from"] for code, check in found.items() if follows(check)} == {
        "name-exists": "domain",
        "address": "domain",
        "cname": "domain",
    }
    assert {code: check.result for code, check in found.items()} == {check.code: check.result for check in checks}


@pytest.mark.parametrize(
    ("code", "checks", "advice"),
    [
        ("dns-no-zone", (about("domain", "ok"), about("cname", "ok")), "Renew again: dnsrenew renew home"),
        ("dns-no-zone", (about("domain", "ok"), about("cname", "bad")), "Look."),
        ("http-port-taken", (about("domain", "ok"),), "Look."),  # the port was not looked at
        ("provider-refused", (about("dns-account", "ok"),), "Look."),  # only a run or a probe shows it
        ("provider-refused", (about("txt-probe", "ok"),), "Renew again: dnsrenew renew home"),
    ],
)
def test_after_the_mistake_is_mended_the_advice_is_another_run(
    code: str, checks: tuple[Check, ...], advice: str
) -> None:
    """The advice of the last failure is replaced where the checks that show its cause find nothing wrong any more."""
    failed = Check(
        "last-run", "bad", "Failed.", {"name": "home", "time": "2026-11-25T10:00:00Z", "code": code}, "Look."
    )
    assert with_mended([*checks, failed])[-1].fix == advice


@pytest.mark.parametrize(("result", "is_one"), [("bad", True), ("unknown", False)])
def test_a_cause_that_stands_is_not_told_again_by_the_last_run(result: str, is_one: bool) -> None:
    """Where the check of the cause still finds it, the failure of the last run says nothing new."""
    port = Check("port-80-free", result, "Taken.", {}, "Stop it.", ("http-01",))  # type: ignore[arg-type]  # a result
    failed = Check("last-run", "bad", "Failed.", {"code": "http-port-taken", "name": "home"}, "Look.")
    assert [follows(check) for check in with_mended([port, failed])] == [False, is_one]


def test_refused_credentials_are_one_finding() -> None:
    """A wrong secret is listed once: the test value and the last run that it stopped say nothing new."""
    refused = Check("dns-credentials", "bad", "Refused.", {"dns": "home"}, "Mend it.", ("dns-01",))
    written = {"dns": "home", "error": "provider-unauthorized"}
    probe = Check("txt-probe", "bad", "Refused.", written, "Mend it.", ("dns-01",))
    route = {"ca": "lab", "challenge": "dns-01", "dns": ["home"]}
    last = Check("last-run", "bad", "Refused.", {"code": "provider-unauthorized", "route": route}, "Mend it.")
    others = [
        replace(probe, evidence={**written, "dns": "b"}),
        replace(last, evidence={**last.evidence, "code": "caa"}),
    ]
    assert [follows(check) for check in with_mended([refused, probe, last, *others])] == [
        False,
        True,
        True,
        False,
        False,
    ]


def said(text: Text, result: str = "unknown", **evidence: object) -> Check:
    """A check with a text of the catalogue."""
    fields = dict.fromkeys(
        ("found_at", "hosts", "names", "now", "name", "time", "due", "not_after", "code", "ports"), "x"
    )
    return Check.of(text, result, evidence, **{"ca": "lab", **fields})  # type: ignore[arg-type]  # a result


def test_a_ca_that_does_not_answer_is_one_finding() -> None:
    """What only says that the CA did not answer follows from that; what is about another CA or a server does not."""
    silent = Check("ca-reachable", "bad", "Refused.", {"ca": "lab"}, "Start it.", ("all",))
    others = (
        said(TERMS_UNKNOWN, ca="lab"),
        said(CAA_CA_SILENT, ca="lab"),
        said(CLOCK_UNKNOWN),
        said(CAA_UNKNOWN, ca="lab"),
        said(TERMS_UNKNOWN, ca="other"),
    )
    found = list(fold(dict(enumerate((silent, *others)))).values())
    assert [follows(check) for check in found] == [False, True, True, True, False, False]
    assert [follows(check) for check in fold(dict(enumerate(others))).values()] == [False] * 5


@pytest.mark.parametrize(("port", "is_one"), [("ok", True), ("unknown", False)])
def test_the_internet_is_not_doubted_where_only_the_ca_is_silent(port: str, is_one: bool) -> None:
    """Where root servers answer, no answer of a CA is about that CA alone."""
    silent = Check("ca-reachable", "unknown", "Silent.", {"ca": "lab"}, "Wait.", ("all",))
    checks = (silent, said(INTERNET_SILENT._replace(code="internet"), hosts=["ca.test"]), about("port-53", port))
    assert [follows(check) for check in fold(dict(enumerate(checks))).values()] == [False, is_one, False]


@pytest.mark.parametrize(
    ("code", "ca", "is_one"),
    [("ca-unreachable", "lab", True), ("ca-server-error", "lab", True), ("ca-unreachable", "b", False),
     ("ca-unreachable", None, True), ("caa", "lab", False)],
)  # fmt: skip
def test_a_run_that_failed_at_a_ca_that_does_not_answer(code: str, ca: str | None, is_one: bool) -> None:
    """The failure of the last run is not told again where the CA still does not answer."""
    silent = Check("ca-reachable", "unknown", "Silent.", {"ca": "lab"}, "Wait.", ("all",))
    failed = Check("last-run", "bad", "Failed.", {"code": code, "route": ca and {"ca": ca, "dns": []}}, "Look.")
    assert [follows(check) for check in with_mended([silent, failed])] == [False, is_one]


def test_while_nothing_can_renew_nothing_advises_it() -> None:
    """What is so without a renewal stays, without that advice; what says only that one comes next follows."""
    kept = (texts.EXPIRY_MISSING, texts.EXPIRY_OVER, texts.EXPIRY_SOON, texts.EXPIRY_REVOKED, texts.LAST_RUN_OVERDUE)
    gone = (texts.LAST_RUN_MENDED, texts.SERVED_NONE_YET, texts.PERSIST_FAILED)
    found = while_stopped([said(each) for each in (*kept, *gone, texts.EXPIRY_OK)], "ca-reachable")
    assert [(check.fix, follows(check)) for check in found[: len(kept)]] == [("", False)] * len(kept)
    assert [follows(check) for check in found[len(kept) :]] == [True] * len(gone) + [False]


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (texts.EXPIRY_MISSING, [texts.SERVED_NONE_YET]),
        (texts.LAST_RUN_MENDED, [texts.EXPIRY_MISSING, texts.SERVED_NONE_YET]),
        (texts.LAST_RUN_MENDED, [texts.EXPIRY_SOON]),
        (texts.LAST_RUN_OVERDUE, [texts.EXPIRY_SOON]),
    ],
)
def test_one_row_advises_another_run(kept: Text, told: list[Text]) -> None:
    """Where a certificate is missing or due, one row says so and names the command."""
    assert [follows(check) for check in with_mended([said(each) for each in (kept, *told)])] == [False] + [True] * len(
        told
    )
    assert [follows(check) for check in with_mended([said(each) for each in told[:1]])] == [False]

"""What follows from a missing Internet is folded into that one finding; anything else stays."""

import pytest

from dnsrenew.base.model import Check
from dnsrenew.extensions.doctor.folding import fold, follows

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

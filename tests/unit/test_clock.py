"""The clock of this machine: when it is the first suspect."""

from __future__ import annotations

import pytest

from dnsrenew.base.clock import doubted
from tests.unit.clocks import START


@pytest.mark.parametrize(
    ("seen", "is_doubted"),
    [
        ("its certificate is not trusted (certificate is not yet valid)", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1000)", True),
        ("its certificate is not trusted (self-signed certificate)", False),
        ("no TLS connection can be made (wrong version number)", False),
    ],
)
def test_the_clock_is_doubted_where_dates_do_not_fit(seen: str, *, is_doubted: bool) -> None:
    """Both of OpenSSL's words for that; what the clock says is told."""
    expected = "See first whether the clock of this machine is right (it says 2026-11-25 10:00 UTC); if it is, set it."
    assert doubted("Set it.", seen, START) == (expected if is_doubted else "Set it.")

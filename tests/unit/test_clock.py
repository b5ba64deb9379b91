"""The clock: when it is the likely cause of a rejected certificate."""

from __future__ import annotations

import pytest

from dnsrenew.base.clock import rejects_dates


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("its certificate is not trusted (certificate is not yet valid)", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1000)", True),
        ("its certificate is not trusted (self-signed certificate)", False),
        ("no TLS connection can be made (wrong version number)", False),
    ],
)
def test_a_certificate_rejected_for_its_dates_is_recognized(message: str, *, expected: bool) -> None:
    """Both of OpenSSL's messages about dates are recognized, and no others."""
    assert rejects_dates(message) is expected

"""The ARI identifier of a certificate (RFC 9773 section 4.1)."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509 as foreign
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.acme.client import cert_id, clamp, parse_window

KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")


def certificate(serial: int, authority: bytes | None = AUTHORITY) -> str:
    """Return a certificate with this serial number and authority key identifier."""
    name = foreign.Name([])
    builder = foreign.CertificateBuilder(name, name, KEY.public_key(), serial)
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=90)
    )
    if authority is not None:
        builder = builder.add_extension(foreign.AuthorityKeyIdentifier(authority, None, None), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_the_vector_of_the_rfc() -> None:
    """The identifier equals the RFC's example: a leading 00 of the serial number is kept."""
    assert cert_id(certificate(0x87654321)) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
    assert cert_id(certificate(0x87654321).encode()) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_small_serial_has_no_leading_00() -> None:
    """The serial number is encoded as DER, in base64url without padding."""
    assert cert_id(certificate(0x7F)).endswith(".fw")
    assert cert_id(certificate(0x80)).endswith(".AIA")
    assert "=" not in cert_id(certificate(1))


def test_a_certificate_without_an_authority_has_none() -> None:
    """A certificate without an authority key identifier, such as a self-signed one, has no ARI identifier."""
    with pytest.raises(ValueError, match="no authority key identifier"):
        cert_id(certificate(1, None))


def test_what_is_no_certificate_has_none() -> None:
    """Text that is no certificate has no identifier. The error does not quote it."""
    with pytest.raises(ValueError, match="no certificate"):
        cert_id("hello")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from(["suggestedWindow", "start", "end", "explanationURL"]), x)
        ),
    )
)
def test_any_json_is_a_window_or_a_value_error(body: object) -> None:
    """Any JSON gives a window or a ValueError."""
    try:
        window = parse_window(body, 60)
    except ValueError:
        return
    assert window.start < window.end


def test_the_next_question_is_a_minute_to_a_day_away() -> None:
    """Retry-After of renewal information is limited to between a minute and a day."""
    assert [clamp(each) for each in (None, 0, 59, 61, 1e9)] == [None, 60, 60, 61, 86400]

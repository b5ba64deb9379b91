"""Errors from lexicon's own process have the same meaning as errors raised here."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions  # type: ignore[import-untyped]
import pytest
import requests
import urllib3
from lexicon.exceptions import AuthenticationError

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.drivers.error_mapping import ReportedError, classify, inspect, translate
from tests.kit.drivers import provider_of

SECRET = "s3cret-t0ken-of-the-account"
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def with_answer(status: int, text: str, after: str | None = None) -> requests.HTTPError:
    """What ``raise_for_status`` raises."""
    response = requests.Response()
    response.status_code, response.url, response._content = status, f"https://x.test/?key={SECRET}", text.encode()
    if after is not None:
        response.headers["retry-after"] = after
    with pytest.raises(requests.HTTPError) as caught:
        response.raise_for_status()
    return caught.value


def caused(error: Exception, cause: BaseException) -> Exception:
    """An error with a cause."""
    error.__cause__ = cause
    return error


class WithoutText(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError


ERRORS: list[BaseException] = [
    with_answer(400, '{"error": "Rate limit exceeded"}'),
    with_answer(401, f"Unauthorized: {SECRET}"),
    with_answer(403, "<html>no</html>"),
    with_answer(404, "no such zone: example.com"),
    with_answer(429, "slow", "120"),
    with_answer(429, "slow", "Wed, 25 Nov 2026 10:05:00 GMT"),
    with_answer(503, "x" * 100_000),
    requests.HTTPError("invalid token"),
    requests.ConnectTimeout("timed out"),
    requests.ReadTimeout("timed out"),
    requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", None)),  # type: ignore[arg-type]  # no pool
    requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate has expired")),
    requests.exceptions.ProxyError("proxy"),
    requests.exceptions.InvalidURL("bad"),
    requests.exceptions.MissingSchema("bad"),
    requests.exceptions.JSONDecodeError("bad", "x", 0),
    urllib3.exceptions.ReadTimeoutError(None, "/", "timed out"),  # type: ignore[arg-type]  # no pool
    urllib3.exceptions.LocationParseError("x"),
    botocore.exceptions.ClientError(
        {
            "Error": {"Code": "InvalidClientTokenId", "Message": "The security token is invalid."},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        },
        "ListHostedZones",
    ),
    botocore.exceptions.EndpointConnectionError(endpoint_url="https://x.test"),
    HttpFailure("redirect", "it redirects to other.test, which is not followed"),
    HttpFailure("too-large", "its answer is larger than 16 MiB"),
    HttpFailure("timeout", "it did not answer"),
    AuthenticationError("No domain found"),
    caused(RuntimeError("failed"), with_answer(401, "bad token")),
    caused(Exception("failed"), TimeoutError("timed out")),
    json.JSONDecodeError("bad", "x", 0),
    RecursionError("deep"),
    ExceptionGroup("several", [ValueError("one")]),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ConnectionResetError(104, "reset"),
    TimeoutError("timed out"),
    OSError("unreachable"),
    KeyError("result"),
    AttributeError("no attribute"),
    ValueError("lone surrogate \udc80"),
    SystemExit(3),
    Exception(f"Domain not found, key {SECRET}"),
    WithoutText(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_means_the_same(error: BaseException) -> None:
    """An error sent between processes has the code, message, fix and evidence of the exception itself."""
    account = DnsAccount("route53", name="aws", auth_access_key="AKIA", auth_access_secret="x")
    records = [TxtRecord("example.com.", "_acme-challenge.example.com.", "v", 60)]

    def error_of(one: BaseException) -> dict[str, Any]:
        redactor = Redactor()
        redactor.add(SECRET)
        return translate(one, provider_of("route53"), account, records, redactor=redactor, now=NOW).to_dict()

    rebuilt = ReportedError(json.loads(json.dumps(vars(inspect(error)))))
    if isinstance(error, WithoutText):
        assert classify(rebuilt) == "provider-refused"
        return
    assert error_of(rebuilt) == error_of(error)


def test_causes_in_a_circle_end() -> None:
    """A loop of causes ends."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert inspect(first).texts.strip() == "first second"

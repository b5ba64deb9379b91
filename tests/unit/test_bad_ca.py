"""Bad input, third part: a CA that is down, is not one, refuses, or gives wrong answers."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kit.program import Case, Kept, failed
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.acmeproxy import AcmeProxy
from tests.lab.workspace import Workspace

Hook = Callable[[Request], Response | None]
HTML = Response(200, b"<html><body>Welcome to nginx!</body></html>", (("Content-Type", "text/html"),))
HTML_503 = Response(503, b"<html><h1>Maintenance</h1></html>", (("Content-Type", "text/html"),))
HTML_404 = Response(404, b"<html><h1>Not Found</h1></html>", (("Content-Type", "text/html"),))


def answer(kind: str, response: Response) -> Hook:
    """Return a hook that gives this answer to every request of one kind."""
    return lambda request: response if request.kind == kind else None


CASES = (
    Case("HTML instead of a directory", answer("directory", HTML), "ca-not-acme", ("lab", "directory", "text/html"), 0),
    Case("no directory there", answer("directory", HTML_404), "ca-not-acme", ("lab", "/dir", "status 404"), 0),
    Case(
        "the account is refused",
        answer("newAccount", Response.problem(403, "unauthorized", "This network may not have accounts.")),
        "ca-account-refused",
        ("lab", "This network may not have accounts."),
        0,
    ),
    Case(
        "too many orders",
        answer("newOrder", Response.problem(429, "rateLimited", "too many certificates", ("Retry-After", "86400"))),
        "ca-rate-limited",
        ("lab", "too many certificates"),
        0,
    ),
    Case(
        "a problem in the words of a terminal",
        answer("newOrder", Response.problem(403, "unauthorized", "\x1b[2J\x07\nno\u202e")),
        "ca-account-refused",
        ("lab", "no"),
        0,
    ),
)


@contextmanager
def faulty_ca(
    workspace: Workspace,
    on_request: Hook | None = None,
    on_response: Callable[[Request, Response], Response] | None = None,
) -> Iterator[AcmeProxy]:
    """Put a proxy that misbehaves in front of the CA, and configure it."""
    with workspace.lab.acme_proxy(on_request, on_response) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url})
        yield proxy


def orders(outcome: Mapping[str, Any]) -> list[int]:
    """The number of orders of each attempt."""
    return [attempt["orders"] for attempt in outcome["attempts"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_fault_of_the_ca(workspace: Workspace, case: Case) -> None:
    """The renewal fails with the CA's name and words, and published values are removed."""
    kept = Kept.place(workspace)
    with faulty_ca(workspace, case.breaking):
        outcome = failed(workspace, "renew", "--force", code=case.code, words=case.words)
    assert orders(outcome) == [case.orders]
    assert "\x1b" not in "".join(workspace.captured)
    kept.assert_whole()


@pytest.mark.parametrize(
    ("response", "code", "words"),
    [(HTML_503, "ca-server-error", ("lab", "503")), (DROP, "ca-unreachable", ("lab",))],
    ids=["HTML-503", "no-answer"],
)
def test_a_ca_that_fails_every_time(
    workspace: Workspace, response: Response, code: str, words: tuple[str, ...]
) -> None:
    """A CA that is unavailable is asked again, and then reported."""
    kept = Kept.place(workspace)
    with faulty_ca(workspace, answer("newOrder", response)) as proxy:
        failed(workspace, "renew", "--force", code=code, words=words, again=False)
        assert proxy.counts["newOrder"] > 1
    kept.assert_whole()


def test_the_terms_are_not_agreed_to(workspace: Workspace) -> None:
    """No account is created; the error names the terms."""
    workspace.write({"agree_terms": False})
    outcome = failed(workspace, "renew", "--force", code="ca-terms", words=("lab", "terms of service"))
    assert "agree_terms = true" in outcome["error"]["fix"]
    assert orders(outcome) == [0]


# ── a wrong certificate ─────────────────────────────────────────────────────────────────


@dataclass
class Forger:
    """Answers with its own chain instead of the CA's certificate."""

    names: Sequence[str] = ("example.test", "*.example.test")
    own_key: bool = False
    days: int = 90
    stranger: bool = False
    csr: x509.CertificateSigningRequest | None = None

    def request(self, request: Request) -> None:
        """Keep the CSR."""
        if request.kind == "finalize":
            text = str((request.payload or {})["csr"])
            self.csr = x509.load_der_x509_csr(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    def response(self, request: Request, response: Response) -> Response:
        """Replace the certificate."""
        if request.kind != "certificate" or self.csr is None:
            return response
        return Response(200, self.chain(self.csr), (("Content-Type", "application/pem-certificate-chain"),))

    def chain(self, csr: x509.CertificateSigningRequest) -> bytes:
        """A leaf and its issuer, as PEM."""
        issuer_key, other_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forger")])
        public = other_key.public_key() if self.own_key else csr.public_key()
        now = dt.datetime.now(dt.UTC)
        begin, end = sorted((now + dt.timedelta(days=self.days), now + dt.timedelta(days=self.days - 90)))

        def build(subject: x509.Name, key: Any) -> x509.CertificateBuilder:
            builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
            builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin)
            return builder.not_valid_after(end)

        sans = x509.SubjectAlternativeName([x509.DNSName(name) for name in self.names])
        leaf = build(x509.Name([]), public).add_extension(sans, critical=True)
        root = build(issuer, issuer_key.public_key())
        signers = (other_key if self.stranger else issuer_key, issuer_key)
        signed = [part.sign(key, hashes.SHA256()) for part, key in zip((leaf, root), signers, strict=True)]
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in signed)


@pytest.mark.parametrize(
    ("forger", "words", "wrong"),
    [
        (Forger(own_key=True), ("another key",), "key"),
        (Forger(names=("other.test",)), ("example.test", "other.test"), "names"),
        (Forger(names=("example.test",)), ("*.example.test",), "names"),
        (Forger(days=-1), ("valid from",), "dates"),
        (Forger(stranger=True), ("chain",), "chain"),
    ],
    ids=["another-key", "other-names", "a-name-missing", "expired", "a-broken-chain"],
)
def test_a_wrong_certificate(workspace: Workspace, forger: Forger, words: tuple[str, ...], wrong: str) -> None:
    """A wrong certificate is not stored, and the error says what is wrong with it."""
    kept = Kept.place(workspace)
    with faulty_ca(workspace, forger.request, forger.response):
        outcome = failed(workspace, "renew", "--force", code="certificate-wrong", words=words)
    assert outcome["error"]["evidence"]["wrong"] == wrong
    assert outcome["serial"] is not None
    kept.assert_whole()

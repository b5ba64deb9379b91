"""How the CA of a box validates: it looks at what is published, as a real CA does."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Collection
from typing import Final

from dnsrenew.base.names import base_domain
from dnsrenew.base.values import Frozen
from dnsrenew.testing.box.answers import AcmeProblem
from dnsrenew.testing.box.signed_request import encoded

_SECONDS: Final = 5.0
_MOST: Final = 4096


class Proof(Frozen):
    """What a CA looks for to validate a challenge (RFC 8555 section 8).

    :ivar expected: the key authorization (http-01), or the TXT value (dns-01).
    """

    challenge: str
    identifier: str
    token: str
    expected: str

    @classmethod
    def of(cls, challenge: str, identifier: str, token: str, thumbprint: str) -> Proof:
        """Return the proof of the holder of an account key."""
        expected = f"{token}.{thumbprint}"
        if challenge == "dns-01":
            expected = encoded(hashlib.sha256(expected.encode()).digest())
        return cls(challenge, identifier, token, expected)

    @property
    def txt_name(self) -> str:
        """The absolute name of the TXT record."""
        return f"_acme-challenge.{base_domain(self.identifier)}."

    def is_met_by(self, values: Collection[str]) -> bool:
        """Tell whether the published values validate the name."""
        return self.expected in values


Validate = Callable[[Proof], AcmeProblem | None]
"""Looks at what is published; returns what is wrong with it, or None."""


class BoxValidation:
    """Validates challenges.

    :param values: returns the TXT values at an absolute name.
    :param http_port: the port on loopback where http-01 is looked for; None: it is not offered.
    """

    def __init__(self, values: Callable[[str], set[str]], http_port: int | None) -> None:
        self._values = values
        self._http_port = http_port
        self.offers = ("dns-01",) if http_port is None else ("dns-01", "http-01")

    def validate(self, proof: Proof) -> AcmeProblem | None:
        """Look at what is published; return what is wrong with it, or None."""
        return self._validate_dns(proof) if proof.challenge == "dns-01" else self._validate_http(proof)

    def _validate_dns(self, proof: Proof) -> AcmeProblem | None:
        """Compare the TXT values (RFC 8555 section 8.4)."""
        found = self._values(proof.txt_name)
        if proof.is_met_by(found):
            return None
        what = f"{len(found)} other TXT values" if found else "no TXT value"
        return AcmeProblem("unauthorized" if found else "dns", f"there is {what} at {proof.txt_name}")

    def _validate_http(self, proof: Proof) -> AcmeProblem | None:
        """Compare the response of the web server (RFC 8555 section 8.3)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=_SECONDS)
        try:
            path = f"/.well-known/acme-challenge/{proof.token}"
            connection.request("GET", path, headers={"Host": proof.identifier})
            answer = connection.getresponse()
            status, body = answer.status, answer.read(_MOST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return AcmeProblem("connection", f"port {self._http_port} does not answer ({type(error).__name__})")
        finally:
            connection.close()
        if status == 200 and body.rstrip() == proof.expected:
            return None
        return AcmeProblem("unauthorized", f"the response has status {status} and another content")

"""How the CA of a box validates: it looks at what is published, as a real CA does."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable
from typing import Final

from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.testing.box.answers import AcmeProblem
from dnsrenew.testing.box.signed_request import encoded

_SECONDS: Final = 5.0
_MOST: Final = 4096


class BoxValidation:
    """Validates challenges.

    :param values: returns the TXT values at an absolute name.
    :param http_port: the port on loopback where http-01 is looked for; None: it is not offered.
    """

    def __init__(self, values: Callable[[str], set[str]], http_port: int | None) -> None:
        self._values = values
        self._http_port = http_port

    def types(self, identifier: str) -> list[str]:
        """Return the challenge types that are offered for a name."""
        http = [] if self._http_port is None or is_wildcard(identifier) else ["http-01"]
        return http if is_ip(identifier) else ["dns-01", *http]

    def validate(self, kind: str, identifier: str, token: str, thumbprint: str) -> None:
        """Look at what is published.

        :raises AcmeProblem: it is not there, or not right.
        """
        key_authorization = f"{token}.{thumbprint}"
        if kind == "dns-01":
            self._validate_dns(base_domain(identifier), key_authorization)
        else:
            self._validate_http(identifier, token, key_authorization)

    def _validate_dns(self, domain: str, key_authorization: str) -> None:
        """Compare the TXT values (RFC 8555 section 8.4)."""
        name = f"_acme-challenge.{domain.lower()}."
        found = self._values(name)
        if encoded(hashlib.sha256(key_authorization.encode()).digest()) not in found:
            what = f"{len(found)} other TXT values" if found else "no TXT value"
            raise AcmeProblem("unauthorized" if found else "dns", f"there is {what} at {name}")

    def _validate_http(self, host: str, token: str, key_authorization: str) -> None:
        """Compare the response of the web server (RFC 8555 section 8.3)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=_SECONDS)
        try:
            connection.request("GET", f"/.well-known/acme-challenge/{token}", headers={"Host": host})
            answer = connection.getresponse()
            status, body = answer.status, answer.read(_MOST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            reason = type(error).__name__
            raise AcmeProblem("connection", f"port {self._http_port} does not answer ({reason})") from None
        finally:
            connection.close()
        if status != 200 or body.rstrip() != key_authorization:
            raise AcmeProblem("unauthorized", f"the response has status {status} and another content")

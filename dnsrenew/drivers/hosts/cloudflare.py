"""Cloudflare (https://developers.cloudflare.com/api/resources/dns/): all values of a zone in one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import HostApi, by_zone, content_of, pages, parsed, pick, quoted, refusal, unquoted
from dnsrenew.drivers.host_error import HostError, unknown_zone
from dnsrenew.drivers.hosts import texts
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.errors import Text
    from dnsrenew.http import Response
    from dnsrenew.model import TxtRecord

ADDRESS: Final = "https://api.cloudflare.com/client/v4"
_BATCH: Final = 200
"""Records in a request on the free plan; the others allow 3,500."""
_PAGE: Final = 5000
_MALFORMED_TOKEN: Final = frozenset({6003, 6111})
_UNAUTHORIZED: Final = frozenset({*_MALFORMED_TOKEN, 1000, 9103, 9106, 9107, 9109, 10000})
_NO_SUCH_ZONE: Final = frozenset({1001, 7000, 7003})
_EXISTS: Final = frozenset({81057, 81058})
_GONE: Final = 81044
_QUOTA: Final = 81045


class CloudflareRefusal(HostError):
    """An answer of Cloudflare with ``success: false``.

    :ivar numbers: its error codes.
    """

    def __init__(self, response: Response) -> None:
        self.numbers = frozenset(_numbers(content_of(response)))
        code = None
        if self.numbers & _UNAUTHORIZED:
            code = "provider-unauthorized"
        elif self.numbers & _NO_SUCH_ZONE:
            code = "provider-zone-unknown"
        elif _QUOTA in self.numbers:
            code = "provider-refused"
        super().__init__(str(refusal(response)), code=code, status=response.status, headers=response.headers)


def _numbers(body: Any) -> Iterator[int]:
    """Give the codes of the errors in an answer, and those of their causes."""
    errors = [*(body.get("errors") or []), *(body.get("error_chain") or [])] if isinstance(body, dict) else []
    for error in errors:
        if isinstance(error, dict):
            if isinstance(error.get("code"), int):
                yield error["code"]
            yield from _numbers(error)

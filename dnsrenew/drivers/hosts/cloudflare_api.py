"""The API of Cloudflare: its answers and its error codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.drivers.host_api import HostApi, content_of, parsed, pick, refusal
from dnsrenew.drivers.host_error import HostError

if TYPE_CHECKING:
    from dnsrenew.base.http import Response

ALREADY_EXISTS: Final = frozenset({81057, 81058})
DOES_NOT_EXIST: Final = 81044
_QUOTA: Final = 81045
_UNAUTHORIZED: Final = frozenset({1000, 6003, 6111, 9103, 9106, 9107, 9109, 10000})
_NO_SUCH_ZONE: Final = frozenset({1001, 7000, 7003})


class CloudflareRefusal(HostError):
    """An answer of Cloudflare with ``success: false``.

    :ivar numbers: its error codes.
    :ivar exceeds_quota: whether the zone has as many records as its plan allows.
    """

    def __init__(self, response: Response) -> None:
        refused = refusal(response)
        self.numbers = frozenset(_numbers(content_of(response)))
        self.exceeds_quota = response.status == 400 and (_QUOTA in self.numbers or "quota" in str(refused).lower())
        code = None if response.status == 429 or response.status >= 500 else _code(self.numbers)
        super().__init__(str(refused), code=code, status=response.status, headers=response.headers)


def _numbers(error: Any) -> Iterator[int]:
    """Give the codes of an error, and of those that it is made of."""
    if not isinstance(error, dict):
        return
    if isinstance(error.get("code"), int):
        yield error["code"]
    for key in ("errors", "error_chain"):
        causes = error.get(key)
        for cause in causes if isinstance(causes, list) else ():
            yield from _numbers(cause)


def _code(numbers: frozenset[int]) -> str | None:
    if numbers & _UNAUTHORIZED:
        return "provider-unauthorized"
    return "provider-zone-unknown" if numbers & _NO_SUCH_ZONE else None


class CloudflareApi(HostApi):
    """The API of Cloudflare, with its error codes."""

    def refused(self, response: Response) -> HostError:
        """Return the error for an answer."""
        return CloudflareRefusal(response)

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request and return the answer. Arguments as :meth:`request`.

        :raises CloudflareRefusal: the host refused.
        """
        response = self.request(method, path, **arguments)
        answer = parsed(response)
        if not pick(answer, "success", kind=bool):
            raise CloudflareRefusal(response)
        return answer

"""The failure of a request to a DNS host; ``error_mapping`` makes the error for people of it."""

from __future__ import annotations

from collections.abc import Mapping


class HostError(Exception):
    """A host refused a request, or its answer is not what its documentation says.

    ``str()`` is the message of the host, not redacted yet.

    :ivar code: the code of the :class:`~dnsrenew.ProviderError`; None: it follows from the status and the message.
    :ivar status_code: the HTTP status; None without an answer, or where the host reports errors with status 200.
    :ivar headers: those of the answer, for a ``Retry-After``.
    :ivar if_missing: the code for status 404 unless the message has another reason; None: the zone is unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status_code = status
        self.headers = headers
        self.if_missing: str | None = None

    @property
    def response(self) -> HostError:
        """The answer, in the form of the exceptions of requests."""
        return self

    @property
    def text(self) -> str:
        """The message of the host."""
        return str(self)


def unknown_zone(zone: str) -> HostError:
    """Return the error for a zone that is not in the account."""
    return HostError(f"no zone {zone.rstrip('.')}", code="provider-zone-unknown")


def malformed(what: str) -> HostError:
    """Return the error for an answer that does not have what the documentation of the host promises.

    :param what: what is wrong, such as ``it is not JSON``; never a value of the answer.
    """
    return HostError(what, code="provider-malformed-answer")


def malformed_field(name: str) -> HostError:
    """Return the error for a field of an answer that is not as documented.

    :param name: such as ``records.0.id``.
    """
    return malformed(f"the field `{name}` is missing or has another type")

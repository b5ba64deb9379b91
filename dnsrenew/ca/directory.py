"""A CA's directory (RFC 8555 section 7.1.1): where its resources are, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dnsrenew.ca.problems import content_type
from dnsrenew.ca.resources import address
from dnsrenew.errors import CAError
from dnsrenew.http import date_of

if TYPE_CHECKING:
    from dnsrenew.ca.transport import Transport
    from dnsrenew.runtime.context import Context

_NEEDED: Final = ("newNonce", "newAccount", "newOrder")


class Directory(NamedTuple):
    """What stands in a directory, read with tolerance; :func:`read_directory` has looked at what is needed.

    :ivar url: the URL that answered; others may be relative to it.
    :ivar ahead: by how much our clock was ahead of the CA's when it came; nothing where the CA does not say.
    """

    url: str
    fields: Mapping[str, Any]
    ahead: timedelta = timedelta()

    def resource(self, name: str) -> str | None:
        """Return the URL of a resource, such as ``renewalInfo``; None where the CA does not offer it."""
        return address(self.url, self.fields.get(name))

    def needed(self, name: str) -> str:
        """Return the URL of a resource that every CA has: ``newNonce``, ``newAccount``, ``newOrder``."""
        return self.resource(name) or ""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Its ``meta`` object; empty where there is none."""
        found = self.fields.get("meta")
        return found if isinstance(found, dict) else {}

    @property
    def terms_of_service(self) -> str | None:
        """The address of the terms that a new account must agree to."""
        found = self.meta.get("termsOfService")
        return found if isinstance(found, str) and found.isprintable() else None

    @property
    def binding_required(self) -> bool:
        """Whether a new account must be bound to an external one (RFC 8555 section 7.3.4)."""
        return self.meta.get("externalAccountRequired") is True

    @property
    def profiles(self) -> dict[str, str]:
        """The certificate profiles on offer, each with the CA's description (draft-ietf-acme-profiles)."""
        found = self.meta.get("profiles")
        offered = found.items() if isinstance(found, dict) else ()
        return {name: text if isinstance(text, str) else "" for name, text in offered if name.isprintable()}

    @property
    def caa_identities(self) -> tuple[str, ...]:
        """The names by which CAA records mean this CA (RFC 8659), in lower case."""
        found = self.meta.get("caaIdentities")
        return tuple(each.lower() for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def read_directory(context: Context, transport: Transport, url: str) -> Directory:
    """Read a directory.

    :raises CAError: the CA cannot be reached, or it is none (``ca-not-acme``).
    """
    status, found = 0, ""
    try:
        response = transport.get(context, url, "directory")
        status, found = response.status, content_type(response) or "something without a type"
        fields = response.json()
        missing = [each for each in _NEEDED if address(response.url, fields.get(each)) is None]
        if not missing:
            date = date_of(response.headers)
            ahead = timedelta() if date is None else context.clock.now() - date
            return Directory(response.url, fields, ahead)
        found = f"JSON without addresses for {', '.join(missing)}"
    except CAError as error:
        status = error.evidence.get("status", 0)
        if not 400 <= status < 500 or error.code == "ca-rate-limited":
            raise
        found = f"an answer of status {status}"
    except ValueError:
        pass  # not JSON
    except AttributeError:
        found = "JSON that is no object"
    raise transport.problems(context).error(
        "ca-not-acme",
        f"is no ACME server: at {url} there is no directory (RFC 8555 section 7.1.1), but {found}.",
        "Set `directory` to the address that the CA names for ACME.",
        status=status,
    )

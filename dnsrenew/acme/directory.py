"""The directory of a CA (RFC 8555 section 7.1.1): the URLs of its resources, and its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.acme import texts
from dnsrenew.acme.clean import MAX_ENTRIES, MAX_NAME, MAX_WORD, one_line
from dnsrenew.acme.problems import content_type
from dnsrenew.acme.resources import address, issuer_names
from dnsrenew.base.http import date_of
from dnsrenew.base.runtime.retry import RESEND, Policy
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.runtime.context import Context

_REQUIRED: Final = ("newNonce", "newAccount", "newOrder")


class Directory(Frozen):
    """A directory, parsed tolerantly; :func:`read_directory` checks the required resources.

    :ivar url: the URL that answered; other URLs may be relative to it.
    :ivar ahead: by how much the local clock was ahead of the CA's when the answer arrived; zero without a ``Date``.
    """

    url: str
    fields: Mapping[str, Any]
    ahead: timedelta = timedelta()

    def resource(self, name: str) -> str | None:
        """Return the URL of a resource, such as ``renewalInfo``; None if the CA does not offer it."""
        return address(self.url, self.fields.get(name))

    def required(self, name: str) -> str:
        """Return the URL of a required resource: ``newNonce``, ``newAccount`` or ``newOrder``."""
        return self.resource(name) or ""

    @property
    def meta(self) -> Mapping[str, Any]:
        """The ``meta`` object; empty if there is none."""
        found = self.fields.get("meta")
        return found if isinstance(found, dict) else {}

    @property
    def terms_of_service(self) -> str | None:
        """The URL of the terms of service, which a new account must accept."""
        found = self.meta.get("termsOfService")
        return one_line(found) or None if isinstance(found, str) else None

    @property
    def binding_required(self) -> bool:
        """Whether a new account needs an external account binding (RFC 8555 section 7.3.4)."""
        return self.meta.get("externalAccountRequired") is True

    @property
    def profiles(self) -> dict[str, str]:
        """The offered certificate profiles with their descriptions (draft-ietf-acme-profiles)."""
        found = self.meta.get("profiles")
        offered = list(found.items())[:MAX_ENTRIES] if isinstance(found, dict) else []
        return {one_line(name, MAX_WORD): one_line(text) if isinstance(text, str) else "" for name, text in offered}

    @property
    def caa_identities(self) -> tuple[str, ...]:
        """The issuer domain names of this CA in CAA records (RFC 8659), in lower case."""
        found = self.meta.get("caaIdentities")
        names = found[:MAX_ENTRIES] if isinstance(found, list) else []
        return tuple(one_line(each, MAX_NAME).lower() for each in names if isinstance(each, str))

    @property
    def issuer_names(self) -> tuple[str, ...]:
        """The issuer domain names that every dns-persist-01 challenge has; empty if there are none, or malformed ones.

        See draft-ietf-acme-dns-persist-02 section 3.2.
        """
        return issuer_names(self.meta.get("issuerDomainNames"))

    @property
    def account_hash_prefix(self) -> str | None:
        """The start of the URI that identifies an account in a dns-persist-01 record, or None.

        See draft-ietf-acme-dns-persist-02 section 4.1.
        """
        found = self.meta.get("accountHashPrefix")
        return found if isinstance(found, str) and address(found, found) == found else None


def read_directory(context: Context, transport: Transport, url: str, *, policy: Policy = RESEND) -> Directory:
    """Download a directory.

    :param policy: how the request is retried.
    :raises CAError: the CA cannot be reached, or the URL is not an ACME directory (``ca-not-acme``).
    """
    status, kind, missing = 0, "", list[str]()
    try:
        response = transport.get(context, url, "directory", policy=policy)
        status, kind = response.status, content_type(response)
        fields = response.json()
        missing = [each for each in _REQUIRED if address(response.url, fields.get(each)) is None]
        if not missing:
            date = date_of(response.headers)
            ahead = timedelta() if date is None else context.clock.now() - date
            return Directory(response.url, fields, ahead)
        text = texts.NOT_ACME_FIELDS
    except CAError as error:
        status = error.evidence.get("status", 0)
        if not 400 <= status < 500 or error.code == "ca-rate-limited":
            raise
        text = texts.NOT_ACME_STATUS
    except ValueError:  # not JSON
        text = texts.NOT_ACME_TYPE if kind else texts.NOT_ACME_NO_TYPE
    except AttributeError:
        text = texts.NOT_ACME_OBJECT
    found = {"content_type": kind, "missing": missing}
    more = {key: value for key, value in found.items() if value}
    raise transport.problems(context).error(text, directory=url, status=status, **more)

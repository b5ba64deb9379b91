"""What a CA accepts in a dns-persist-01 record: from its challenge and its directory, in the dialect of either draft.

Drafts 00 and 01 have ``issuer-domain-names``, and the account URL in the record; draft 01 also ``accounturi`` in the
challenge. Draft 02 has ``issuerDomainNames``, and a hash of account and domain in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns_persist01 import texts
from dnsrenew.challenges.dns_persist01.record import hashed_uris, is_uri
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme import Challenge
    from dnsrenew.acme.session import AccountIdentity
    from dnsrenew.errors import Message


class PersistOffer(Frozen):
    """What the CA accepts for one domain.

    :ivar issuers: its issuer domain names; a new record has the first one.
    :ivar account_uris: the URIs of our account; a new record has the first one.
    """

    ca: str
    account_url: str
    issuers: tuple[str, ...]
    account_uris: tuple[str, ...]


def read_offer(challenge: Challenge, account: AccountIdentity, domain: str) -> PersistOffer:
    """Return what the CA accepts.

    A record is an authorization for a CA, and it is the CA that says which account it names. So that no CA can have us
    write a record for an account elsewhere, the account must be at the host of the directory; in a hash it is bound to
    our own key.

    :param domain: without ``*.``.
    :raises CAError: ``ca-dns-persist-malformed``.
    """
    reason = _issuer_problem(challenge, account)
    if reason is not None:
        raise _malformed(challenge, account, domain, reason)
    prefix = account.directory.account_hash_prefix
    if challenge.hashes_account:
        if prefix is None:
            raise _malformed(challenge, account, domain, texts.NO_PREFIX)
        uris = hashed_uris(prefix, domain, account.thumbprints, account.url)
    else:
        uris = tuple(dict.fromkeys([challenge.account_uri or account.url, account.url]))
        host = urlsplit(account.directory.url).hostname
        for uri in uris:
            if urlsplit(uri).hostname != host:
                raise _malformed(challenge, account, domain, texts.FOREIGN_ACCOUNT.format(uri=uri))
    for uri in uris:
        if not is_uri(uri):
            raise _malformed(challenge, account, domain, texts.ODD_URI.format(uri=uri))
    return PersistOffer(account.ca, account.url, challenge.issuer_names, uris)


def _issuer_problem(challenge: Challenge, account: AccountIdentity) -> Message | None:
    """Return what is wrong with the issuer domain names (draft-ietf-acme-dns-persist-02 sections 3.1 and 3.2)."""
    offered, directory = challenge.issuer_names, account.directory
    if not offered:
        return texts.NO_ISSUER
    if not challenge.hashes_account:  # older drafts have no further rule
        return None
    left_out = [issuer for issuer in directory.issuer_names if issuer not in offered]
    if left_out:
        return texts.LEFT_OUT.format(issuer=left_out[0])
    identities = {identity.removesuffix(".") for identity in directory.caa_identities}
    unknown = [issuer for issuer in offered if identities and issuer not in identities]
    return texts.NOT_IN_CAA.format(issuer=unknown[0]) if unknown else None


def _malformed(challenge: Challenge, account: AccountIdentity, domain: str, reason: Any) -> CAError:
    evidence = {"ca": account.ca, "identifier": domain, "issuers": list(challenge.issuer_names), "reason": reason}
    return CAError.of(texts.MALFORMED, **evidence)

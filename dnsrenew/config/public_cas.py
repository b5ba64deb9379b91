"""What every public CA refuses: an account without agreement to the terms, and names that are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.host_port import is_public as is_public_address
from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.base.public_suffixes import is_public_suffix
from dnsrenew.base.validation.mistakes import quoted
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import series

if TYPE_CHECKING:
    from dnsrenew.config.certificates import CertificateDraft
    from dnsrenew.config.loader import Draft

_LOCAL: Final = frozenset(
    {"corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "private"}
)
"""Top-level domains that are reserved, or in use in local networks (RFC 6761, RFC 6762 appendix G)."""
_HOME: Final = "home.arpa"
"""RFC 8375."""
_IP_PROFILES: Final = {"letsencrypt": "shortlived", "letsencrypt-staging": "shortlived"}
"""The profiles with which CAs issue for IP addresses; one that is not listed decides itself."""
_ACME_LABEL: Final = "_acme-challenge."


def check_public_cas(draft: Draft) -> None:
    """Add a mistake for each thing that a built-in CA refuses whatever DNS says."""
    for one in draft.certificates.drafts:
        _check_profile(draft, one)
        if all(is_public(draft, name) for name in _cas_of(one)):  # a CA of one's own issues for any name
            _check_names(one)
    check_terms(draft)


def is_public(draft: Draft, ca: str) -> bool:
    """Tell whether this is a built-in CA, and not another one under its name."""
    known = draft.cas.cas.get(ca)
    return ca in BUILT_IN and known is not None and known.directory == BUILT_IN[ca].directory


def _cas_of(one: CertificateDraft) -> list[str]:
    return list(dict.fromkeys(route.ca or one.ca for route in one.routes))


def check_terms(draft: Draft) -> None:
    """Add a mistake if the terms of a built-in CA are not agreed to: it creates no account then."""
    cas = dict.fromkeys(ca for one in draft.certificates.drafts for ca in _cas_of(one) if is_public(draft, ca))
    if not cas or draft.values.get("agree_terms") or draft.report.mentions("agree_terms"):
        return
    terms = series([texts.TERMS_OF.format(ca=name, url=texts.TERMS[name]) for name in cas], ", ")
    found = texts.NOT_AGREED if "agree_terms" in draft.values else MISSING
    draft.main.mistake(("agree_terms",), found, texts.AGREEMENT, fix=texts.AGREE.format(terms=terms))


def _check_names(one: CertificateDraft) -> None:
    for index, identifier in one.identifiers.items():
        expected = refusal(base_domain(identifier))
        if expected is not None:
            one.scope.mistake((*one.path, "domains", index), quoted(one.domains[index]), expected)


def _check_profile(draft: Draft, one: CertificateDraft) -> None:
    """Add a mistake if a CA that may get IP addresses in an order issues for them only with another profile."""
    addresses = list(filter(is_ip, one.identifiers.values()))
    fitting = [route for route in one.routes if not all(map(CHALLENGES[route.challenge].is_unfit, addresses))]
    for ca in dict.fromkeys(route.ca or one.ca for route in fitting):
        wanted = _IP_PROFILES.get(ca)
        found = one.profile and one.profile.name
        if wanted is not None and found != wanted and is_public(draft, ca):
            expected = texts.PROFILE_OF_IP.format(profile=wanted, ca=ca)
            one.scope.mistake((*one.path, "profile"), quoted(found) if found else MISSING, expected)
            return


def refusal(name: str) -> str | None:
    """Return what is expected instead of a name for which no public CA issues; None for a public name."""
    if is_ip(name):
        return None if is_public_address(name) else texts.NOT_PUBLIC_IP
    if name.startswith(_ACME_LABEL):
        return texts.NO_ACME_LABEL
    if "_" in name:
        return texts.NO_UNDERSCORE
    if "." not in name:
        return texts.NOT_ONE_LABEL
    top = name.rpartition(".")[2]
    if top in _LOCAL or f".{name}".endswith(f".{_HOME}"):
        return texts.NOT_LOCAL
    return texts.NOT_A_SUFFIX if is_public_suffix(name) else None

"""What every public CA refuses: an account without agreement to the terms, and names that are not public."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.host_port import is_public as is_public_address
from dnsrenew.base.model import Notice
from dnsrenew.base.names import base_domain, is_ip, is_public_suffix
from dnsrenew.base.validation import quoted
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.config.certificates import CertificateDraft
from dnsrenew.config.loader import Draft
from dnsrenew.errors import series

_LOCAL: Final = frozenset(
    {"corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "private"}
)
"""Top-level domains that are reserved, or in use in local networks (RFC 6761, RFC 6762 appendix G)."""
_HOME: Final = "home.arpa"
"""RFC 8375."""
_IP_PROFILES: Final = {"letsencrypt": "shortlived", "letsencrypt-staging": "shortlived"}
"""The profiles with which CAs issue for IP addresses; one that is not listed decides itself."""
_SHORT: Final = "shortlived"
_SMALL: Final = frozenset({_SHORT, "tlsserver"})
"""The profiles of Let's Encrypt with few names in a certificate."""
_FEW: Final = 25
_MANY: Final = 100
"""The names in an order that Let's Encrypt takes with these profiles, and that public CAs take else."""
_ACME_LABEL: Final = "_acme-challenge."


def check_public_cas(draft: Draft) -> list[Notice]:
    """Add a mistake for each thing that a built-in CA refuses whatever DNS says.

    :returns: the warnings: what it refuses with a profile that is only preferred, and a short life with one CA.
    """
    notices: list[Notice] = []
    for one in draft.certificates.drafts:
        names = _cas_of(one)
        public = [name for name in names if is_public(draft, name)]
        notices += _check_profile(draft, one)
        notices += _check_count(one, public)
        if one.profile and one.profile.name == _SHORT and len(names) == 1 and one.domains:
            notices.append(Notice(*texts.SHORT_LIFE_ONE_CA.fill(domain=_first(one), ca=names[0])))
        if len(public) == len(names):  # a CA of one's own issues for any name
            _check_names(one)
    check_terms(draft)
    return notices


def is_public(draft: Draft, ca: str) -> bool:
    """Return whether this is a built-in CA, and not another one under its name."""
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


def _check_profile(draft: Draft, one: CertificateDraft) -> list[Notice]:
    """Add a mistake if a CA that may get IP addresses in an order issues for them only with another profile."""
    addresses = list(filter(is_ip, one.identifiers.values()))
    fitting = [route for route in one.routes if not all(map(CHALLENGES[route.challenge].is_unfit, addresses))]
    for ca in dict.fromkeys(route.ca or one.ca for route in fitting):
        wanted = _IP_PROFILES.get(ca)
        found = one.profile and one.profile.name
        if wanted is None or found == wanted or not is_public(draft, ca):
            continue
        if one.profile is not None and not one.profile.required:
            return [Notice(*texts.REFUSES_ADDRESSES.fill(ca=ca, domain=_first(one), profile=found, wanted=wanted))]
        expected = texts.PROFILE_OF_IP.format(profile=wanted, ca=ca)
        one.scope.mistake((*one.path, "profile"), quoted(found) if found else MISSING, expected)
        break
    return []


def _check_count(one: CertificateDraft, cas: list[str]) -> list[Notice]:
    """Add a mistake if there are more names than a CA takes in one order.

    :param cas: the built-in CAs of its routes.
    """
    count, profile = len(one.identifiers), one.profile
    for ca in cas:
        few = profile if ca in _IP_PROFILES and profile is not None and profile.name in _SMALL else None
        if count > _MANY and (few is None or not few.required):
            expected = texts.MOST_NAMES.format(most=_MANY, ca=ca)
        elif few is None or count <= _FEW:
            continue
        elif few.required:
            expected = texts.MOST_NAMES_OF_PROFILE.format(most=_FEW, ca=ca, profile=few.name)
        else:
            fields = {"ca": ca, "domain": _first(one), "profile": few.name, "most": _FEW, "count": count}
            return [Notice(*texts.REFUSES_COUNT.fill(**fields))]
        one.scope.mistake((*one.path, "domains"), texts.DOMAINS_FOUND.format(count=count), expected)
        break
    return []


def _first(one: CertificateDraft) -> str:
    return next(iter(one.domains.values()))


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

"""Which DNS host a domain is at, by the name servers of its zone, and what the host's account needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.names import base_domain, to_a_labels
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.init import account_test, texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.drivers.provider import OptionSpec, Provider
    from dnsrenew.extensions.setup.init.draft import InitDraft

BY_CNAME: Final = "delegate"
"""The answer for a host without an API."""
DELEGATED_TO: Final = "acme-dns"
"""The host that is suggested then."""


def folders(draft: InitDraft) -> tuple[Path, ...]:
    """Return the user's folders with provider files."""
    from dnsrenew.config.dns_accounts import provider_folders
    from dnsrenew.config.locate import user_folder

    return tuple(provider_folders(draft.folder, user_folder(os.environ)))


def all_providers(draft: InitDraft) -> list[Provider]:
    """Return every known DNS host; a file with a mistake is none."""
    from dnsrenew.drivers.catalogue import find_provider, provider_names

    found = []
    for name in provider_names(folders(draft)):
        try:
            provider = find_provider(name, folders(draft))
        except ConfigError:
            continue
        if provider is not None:
            found.append(provider)
    return found


def hosts_of(providers: Iterable[Provider], name_servers: Sequence[str], domains: Sequence[str]) -> list[Provider]:
    """Return the hosts that name servers belong to, or whose domains these are. Pure."""
    from dnsrenew.drivers.catalogue import zone_for

    return [
        provider
        for provider in providers
        if is_at(provider, name_servers) or any(zone_for(provider, base_domain(each)) for each in domains)
    ]


def is_at(provider: Provider, name_servers: Iterable[str]) -> bool:
    """Tell whether one of some name servers is a host's."""
    servers = [server.lower().removesuffix(".") for server in name_servers]
    return any(fnmatchcase(server, pattern) for server in servers for pattern in provider.name_servers)


def find_host(answer: str, draft: InitDraft) -> Provider:
    """Return the DNS host of this name, in any case, or of this title.

    :raises ConfigError: there is none.
    """
    from dnsrenew.base.validation.mistakes import nearest, quoted
    from dnsrenew.drivers.catalogue import find_provider, left_out_hosts, provider_names

    known = provider_names(folders(draft))
    wanted = answer.strip().lower()
    name = next((each for each in known if each.lower() == wanted), None)
    if name is None:
        same = [each for each in all_providers(draft) if each.title.lower() == wanted]
        if same:
            return same[0]
        left_out = left_out_hosts().get(wanted)
        if left_out is not None:
            raise ConfigError.of(texts.HOST_LEFT_OUT, title=left_out["title"], why=left_out["why"])
        near = nearest(wanted, known)
        text = texts.HOST_NEAREST if near else texts.HOST_UNKNOWN
        fields = {"found": quoted(answer), "expected": texts.HOST_EXPECTED}
        raise ConfigError.of(text, answer=answer, nearest=near, **fields)
    provider = find_provider(name, folders(draft))
    assert provider is not None  # noqa: S101  # it is listed
    return provider


def asked_options(provider: Provider) -> dict[str, OptionSpec]:
    """Return the options to ask for: the required ones; where none of these is a secret, the optional ones too.

    The optional ones of most hosts are for rare cases; RFC 2136 has an optional key, without which little works.
    """
    required = {key: spec for key, spec in provider.options.items() if spec.required}
    if any(spec.secret for spec in required.values()) or provider.behaviour.delegated:
        return required
    return dict(provider.options)


def option_value(spec: OptionSpec, text: str) -> Any:
    """Return an option from a line of text."""
    if spec.kind in {"list", "program"}:
        import shlex

        return shlex.split(text)
    return text


def split_options(provider: Provider, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options that are no secrets, and those that are.

    :raises ConfigError: an option is missing, unknown or of a wrong kind.
    """
    from dnsrenew.drivers.catalogue import check_options

    mistakes = check_options(provider, options)
    if mistakes:
        raise account_test.options_wrong(mistakes)
    plain = {key: value for key, value in options.items() if not provider.is_secret(key)}
    return plain, {key: value for key, value in options.items() if key not in plain}


def may_write(draft: InitDraft) -> bool:
    """Tell whether the account writes the records of the domains itself, as far as its zones say. Pure."""
    from dnsrenew.base.names import is_at_or_below

    assert draft.provider is not None  # noqa: S101  # the caller has set it
    if draft.provider.behaviour.delegated:
        return False
    zones = draft.account_zones
    bases = [to_a_labels(base_domain(each)) for each in draft.domains]
    return not zones or all(any(is_at_or_below(base, zone) for zone in zones) for base in bases)

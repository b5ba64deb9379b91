"""How acme.sh proves the names of a certificate (``Le_Webroot``), as routes of ours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import host_port
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts, webroots
from dnsrenew.extensions.setup.importing.acme_sh_hosts import SCRIPTS, Kept
from dnsrenew.extensions.setup.importing.found import FoundDnsAccount, FoundRoute
from dnsrenew.extensions.setup.importing.on_machine import inside

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.shell_settings import ShellSettings

ABSENT: Final = frozenset({"", "no"})
"""Values of a setting that is not given."""
_KEY: Final = "Le_Webroot"
_HTTP_NET: Final = "http.net"


class _ProvedBy(Frozen):
    """A word of ``Le_Webroot`` and the alias of a name."""

    word: str
    alias: str

    @property
    def title(self) -> str:
        """The method, in acme.sh's words."""
        word = "standalone" if self.word == "no" else self.word or "?"
        return f"{word} ({self.alias})" if self.alias and word.startswith("dns") else word


def routes(settings: ShellSettings, name: str, domains: Sequence[str], kept: Kept) -> tuple[FoundRoute, ...]:
    """Return the routes of a certificate; none if they could not be told, with a note."""
    words = settings.get(_KEY).split(",")
    if not any(words):
        kept.notes.add(texts.ENVIRONMENT_UNKNOWN, settings.file, name=name, tool="acme.sh")
        return ()
    aliases = [each for each in settings.get("Le_ChallengeAlias").split(",") if each]
    by_proof: dict[_ProvedBy, list[str]] = {}
    for index, domain in enumerate(domains):
        # A list that is too short goes on with its last item.
        alias = aliases[min(index, len(aliases) - 1)] if aliases else ""
        proof = _ProvedBy(words[min(index, len(words) - 1)], _alias_name(alias))
        by_proof.setdefault(proof, []).append(domain)
    found = []
    for proof, names in by_proof.items():
        route = _route(proof, settings, name, names, kept)
        if route is not None:
            found.append(route if len(by_proof) > 1 else _for_all(route))
    # For webroots there is a text of its own.
    if len(by_proof) > 1 and not all(proof.word.startswith("/") for proof in by_proof):
        methods = "; ".join(f"{proof.title}: {', '.join(names)}" for proof, names in by_proof.items())
        kept.notes.add(texts.SEVERAL_METHODS, *settings.place(_KEY), name=name, methods=methods)
    # A route is tried for every name: DNS can prove each of them, also where no server has the name on port 80.
    return tuple(sorted(found, key=_is_not_automatic_dns))


def _is_not_automatic_dns(route: FoundRoute) -> bool:
    return route.dns is None or route.dns.provider == "manual"


def _for_all(route: FoundRoute) -> FoundRoute:
    from dnsrenew.base.values import replace

    return replace(route, domains=())


def _alias_name(alias: str) -> str:
    """Return the target of the CNAME: ``=NAME`` is itself, another name gets the usual label."""
    if alias in ABSENT:
        return ""
    return alias[1:] if alias.startswith("=") else f"_acme-challenge.{alias}"


def _route(proof: _ProvedBy, settings: ShellSettings, name: str, domains: list[str], kept: Kept) -> FoundRoute | None:
    word, place = proof.word, settings.place(_KEY)
    if word.startswith("/"):
        if not os.path.isdir(inside(kept.host, word)):
            kept.notes.add(texts.WEBROOT_MISSING, word)
        return FoundRoute(challenge="http-01", webroot=word, domains=tuple(domains))
    if word == "no":
        listen = _listen(settings, "Le_HTTPPort", "80")
        return FoundRoute(challenge="http-01", listen=listen, domains=tuple(domains))
    if word == "alpn":
        listen = _listen(settings, "Le_TLSPort", "443")
        return FoundRoute(challenge="tls-alpn-01", listen=listen, domains=tuple(domains))
    server = word.partition(":")[0]
    if server in {"nginx", "apache"}:
        return _by_server(server, settings, name, domains, kept)
    if word == "dns":
        account = reading.dns_account("manual", {}, str(settings.file))
        return FoundRoute(challenge="dns-01", dns=account, domains=tuple(domains), alias=proof.alias or None)
    found = _account(word, settings, kept)
    if found is None:
        kept.notes.add(texts.ACME_SH_WAY, *place, way=word or "?", name=name)
        return None
    return FoundRoute(challenge="dns-01", dns=found, domains=tuple(domains), alias=proof.alias or None)


def _listen(settings: ShellSettings, key: str, default: str) -> str:
    """Return where acme.sh listened; of several addresses the first."""
    address = settings.get("Le_LocalAddress").partition(",")[0]
    port = settings.get(key)
    return host_port.join("" if address in ABSENT else address, int(port if port.isdecimal() else default))


def _by_server(server: str, settings: ShellSettings, name: str, domains: list[str], kept: Kept) -> FoundRoute | None:
    """Return the route for the modes that edit the configuration of a web server."""
    webroot = webroots.webroot_of(server, domains, kept.host, kept.notes)
    place = settings.place(_KEY)
    if webroot is None:
        kept.notes.add(texts.SERVER_EDITED_UNKNOWN, *place, tool="acme.sh", server=server, name=name)
        return None
    kept.notes.add(texts.SERVER_EDITED, *place, tool="acme.sh", server=server, name=name, webroot=webroot)
    return FoundRoute(challenge="http-01", webroot=webroot, domains=tuple(domains))


def _account(script: str, settings: ShellSettings, kept: Kept) -> FoundDnsAccount | None:
    """Return the account of a script; without some options, with a note, if it does not keep them."""
    known = SCRIPTS.get(script)
    if known is None:
        return None
    provider = known.provider
    if script == "dns_hostingde" and _HTTP_NET in kept.get("HOSTINGDE_ENDPOINT"):
        provider = "httpnet"
    account = reading.dns_account(provider, known.values(kept), str(kept.settings[-1].file))
    missing = reading.missing_options(account)
    if missing:
        kept.notes.add(
            texts.CREDENTIALS_UNKNOWN,
            *settings.place(_KEY),
            plugin=script,
            missing=", ".join(missing),
            provider=provider,
        )
    return account

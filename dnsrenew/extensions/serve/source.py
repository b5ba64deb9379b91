"""The certificates of ``dnsrenew serve``, from the configuration or from the options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateSpec, Notice, Route
from dnsrenew.base.values import replace
from dnsrenew.cli.arguments import Options, usage
from dnsrenew.cli.formatting import sentences
from dnsrenew.cli.invocation import Invocation
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.serve import texts
from dnsrenew.serving.served import Served

_COMMAND: Final = "dnsrenew serve"
_HTTP_01: Final = "http-01"
_REFERENCES: Final = ("env:", "file:", "keyring:")
_WITH_DOMAIN: Final = ("dns", "dns_option", "ca", "contact", "agree_terms")
_NOT_WITH_DOMAIN: Final = ("config", "certificate")


def read_config(invocation: Invocation, *, show: bool) -> Config:
    """Return the configuration, or the one for ``--domain``. If port 80 redirects, it answers http-01 for ``listen``.

    :param show: whether its path and its warnings are shown.
    :raises ConfigError: with all mistakes; ``usage``: the options do not fit together.
    """
    options = invocation.options
    if options.domain:
        config = Config.from_dict(_document(options), insist=options.insist)
        if show:
            show_notices(invocation, [*config.warnings, *_plain_secrets(options, config)])
    else:
        for name in _WITH_DOMAIN:
            if getattr(options, name):
                raise usage(texts.ONLY_WITH_DOMAIN, _COMMAND, option=_flag(name))
        try:
            if show:
                config = invocation.config(needs_certificates=True)
            else:
                config = Config.find(options.config, insist=options.insist)
        except ConfigError as error:
            if error.code == "config-missing" and "suggested" in error.evidence:  # no configuration was named
                raise ConfigError.of(texts.NO_CONFIG, searched=error.evidence["searched"]) from None
            raise
    if options.redirect is None:
        return config
    port = host_port.split(options.redirect)[1]
    return replace(config, certificates=tuple(_answered(each, port) for each in config.certificates))


def make_served(invocation: Invocation, config: Config, on_event: Callable[[Event], object]) -> Served:
    """Return the object that keeps the certificates current in this process.

    :raises ConfigError: ``certificate-unknown``.
    """
    name = invocation.options.certificate

    def listen(event: Event) -> None:
        if event.data.get("status") != "locked":  # another of our processes renews
            on_event(event)

    return invocation.renewer(config, listen).serve(*([] if name is None else [name]))


def show_notices(invocation: Invocation, notices: Sequence[Notice]) -> None:
    """Write warnings."""
    for notice in notices:
        invocation.terminal.write_message(f"! {sentences(notice.message, notice.fix)}")


def _answered(spec: CertificateSpec, port: int) -> CertificateSpec:
    """Return a certificate whose http-01 routes at a port are answered by our own server there."""

    def is_there(route: Route) -> bool:
        return route.challenge == _HTTP_01 and route.listen is not None and host_port.split(route.listen)[1] == port

    routes = (replace(route, listen=None, app=True) if is_there(route) else route for route in spec.routes)
    return replace(spec, routes=tuple(routes))


def _document(options: Options) -> Mapping[str, Any]:
    """Return the tables of the configuration that the options stand for.

    :raises ConfigError: ``usage``.
    """
    for name in _NOT_WITH_DOMAIN:
        if getattr(options, name) is not None:
            raise usage(texts.NOT_WITH_DOMAIN, _COMMAND, option=_flag(name))
    if options.dns is None and (options.dns_option or options.redirect is None):
        raise usage(texts.NO_ROUTE, _COMMAND)
    routes: list[dict[str, Any]] = []
    accounts: dict[str, Any] = {}
    if options.dns is not None:
        accounts = {options.dns: {"provider": options.dns, **_dns_options(options)}}
        routes.append({"challenge": "dns-01", "dns": options.dns})
    if options.redirect is not None:
        routes.append({"challenge": _HTTP_01, "app": True})
    ca, own = options.ca or "letsencrypt", {}
    if "://" in ca:
        own, ca = {"own": {"directory": ca}}, "own"
    account = {"contact": options.contact or [], "agree_terms": options.agree_terms}
    certificate = {"domains": options.domain, "routes": routes}
    return {**account, "default_ca": ca, "ca": own, "dns": accounts, "certificate": [certificate]}


def _dns_options(options: Options) -> dict[str, str]:
    found = {}
    for each in options.dns_option or ():
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise usage(texts.BAD_OPTION, _COMMAND, provider=options.dns)  # the given text may be the secret
        found[key.replace("-", "_")] = value
    return found


def _plain_secrets(options: Options, config: Config) -> list[Notice]:
    """Return a warning for each secret that is on the command line itself."""
    secret = {use.path[-1] for use in config.secrets}
    plain = [key for key, value in _dns_options(options).items() if not value.startswith(_REFERENCES)]
    return [Notice(*texts.PLAIN_SECRET.fill(key=key)) for key in plain if key in secret]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

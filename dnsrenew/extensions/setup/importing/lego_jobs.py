"""The calls of lego on a machine: which certificate, which challenge, which DNS host with which credentials."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import jobs, lego_hosts, texts
from dnsrenew.extensions.setup.importing.found import FoundDeployment, FoundRoute, HostView, shell

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.model import KeyKind
    from dnsrenew.extensions.setup.importing.jobs import FoundJob
    from dnsrenew.extensions.setup.importing.reading import Notes

_FLAGS: Final = frozenset(
    {
        *("accept-tos", "a", "http", "tls", "pem", "pfx", "eab", "dns.disable-cp", "dns.propagation-disable-ans"),
        *("dns.propagation-rns", "reuse-key", "no-bundle", "must-staple", "no-random-sleep", "ari-disable"),
        *("tls-skip-verify", "always-deactivate-authorizations", "force-cert-domains", "disable-cn", "help", "version"),
    }
)
"""Options without a value."""
_SHORT: Final = {"d": "domains", "s": "server", "m": "email", "k": "key-type", "c": "csr", "a": "accept-tos"}
_WITHOUT_MEANING: Final = frozenset(
    {
        *(
            "accept_tos",
            "email",
            "path",
            "server",
            "domains",
            "key_type",
            "dns",
            "http",
            "tls",
            "http.port",
            "tls.port",
        ),
        *("http.webroot", "reuse_key", "must_staple", "preferred_chain", "profile", "renew_hook", "run_hook"),
        *("deploy_hook", "days", "pem", "dns.disable_cp", "dns.resolvers", "dns.propagation_wait", "dns_timeout"),
        *("dns.propagation_disable_ans", "dns.propagation_rns", "no_bundle", "no_random_sleep", "ari_disable"),
        *("ari_enable", "ari_wait_to_renew_duration", "http_timeout", "cert.timeout", "user_agent", "filename"),
        *("eab", "kid", "hmac", "always_deactivate_authorizations", "force_cert_domains", "disable_cn", "dynamic"),
        *("renew_dynamic", "overall_request_limit", "env_file", "account_id", "cert.name", "log.level", "log.format"),
    }
)
"""Options that are read below, or that have no meaning for us; ``_`` stands for ``-``."""
_KEYS: Final[Mapping[str, KeyKind]] = {
    "ec256": "ecdsa-p256",
    "p256": "ecdsa-p256",
    "ec384": "ecdsa-p384",
    "p384": "ecdsa-p384",
    "rsa2048": "rsa2048",
    "2048": "rsa2048",
    "rsa3072": "rsa3072",
    "3072": "rsa3072",
    "rsa4096": "rsa4096",
    "4096": "rsa4096",
}
_HOOKS: Final = ("deploy-hook", "renew-hook", "run-hook")
_HOOK_VARIABLES: Final = (
    "LEGO_CERT_DOMAIN=%s LEGO_CERT_PATH=$DNSRENEW_FULLCHAIN LEGO_CERT_KEY_PATH=$DNSRENEW_PRIVKEY "
    "LEGO_ACCOUNT_EMAIL=%s; export LEGO_CERT_DOMAIN LEGO_CERT_PATH LEGO_CERT_KEY_PATH LEGO_ACCOUNT_EMAIL; %s"
)
"""What lego's hooks get ("Obtain or renew certificates", "hook")."""


class LegoCall(Frozen):
    """A call of lego.

    :ivar options: the values of its options by long name, those without a value as "".
    """

    job: FoundJob
    options: Mapping[str, Sequence[str]]

    def value(self, name: str) -> str:
        """Return the last value of an option; "" without one."""
        return next(reversed(self.options.get(name, ("",))))

    def has(self, name: str) -> bool:
        """Tell whether an option is given."""
        return name in self.options

    @property
    def domains(self) -> list[str]:
        """The domains of the certificate."""
        return [each.lower() for value in self.options.get("domains", ()) for each in value.split(",") if each]

    @property
    def server(self) -> str:
        """The directory URL of the CA; "" for the default one."""
        return self.value("server") or self.job.environment.get("LEGO_SERVER", "")

    @property
    def path(self) -> str:
        """The folder in which it works; "" if it names none."""
        return self.value("path") or self.job.environment.get("LEGO_PATH", "")

    @property
    def trust(self) -> str:
        """The file with the root certificates of the CA's endpoint; "" without one."""
        return self.job.environment.get("LEGO_CA_CERTIFICATES", "")


def calls(folder: Path, host: HostView, notes: Notes) -> list[LegoCall]:
    """Return the calls of lego that work in a folder; one that names none may be any's."""
    found = []
    for job in jobs.jobs(host, "lego", folder, [folder, folder.parent], notes):
        call = LegoCall(job, _options(job.words))
        if not call.path or jobs.is_folder(call.path, folder, host):
            found.append(call)
            for name in call.options:
                if name.replace("-", "_") not in _WITHOUT_MEANING:
                    notes.add(texts.SETTING_UNKNOWN, job.file, job.line, f"--{name}", key=f"--{name}")
    return found


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            continue  # the command: run, renew
        name, equals, value = word.lstrip("-").partition("=")
        name = _SHORT.get(name, name)
        if not equals and name not in _FLAGS and left and not left[0].startswith("--"):
            value = left.pop(0)
        found.setdefault(name, []).append(value)
    return found


def of_certificate(calls: Sequence[LegoCall], domains: Sequence[str]) -> LegoCall | None:
    """Return the call for a certificate: the one with its first domain, or the only one without domains."""
    fitting = [call for call in calls if set(call.domains) & set(domains)]
    exact = [call for call in fitting if set(call.domains) == set(domains)]
    general = [call for call in calls if not call.domains and (call.has("dns") or call.has("http") or call.has("tls"))]
    found = exact or fitting or (general if len(general) == 1 else [])
    # `run` was for the first certificate; `renew` is what is called again.
    return next((call for call in found if "renew" in call.job.words), next(iter(found), None))


def settings(call: LegoCall, name: str, notes: Notes) -> dict[str, Any]:
    """Return the fields of a certificate that its call says."""
    job = call.job
    if call.has("must-staple"):
        notes.add(texts.MUST_STAPLE, job.file, job.line, "--must-staple", name=name)
    if call.has("tls-skip-verify"):
        notes.add(texts.NO_TLS_CHECK, job.file, job.line, "--tls-skip-verify")
    days = call.value("days")
    return {
        "key": _key(call, name, notes),
        "reuse_key": call.has("reuse-key"),
        "must_staple": call.has("must-staple"),
        "preferred_chain": call.value("preferred-chain") or None,
        "profile": call.value("profile") or None,
        "renew_before": f"{days} days" if days.isdecimal() and days != "0" else None,
        "routes": _routes(call, name, notes),
        "deployments": _deployments(call),
    }


def _key(call: LegoCall, name: str, notes: Notes) -> KeyKind | None:
    kind = call.value("key-type")
    found = _KEYS.get(kind.lower())
    if kind and found is None:
        notes.add(texts.KEY_KIND, call.job.file, call.job.line, "--key-type", kind=kind, used="ecdsa-p256", name=name)
        return "ecdsa-p256"
    return found


def _routes(call: LegoCall, name: str, notes: Notes) -> tuple[FoundRoute, ...]:
    """Return the routes in the order in which lego prefers the challenges."""
    found = []
    if call.has("dns"):
        account = lego_hosts.account(call.value("dns"), call.job, name, notes)
        if account is not None:
            found.append(FoundRoute(challenge="dns-01", dns=account))
    if call.has("tls"):
        found.append(FoundRoute(challenge="tls-alpn-01", listen=_listen(call.value("tls.port"), ":443")))
    if call.has("http.webroot"):
        found.append(FoundRoute(challenge="http-01", webroot=call.value("http.webroot")))
    elif call.has("http"):
        found.append(FoundRoute(challenge="http-01", listen=_listen(call.value("http.port"), ":80")))
    if not found and not call.has("dns"):
        notes.add(texts.ENVIRONMENT_UNKNOWN, call.job.file, call.job.line, name=name, tool="lego")
    return tuple(found)


def _listen(value: str, default: str) -> str:
    return default if not value else value if ":" in value else f":{value}"


def _deployments(call: LegoCall) -> tuple[FoundDeployment, ...]:
    command = next((call.value(each) for each in _HOOKS if call.value(each)), "")
    if not command:
        return ()
    domain, email = shlex.quote(next(iter(call.domains), "")), shlex.quote(call.value("email"))
    run = list(shell(_HOOK_VARIABLES % (domain, email, command)))
    return (FoundDeployment(to="run", source=f"{call.job.file}:{call.job.line}", options={"run": run}),)

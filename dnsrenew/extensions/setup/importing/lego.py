"""lego's folder: ``accounts/`` and ``certificates/``, and the timer or script that runs lego, for the rest.

The layout is that of lego 3 to 5 (go-acme.github.io/lego, "Obtain or renew certificates", and ``lego --help``). lego
keeps neither the DNS host nor its arguments; both are in what calls it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.model import (
    FileRole,
    FoundAccount,
    FoundCertificate,
    FoundData,
    FoundDeployment,
    FoundDnsAccount,
    FoundFile,
    FoundRoute,
    HostView,
    shell,
)
from dnsrenew.extensions.setup.importing.pem import read_key
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.timers import FoundJob
from dnsrenew.extensions.setup.importing.tool_hosts import ToolHost, hosts_of

_FILES: Final[tuple[tuple[str, FileRole], ...]] = (
    (".crt", "certificate"),
    (".issuer.crt", "chain"),
    (".key", "key"),
    (".pem", "combined"),
)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_CONFIG: Final = (".lego.yml", ".lego.yaml")
"""The configuration file of lego 5."""


def usual(host: HostView) -> list[Path]:
    """Return the folder in the current folder, that of the user, and those that packages and guides use."""
    folders = [host.home / ".lego", host.root / "var/lib/lego", host.root / "etc/lego"]
    named = host.environ.get("LEGO_PATH")
    here = [host.cwd / ".lego"] if host.here_counts else []
    return list(dict.fromkeys([*([Path(named)] if named else []), *here, *folders]))


def is_here(folder: Path) -> bool:
    """Return whether a folder is one of lego's."""
    if _accounts(folder):
        return True
    names = reading.names(folder / "certificates")
    return any(name.endswith(".json") and f"{name.removesuffix('.json')}.key" in names for name in names)


def read(folder: Path, host: HostView) -> FoundData:
    """Return the accounts and the certificates in a folder of lego."""
    notes = reading.Notes(host.discovery)
    calls = calls_of(folder, host, notes)
    servers = [*(call.server for call in calls if call.server), *_named_servers(host)]
    accounts = [_account(file, folder, servers, notes) for file in _accounts(folder)]
    kept = [each for each in accounts if each is not None]
    certificates = [_certificate(folder / "certificates", name, calls, kept, notes) for name in _names(folder)]
    for name in _CONFIG:
        for file in {folder.parent / name, folder / name}:
            if os.path.isfile(file):
                notes.add(texts.LEGO_CONFIG, file)
    return FoundData(
        kind="lego",
        folder=folder,
        accounts=tuple(kept),
        certificates=tuple(each for each in certificates if each is not None),
        not_understood=tuple(notes.found),
        trust=_trust(calls, host),
    )


def _named_servers(host: HostView) -> list[str]:
    """Return the directory URLs that the user names, since lego's folder has only their hosts."""
    own = host.environ.get("LEGO_SERVER")
    return [*host.servers, *([own] if own else [])]


def _trust(calls: Sequence[LegoCall], host: HostView) -> dict[str, str]:
    """Return the files with the root certificates of CAs, by directory URL."""
    own = host.environ.get("LEGO_CA_CERTIFICATES")
    found = dict.fromkeys(_named_servers(host), own) if own else {}
    return {**found, **{call.server or reading.DEFAULT: call.trust for call in calls if call.trust}}


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _accounts(folder: Path) -> list[Path]:
    """Return the files ``account.json``: in ``accounts/SERVER/ID``, since lego 5 in a folder for each type of key."""
    return [here / "account.json" for here, names in reading.walk(folder / "accounts") if "account.json" in names]


def _account(file: Path, root: Path, servers: Sequence[str], notes: reading.Notes) -> FoundAccount | None:
    document = notes.json(file) or {}
    folders = (file.parent / "keys", file.parent)
    found = [each / name for each in folders for name in reading.names(each) if name.endswith(".key")]
    if not found:
        notes.add(texts.DAMAGED, file.parent, loses=True, reason=texts.NO_KEY)
        return None
    key_file = found[0]
    key = read_key(key_file, notes)
    if key is None:
        return None
    host = file.relative_to(root / "accounts").parts[0].replace("_", ":")
    directory = reading.of_host(host, servers)
    if directory is None:
        notes.add(texts.NO_DIRECTORY, file, loses=True, ca=host)
        return None
    registration = document.get("registration")
    registration = registration if isinstance(registration, dict) else {}
    return FoundAccount(
        directory=directory,
        key_pem=key,
        url=reading.url_of(registration),
        contact=_contact(document, registration),
        source=str(key_file),
        modified=reading.modified(key_file),
    )


def _contact(document: dict[str, Any], registration: dict[str, Any]) -> tuple[str, ...]:
    email = document.get("email")
    return reading.contact_of(registration) or ((f"mailto:{email}",) if isinstance(email, str) and email else ())


# ── certificates ────────────────────────────────────────────────────────────────────────


def _names(folder: Path) -> list[str]:
    """Return the names of the certificates: those with a key, or with data of their own."""
    names = reading.names(folder / "certificates")
    found = [name.removesuffix(end) for end in (".json", ".key") for name in names if name.endswith(end)]
    return sorted(dict.fromkeys(found))


def _certificate(
    folder: Path, name: str, calls: Sequence[LegoCall], accounts: Sequence[FoundAccount], notes: reading.Notes
) -> FoundCertificate | None:
    chain, key = notes.read(folder / f"{name}.crt", loses=True), notes.read(folder / f"{name}.key", loses=True)
    if chain is not None and chain.count(_BEGIN) == 1:  # lego was run with --no-bundle
        issuer = folder / f"{name}.issuer.crt"
        chain += (notes.read(issuer) or b"") if os.path.lexists(issuer) else b""
    domains = reading.certificate_names(chain)
    if not domains:
        if chain is not None:
            notes.add(texts.DAMAGED, folder / f"{name}.crt", loses=True, reason=texts.NO_CERTIFICATE)
        return None
    call = of_certificate(calls, domains)
    source = folder / f"{name}.json"
    if call is None:
        notes.add(texts.ENVIRONMENT_UNKNOWN, source, name=name, tool="lego")
    directory = call.server if call and call.server else accounts[0].directory if len(accounts) == 1 else None
    return FoundCertificate(
        name=name,
        domains=domains,
        source=str(source),
        fullchain_pem=None if chain is None or key is None else chain.decode("ascii", "replace"),
        key_pem=key if chain is not None else None,
        directory=directory or reading.DEFAULT,
        files=tuple(FoundFile(str(folder / f"{name}{end}"), role) for end, role in _FILES),
        **({} if call is None else settings(call, name, notes)),
    )


# ── lego jobs ──────────────────────────────────────────────────────────────────────────

# The calls of lego on a machine: which certificate, which challenge, which DNS host with which credentials.

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
        *("accept_tos", "email", "path", "server", "domains", "key_type", "dns", "http", "tls", "http.port"),
        *("tls.port",),
        *("http.webroot", "reuse_key", "must_staple", "preferred_chain", "profile", "renew_hook", "run_hook"),
        *("deploy_hook", "days", "pem", "dns.disable_cp", "dns.resolvers", "dns.propagation_wait", "dns_timeout"),
        *("dns.propagation_disable_ans", "dns.propagation_rns", "no_bundle", "no_random_sleep", "ari_disable"),
        *("ari_enable", "ari_wait_to_renew_duration", "http_timeout", "cert.timeout", "user_agent", "filename"),
        *("eab", "kid", "hmac", "always_deactivate_authorizations", "force_cert_domains", "disable_cn", "dynamic"),
        *("renew_dynamic", "overall_request_limit", "env_file", "account_id", "cert.name", "log.level", "log.format"),
    }
)
"""Options that are read below, or that have no meaning for us; ``_`` stands for ``-``."""
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
        """Return whether an option is given."""
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


def calls_of(folder: Path, host: HostView, notes: Notes) -> list[LegoCall]:
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
    found = reading.KEY_KINDS.get(kind.lower())
    if kind and found is None:
        notes.add(texts.KEY_KIND, call.job.file, call.job.line, "--key-type", kind=kind, used="ecdsa-p256", name=name)
        return "ecdsa-p256"
    return found


def _routes(call: LegoCall, name: str, notes: Notes) -> tuple[FoundRoute, ...]:
    """Return the routes in the order in which lego prefers the challenges."""
    found = []
    if call.has("dns"):
        account = dns_account(call.value("dns"), call.job, name, notes)
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


# ── lego hosts ─────────────────────────────────────────────────────────────────────────

# The DNS hosts of lego and their environment variables, as accounts of ours.
#
# The variables of most are the ``env`` of our provider files; others (``lego dnshelp -c CODE``): ``[tools.lego]``.

_HOOK: Final = 'case $1 in add) exec {program} present "$3." "$4" ;; remove) exec {program} cleanup "$3." "$4" ;; esac'
"""A program for the provider ``hook``, from that of lego's provider ``exec``."""


def dns_account(code: str, job: FoundJob, name: str, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account for the environment of a call; None, with a note, for a host that we do not know.

    :param code: lego's name of the host.
    :param name: the certificate, for notes.
    """
    source = f"{job.file}:{job.line}"
    if code == "exec":
        return _program(job, source, name, notes)
    host = hosts_of("lego").get(code, ToolHost(code, {}))
    options = _lego_hosts_options(host, job.environment, notes)
    if options is None:
        notes.add(texts.PLUGIN_UNKNOWN, job.file, job.line, f"--dns {code}", plugin=f"--dns {code}", name=name)
        return None
    found = reading.dns_account(host.provider, options, source)
    reading.note_missing(found, notes, (job.file, job.line, f"--dns {code}"), f"--dns {code}")
    return found


def _lego_hosts_options(host: ToolHost, environment: Mapping[str, str], notes: reading.Notes) -> dict[str, str] | None:
    provider = host.provider
    known = find_provider(provider) if provider.replace("-", "").isalnum() else None
    if known is None:
        return None
    variables = {spec.env: option for option, spec in known.options.items() if spec.env}
    found = {}
    for variable, option in (*variables.items(), *host.options.items()):
        value = _value(variable, environment, notes)
        if value:
            found[option] = value
    if provider == "cloudflare" and any(name.endswith("DNS_API_TOKEN") for name in environment):
        found.pop("auth_username", None)  # it belongs to a global key
    return found


def _value(variable: str, environment: Mapping[str, str], notes: reading.Notes) -> str:
    """Return the value of a variable, or of the file that ``VARIABLE_FILE`` names."""
    value = environment.get(variable, "")
    file = environment.get(f"{variable}_FILE", "")
    if value or not file:
        return "" if value.startswith("$") else value  # a variable that only a shell could tell
    return notes.credentials(file).strip()


def _program(job: FoundJob, source: str, name: str, notes: reading.Notes) -> FoundDnsAccount | None:
    program = job.environment.get("EXEC_PATH", "")
    if not program or job.environment.get("EXEC_MODE", "") not in {"", "default"}:
        notes.add(texts.PLUGIN_UNKNOWN, job.file, job.line, "--dns exec", plugin="--dns exec", name=name)
        return None
    if os.path.isabs(program) and not os.path.exists(program):
        notes.add(texts.HOOK_GONE, job.file, job.line, "EXEC_PATH", program=program)
    script = _HOOK.format(program=shlex.quote(program))
    return reading.dns_account("hook", {"program": ["sh", "-c", script, "hook"]}, source)

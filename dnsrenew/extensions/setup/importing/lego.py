"""lego's folder (``accounts/`` and ``certificates/``), and the timer or script that runs lego for the rest.

The layout is that of lego 3 to 5 (go-acme.github.io/lego, "Obtain or renew certificates", and ``lego --help``). lego
keeps neither the DNS host nor its arguments, which are in its caller.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen, replace
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.extensions.setup.importing import model, reading, texts
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.pem import BEGIN_CERTIFICATE, account_of
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.tool_hosts import ToolHost, expected, hosts_of

_FILES: Final[model.FileRoles] = {".crt": "certificate", ".issuer.crt": "chain", ".key": "key", ".pem": "combined"}
_CONFIG: Final = (".lego.yml", ".lego.yaml")
"""The configuration file of lego 5."""


def usual(host: model.HostView) -> list[Path]:
    """Return the folder in the current folder, the user's folder, and the folders that packages and guides use."""
    folders = [host.home / ".lego", host.root / "var/lib/lego", host.root / "etc/lego"]
    named = host.environ.get("LEGO_PATH")
    here = [host.cwd / ".lego"] if host.here_counts else []
    return list(dict.fromkeys([*([Path(named)] if named else []), *here, *folders]))


def is_here(folder: Path) -> bool:
    """Return whether a folder is a folder of lego."""
    if _accounts(folder):
        return True
    names = reading.names(folder / "certificates")
    return any(name.endswith(".json") and f"{name.removesuffix('.json')}.key" in names for name in names)


def read(folder: Path, host: model.HostView) -> model.FoundData:
    """Return the accounts and the certificates in a folder of lego."""
    notes = Notes(host.discovery)
    calls = calls_of(folder, host, notes)
    servers = [*(call.server for call in calls if call.server), *_named_servers(host)]
    accounts = [_account(file, folder, servers, notes) for file in _accounts(folder)]
    kept = [each for each in accounts if each is not None]
    certificates = [_certificate(folder / "certificates", name, calls, kept, notes) for name in _names(folder)]
    for name in _CONFIG:
        for file in {folder.parent / name, folder / name}:
            if os.path.isfile(file):
                notes.add(texts.LEGO_CONFIG, file)
    return notes.data("lego", folder, kept, certificates, trust=_trust(calls, host))


def _named_servers(host: model.HostView) -> list[str]:
    """Return the directory URLs that the user names, because lego's folder has only their hosts."""
    own = host.environ.get("LEGO_SERVER")
    return [*host.servers, *([own] if own else [])]


def _trust(calls: Sequence[LegoCall], host: model.HostView) -> dict[str, str]:
    """Return the files with the root certificates of CAs, by directory URL."""
    own = host.environ.get("LEGO_CA_CERTIFICATES")
    found = dict.fromkeys(_named_servers(host), own) if own else {}
    named = ((call.server or reading.DEFAULT, call.job.environment.get("LEGO_CA_CERTIFICATES")) for call in calls)
    return {**found, **{server: file for server, file in named if file}}


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _accounts(folder: Path) -> list[Path]:
    """Return the files ``account.json``: in ``accounts/SERVER/ID``, since lego 5 in a folder for each type of key."""
    return [here / "account.json" for here, names in reading.walk(folder / "accounts") if "account.json" in names]


def _account(file: Path, root: Path, servers: Sequence[str], notes: Notes) -> model.FoundAccount | None:
    document = notes.json(file) or {}
    folders = (file.parent / "keys", file.parent)
    found = [each / name for each in folders for name in reading.names(each) if name.endswith(".key")]
    if not found:
        notes.add(texts.DAMAGED, file.parent, loses=True, reason=texts.NO_KEY)
        return None
    host = file.relative_to(root / "accounts").parts[0].replace("_", ":")
    account = account_of(found[0], reading.of_host(host, servers), host, notes)
    if account is None:
        return None
    account, email = replace(account, **reading.registered(document.get("registration"))), document.get("email")
    given = (f"mailto:{email}",) if isinstance(email, str) and email else ()
    return replace(account, contact=account.contact or given)


# ── certificates ────────────────────────────────────────────────────────────────────────


def _names(folder: Path) -> list[str]:
    """Return the names of the certificates with a key, or with their own data."""
    names = reading.names(folder / "certificates")
    found = [name.removesuffix(end) for end in (".json", ".key") for name in names if name.endswith(end)]
    return sorted(dict.fromkeys(found))


def _certificate(
    folder: Path, name: str, calls: Sequence[LegoCall], accounts: Sequence[model.FoundAccount], notes: Notes
) -> model.FoundCertificate | None:
    chain, key = notes.read(folder / f"{name}.crt", loses=True), notes.read(folder / f"{name}.key", loses=True)
    if chain is not None and chain.count(BEGIN_CERTIFICATE) == 1:  # lego was run with --no-bundle
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
    return model.FoundCertificate(
        name=name,
        domains=domains,
        source=str(source),
        fullchain_pem=None if chain is None else chain.decode("ascii", "replace"),
        key_pem=key,
        directory=directory or reading.DEFAULT,
        files={str(folder / f"{name}{end}"): role for end, role in _FILES.items()},
        **({} if call is None else settings(call, name, notes)),
    )


# ── lego jobs ──────────────────────────────────────────────────────────────────────────

# The calls of lego on a machine, with the certificate, the challenge, the DNS host and the credentials.

_SHORT: Final = {"d": "domains", "s": "server", "m": "email", "k": "key-type", "c": "csr", "a": "accept-tos"}
_HOOKS: Final = ("deploy-hook", "renew-hook", "run-hook")
_HOOK_VARIABLES: Final = (
    "LEGO_CERT_DOMAIN=%s LEGO_CERT_PATH=$DNSRENEW_FULLCHAIN LEGO_CERT_KEY_PATH=$DNSRENEW_PRIVKEY "
    "LEGO_ACCOUNT_EMAIL=%s; export LEGO_CERT_DOMAIN LEGO_CERT_PATH LEGO_CERT_KEY_PATH LEGO_ACCOUNT_EMAIL; %s"
)
"""The variables of lego's hooks ("Obtain or renew certificates", "hook")."""


class LegoCall(Frozen):
    """A call of lego.

    :ivar options: the values of its options by long name, "" for an option without a value.
    """

    job: jobs.FoundJob
    options: Mapping[str, Sequence[str]]

    def value(self, name: str) -> str:
        """Return the last value of an option, or ""."""
        return next(reversed(self.options.get(name, ("",))))

    @property
    def domains(self) -> list[str]:
        """The domains of the certificate."""
        return [each.lower() for value in self.options.get("domains", ()) for each in value.split(",") if each]

    @property
    def server(self) -> str:
        """The directory URL of the CA; "" for the default CA."""
        return self.value("server") or self.job.environment.get("LEGO_SERVER", "")

    @property
    def path(self) -> str:
        """The folder in which it works, or ""."""
        return self.value("path") or self.job.environment.get("LEGO_PATH", "")


def calls_of(folder: Path, host: model.HostView, notes: Notes) -> list[LegoCall]:
    """Return the calls of lego that work in a folder. A call without a folder may belong to any."""
    found = []
    for job in jobs.jobs(host, "lego", folder, [folder, folder.parent], notes):
        call = LegoCall(job, _options(job.words))
        if not call.path or jobs.is_folder(call.path, folder, host):
            found.append(call)
            for name in call.options:
                if name.replace("-", "_") not in expected("lego"):
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
        if not equals and name not in expected("lego", "flags") and left and not left[0].startswith("--"):
            value = left.pop(0)
        found.setdefault(name, []).append(value)
    return found


def of_certificate(calls: Sequence[LegoCall], domains: Sequence[str]) -> LegoCall | None:
    """Return the call for a certificate: the one with its first domain, or the only one without domains."""
    fitting = [call for call in calls if set(call.domains) & set(domains)]
    exact = [call for call in fitting if set(call.domains) == set(domains)]
    general = [call for call in calls if not call.domains and {"dns", "http", "tls"} & set(call.options)]
    found = exact or fitting or (general if len(general) == 1 else [])
    # `run` was for the first certificate, and `renew` is called again.
    return next((call for call in found if "renew" in call.job.words), next(iter(found), None))


def settings(call: LegoCall, name: str, notes: Notes) -> dict[str, Any]:
    """Return the fields of a certificate that come from its call."""
    job = call.job
    if "must-staple" in call.options:
        notes.add(texts.MUST_STAPLE, job.file, job.line, "--must-staple", name=name)
    if "tls-skip-verify" in call.options:
        notes.add(texts.NO_TLS_CHECK, job.file, job.line, "--tls-skip-verify")
    days = call.value("days")
    return {
        "key": _key(call, name, notes),
        "reuse_key": "reuse-key" in call.options,
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


def _routes(call: LegoCall, name: str, notes: Notes) -> tuple[model.FoundRoute, ...]:
    """Return the routes in the order in which lego prefers the challenges."""
    found = []
    if "dns" in call.options and (account := _dns_account(call.value("dns"), call.job, name, notes)) is not None:
        found.append(model.FoundRoute(challenge="dns-01", dns=account))
    if "tls" in call.options:
        found.append(model.FoundRoute(challenge="tls-alpn-01", listen=_listen(call.value("tls.port"), ":443")))
    if "http.webroot" in call.options:
        found.append(model.FoundRoute(challenge="http-01", webroot=call.value("http.webroot")))
    elif "http" in call.options:
        found.append(model.FoundRoute(challenge="http-01", listen=_listen(call.value("http.port"), ":80")))
    if not found and "dns" not in call.options:
        notes.add(texts.ENVIRONMENT_UNKNOWN, call.job.file, call.job.line, name=name, tool="lego")
    return tuple(found)


def _listen(value: str, default: str) -> str:
    return default if not value else value if ":" in value else f":{value}"


def _deployments(call: LegoCall) -> tuple[model.FoundDeployment, ...]:
    command = next((call.value(each) for each in _HOOKS if call.value(each)), "")
    if not command:
        return ()
    domain, email = shlex.quote(next(iter(call.domains), "")), shlex.quote(call.value("email"))
    run = list(model.shell(_HOOK_VARIABLES % (domain, email, command)))
    return (model.FoundDeployment(to="run", source=call.job.place, options={"run": run}),)


# ── lego hosts ─────────────────────────────────────────────────────────────────────────

# The DNS hosts of lego and their environment variables, as our accounts.
#
# The variables of most are the ``env`` of our provider files; others (``lego dnshelp -c CODE``): ``[tools.lego]``.

_HOOK: Final = 'case $1 in add) exec {program} present "$3." "$4" ;; remove) exec {program} cleanup "$3." "$4" ;; esac'
"""A program for the provider ``hook``, from the program of lego's provider ``exec``."""


def _dns_account(code: str, job: jobs.FoundJob, name: str, notes: Notes) -> model.FoundDnsAccount | None:
    """Return the account for the environment of a call; None, with a note, for an unknown host.

    :param code: lego's name of the host.
    :param name: the certificate, for notes.
    """
    shown = f"--dns {code}"
    host = hosts_of("lego").get(code, ToolHost(code, {}))
    known = find_provider(host.provider) if host.provider.replace("-", "").isalnum() else None
    program = job.environment.get("EXEC_PATH", "") if code == "exec" else ""
    if known is None and not (program and job.environment.get("EXEC_MODE", "") in {"", "default"}):
        notes.add(texts.PLUGIN_UNKNOWN, job.file, job.line, shown, plugin=shown, name=name)
        return None
    if known is None:
        if os.path.isabs(program) and not os.path.exists(program):
            notes.add(texts.HOOK_GONE, job.file, job.line, "EXEC_PATH", program=program)
        script = _HOOK.format(program=shlex.quote(program))
        return reading.dns_account("hook", {"program": ["sh", "-c", script, "hook"]}, job.place)
    variables = [(spec.env, option) for option, spec in known.options.items() if spec.env]
    found: dict[str, str] = {}
    for variable, option in (*variables, *host.options.items()):
        found[option] = _value(variable, job.environment, notes) or found.get(option, "")
    if host.provider == "cloudflare" and any(name.endswith("DNS_API_TOKEN") for name in job.environment):
        found.pop("auth_username", None)  # it belongs to a global key
    account = reading.dns_account(host.provider, found, job.place)
    reading.note_missing(account, notes, (job.file, job.line, shown), shown)
    return account


def _value(variable: str, environment: Mapping[str, str], notes: Notes) -> str:
    """Return the value of a variable, or the content of the file in ``VARIABLE_FILE``."""
    value = environment.get(variable, "")
    file = environment.get(f"{variable}_FILE", "")
    if value or not file:
        return "" if value.startswith("$") else value  # a variable that only a shell could expand
    return notes.credentials(file).strip()

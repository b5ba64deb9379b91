"""The configuration and its secret files as text, with a comment where each part comes from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading
from dnsrenew.extensions.setup.importing.model import FoundDeployment, FoundDnsAccount, FoundRoute
from dnsrenew.extensions.setup.importing.plan import Plan, PlannedCa, PlannedCertificate

MARK: Final = "# Written by `dnsrenew import`"
"""The beginning of every file that an import wrote."""
PLACEHOLDER: Final = "change-me"
"""The value of a missing option that is no secret."""
_DEFAULT_CA: Final = "letsencrypt"
_DEFAULT_KEY: Final = "ecdsa-p256"


class ConfigDocument(Frozen, hidden=("secrets",)):
    """What is written.

    :ivar text: the content of dnsrenew.toml.
    :ivar secrets: the contents of the secret files, by name.
    """

    text: str
    secrets: dict[str, str]


def document(
    plan: Plan, tools: list[str], deployments: Mapping[str, list[FoundDeployment]], taken: Mapping[str, str]
) -> ConfigDocument:
    """Return the configuration of a plan.

    :param tools: what was read, such as ``certbot in /etc/letsencrypt``.
    :param deployments: the entries of ``deploy`` of each certificate.
    :param taken: the secret files that exist, by name, with their contents; one with another content is left alone.
    """
    writer = _Writer(plan, taken)
    lines = [f"{MARK} from {', '.join(tools)}.", *writer.head(), *writer.tables(deployments)]
    return ConfigDocument("\n".join([*lines, *writer.remarks(), ""]), writer.secrets)


def tables(
    plan: Plan, deployments: Mapping[str, list[FoundDeployment]], taken: Mapping[str, str], default_ca: str
) -> tuple[list[str], dict[str, str]]:
    """Return the tables of a plan for a configuration that exists, and the contents of their secret files by name.

    :param default_ca: that of the configuration; for the others see :func:`document`.
    """
    writer = _Writer(plan, taken, default_ca)
    return list(writer.tables(deployments))[1:], writer.secrets


class _Writer:
    def __init__(self, plan: Plan, taken: Mapping[str, str], default_ca: str | None = None) -> None:
        self._plan = plan
        self._taken = taken
        self.secrets: dict[str, str] = {}
        used = Counter(each.ca for each in plan.certificates if each.ca)
        self._default = default_ca or (used.most_common(1)[0][0] if used else _DEFAULT_CA)

    def head(self) -> Iterator[str]:
        """Yield the lines above the first table."""
        yield ""
        if self._plan.contact:
            yield from assignment("contact", list(self._plan.contact))
        if any(ca.account is not None for ca in self._plan.cas):
            yield "agree_terms = true # as when the accounts were created"
        else:
            yield "# agree_terms = true"
        if self._default != _DEFAULT_CA:
            yield from assignment("default_ca", self._default)

    def tables(self, deployments: Mapping[str, list[FoundDeployment]]) -> Iterator[str]:
        """Yield all tables, each after an empty line."""
        yield from (*self.cas(), *self.dns_accounts())
        for certificate in self._plan.certificates:
            yield from ("", *self.certificate(certificate, deployments.get(certificate.name, [])))

    def cas(self) -> Iterator[str]:
        """Yield the tables of the CAs that need one."""
        for ca in self._plan.cas:
            lines = list(self._ca(ca))
            if lines:
                yield from ("", f"[ca.{key(ca.name)}]", *lines)

    def _ca(self, ca: PlannedCa) -> Iterator[str]:
        if ca.account is not None and not ca.is_built_in:
            yield comment(f"its account: {ca.account.source}")
        if not ca.is_built_in:
            yield from assignment("directory", ca.directory)
        if ca.trust:
            yield from assignment("trust", ca.trust)
        if ca.eab is not None and ca.eab.by_email:
            yield from assignment("eab", "email")
        elif ca.eab is not None and ca.eab.kid and ca.eab.hmac:
            reference = self._secret(f"{ca.name}-eab-hmac", ca.eab.hmac)
            yield from assignment("eab", {"kid": ca.eab.kid, "hmac": reference})

    def dns_accounts(self) -> Iterator[str]:
        """Yield the tables of the DNS accounts."""
        for name, account in self._plan.dns.items():
            yield from ("", f"[dns.{key(name)}]", comment(f"from {account.source}"))
            yield from assignment("provider", account.provider)
            if account.zones:
                yield from assignment("zones", list(account.zones))
            for option, value in self._options(name, account).items():
                yield from assignment(option, value)

    def _options(self, name: str, account: FoundDnsAccount) -> dict[str, object]:
        options = dict(account.options)
        for key, value in account.secrets.items():
            table, dot, variable = key.rpartition(".")
            reference = self._secret(f"{name}-{variable}", value)
            if dot:  # of a script
                given = options.get(table, {})
                options[table] = {**(given if isinstance(given, Mapping) else {}), variable: reference}
            else:
                options[key] = reference
        for key in reading.missing_options(account):
            # Without its file only the certificates that need the secret fail, not the whole configuration.
            is_secret = reading.is_secret(account.provider, key)
            options[key] = f"file:{reading.secret_file(f'{name}-{key}')}" if is_secret else PLACEHOLDER
        return options

    def _secret(self, name: str, value: str) -> str:
        """Return the reference to a new secret file."""
        return keep_secret(self.secrets, self._taken, reading.secret_file(name), value)

    # ── certificates ────────────────────────────────────────────────────────────────────

    def certificate(self, planned: PlannedCertificate, deployments: list[FoundDeployment]) -> Iterator[str]:
        """Yield the table of a certificate."""
        found = planned.found
        yield from ("[[certificate]]", comment(f"from {found.source}"))
        yield from assignment("name", planned.name)
        yield from assignment("domains", list(found.domains))
        settings: dict[str, object] = {
            "ca": planned.ca if planned.ca != self._default else None,
            "key": planned.key if found.key or planned.key != _DEFAULT_KEY else None,
            "reuse_key": found.reuse_key or None,
            "profile": found.profile,
            "preferred_chain": found.preferred_chain,
            "renew_before": found.renew_before,
        }
        for key, value in settings.items():
            if value:
                yield from assignment(key, value)
        yield from self._routes(planned)
        if any(route.listen for route in planned.routes):
            yield from assignment("before", list(found.before)) if found.before else ()
            yield from assignment("after", list(found.after)) if found.after else ()
        if deployments:
            yield "deploy = ["
            for number, deployment in enumerate(deployments, 1):
                yield f"    {comment(f'from {deployment.source}')}"
                yield f"    {toml_value(self._deployment(planned.name, number, deployment))},"
            yield "]"

    def _routes(self, planned: PlannedCertificate) -> Iterator[str]:
        routes = (_route(route, name) for route, name in zip(planned.routes, planned.dns, strict=True))
        yield from ("routes = [", *dict.fromkeys(f"    {toml_value(route)}," for route in routes), "]")

    def _deployment(self, name: str, number: int, deployment: FoundDeployment) -> dict[str, object]:
        is_program = deployment.to == "run"
        options: dict[str, object] = {**({} if is_program else {"to": deployment.to}), **deployment.options}
        for key, value in deployment.secrets.items():
            options[key] = self._secret(f"{name}-{deployment.to}-{number}-{key}", value)
        return options

    def remarks(self) -> Iterator[str]:
        """Yield what was not imported, as comments."""
        if self._plan.not_understood:
            yield from ("", "# Not imported, or only in part:")
        for note in self._plan.not_understood:
            place = note.file if note.line is None else f"{note.file}:{note.line}"
            yield comment(f"{place}: {note.message}")


def _route(route: FoundRoute, account: str) -> dict[str, object]:
    values = {"challenge": route.challenge, "dns": account, "webroot": route.webroot, "listen": route.listen}
    values["alias"] = route.alias
    return {key: value for key, value in values.items() if value}


# ── toml ───────────────────────────────────────────────────────────────────────────────

# Values as TOML, and their secrets in files.


def keep_secret(secrets: dict[str, str], taken: Mapping[str, str], file: str, value: str) -> str:
    """Add a secret to the files; return the reference to it. A file with another content is left alone.

    :param taken: the files that exist, with their contents.
    """
    number, name = 1, file
    while {**taken, **secrets}.get(name, value) != value:
        number += 1
        name = f"{file.removesuffix('.txt')}-{number}.txt"
    secrets[name] = value
    return f"file:{name}"


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST: Final = 110
_INDENT: Final = "    "


def toml_value(given: object) -> str:
    """Return a text, a number, a truth value, a list or a table on one line."""
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {toml_value(item)}" for name, item in given.items()) + " }"
    if isinstance(given, Sequence):
        return f"[{', '.join(map(toml_value, given))}]"
    return json.dumps(given)


def key(name: str) -> str:
    """Return a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else toml_value(name)


def assignment(name: str, given: object) -> list[str]:
    """Return ``name = value``; a list that is too long has a line for each item."""
    line = f"{key(name)} = {toml_value(given)}"
    if len(line) <= _WIDEST or not isinstance(given, Sequence) or isinstance(given, str):
        return [line]
    return [f"{key(name)} = [", *(f"{_INDENT}{toml_value(item)}," for item in given), "]"]


def comment(text: str) -> str:
    """Return a comment on one line; control characters cannot stand in one."""
    return "# " + "".join(char if char.isprintable() else " " for char in text)

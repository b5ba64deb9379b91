"""The configuration and its secret files as text, with a comment about the origin of each part.

For a configuration of an earlier import, this makes the missing tables.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.names import InvalidName, to_a_labels
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import loader
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.setup.importing import model, reading, texts

MARK: Final = "`dnsrenew import`"
"""A part of the first line of every file that an import writes, in each language."""
PLACEHOLDER: Final = "change-me"
"""The value of a missing option that is not a secret."""
_DEFAULT_CA: Final = "letsencrypt"
Say = Callable[[str], str]


def document(
    plan: model.Plan, tools: Sequence[str], notes: Sequence[model.NotUnderstood], taken: Mapping[str, str], say: Say
) -> tuple[str, dict[str, str]]:
    """Return the configuration of a plan, and the contents of its secret files by name.

    :param tools: the tools that were read, such as ``certbot in /etc/letsencrypt``.
    :param notes: the notes about parts that were not imported.
    :param taken: the existing secret files, by name, with their contents. A file with other content is not changed.
    :param say: shows a message in the language of the reader.
    """
    writer = _Writer(plan, taken, say)
    lines = [comment(say(texts.FILE_HEAD.format(tools=tools))), *writer.head(), *writer.tables()]
    lines += ["", comment(say(texts.FILE_NOT_IMPORTED))] if notes else []
    lines += [comment(note.placed(say(note.message))) for note in notes]
    return "\n".join([*lines, ""]), writer.secrets


class _Writer:
    def __init__(self, plan: model.Plan, taken: Mapping[str, str], say: Say, default_ca: str | None = None) -> None:
        self._plan, self._say = plan, say
        self._taken = taken
        self.secrets: dict[str, str] = {}
        used = Counter(each.ca for each in plan.certificates if each.ca)
        self._default = default_ca or (used.most_common(1)[0][0] if used else _DEFAULT_CA)

    def head(self) -> Iterator[str]:
        """Yield the lines above the first table."""
        yield from ("", *assignments({"contact": list(self._plan.contact)}))
        agrees = any(ca.account is not None for ca in self._plan.cas)
        yield f"agree_terms = true # {self._say(texts.FILE_AGREED)}" if agrees else "# agree_terms = true"
        if self._default != _DEFAULT_CA:
            yield from assignment("default_ca", self._default)

    def tables(self) -> Iterator[str]:
        """Yield all tables, each after an empty line."""
        for ca in self._plan.cas:
            if lines := self._ca(ca):
                yield from ("", f"[ca.{key(ca.name)}]", *lines)
        for name, account in self._plan.dns.items():
            yield from ("", f"[dns.{key(name)}]", self._from(account.source))
            yield from assignments({"provider": account.provider, **self._options(name, account)})
        for certificate in self._plan.certificates:
            yield from ("", *self._certificate(certificate))

    def _ca(self, ca: model.PlannedCa) -> list[str]:
        """Return the table of a CA, or nothing if it does not need one."""
        head = [] if ca.is_built_in or ca.account is None else [self._from(ca.account.source)]
        directory = None if ca.is_built_in else ca.directory
        return [*head, *assignments({"directory": directory, "trust": ca.trust, "eab": self._eab(ca)})]

    def _eab(self, ca: model.PlannedCa) -> object:
        if ca.eab is None or not (ca.eab.by_email or (ca.eab.kid and ca.eab.hmac)):
            return None
        if ca.eab.by_email:
            return "email"
        return {"kid": ca.eab.kid, "hmac": self._secret(f"{ca.name}-eab-hmac", ca.eab.hmac)}

    def _options(self, name: str, account: model.FoundDnsAccount) -> dict[str, object]:
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
            # Without its file, only the certificates that need the secret fail and not the whole configuration.
            is_secret = reading.is_secret(account.provider, key)
            options[key] = f"file:{reading.secret_file(f'{name}-{key}')}" if is_secret else PLACEHOLDER
        return options

    def _from(self, source: str) -> str:
        return comment(self._say(texts.FILE_FROM.format(source=source)))

    def _secret(self, name: str, value: str) -> str:
        """Return the reference to a new secret file."""
        return keep_secret(self.secrets, self._taken, reading.secret_file(name), value)

    def _certificate(self, planned: model.PlannedCertificate) -> Iterator[str]:
        """Yield the table of a certificate."""
        found = planned.found
        yield from ("[[certificate]]", self._from(found.source))
        settings: dict[str, object] = {
            "name": planned.name,
            "domains": list(found.domains),
            "ca": planned.ca if planned.ca != self._default else None,
            "key": planned.key if found.key or planned.key != "ecdsa-p256" else None,
            "reuse_key": found.reuse_key,
            "profile": found.profile,
            "preferred_chain": found.preferred_chain,
            "renew_before": found.renew_before,
        }
        yield from assignments(settings)
        routes = (_route(route, name) for route, name in zip(planned.routes, planned.dns, strict=True))
        yield from ("routes = [", *dict.fromkeys(f"    {toml_value(route)}," for route in routes), "]")
        if any(route.listen for route in planned.routes):
            yield from assignments({"before": list(found.before), "after": list(found.after)})
        if planned.deploy:
            yield "deploy = ["
            for number, deployment in enumerate(planned.deploy, 1):
                yield f"    {self._from(deployment.source)}"
                yield f"    {toml_value(self._deployment(f'{planned.name}-{deployment.to}-{number}', deployment))},"
            yield "]"

    def _deployment(self, name: str, found: model.FoundDeployment) -> dict[str, object]:
        secrets = {key: self._secret(f"{name}-{key}", value) for key, value in found.secrets.items()}
        return {**({} if found.to == "run" else {"to": found.to}), **found.options, **secrets}


def _route(route: model.FoundRoute, account: str) -> dict[str, object]:
    values = {"challenge": route.challenge, "dns": account, "webroot": route.webroot, "listen": route.listen}
    values["alias"] = route.alias
    return {key: value for key, value in values.items() if value}


# ── toml ───────────────────────────────────────────────────────────────────────────────

# Values as TOML, and their secrets in files.


def keep_secret(secrets: dict[str, str], taken: Mapping[str, str], file: str, value: str) -> str:
    """Add a secret to the files; return its reference. A file with other content is not changed.

    :param taken: the existing files with their contents.
    """
    others = (name.removesuffix(".txt") for name, content in {**taken, **secrets}.items() if content != value)
    name = f"{reading.free_name(file.removesuffix('.txt'), others)}.txt"
    secrets[name] = value
    return f"file:{name}"


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST: Final = 110


def toml_value(given: object) -> str:
    """Return a text, a number, a truth value, a list or a table on one line."""
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {toml_value(item)}" for name, item in given.items()) + " }"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return f"[{', '.join(map(toml_value, given))}]"
    return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """Return a key, in quotes if needed."""
    return name if _BARE.fullmatch(name) else toml_value(name)


def assignment(name: str, given: object) -> list[str]:
    """Return ``name = value``. A list that is too long has a line for each item."""
    line = f"{key(name)} = {toml_value(given)}"
    if len(line) <= _WIDEST or not isinstance(given, Sequence) or isinstance(given, str):
        return [line]
    return [f"{key(name)} = [", *(f"    {toml_value(item)}," for item in given), "]"]


def assignments(values: Mapping[str, object]) -> Iterator[str]:
    """Yield ``name = value`` for each value that is not empty."""
    return chain.from_iterable(assignment(*each) for each in values.items() if each[1])


def comment(text: str) -> str:
    """Return a comment on one line, without control characters."""
    return "# " + "".join(char if char.isprintable() else " " for char in text)


# ── catching up ────────────────────────────────────────────────────────────────────────

# A later import into the same configuration: the certificates of the tools that it lacks, and the tables to add.
#
# The configuration belongs to a person by now, so it is compared but never changed.

_REFERENCE: Final = "file:"


def identifier(domain: str) -> str:
    """Return a domain as A-labels, or unchanged if it is not a domain, which the configuration then reports."""
    try:
        return to_a_labels(domain.lower())
    except InvalidName:
        return domain.lower()


class TablesToAdd(Frozen):
    """The lines that a person must add to the configuration for a certificate.

    :ivar certificate: the name of the certificate.
    :ivar lines: its table, after missing tables of its CA and its DNS accounts.
    """

    certificate: str
    lines: str


class LaterImport:
    """The parts of a plan that a configuration and its included files lack, with free names.

    :param taken: the existing secret files, by name, with their contents.
    :raises ConfigError: the configuration cannot be read.

    :ivar cas: the missing CAs.
    :ivar to_add: the tables to add.
    :ivar secrets: the contents of the secret files that the tables name, by file.
    """

    def __init__(self, plan: model.Plan, config: Path, taken: Mapping[str, str], say: Say) -> None:
        self._plan, self._say = plan, say
        self._taken = taken
        tables = loader.read_file(str(config), found=False, insist=True).report.tables.values()
        default = next(iter(tables), {}).get("default_ca")
        self._default = default if isinstance(default, str) else _DEFAULT_CA
        certificates = [each for table in tables for each in _list(table.get("certificate"))]
        self._domains = dict(map(_named, certificates))
        of_cas = {name: _table(table) for each in tables for name, table in _table(each.get("ca")).items()}
        used = [each for one in certificates for each in (one, *_list(one.get("routes")))]
        names = {each.get("ca", self._default) for each in used if isinstance(each.get("ca", ""), str)}
        self._directories = {name: ca.directory for name, ca in BUILT_IN.items() if name in names}
        self._directories |= {name: str(table.get("directory", "")) for name, table in of_cas.items()}
        self._tables = {name: _table(table) for each in tables for name, table in _table(each.get("dns")).items()}
        self._names = set(self._domains)
        self.cas: list[model.PlannedCa] = []
        self._dns: dict[str, model.FoundDnsAccount] = {}
        self.secrets: dict[str, str] = {}
        self.to_add = tuple(self._added(each) for each in plan.certificates if self.name_of(each) is None)

    def name_of(self, planned: model.PlannedCertificate) -> str | None:
        """Return the name of the certificate that covers all domains of a planned one, or None."""
        wanted = {identifier(domain) for domain in planned.found.domains}
        found = [name for name, domains in self._domains.items() if all(_covers(domains, each) for each in wanted)]
        return planned.name if planned.name in found else next(iter(found), None)

    def _added(self, planned: model.PlannedCertificate) -> TablesToAdd:
        """Return the table of a certificate, after needed tables that no earlier table has added."""
        cas, accounts = len(self.cas), len(self._dns)
        name = reading.free_name(planned.name, self._names)
        self._names.add(name)
        dns = tuple(self._account(each) if each else "" for each in planned.dns)
        own = replace(planned, name=name, ca=self._ca(planned.ca), dns=dns)
        new = {"cas": tuple(self.cas[cas:]), "dns": dict([*self._dns.items()][accounts:])}
        part, taken = replace(self._plan, certificates=(own,), **new), {**self._taken, **self.secrets}
        writer = _Writer(part, taken, self._say, self._default)
        lines = list(writer.tables())[1:]
        self.secrets |= writer.secrets
        return TablesToAdd(name, "\n".join(lines))

    def _account(self, name: str) -> str:
        account = self._plan.dns[name]
        known = (new for new, each in self._dns.items() if each == account)
        same = (key for key, table in self._tables.items() if _is_same(table, account, self._taken))
        found = next(known, None) or next(same, None)
        if found is None:
            found = reading.free_name(name, [*self._tables, *self._dns])
            self._dns[found] = account
        return found

    def _ca(self, name: str) -> str:
        ca = next((ca for ca in self._plan.cas if ca.name == name), None)
        if ca is None:
            return ""
        known = chain(self._directories.items(), ((each.name, each.directory) for each in self.cas))
        found = next((key for key, directory in known if directory == ca.directory), None)
        if found is None:
            found = reading.free_name(name, self._directories)
            self.cas.append(replace(ca, name=found))
        return found


def _covers(domains: frozenset[str], domain: str) -> bool:
    return domain in domains or f"*.{domain.partition('.')[2]}" in domains


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _named(certificate: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    plain = [identifier(each) for each in reading.strings(certificate.get("domains"))]
    name = certificate.get("name")
    default = plain[0].replace("*", "_") if plain else ""
    return name if isinstance(name, str) else default, frozenset(plain)


def _is_same(table: Mapping[str, Any], account: model.FoundDnsAccount, taken: Mapping[str, str]) -> bool:
    """Return whether the table of a configuration is that of an account, with equal options and secrets."""
    plain = _flat({**account.options, "provider": account.provider})
    ignored = {"zones", *account.secrets, *reading.missing_options(account)}
    written = _flat(table)
    if {key: value for key, value in written.items() if key not in ignored} != plain:
        return False
    return all(_value(written.get(key), taken) == value for key, value in account.secrets.items())


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a table. Keys of an inner table have the form ``TABLE.KEY``."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    inner = {f"{key}.{name}": value for key, its in tables.items() for name, value in its.items()}
    return {**{key: value for key, value in table.items() if key not in tables}, **inner}


def _value(given: Any, taken: Mapping[str, str]) -> Any:
    """Return the value of a secret in a file beside the configuration; other values unchanged."""
    is_file = isinstance(given, str) and given.startswith(_REFERENCE)
    return taken.get(given.removeprefix(_REFERENCE)) if is_file else given

"""The English templates of the program, and the files of languages that have their translations.

``python -m tests.kit.translations zh`` puts ``dnsrenew/locale/zh.po`` in order: it adds the templates that the file
lacks, without a translation, removes those that no text has, and lists what has to be translated. A language without a
file gets one.
"""

from __future__ import annotations

import errno
import os
import string
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final

import dnsrenew
from dnsrenew import locale
from dnsrenew.base.translation import PUNCTUATION
from dnsrenew.base.values import Frozen
from dnsrenew.cli import command_types, commands, texts
from dnsrenew.drivers.catalogue import find_provider, left_out_hosts
from dnsrenew.drivers.scripts import other_hosts
from dnsrenew.errors import Phrase, Text
from dnsrenew.extensions.doctor import form_texts
from dnsrenew.extensions.doctor import screen_texts as texts_doctor
from dnsrenew.extensions.serve import texts as texts_serve
from docs import codes

PROGRAM: Final = (texts, texts_doctor, form_texts, texts_serve)
"""The catalogues of the program itself; others are those of errors, warnings and checks."""
SYSTEM: Final = "the operating system"
BETWEEN: Final = "punctuation"
_PARTS: Final = frozenset({" ", ", ", "; "})
_REASONS: Final = (
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EBUSY, errno.ENAMETOOLONG, errno.EXDEV, errno.EINVAL),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOEXEC, errno.ENXIO, errno.EPIPE, errno.EADDRINUSE),
    *(errno.EADDRNOTAVAIL, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
    *(errno.EHOSTUNREACH, errno.ENETUNREACH),
)
"""Numbers whose reason, in the words of Linux, is the value of a field."""
_OF_TLS: Final = (
    "certificate has expired",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
    "unable to get issuer certificate",
    "wrong version number",
)
"""Words of OpenSSL that are the value of a field too: those that are seen most."""
_KEPT: Final = frozenset({f"dnsrenew.cli.texts.{name}" for name in ("SCHEDULERS", "SHORTENED")})
"""Names of programs, and what is typed; English abbreviations."""
_TYPED: Final = frozenset(
    {
        *(f"dnsrenew.config.texts.{name}" for name in ("AGREEMENT", "COMMAND_REFERENCE", "EXAMPLE_ACCOUNT", "KEYRING")),
        *(f"dnsrenew.config.texts.{name}" for name in ("NOT_AGREED", "TERMS")),
        "dnsrenew.drivers.texts.SCOPE_FOUND",
        "dnsrenew.extensions.setup.init.texts.CA_TITLES",
        "dnsrenew.extensions.watch.metrics_texts.HEALTHY",
        *(f"dnsrenew.base.validation.texts.TOML_{name}" for name in ("CAUSES", "TRUE", "FALSE", "YES", "NO")),
    }
)
"""Constants with what is typed, names, what programs read, and the words of Python's reader of TOML."""
_TYPED_PHRASES: Final = frozenset({"dnsrenew.config.texts.EAB_TABLE"})
"""Phrases that are only what is typed."""
_CHINESE_HOSTS: Final = ("aliesa", "aliyun", "dnspod", "edgeone", "huaweicloud", "qcloud")
"""DNS hosts with a title and pages in Chinese."""
_TITLED: Final = (*_CHINESE_HOSTS, "acme.sh", "hook", "hurricane", "manual", "rfc2136")
"""Those, and titles with words."""
_HOSTS: Final = (
    *_CHINESE_HOSTS,
    *("acme-dns", "acme.sh", "azure", "bunny", "cloudflare", "cloudns", "desec", "digitalocean", "dnsimple", "duckdns"),
    *("dynadot", "dynu", "dynv6", "gandi", "gcore", "godaddy", "googleclouddns", "henet", "hetzner", "hook"),
    *("hostinger", "hurricane", "infomaniak", "inwx", "ionos", "ipv64", "linode", "manual", "namecheap", "namecom"),
    *("namesilo", "netcup", "netlify", "ovh", "porkbun", "powerdns", "rfc2136", "route53", "spaceship", "technitium"),
    *("vercel", "vultr"),
)
"""DNS hosts whose options and notes are in other languages too: those that are used most."""
_FOR_PROGRAMS: Final = frozenset(
    {
        *(f"dnsrenew.serving.texts.{name}" for name in ("NO_SUCH_APP", "NO_CERTIFICATE_OF_ONES_OWN", "NOT_ENTERED")),
        *(f"dnsrenew.serving.texts.{name}" for name in ("NO_CERTIFICATE_YET", "SEVERAL_CERTIFICATES")),
        "dnsrenew.serving.texts.NOT_FOR_ANOTHER_PROCESS",
        *(f"dnsrenew.extensions.fleet.serving.texts.NO_{name}" for name in ("FUNCTION", "COROUTINE", "SIZE", "BOOL")),
    }
)
"""Texts of exceptions that only a program in Python meets."""


def english() -> Mapping[str, set[str]]:
    """Return every template by the module that has it."""
    reasons = {locale.with_context("system", each) for each in (*map(os.strerror, _REASONS), *_OF_TLS)}
    found: dict[str, set[str]] = {SYSTEM: reasons, BETWEEN: set(PUNCTUATION)}
    for (module, _), several in codes.catalogue().items():
        for text in several:
            found.setdefault(module, set()).update(part for part in (text.message, text.fix) if part)
    for catalogue in PROGRAM:
        where = catalogue.__name__
        for name, value in vars(catalogue).items():
            if name.isupper() and name[0] != "_" and f"{where}.{name}" not in _KEPT:
                found.setdefault(where, set()).update(_strings(value))
    found["dnsrenew.cli.texts"].add(texts.SCHEDULERS["windows"])
    found["dnsrenew.cli.commands"] = set(_help())
    for name in (*found, *text_modules()):
        if name not in {SYSTEM, BETWEEN}:
            for constant, value in vars(import_module(name)).items():
                phrases = {each.template for each in _strings(value) if isinstance(each, Phrase)}
                found[name] = found.get(name, set()) | (
                    phrases if f"{name}.{constant}" not in _TYPED_PHRASES else set()
                )
    for name in _HOSTS:
        host = find_provider(name)
        assert host is not None, name
        said = [each for spec in host.options.values() for each in (spec.help, spec.form)]
        said += [host.title] if name in _TITLED else []
        said += [host.website, host.docs] if name in _CHINESE_HOSTS else []
        found.setdefault("providers", set()).update(each.template for each in (*said, host.behaviour.note) if each)  # type: ignore[attr-defined]  # a Message
    found["providers"] |= {host[key].template for host in left_out_hosts().values() for key in ("why", "instead")}  # type: ignore[attr-defined]  # as above
    titles = (each.title for each in other_hosts() if any("\u4e00" <= letter <= "\u9fff" for letter in each.title))
    found["providers"] |= {title.template for title in titles}  # type: ignore[attr-defined]  # as above
    return found


def text_modules() -> list[str]:
    """Return the modules with texts, except those of the program."""
    every = (each.name for each in walk_packages(dnsrenew.__path__, "dnsrenew."))
    program = {each.__name__ for each in PROGRAM}
    return [name for name in every if name.rpartition(".")[2].startswith("texts") and name not in program]


def plain() -> Iterator[str]:
    """Yield the constants with words that are no text and no phrase, so that they stay English, and the words."""
    for module in text_modules():
        for name, value in vars(import_module(module)).items():
            where = f"{module}.{name}"
            if name.isupper() and name[0] != "_" and where not in _TYPED | _FOR_PROGRAMS:
                found = _strings(value, with_texts=False)
                yield from (f"{where}: {each}" for each in found if not isinstance(each, Phrase) and has_words(each))


def _strings(value: Any, *, with_texts: bool = True) -> Iterator[str]:
    """Yield the texts in a constant of the program."""
    if isinstance(value, Text):
        yield from (value.message, value.fix) if with_texts else ()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (each for item in value.values() for each in _strings(item, with_texts=with_texts))
    elif isinstance(value, (tuple, list)):
        yield from (each for item in value for each in _strings(item, with_texts=with_texts))
    elif isinstance(value, Frozen):
        yield from _strings(vars(value), with_texts=with_texts)


def _help() -> Iterator[str]:
    """Yield the texts of ``--help``."""
    yield from (commands.SUMMARY, commands.SENTENCE, commands.USAGE, commands.COMMAND)
    yield from (commands.HEADING, *commands.HEADINGS.values())
    yield from commands.TOPICS
    yield command_types.OR
    for option in (*commands.GLOBAL, commands.VERSION, commands.INSIST):
        yield option.help
    for _, comment in commands.EXAMPLES:
        yield comment
    for command in commands.COMMANDS.values():
        yield command.summary
        yield from command.notes.split("\n")
        yield from (argument.help for argument in command.arguments)
        yield from (option.help for option in command.options)
        yield from (comment for _, comment in command.examples)


def english_of(key: str) -> str:
    """Return the template of a key, without its context."""
    return key.rpartition("\x04")[2]


def needs_translation(key: str) -> bool:
    """Return whether a template has more than fields; what stands between parts is translated in pairs."""
    return key not in _PARTS and bool(_literal(key))


def has_words(key: str) -> bool:
    """Return whether a template has letters besides its fields."""
    return any(map(str.isalpha, _literal(key)))


def _literal(key: str) -> str:
    return "".join(text for text, *_ in string.Formatter().parse(english_of(key)))


def fields(key: str) -> list[tuple[str, str | None, str | None]]:
    """Return the fields of a template with their formats, sorted."""
    parsed = string.Formatter().parse(english_of(key))
    return sorted((name, spec, conversion) for _, name, spec, conversion in parsed if name)


# ── the file of a language ──────────────────────────────────────────────────────────────

_HEADER: Final = """\
# The translation of dnsrenew.
msgid ""
msgstr ""
"Project-Id-Version: dnsrenew\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def in_order(language: str, old: str) -> str:
    """Return the file of a language with all templates, by their module.

    :param old: the file as it is; empty: there is none.
    """
    notes, translations = dict[str, list[str]](), dict[str, str]()
    for comments, key, translation in locale.entries(old):
        translations[key] = translation
        lines = [line for line in comments.splitlines() if line.startswith(("# ", "#, fuzzy"))]
        notes[key] = ["#, fuzzy" if line[1] == "," else line for line in lines]
    places = dict[str, list[str]]()
    for module, templates in sorted(english().items()):
        place = f"#. {module}" if module in {SYSTEM, BETWEEN} else f"#: {module.replace('.', '/')}.py"
        for key in sorted(filter(needs_translation, templates)):
            places.setdefault(key, []).append(place)
    parts = [old.partition("\n\n")[0].rstrip("\n") if old else _HEADER.format(language=language).rstrip("\n")]
    for key, where in places.items():
        flags = ["#, python-brace-format"] if fields(key) else []
        context, _, template = key.rpartition("\x04")
        strings = [("msgctxt", context)] if context else []
        strings += [("msgid", template), ("msgstr", translations.get(key, ""))]
        lines = [f"{keyword} {_quoted(text)}" for keyword, text in strings]
        parts.append("\n".join([*notes.get(key, ()), *where, *flags, *lines]))
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    first, *more = escaped.split("\n")
    if not more:
        return f'"{first}"'
    lines = [f"{line}\\n" for line in (first, *more[:-1])] + ([more[-1]] if more[-1] else [])
    return "\n".join(['""', *(f'"{line}"' for line in lines)])


# ── a language that nobody speaks ───────────────────────────────────────────────────────

PSEUDO: Final = "xx"
_ACCENTS: Final = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀçđéƒğħíĵķĺɱñóþɋŕšŧúṽŵẋýžÁɃÇĐÉƑĞĦÍĴĶĹṀÑÓÞɊŔŠŦÚṼŴẊÝŽ",
)


def pseudo_file(language: str) -> str:
    """Return a language in which each template is in brackets, and each of its letters has an accent.

    :param language: one with every translation.
    """
    blocks = [_HEADER.format(language=PSEUDO)]
    for key in locale.read_catalogue(language):
        context, _, template = key.rpartition("\x04")
        strings = [("msgctxt", context)] if context else []
        strings += [("msgid", template), ("msgstr", template if key in PUNCTUATION else _accented(template))]
        blocks.append("".join(f"{keyword} {_quoted(text)}\n" for keyword, text in strings))
    return "\n".join(blocks)


def _accented(template: str) -> str:
    parts = []
    for text, name, spec, conversion in string.Formatter().parse(template):
        parts.append(text.translate(_ACCENTS).replace("{", "{{").replace("}", "}}"))
        if name is not None:
            parts.append(f"{{{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}")
    whole = "".join(parts)
    stop = "." if whole.endswith(".") else ""  # a clause has none
    return f"⟦{whole.removesuffix('.')}⟧{stop}"


if __name__ == "__main__":
    path = Path(locale.path_of(sys.argv[1]))
    path.write_text(in_order(sys.argv[1], path.read_text("utf-8") if path.exists() else ""), "utf-8")
    done = locale.read_catalogue(sys.argv[1])
    for place, templates in sorted(english().items()):
        for each in sorted(filter(needs_translation, templates - set(done))):
            print(f"{place}\t{english_of(each)!r}")  # noqa: T201  # a list for translators

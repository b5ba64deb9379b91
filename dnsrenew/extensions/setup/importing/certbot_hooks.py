"""certbot's hooks as programs of ours: what frees a port, and what is done with a new certificate.

certbot gives its deploy hooks ``RENEWED_LINEAGE`` and ``RENEWED_DOMAINS``; so does the target ``run``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.found import FoundDeployment, FoundRoute, shell
from dnsrenew.extensions.setup.importing.logical_lines import LONGEST

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.certbot_settings import RenewalSettings

_WITHOUT_MEANING: Final = frozenset(
    {
        *(
            "max_log_backups",
            "preconfigured_renewal",
            "email",
            "agree_tos",
            "non_interactive",
            "noninteractive",
            "quiet",
        ),
        *("text", "eff_email", "no_eff_email", "keep_until_expiring", "server", "authenticator", "installer"),
        *("no_self_upgrade", "rsa_key_size", "key_type", "elliptic_curve", "expand", "renew_by_default"),
        *("random_sleep_on_renew", "no_random_sleep_on_renew", "config_dir", "work_dir", "logs_dir", "domains"),
        *("register_unsafely_without_email", "preferred_challenges", "webroot_path", "preferred_chain"),
    }
)
"""Keys of ``cli.ini`` that certbot keeps for each certificate too, or that have no meaning for us."""
_KINDS: Final = {"pre_hook": "pre", "post_hook": "post", "deploy_hook": "deploy", "renew_hook": "deploy"}


class Hook(Frozen):
    """A command for the shell, and where it stands."""

    command: str
    source: str


class Hooks(Frozen):
    """The hooks of all certificates."""

    pre: tuple[Hook, ...] = ()
    deploy: tuple[Hook, ...] = ()
    post: tuple[Hook, ...] = ()


class HookPrograms(Frozen):
    """The hooks of a certificate, as programs of ours."""

    deployments: tuple[FoundDeployment, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def shared(folder: Path, notes: reading.Notes) -> Hooks:
    """Return the hooks in ``renewal-hooks/`` and in ``cli.ini``."""
    found: dict[str, list[Hook]] = {"pre": [], "deploy": [], "post": []}
    for kind, hooks in found.items():
        inside = folder / "renewal-hooks" / kind
        for name in reading.names(inside):
            path = inside / name
            if os.path.isfile(path) and os.access(path, os.X_OK) and not name.endswith("~"):
                notes.judge(path)
                hooks.append(Hook(shlex.quote(str(path)), str(path)))
    file = folder / "cli.ini"
    text = notes.text(file) if os.path.lexists(file) else None
    for setting in reading.settings(text or "", lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.replace("-", "_")
        if key in _KINDS:
            found[_KINDS[key]].append(Hook(setting.value, f"{file}:{setting.number}"))
        elif key not in _WITHOUT_MEANING:
            notes.add(texts.SETTING_UNKNOWN, file, setting.number, setting.key, key=setting.key)
    return Hooks(tuple(found["pre"]), tuple(found["deploy"]), tuple(found["post"]))


def programs(
    settings: RenewalSettings, hooks: Hooks, routes: Sequence[FoundRoute], notes: reading.Notes
) -> HookPrograms:
    """Return the hooks of a certificate.

    Only a route that opens a port has programs before and after it; for others, what ran after each try runs after
    each new certificate.
    """
    if settings.get("directory_hooks").lower() == "false":
        hooks = Hooks()
    own = {key: _own(settings, key, notes) for key in ("pre_hook", "post_hook", "renew_hook", "deploy_hook")}
    pre = _distinct((*hooks.pre, *own["pre_hook"]))
    post = _distinct((*hooks.post, *own["post_hook"]))
    deploy = _distinct((*hooks.deploy, *own["renew_hook"], *own["deploy_hook"]))
    opens_port = any(route.listen for route in routes)
    if opens_port:
        before, after = _joined(pre, " && "), _joined(post, "; ")
    else:
        before = after = ()
        if pre:
            notes.add(texts.HOOK_BEFORE, *_place(settings, "pre_hook", pre), name=settings.name)
        if post:
            notes.add(texts.HOOK_AFTER, *_place(settings, "post_hook", post), name=settings.name)
        deploy = _distinct((*deploy, *post))
    return HookPrograms(tuple(map(_deployment, deploy)), before, after)


def _place(settings: RenewalSettings, key: str, hooks: Sequence[Hook]) -> tuple[Path, int | None, str]:
    """Return where a hook stands: in the settings of the certificate, or in those of all."""
    if settings.get(key):
        return settings.place(key)
    file, colon, line = hooks[0].source.rpartition(":")
    is_line = bool(colon) and line.isdecimal()
    return Path(file if is_line else hooks[0].source), int(line) if is_line else None, hooks[0].command


def _own(settings: RenewalSettings, key: str, notes: reading.Notes) -> tuple[Hook, ...]:
    command = settings.get(key)
    if not command:
        return ()
    file, line, text = settings.place(key)
    program = missing_program(command)
    if program is not None:
        notes.add(texts.HOOK_GONE, file, line, text, program=program)
        return ()
    return (Hook(command, f"{file}:{line}"),)


def missing_program(command: str) -> str | None:
    """Return the program of a command if it is a path where nothing stands."""
    try:
        words = shlex.split(command) if len(command) <= LONGEST else []
    except ValueError:
        return None
    program = words[0] if words else ""
    return program if os.path.isabs(program) and not os.path.exists(program) else None


def _distinct(hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Return the hooks, each command once, as certbot runs them."""
    return tuple({hook.command: hook for hook in reversed(hooks)}.values())[::-1]


def _joined(hooks: Sequence[Hook], separator: str) -> tuple[str, ...]:
    return shell(separator.join(hook.command for hook in hooks)) if hooks else ()


def _deployment(hook: Hook) -> FoundDeployment:
    return FoundDeployment(to="run", source=hook.source, options={"run": list(shell(hook.command))})

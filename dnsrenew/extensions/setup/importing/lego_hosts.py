"""The DNS hosts of lego and their environment variables, as accounts of ours.

The variables of most are the ``env`` of our provider files; here are the exceptions (``lego dnshelp -c CODE``).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.setup.importing import reading, texts

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.found import FoundDnsAccount
    from dnsrenew.extensions.setup.importing.jobs import FoundJob

_NAMES: Final = {
    "alidns": "aliyun",
    "auroradns": "aurora",
    "gandiv5": "gandi",
    "gcloud": "googleclouddns",
    "hurricane": "",  # its own kind of credentials
    "namedotcom": "namecom",
    "nearlyfreespeech": "nfsn",
    "ns1": "nsone",
    "oraclecloud": "oci",
    "pdns": "powerdns",
    "tencentcloud": "qcloud",
}
"""lego's code, where ours has another name."""
_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "cloudflare": {
        "CLOUDFLARE_API_KEY": "auth_token",
        "CF_API_KEY": "auth_token",
        "CLOUDFLARE_EMAIL": "auth_username",
        "CF_API_EMAIL": "auth_username",
        "CLOUDFLARE_DNS_API_TOKEN": "auth_token",
        "CF_DNS_API_TOKEN": "auth_token",
    },
    "hetzner": {"HETZNER_API_KEY": "auth_token"},
    "nsone": {"NS1_API_KEY": "auth_token"},
    "powerdns": {"PDNS_SERVER_NAME": "pdns_server_id"},
    "route53": {"AWS_HOSTED_ZONE_ID": "zone_id"},
    "luadns": {"LUADNS_API_USERNAME": "auth_username"},
}
"""More variables; of two for one option, the later one wins."""
_HOOK: Final = 'case $1 in add) exec {program} present "$3." "$4" ;; remove) exec {program} cleanup "$3." "$4" ;; esac'
"""A program for the provider ``hook``, from that of lego's provider ``exec``."""


def account(code: str, job: FoundJob, name: str, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account for the environment of a call; None, with a note, for a host that we do not know.

    :param code: lego's name of the host.
    :param name: the certificate, for notes.
    """
    source = f"{job.file}:{job.line}"
    if code == "exec":
        return _program(job, source, name, notes)
    provider = _NAMES.get(code, code)
    options = None if not provider else _options(provider, job.environment, notes)
    if options is None:
        notes.add(texts.PLUGIN_UNKNOWN, job.file, job.line, f"--dns {code}", plugin=f"--dns {code}", name=name)
        return None
    found = reading.dns_account(provider, options, source)
    missing = reading.missing_options(found)
    if missing:
        host = f"--dns {code}"
        listed = ", ".join(missing)
        notes.add(texts.CREDENTIALS_UNKNOWN, job.file, job.line, host, plugin=host, missing=listed, provider=provider)
    return found


def _options(provider: str, environment: Mapping[str, str], notes: reading.Notes) -> dict[str, str] | None:
    from dnsrenew.drivers.catalogue import find_provider

    known = find_provider(provider) if provider.replace("-", "").isalnum() else None
    if known is None:
        return None
    variables = {spec.env: option for option, spec in known.options.items() if spec.env}
    found = {}
    for variable, option in (*variables.items(), *_ALIASES.get(provider, {}).items()):
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

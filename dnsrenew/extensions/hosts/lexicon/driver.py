"""The driver lexicon in our process, which hands each call to the process of its account."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.extensions import install_command
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers import texts as driver_texts
from dnsrenew.drivers.error_mapping import ReportedError
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.drivers.provider import NAME
from dnsrenew.errors import ConfigError, ProviderError, system_reason
from dnsrenew.extensions.hosts.lexicon import texts
from dnsrenew.extensions.hosts.lexicon.process import ProcessEnded, process_of


class LexiconDriver:
    """Writes through one of lexicon's providers.

    Driver options: ``provider`` (its name in lexicon), ``look_first`` (list the records before a write, for a provider
    that would write a value twice) and ``look_after`` (list them after a removal, for a provider that hides failures).
    All other options are passed to lexicon.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        options = dict(context.driver_options)
        self._name = str(options.pop("provider", ""))
        self._looks = {key: bool(options.pop(key, False)) for key in ("look_first", "look_after")}
        self._driver_options = options
        check(self._name)
        self._process = process_of(context.remembered, self._name)
        if self._name not in KNOWN:
            self._call("prepare", ())

    @staticmethod
    def warm_up(driver_options: Mapping[str, Any], remembered: dict[Any, Any]) -> None:
        """Start the process of an account before its first call.

        :raises OSError: the process cannot be started.
        """
        name = driver_options.get("provider")
        if isinstance(name, str):
            process_of(remembered, name).start()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values one by one, with one session for each zone."""
        self._call("add", records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values one by one, with one session for each zone."""
        self._call("remove", records)

    def _call(self, action: str, records: Sequence[TxtRecord]) -> None:
        # Raised here and not near the secrets, because the variables of those frames would be in the traceback.
        if failure := self._ask(action, records):
            raise failure

    def _ask(self, action: str, records: Sequence[TxtRecord]) -> BaseException | None:
        """Send the request; return the exception to raise."""
        request = {
            "action": action,
            "options": {**self._driver_options, **{key: self._context.text(key) for key in self._context.options}},
            "records": [(record.zone, record.name, record.value, record.ttl) for record in records],
            **self._looks,
        }
        account = self._context.account
        try:
            answer = self._process.call(request, self._context.seconds_left, self._context.cancel)
        except TimeoutError:
            return ProviderError.of(driver_texts.CALL_OVER, account=account, left_behind=True)
        except ProcessEnded as error:
            return ProviderError.of(texts.PROCESS_ENDED, account=account, how=str(error))
        except OSError as error:
            cause, executable = system_reason(error), sys.executable or "?"
            return ProviderError.of(texts.PROCESS_NOT_STARTED, account=account, cause=cause, executable=executable)
        return self._failure(action, answer)

    def _failure(self, action: str, answer: dict[str, Any]) -> BaseException | None:
        if "refused" in answer:
            text = texts.NOT_WRITTEN if action == "add" else texts.NOT_REMOVED
            zone, name = (names.relative(answer["refused"][key]) for key in ("zone", "name"))
            return ProviderError.of(text, account=self._context.account, zone=zone, name=name)
        if "error" not in answer:
            return None
        if answer["error"]["name"] == "ProviderNotAvailableError":
            return ConfigError.of(texts.UNKNOWN, provider=self._name)
        return ReportedError(answer["error"])


# ── usable ─────────────────────────────────────────────────────────────────────────────

# The usable providers of lexicon. lexicon itself is not imported.

KNOWN: Final = frozenset(
    (  # noqa: SIM905  # a list has a line for each
        "aliyun arvancloud aurora azure cloudflare cloudns cloudxns conoha constellix desec devnomads digitalocean "
        "dinahosting directadmin dnsimple dnsmadeeasy dnspark dnspod dnsservices dreamhost dynu easydns easyname "
        "euserv exoscale flexibleengine gandi gehirn glesys godaddy googleclouddns gransy gratisdns henet hetzner "
        "hostingde hover httpnet infoblox infomaniak internetbs inwx ionos joker linode linode4 localzone luadns "
        "memset misaka mythicbeasts namecheap namecom namesilo netcup nfsn njalla nsone oci onapp online ovh plesk "
        "pointhq porkbun powerdns qcloud rackspace rage4 rcodezero regfish route53 safedns sakuracloud scaleway "
        "softlayer timeweb transip ultradns valuedomain vercel vultr wedos yandex yandexcloud zeit zilore zonomi"
    ).split()
)
"""The providers of the tested lexicon version. Its process is asked for other providers, which takes longer."""
EXTRAS: Final = {
    "gransy": "zeep",
    "localzone": "localzone",
    "oci": "oci",
    "qcloud": "tencentcloud",
    "route53": "boto3",
    "softlayer": "SoftLayer",
}
"""Providers of lexicon that need another package, each with the module to check for."""
_PACKAGES: Final = {"tencentcloud": "tencentcloud-sdk-python"}
"""The package of a module, if it has another name."""
UNUSABLE: Final = {"auto": texts.GUESSES_HOST, "ddns": texts.IGNORES_ANSWER, "duckdns": texts.REMOVES_NOTHING}


def check(name: str) -> None:
    """Raise if lexicon cannot have a usable provider of this name.

    :raises ConfigError: ``provider-invalid``: lexicon has no such provider, or it is unusable.
    :raises ProviderError: ``provider-extra-missing``: it needs a package that is not installed.
    """
    if name in UNUSABLE:
        raise ConfigError.of(UNUSABLE[name], provider=name)
    if NAME.fullmatch(name) is None:
        raise ConfigError.of(texts.UNKNOWN, provider=name)
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        package = _PACKAGES.get(EXTRAS[name], EXTRAS[name])
        command = install_command(package)
        raise ProviderError.of(texts.EXTRA_MISSING, provider=name, package=package, command=command)

"""Which of lexicon's providers can be used; lexicon itself is not imported."""

from __future__ import annotations

import importlib.util
from typing import Final

from dnsrenew.base.installation import install_command
from dnsrenew.drivers.lexicon import texts
from dnsrenew.drivers.provider import NAME
from dnsrenew.errors import ConfigError, ProviderError

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
"""The providers of the lexicon that dnsrenew is tested with. Its process is asked for others, which takes longer."""
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
UNUSABLE: Final = {
    "auto": texts.GUESSES_HOST,
    "ddns": texts.IGNORES_ANSWER,
    "duckdns": texts.REMOVES_NOTHING,
}


def check(name: str) -> None:
    """Return if lexicon may have a usable provider of this name.

    :raises ConfigError: ``provider-invalid``, lexicon has no such provider, or it cannot be used.
    :raises ProviderError: ``provider-extra-missing``, it needs a package that is not installed.
    """
    if name in UNUSABLE:
        raise ConfigError.of(UNUSABLE[name], provider=name)
    if NAME.fullmatch(name) is None:
        raise ConfigError.of(texts.UNKNOWN, provider=name)
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        package = _PACKAGES.get(EXTRAS[name], EXTRAS[name])
        command = install_command(package)
        raise ProviderError.of(texts.EXTRA_MISSING, provider=name, package=package, command=command)

"""The DNS hosts: a driver in its own file for each API, on :mod:`~dnsrenew.drivers.host_api`, and lexicon's."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.extensions import Extension

_HOSTS: Final = __name__
_DRIVERS: Final = {
    "acme.sh": (f"{_HOSTS}.acme_sh", "AcmeShDriver"),
    "lexicon": (f"{_HOSTS}.lexicon.driver", "LexiconDriver"),
    "active24": (f"{_HOSTS}.active24", "Active24Driver"),
    "aliesa": (f"{_HOSTS}.aliesa", "AliEsaDriver"),
    "allinkl": (f"{_HOSTS}.allinkl", "AllInklDriver"),
    "autodns": (f"{_HOSTS}.autodns", "AutoDnsDriver"),
    "beget": (f"{_HOSTS}.beget", "BegetDriver"),
    "bunny": (f"{_HOSTS}.bunny", "BunnyDriver"),
    "cloudflare": (f"{_HOSTS}.cloudflare", "CloudflareDriver"),
    "cpanel": (f"{_HOSTS}.cpanel", "CpanelDriver"),
    "ddnss": (f"{_HOSTS}.ddnss", "DdnssDriver"),
    "desec": (f"{_HOSTS}.desec", "DesecDriver"),
    "dnsexit": (f"{_HOSTS}.dnsexit", "DnsExitDriver"),
    "dode": (f"{_HOSTS}.dode", "DodeDriver"),
    "domeneshop": (f"{_HOSTS}.domeneshop", "DomeneshopDriver"),
    "duckdns": (f"{_HOSTS}.duckdns", "DuckDnsDriver"),
    "dynadot": (f"{_HOSTS}.dynadot", "DynadotDriver"),
    "dynv6": (f"{_HOSTS}.dynv6", "Dynv6Driver"),
    "edgedns": (f"{_HOSTS}.edgedns", "EdgeDnsDriver"),
    "edgeone": (f"{_HOSTS}.edgeone", "EdgeOneDriver"),
    "exoscale": (f"{_HOSTS}.exoscale", "ExoscaleDriver"),
    "flexibleengine": (f"{_HOSTS}.flexibleengine", "FlexibleEngineDriver"),
    "gcore": (f"{_HOSTS}.gcore", "GcoreDriver"),
    "glesys": (f"{_HOSTS}.glesys", "GlesysDriver"),
    "godaddy": (f"{_HOSTS}.godaddy", "GoDaddyDriver"),
    "hetzner": (f"{_HOSTS}.hetzner", "HetznerDriver"),
    "hostinger": (f"{_HOSTS}.hostinger", "HostingerDriver"),
    "httpreq": (f"{_HOSTS}.httpreq", "HttpreqDriver"),
    "huaweicloud": (f"{_HOSTS}.huaweicloud", "HuaweiCloudDriver"),
    "hurricane": (f"{_HOSTS}.hurricane", "HurricaneDriver"),
    "ionos": (f"{_HOSTS}.ionos", "IonosDriver"),
    "ipv64": (f"{_HOSTS}.ipv64", "Ipv64Driver"),
    "ispconfig": (f"{_HOSTS}.ispconfig", "IspConfigDriver"),
    "leaseweb": (f"{_HOSTS}.leaseweb", "LeasewebDriver"),
    "loopia": (f"{_HOSTS}.loopia", "LoopiaDriver"),
    "mailinabox": (f"{_HOSTS}.mailinabox", "MailInABoxDriver"),
    "mijnhost": (f"{_HOSTS}.mijnhost", "MijnHostDriver"),
    "namecheap": (f"{_HOSTS}.namecheap", "NamecheapDriver"),
    "netcup": (f"{_HOSTS}.netcup", "NetcupDriver"),
    "netlify": (f"{_HOSTS}.netlify", "NetlifyDriver"),
    "nicru": (f"{_HOSTS}.nicru", "NicRuDriver"),
    "openprovider": (f"{_HOSTS}.openprovider", "OpenproviderDriver"),
    "porkbun": (f"{_HOSTS}.porkbun", "PorkbunDriver"),
    "regru": (f"{_HOSTS}.regru", "RegRuDriver"),
    "selectelv2": (f"{_HOSTS}.selectelv2", "SelectelDriver"),
    "simply": (f"{_HOSTS}.simply", "SimplyDriver"),
    "spaceship": (f"{_HOSTS}.spaceship", "SpaceshipDriver"),
    "technitium": (f"{_HOSTS}.technitium", "TechnitiumDriver"),
    "valuedomain": (f"{_HOSTS}.valuedomain", "ValueDomainDriver"),
    "websupport": (f"{_HOSTS}.active24", "WebsupportDriver"),
}

EXTENSION: Final = Extension(drivers=lambda: _DRIVERS)

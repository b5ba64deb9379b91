"""The DNS hosts: a driver for each HTTP API, a file for each, on :mod:`~dnsrenew.drivers.host_api`; and lexicon's."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.extensions import Extension

_CLASSES: Final = (  # noqa: SIM905  # a list has a line for each
    "active24.Active24Driver aliesa.AliEsaDriver allinkl.AllInklDriver autodns.AutoDnsDriver beget.BegetDriver "
    "bunny.BunnyDriver cloudflare.CloudflareDriver cpanel.CpanelDriver ddnss.DdnssDriver desec.DesecDriver "
    "dnsexit.DnsExitDriver dode.DodeDriver domeneshop.DomeneshopDriver duckdns.DuckDnsDriver dynadot.DynadotDriver "
    "dynv6.Dynv6Driver edgedns.EdgeDnsDriver edgeone.EdgeOneDriver exoscale.ExoscaleDriver "
    "flexibleengine.FlexibleEngineDriver gcore.GcoreDriver glesys.GlesysDriver godaddy.GoDaddyDriver "
    "hetzner.HetznerDriver hostinger.HostingerDriver httpreq.HttpreqDriver huaweicloud.HuaweiCloudDriver "
    "hurricane.HurricaneDriver ionos.IonosDriver ipv64.Ipv64Driver ispconfig.IspConfigDriver leaseweb.LeasewebDriver "
    "lexicon.LexiconDriver loopia.LoopiaDriver mailinabox.MailInABoxDriver mijnhost.MijnHostDriver "
    "namecheap.NamecheapDriver netcup.NetcupDriver netlify.NetlifyDriver nicru.NicRuDriver "
    "openprovider.OpenproviderDriver porkbun.PorkbunDriver regru.RegRuDriver selectelv2.SelectelDriver "
    "simply.SimplyDriver spaceship.SpaceshipDriver technitium.TechnitiumDriver valuedomain.ValueDomainDriver"
).split()
"""The module and the class of each driver that is called like its module."""
_DRIVERS: Final = {
    "acme.sh": (f"{__name__}.acme_sh", "AcmeShDriver"),
    "websupport": (f"{__name__}.active24", "WebsupportDriver"),
    **{module: (f"{__name__}.{module}", kind) for module, kind in (each.split(".") for each in _CLASSES)},
}

EXTENSION: Final = Extension(drivers=lambda: _DRIVERS)

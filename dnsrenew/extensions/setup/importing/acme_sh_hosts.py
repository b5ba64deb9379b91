"""The scripts for DNS hosts of acme.sh (``dnsapi/dns_*.sh``), and what they keep, as providers and options of ours.

The names are those of the wiki of acme.sh ("How to use DNS API") and of the scripts. A script keeps its settings as
``SAVED_NAME`` in ``account.conf``, some of them in the settings of the certificate.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from dnsrenew.base import host_port
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import aws, reading
from dnsrenew.extensions.setup.importing.on_machine import inside

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.reading import ShellSettings

Options = dict[str, object]
_TSIG: Final = re.compile(r"key\s+\"?([^\s\"{]+)\"?\s*\{([^{}]*)\}")
_TSIG_FIELD: Final = re.compile(r"(algorithm|secret)\s+\"?([^\s\";]+)\"?")


class Kept(Frozen):
    """The settings that acme.sh keeps: those of the certificate, then those of all."""

    settings: Sequence[ShellSettings]
    host: HostView
    notes: reading.Notes

    def get(self, *keys: str) -> str:
        """Return the first setting that is not empty, without quotes that became a part of it."""
        found = next((found for each in self.settings if (found := each.get(*keys))), "")
        return found[1:-1] if len(found) > 1 and found[0] == found[-1] == '"' else found

    def file(self, path: str) -> str:
        """Return the text of a file that a setting names; "", with a note, if it cannot be read."""
        return self.notes.credentials(inside(self.host, path)) if path else ""


class DnsScript(Frozen):
    """A script for a DNS host.

    :ivar provider: the file in ``providers/``; "" for a host that we do not support.
    :ivar options: our option, and the setting of the script.
    :ivar more: gives the options that need more than a name.
    """

    provider: str
    options: Mapping[str, str]
    more: Callable[[Kept], Options] | None = None

    def values(self, kept: Kept) -> Options:
        """Return the options of the provider, as they were kept."""
        found: Options = {option: kept.get(key) for option, key in self.options.items()}
        return found | (self.more(kept) if self.more else {})


# ── scripts that need more than names ───────────────────────────────────────────────────


def _cloudflare(kept: Kept) -> Options:
    token = kept.get("CF_Token")
    if token:
        return {"auth_token": token, "zone_id": kept.get("CF_Zone_ID")}
    return {"auth_token": kept.get("CF_Key"), "auth_username": kept.get("CF_Email")}


def _ovh(kept: Kept) -> Options:
    return {"auth_entrypoint": kept.get("OVH_END_POINT") or "ovh-eu"}


def _ionos(kept: Kept) -> Options:
    prefix, secret = kept.get("IONOS_PREFIX"), kept.get("IONOS_SECRET")
    return {"api_key": f"{prefix}.{secret}"} if prefix and secret else {}


def _transip(kept: Kept) -> Options:
    """Return the private key in the form of the driver; acme.sh keeps it in base64."""
    key = kept.get("TRANSIP_Key")
    if key and "BEGIN" not in key:
        return {"auth_api_key": f"base64::{''.join(key.split())}"}
    key = key or kept.file(kept.get("TRANSIP_Key_File"))
    return {"auth_api_key": f"base64::{base64.b64encode(key.encode()).decode('ascii')}"} if key else {}


def _acme_dns(kept: Kept) -> Options:
    base = kept.get("ACMEDNS_BASE_URL", "ACMEDNS_UPDATE_URL") or "https://auth.acme-dns.io"
    return {"api": base.rstrip("/").removesuffix("/update")}


def _nsupdate(kept: Kept) -> Options:
    """Return the server and the TSIG key; the key is in a file that tsig-keygen wrote."""
    server = kept.get("NSUPDATE_SERVER").partition(",")[0] or "localhost"
    port = kept.get("NSUPDATE_SERVER_PORT")
    if port.isdecimal() and port != "53":
        server = host_port.join(server, int(port))
    found: Options = {"server": server}
    key = _TSIG.search(kept.file(kept.get("NSUPDATE_KEY")))
    if key is not None:
        fields = dict(_TSIG_FIELD.findall(key[2]))
        found |= {"tsig_name": key[1], "tsig_secret": fields.get("secret", "")}
        found["tsig_algorithm"] = fields.get("algorithm", "").lower()
    return found


def _knot(kept: Kept) -> Options:
    """Return the server and the TSIG key ``ALGORITHM:NAME:SECRET``, as ``keymgr`` prints it."""
    algorithm, _, rest = kept.get("KNOT_KEY").partition(":")
    name, _, secret = rest.partition(":")
    return {"server": kept.get("KNOT_SERVER") or "localhost", "tsig_algorithm": algorithm.lower(), "tsig_name": name,
            "tsig_secret": secret}  # fmt: skip


def _namecheap(kept: Kept) -> Options:
    """Return the address of this machine; acme.sh also takes a URL that gives it."""
    address = kept.get("NAMECHEAP_SOURCEIP")
    return {"auth_client_ip": address} if host_port.is_ip(address) else {}


def _route53(kept: Kept) -> Options:
    if kept.get("AWS_ACCESS_KEY_ID"):
        return {}
    account = aws.route53_account(kept.host, kept.notes)
    return {} if account is None else {**account.options, **account.secrets}


def _infoblox(kept: Kept) -> Options:
    user, _, password = kept.get("Infoblox_Creds").partition(":")
    return {"auth_user": user, "auth_psw": password}


def _directadmin(kept: Kept) -> Options:
    """Return the address without the user and the password in it."""
    url = reading.parts(kept.get("DA_Api"))
    return {
        "endpoint": url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(),
        "auth_username": unquote(url.username or ""),
        "auth_password": unquote(url.password or ""),
    }


def _mail_in_a_box(kept: Kept) -> Options:
    """Return the address of the box; acme.sh keeps its name."""
    server = kept.get("MIAB_Server")
    return {"api": f"https://{server}"} if server else {}


# ── the scripts ─────────────────────────────────────────────────────────────────────────

SCRIPTS: Final = {
    "dns_cf": DnsScript("cloudflare", {}, _cloudflare),
    "dns_duckdns": DnsScript("duckdns", {"token": "DuckDNS_Token"}),
    "dns_ali": DnsScript("aliyun", {"auth_key_id": "Ali_Key", "auth_secret": "Ali_Secret"}),
    "dns_dp": DnsScript("dnspod", {"auth_username": "DP_Id", "auth_token": "DP_Key"}),
    "dns_tencent": DnsScript("qcloud", {"secret_id": "Tencent_SecretId", "secret_key": "Tencent_SecretKey"}),
    "dns_gd": DnsScript("godaddy", {"auth_key": "GD_Key", "auth_secret": "GD_Secret"}),
    "dns_namecheap": DnsScript(
        "namecheap", {"auth_username": "NAMECHEAP_USERNAME", "auth_token": "NAMECHEAP_API_KEY"}, _namecheap
    ),
    "dns_aws": DnsScript(
        "route53", {"auth_access_key": "AWS_ACCESS_KEY_ID", "auth_access_secret": "AWS_SECRET_ACCESS_KEY"}, _route53
    ),
    "dns_hetznercloud": DnsScript("hetzner", {"auth_token": "HETZNER_TOKEN"}),
    "dns_hetzner": DnsScript("hetzner", {"auth_token": "HETZNER_Token"}),
    "dns_he": DnsScript("henet", {"auth_username": "HE_Username", "auth_password": "HE_Password"}),
    "dns_ovh": DnsScript(
        "ovh",
        {"auth_application_key": "OVH_AK", "auth_application_secret": "OVH_AS", "auth_consumer_key": "OVH_CK"},
        _ovh,
    ),
    "dns_gandi_livedns": DnsScript("gandi", {"auth_token": "GANDI_LIVEDNS_TOKEN"}),
    "dns_porkbun": DnsScript("porkbun", {"auth_key": "PORKBUN_API_KEY", "auth_secret": "PORKBUN_SECRET_API_KEY"}),
    "dns_desec": DnsScript("desec", {"auth_token": "DEDYN_TOKEN"}),
    "dns_dgon": DnsScript("digitalocean", {"auth_token": "DO_API_KEY"}),
    "dns_linode_v4": DnsScript("linode", {"auth_token": "LINODE_V4_API_KEY"}),
    "dns_vultr": DnsScript("vultr", {"auth_token": "VULTR_API_KEY"}),
    "dns_ionos": DnsScript("ionos", {}, _ionos),
    "dns_netcup": DnsScript(
        "netcup", {"auth_customer_id": "NC_CID", "auth_api_key": "NC_Apikey", "auth_api_password": "NC_Apipw"}
    ),
    "dns_namecom": DnsScript("namecom", {"auth_username": "Namecom_Username", "auth_token": "Namecom_Token"}),
    "dns_namesilo": DnsScript("namesilo", {"auth_token": "Namesilo_Key"}),
    "dns_inwx": DnsScript("inwx", {"auth_username": "INWX_User", "auth_password": "INWX_Password"}),
    "dns_cloudns": DnsScript(
        "cloudns",
        {
            "auth_id": "CLOUDNS_AUTH_ID",
            "auth_subid": "CLOUDNS_SUB_AUTH_ID",
            "auth_password": "CLOUDNS_AUTH_PASSWORD",
        },
    ),
    "dns_acmedns": DnsScript(
        "acme-dns",
        {"username": "ACMEDNS_USERNAME", "password": "ACMEDNS_PASSWORD", "subdomain": "ACMEDNS_SUBDOMAIN"},
        _acme_dns,
    ),
    "dns_nsupdate": DnsScript("rfc2136", {}, _nsupdate),
    "dns_knot": DnsScript("rfc2136", {}, _knot),
    "dns_pdns": DnsScript(
        "powerdns", {"pdns_server": "PDNS_Url", "pdns_server_id": "PDNS_ServerId", "auth_token": "PDNS_Token"}
    ),
    "dns_transip": DnsScript("transip", {"auth_username": "TRANSIP_Username"}, _transip),
    "dns_infomaniak": DnsScript("infomaniak", {"auth_token": "INFOMANIAK_API_TOKEN"}),
    "dns_dynv6": DnsScript("dynv6", {"auth_token": "dynv6_token"}),
    "dns_njalla": DnsScript("njalla", {"auth_token": "NJALLA_Token"}),
    "dns_azure": DnsScript(
        "azure",
        {
            "auth_subscription_id": "AZUREDNS_SUBSCRIPTIONID",
            "auth_tenant_id": "AZUREDNS_TENANTID",
            "auth_client_id": "AZUREDNS_APPID",
            "auth_client_secret": "AZUREDNS_CLIENTSECRET",
        },
    ),
    "dns_gcloud": DnsScript("googleclouddns", {}),  # it uses the login of the program gcloud
    "dns_scaleway": DnsScript("scaleway", {"auth_secret_key": "SCALEWAY_API_TOKEN"}),
    "dns_bunny": DnsScript("bunny", {"auth_token": "BUNNY_API_KEY"}),
    "dns_simply": DnsScript("simply", {"account_name": "SIMPLY_AccountName", "api_key": "SIMPLY_ApiKey"}),
    "dns_loopia": DnsScript("loopia", {"auth_username": "LOOPIA_User", "auth_password": "LOOPIA_Password"}),
    "dns_lua": DnsScript("luadns", {"auth_username": "LUA_Email", "auth_token": "LUA_Key"}),
    "dns_me": DnsScript("dnsmadeeasy", {"auth_username": "ME_Key", "auth_token": "ME_Secret"}),
    "dns_dnsimple": DnsScript("dnsimple", {"auth_token": "DNSimple_OAUTH_TOKEN"}),
    "dns_nsone": DnsScript("nsone", {"auth_token": "NS1_Key"}),
    "dns_domeneshop": DnsScript("domeneshop", {"token": "DOMENESHOP_Token", "secret": "DOMENESHOP_Secret"}),
    "dns_spaceship": DnsScript("spaceship", {"auth_key": "SPACESHIP_API_KEY", "auth_secret": "SPACESHIP_API_SECRET"}),
    "dns_technitium": DnsScript("technitium", {"api": "Technitium_Server", "auth_token": "Technitium_Token"}),
    "dns_acmeproxy": DnsScript(
        "httpreq", {"api": "ACMEPROXY_ENDPOINT", "username": "ACMEPROXY_USERNAME", "password": "ACMEPROXY_PASSWORD"}
    ),
    "dns_mythic_beasts": DnsScript("mythicbeasts", {"auth_username": "MB_AK", "auth_password": "MB_AS"}),
    "dns_rackspace": DnsScript(
        "rackspace", {"auth_username": "RACKSPACE_Username", "auth_api_key": "RACKSPACE_Apikey"}
    ),
    "dns_vercel": DnsScript("vercel", {"auth_token": "VERCEL_TOKEN"}),
    "dns_ultra": DnsScript("ultradns", {"auth_username": "ULTRA_USR", "auth_password": "ULTRA_PWD"}),
    "dns_arvan": DnsScript("arvancloud", {"auth_token": "Arvan_Token"}),
    "dns_aurora": DnsScript("aurora", {"auth_api_key": "AURORA_Key", "auth_secret_key": "AURORA_Secret"}),
    "dns_rcode0": DnsScript("rcodezero", {"auth_token": "RCODE0_API_TOKEN"}),
    "dns_internetbs": DnsScript(
        "internetbs", {"auth_key": "INTERNETBS_API_KEY", "auth_password": "INTERNETBS_API_PASSWORD"}
    ),
    "dns_constellix": DnsScript(
        "constellix", {"auth_username": "CONSTELLIX_Key", "auth_token": "CONSTELLIX_Secret"}
    ),
    "dns_zonomi": DnsScript("zonomi", {"auth_token": "ZM_Key"}),
    "dns_dreamhost": DnsScript("dreamhost", {"auth_token": "DH_API_KEY"}),
    "dns_zilore": DnsScript("zilore", {"auth_key": "Zilore_Key"}),
    "dns_euserv": DnsScript("euserv", {"auth_username": "EUSERV_Username", "auth_password": "EUSERV_Password"}),
    "dns_infoblox": DnsScript("infoblox", {"ib_host": "Infoblox_Server", "ib_view": "Infoblox_View"}, _infoblox),
    "dns_da": DnsScript("directadmin", {}, _directadmin),
    "dns_hostingde": DnsScript("hostingde", {"auth_token": "HOSTINGDE_APIKEY"}),
    "dns_nfsn": DnsScript("nfsn", {"auth_username": "NFSN_Login", "auth_token": "NFSN_API_Key"}),
    "dns_dynu": DnsScript("dynu", {}),  # it keeps another kind of key
    "dns_joker": DnsScript("joker", {}),  # it keeps another kind of key
    "dns_dynadot": DnsScript("dynadot", {}),  # it keeps a key of the API before this one
    "dns_active24": DnsScript("active24", {"api_key": "Active24_ApiKey", "secret": "Active24_ApiSecret"}),
    "dns_websupport": DnsScript("websupport", {"api_key": "WS_ApiKey", "secret": "WS_ApiSecret"}),
    "dns_autodns": DnsScript(
        "autodns", {"api_user": "AUTODNS_USER", "api_password": "AUTODNS_PASSWORD", "context": "AUTODNS_CONTEXT"}
    ),
    "dns_openprovider_rest": DnsScript(
        "openprovider", {"username": "OPENPROVIDER_REST_USERNAME", "password": "OPENPROVIDER_REST_PASSWORD"}
    ),
    "dns_mijnhost": DnsScript("mijnhost", {"api_key": "MIJNHOST_API_KEY"}),
    "dns_ipv64": DnsScript("ipv64", {"api_key": "IPv64_Token"}),
    "dns_miab": DnsScript("mailinabox", {"email": "MIAB_Username", "password": "MIAB_Password"}, _mail_in_a_box),
    "dns_dnsexit": DnsScript("dnsexit", {"api_key": "DNSEXIT_API_KEY"}),
    "dns_he_ddns": DnsScript("hurricane", {"tokens": "HE_DDNS_KEY"}),
    "dns_ddnss": DnsScript("ddnss", {"key": "DDNSS_Token"}),
    "dns_hostinger": DnsScript("hostinger", {"api_token": "HOSTINGER_Token"}),
    "dns_edgedns": DnsScript(
        "edgedns",
        {
            "host": "AKAMAI_HOST",
            "client_token": "AKAMAI_CLIENT_TOKEN",
            "client_secret": "AKAMAI_CLIENT_SECRET",
            "access_token": "AKAMAI_ACCESS_TOKEN",
        },
    ),
    "dns_cpanel": DnsScript(
        "cpanel", {"api": "cPanel_Hostname", "username": "cPanel_Username", "token": "cPanel_Apitoken"}
    ),
    "dns_netlify": DnsScript("netlify", {"token": "NETLIFY_ACCESS_TOKEN"}),
    "dns_kas": DnsScript("allinkl", {"login": "KAS_Login", "password": "KAS_Authdata"}),
    "dns_leaseweb": DnsScript("leaseweb", {"api_key": "LSW_Key"}),
    "dns_ispconfig": DnsScript(
        "ispconfig", {"api": "ISPC_Api", "username": "ISPC_User", "password": "ISPC_Password"}
    ),
    "dns_huaweicloud": DnsScript("huaweicloud", {}),  # it keeps a password, not an access key
    "dns_regru": DnsScript("regru", {"username": "REGRU_API_Username", "password": "REGRU_API_Password"}),
    "dns_selectel": DnsScript("selectelv2", {}),  # it keeps the name of the project, or a key of version 1
    "dns_nic": DnsScript(
        "nicru",
        {
            "user": "NIC_Username",
            "password": "NIC_Password",
            "service_id": "NIC_ClientID",
            "secret": "NIC_ClientSecret",
        },
    ),
    "dns_beget": DnsScript("beget", {"username": "Beget_Username", "password": "Beget_Password"}),
    "dns_gcore": DnsScript("gcore", {"permanent_api_token": "GCORE_Key"}),
    "dns_doapi": DnsScript("dode", {"token": "DO_LETOKEN"}),
}  # fmt: skip
"""The scripts by their names."""

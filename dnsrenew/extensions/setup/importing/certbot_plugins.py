"""The DNS plug-ins of certbot and their credentials, from the documentation of each (certbot-dns-*.readthedocs.io)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dnsrenew.base.values import Frozen


class DnsPlugin(Frozen):
    """A DNS plug-in.

    :ivar provider: the file in ``providers/``; "" for a host that we do not support.
    :ivar options: the key in the credentials file without ``dns_PLUGIN_``, and our option.
    """

    provider: str
    options: Mapping[str, str]


PLUGINS: Final = {
    # ── official ──
    "cloudflare": DnsPlugin(
        "cloudflare", {"api_token": "auth_token", "api_key": "auth_token", "email": "auth_username"}
    ),
    "cloudxns": DnsPlugin("", {}),  # the service has ended
    "digitalocean": DnsPlugin("digitalocean", {"token": "auth_token"}),
    "dnsimple": DnsPlugin("dnsimple", {"token": "auth_token"}),
    "dnsmadeeasy": DnsPlugin("dnsmadeeasy", {"api_key": "auth_username", "secret_key": "auth_token"}),
    "gehirn": DnsPlugin("gehirn", {"api_token": "auth_token", "api_secret": "auth_secret"}),
    "google": DnsPlugin("googleclouddns", {}),  # a JSON file
    "linode": DnsPlugin("linode", {"key": "auth_token"}),
    "luadns": DnsPlugin("luadns", {"email": "auth_username", "token": "auth_token"}),
    "nsone": DnsPlugin("nsone", {"api_key": "auth_token"}),
    "ovh": DnsPlugin(
        "ovh",
        {
            "endpoint": "auth_entrypoint",
            "application_key": "auth_application_key",
            "application_secret": "auth_application_secret",
            "consumer_key": "auth_consumer_key",
        },
    ),
    "rfc2136": DnsPlugin("rfc2136", {"name": "tsig_name", "secret": "tsig_secret", "algorithm": "tsig_algorithm"}),
    "route53": DnsPlugin("route53", {}),  # the files of the AWS command line
    "sakuracloud": DnsPlugin("sakuracloud", {"api_token": "auth_token", "api_secret": "auth_secret"}),
    # ── by others ──
    "desec": DnsPlugin("desec", {"token": "auth_token"}),
    "duckdns": DnsPlugin("duckdns", {"token": "token"}),
    "hetzner": DnsPlugin("hetzner", {"api_token": "auth_token"}),
    "infomaniak": DnsPlugin("infomaniak", {"token": "auth_token"}),
    "porkbun": DnsPlugin("porkbun", {"key": "auth_key", "secret": "auth_secret"}),
    "netcup": DnsPlugin(
        "netcup",
        {"customer_id": "auth_customer_id", "api_key": "auth_api_key", "api_password": "auth_api_password"},
    ),
    "inwx": DnsPlugin("inwx", {"username": "auth_username", "password": "auth_password"}),
    "godaddy": DnsPlugin("godaddy", {"key": "auth_key", "secret": "auth_secret"}),
}
"""By the name of the authenticator without ``dns-``."""

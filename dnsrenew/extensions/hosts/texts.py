"""The texts of errors that only one DNS host has. Texts that all hosts share are in ``drivers/texts.py``."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── hosts that accept only whole zones ──────────────────────────────────────────────────

REWRITE_EMPTY: Final = Text(
    "provider-rewrite-unsafe",
    "{title} (account {account}): {zone} was not changed. The API shows no records in it, and a change would "
    "delete any records that it does not show.",
    "Add any record to {zone} in the control panel and renew again, or run `dnsrenew delegate NAME`.",
)
REWRITE_UNSAFE: Final = Text(
    "provider-rewrite-unsafe",
    "{title} (account {account}): {zone} was not changed. Each change replaces the whole zone, and the API cannot "
    "write these parts of it: {lost}.",
    "Run `dnsrenew delegate NAME`: you set one CNAME record once, and {zone} stays unchanged from then on.",
)

# ── DuckDNS ─────────────────────────────────────────────────────────────────────────────

DUCKDNS_KO: Final = Text(
    "provider-unauthorized",
    "DuckDNS (account {account}) answered KO: the token is wrong, or {zone} is not in its account.",
    "Log in to {website} as the owner of {zone}, and copy the token from there.",
)
DUCKDNS_MALFORMED: Final = Text(
    "provider-malformed-answer",
    "DuckDNS (account {account}) answered neither OK nor KO (HTTP {status}).",
    "Try again later; if it persists, check whether a proxy answers instead of {website}.",
)

# ── Cloudflare ──────────────────────────────────────────────────────────────────────────

CLOUDFLARE_NO_ZONE_READ: Final = Text(
    "provider-unauthorized",
    "Cloudflare (account {account}): the API token is valid, but it is not allowed to look up the Zone ID of {zone}.",
    "Add the permission Zone → Zone → Read for {zone} to the token at https://dash.cloudflare.com/profile/api-tokens, "
    "or set `zone_id` to the Zone ID on the overview page of {zone}.",
)
CLOUDFLARE_OTHER_ZONE: Final = Text(
    "provider-zone-unknown",
    "Cloudflare (account {account}): `zone_id` is not the Zone ID of {zone}.",
    "Copy the Zone ID from the overview page of {zone}; an account with `zone_id` writes to one zone only.",
)
CLOUDFLARE_QUOTA: Final = Text(
    "provider-refused",
    "Cloudflare (account {account}): the zone {zone} has as many DNS records as its plan allows.",
    "Delete records of {zone} that are not needed at https://dash.cloudflare.com, or change the plan of the zone.",
)

# ── Beget ───────────────────────────────────────────────────────────────────────────────

BEGET_UNSAFE: Final = Text(
    "provider-rewrite-unsafe",
    "Beget (account {account}): {name} was not changed. Each change replaces all records of the name, and the API "
    "cannot write these types: {lost}.",
    "Remove these records from {name} at https://cp.beget.com/dns, or run `dnsrenew delegate NAME`.",
)

# ── do.de ───────────────────────────────────────────────────────────────────────────────

DODE_REFUSED: Final = Text(
    "provider-unauthorized",
    "do.de (account {account}) refused to change {name}: the token is wrong, or {zone} is not in its account.",
    "Log in as the owner of {zone}, and copy the Let's Encrypt token from https://my.do.de/settings/domains/general.",
)

# ── Akamai Edge DNS ─────────────────────────────────────────────────────────────────────

EDGEDNS_HOST: Final = Text(
    "option-invalid",
    "The account {account} has no `host`: each API client has its own API address.",
    "Set `host` to the line `host` of the credentials of the API client (`dnsrenew providers edgedns`).",
)

# ── Hetzner ─────────────────────────────────────────────────────────────────────────────

HETZNER_OLD_TOKEN: Final = Text(
    "provider-unauthorized",
    "The API token of the account {account} has 32 characters: it is from the old Hetzner DNS Console, which was "
    "shut down in May 2026.",
    "Move the zone to the Hetzner Console, and create a token (64 characters, Read & Write) in the project of the "
    "zone: Security > API tokens at https://console.hetzner.com.",
)

# ── Hurricane Electric ──────────────────────────────────────────────────────────────────

HURRICANE_NO_KEY: Final = Text(
    "option-invalid",
    "The account {account} has no key for {name} in `tokens`.",
    'Create a TXT record {name} at https://dns.he.net with "Enable entry for dynamic dns", generate its key, and add '
    "{name}:KEY to `tokens`.",
)

# ── netcup ──────────────────────────────────────────────────────────────────────────────

NETCUP_ZONE: Final = Text(
    "provider-zone-unknown",
    "netcup's customer control panel (account {account}) does not have the zone {zone}.",
    "Check at https://www.customercontrolpanel.de whether {zone} is in this account; if netcup has moved it to "
    "CloudDNS, which is not in this API, run `dnsrenew delegate NAME` for another DNS host.",
)

# ── Porkbun ─────────────────────────────────────────────────────────────────────────────

PORKBUN_DOMAIN: Final = Text(
    "provider-zone-unknown",
    "The domain {zone} is not in the Porkbun account {account}, or its API access is off.",
    "Switch on API Access in the details of {zone} at https://porkbun.com/account/domainsSpeedy.",
)

# ── GoDaddy ─────────────────────────────────────────────────────────────────────────────

GODADDY_FORBIDDEN: Final = Text(
    "provider-unauthorized",
    "GoDaddy (account {account}) does not allow this key to use its API for {zone} (HTTP {status}). The API is "
    "only open to accounts with 10 or more domains, or with a Discount Domain Club plan.",
    "Use a production key of the account that has {zone} (`dnsrenew providers godaddy`); if the account is too small, "
    "run `dnsrenew delegate NAME` to have another DNS host answer for _acme-challenge.",
)
GODADDY_UNSAFE: Final = Text(
    "provider-rewrite-unsafe",
    "GoDaddy (account {account}): nothing was removed from {name} in {zone}. The change would replace its other "
    "TXT values, and the API cannot write these parts of them: {lost}.",
    "Remove the value by hand at https://dcc.godaddy.com, then run `dnsrenew delegate NAME`: {zone} stays "
    "unchanged from then on.",
)

# ── Namecheap ───────────────────────────────────────────────────────────────────────────

NAMECHEAP_ADDRESS: Final = Text(
    "provider-unauthorized",
    "Namecheap (account {account}) does not allow requests from this machine as {address} (error {number}).",
    "Add the public IPv4 address of this machine to the allowed addresses in Profile > Tools > API Access, and set "
    "`auth_client_ip` to it; see `dnsrenew providers namecheap`.",
)
NAMECHEAP_OTHER_DNS: Final = Text(
    "provider-zone-unknown",
    "Namecheap (account {account}) does not serve the DNS of {zone}: the domain uses other name servers.",
    "Use an account at the DNS host that serves {zone}, or choose Namecheap BasicDNS for the domain.",
)
NAMECHEAP_EMPTY: Final = Text(
    "provider-rewrite-unsafe",
    "Namecheap (account {account}): {zone} was not changed. The API shows no records in it, and a change would "
    "delete any records that it does not show.",
    "Add any record to {zone} at https://ap.www.namecheap.com and renew again, or run `dnsrenew delegate NAME`.",
)
NAMECHEAP_UNSAFE: Final = Text(
    "provider-rewrite-unsafe",
    "Namecheap (account {account}): {zone} was not changed. Each change replaces the whole zone, and the API "
    "cannot write these parts of it: {lost}.",
    "Run `dnsrenew delegate NAME`: you set one CNAME record once, and {zone} stays unchanged from then on.",
)

# ── Value Domain ────────────────────────────────────────────────────────────────────────

VALUEDOMAIN_EMPTY: Final = Text(
    "provider-rewrite-unsafe",
    "Value Domain (account {account}): {zone} was not changed. The API shows no records in it, and a change would "
    "delete any records that it does not show.",
    "Add any record to {zone} in the control panel (https://www.value-domain.com/moddns.php) and renew again, or "
    "run `dnsrenew delegate NAME`.",
)
VALUEDOMAIN_UNSAFE: Final = Text(
    "provider-rewrite-unsafe",
    "Value Domain (account {account}): {zone} was not changed. Each change replaces the whole zone, and the API "
    "cannot write these parts of it: {lost}.",
    "Run `dnsrenew delegate NAME`: you set one CNAME record once, and {zone} stays unchanged from then on.",
)

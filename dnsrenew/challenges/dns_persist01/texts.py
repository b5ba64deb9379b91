"""The texts of dns-persist-01."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NO_IP: Final = Text(
    "dns-persist-ip-address",
    "The challenge dns-persist-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)
MISSING: Final = Text(
    "dns-persist-missing",
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01.",
    "Add this once at your DNS host, then run dnsrenew renew: {lines}",
)
NOT_VALID: Final = Text(
    "dns-persist-missing",
    "DNS has no valid TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01. The record there {reason}.",
    "Add this once at your DNS host, then run dnsrenew renew: {lines}",
)
NOT_WRITABLE: Final = Text(
    "dns-persist-missing",
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01, and the DNS account {accounts} cannot hold one.",
    "Add this once at the DNS host of the domain, then run dnsrenew renew: {lines}",
)
EXPIRES: Final = Text(
    "dns-persist-expires",
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}.",
    "Set a new record at your DNS host before then, and delete the old one: {line}",
)
NOT_RENEWED: Final = Text(
    "dns-persist-expires",
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}. "
    "A new one could not be written: {error}",
    "{error_fix}",
)
OLD_KEPT: Final = Text(
    "dns-persist-old-kept",
    "The old TXT record at {name} could not be removed after a new one was written: {error}",
    "It does no harm; delete it at your DNS host: {line}",
)
MALFORMED: Final = Text(
    "ca-dns-persist-malformed",
    "The CA {ca} offers dns-persist-01 for {identifier}, but {reason}.",
    "Use another route or another CA for this name.",
)

# Clauses for the field {reason} of NOT_VALID.
EXPIRED: Final = Phrase("was valid until {until}")
OTHER_ACCOUNT: Final = Phrase("is for another account of this CA")
OTHER_FORM: Final = Phrase("names an account in the form of another draft version than the CA requires now")
NO_WILDCARD: Final = Phrase("has no policy=wildcard, which a wildcard needs")
BROKEN: Final = Phrase("is malformed, so the CA ignores it")
NOT_THERE: Final = Phrase("is missing")
NOT_TOLD: Final = Phrase("cannot be read, because no DNS server answers for it")

# Clauses for the field {reason} of MALFORMED.
NO_ISSUER: Final = Phrase("its list of issuer domain names is missing or malformed")
UNKNOWN_FORM: Final = Phrase("it does so in the form of a draft that this version of dnsrenew does not know")
NO_PREFIX: Final = Phrase("its directory has no accountHashPrefix")
LEFT_OUT: Final = Phrase("it does not accept the issuer domain name {issuer} of its directory")
NOT_IN_CAA: Final = Phrase("the issuer domain name {issuer} is not one of its names in CAA records")
FOREIGN_ACCOUNT: Final = Phrase("the account would be {uri}, which is not at the host of the CA")
ODD_URI: Final = Phrase("a TXT record cannot hold the account URI {uri}")

"""The texts of the checks of CAs.

``{host}`` and ``{port}`` are the CA's, ``{proxy}`` is HOST:PORT, ``{error}`` is a name of the system or of OpenSSL,
such as ECONNREFUSED.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── ca-reachable ────────────────────────────────────────────────────────────────────────

_REACHABLE: Final = "ca-reachable"
_ANSWERS_AGAIN: Final = "Wait until the CA {ca} answers (public CAs have a status page), then run: dnsrenew renew"

CA_ANSWERS: Final = Text(_REACHABLE, "The CA {ca} answers.", "")
TRUST_UNREADABLE: Final = Text(
    _REACHABLE,
    "The file {path}, set as `trust` of the CA {ca}, contains no readable root certificate.",
    "Set `trust` of the CA {ca} to a file with its root certificates in PEM format.",
)

DNS_NO_NAME: Final = Text(
    _REACHABLE,
    "The CA {ca} cannot be found: its name {host} does not exist in the DNS that this machine uses.",
    "If `directory` of the CA {ca} is misspelt, correct it; otherwise correct the DNS settings of this machine. To "
    "test them, run: nslookup {host}",
)
DNS_NO_ANSWER: Final = Text(
    _REACHABLE,
    "The CA {ca} cannot be found: the DNS server that this machine uses does not answer for {host}.",
    "Correct the DNS settings of this machine, or wait until its DNS server answers again. To test it, run: nslookup "
    "{host}",
)
TCP_REFUSED: Final = Text(
    _REACHABLE,
    "The CA {ca} refuses connections: nothing listens at {host} port {port}, or a firewall rejects them.",
    "Start the CA {ca}, or correct its `directory` in the configuration, then run: dnsrenew renew",
)
TCP_FAILED: Final = Text(
    _REACHABLE,
    "This machine has no route to the CA {ca} at {host} port {port} ({error}).",
    "Correct the network settings of this machine: its gateway, its route to the Internet and its firewall.",
)
TCP_SILENT: Final = Text(
    _REACHABLE,
    "The CA {ca} does not answer at {host} port {port}: it is down, or a firewall drops the connections.",
    "Allow connections from this machine to {host} port {port}; if they are allowed already, wait until the CA answers "
    "(public CAs have a status page). Then run: dnsrenew renew",
)
TLS_UNTRUSTED: Final = Text(
    _REACHABLE,
    "The certificate at {host} port {port} is not trusted here: it was issued by {issuer}. If that is not the CA "
    "{ca}, something in between intercepts the connection.",
    "Set `trust` if the CA {ca} is your own; otherwise exempt {host} from TLS inspection, or update the root "
    "certificates of this machine.",
)
TLS_DATES: Final = Text(
    _REACHABLE,
    "The certificate of the CA {ca}, issued by {issuer}, is not valid by the clock of this machine, which shows {now}.",
    "If the clock of this machine is wrong, set it (sudo timedatectl set-ntp true; on Windows: w32tm "
    "/resync); otherwise the CA must renew its certificate.",
)
TLS_OTHER_NAME: Final = Text(
    _REACHABLE,
    "Something other than the CA {ca} answers at {host} port {port}: its certificate, issued by {issuer}, is for "
    "another name.",
    "If the network requires a login, log in; otherwise correct `directory` of the CA {ca}.",
)
TLS_FAILED: Final = Text(
    _REACHABLE,
    "No TLS connection to the CA {ca} at {host} port {port} is possible ({error}): another program answers there, or "
    "a firewall ends the connection.",
    "Exempt {host} from the firewall's TLS inspection, or correct `directory` of the CA {ca}.",
)
TLS_SILENT: Final = Text(
    _REACHABLE,
    "The CA {ca} accepts connections at {host} port {port}, but does not answer.",
    _ANSWERS_AGAIN,
)
HTTP_SILENT: Final = Text(
    _REACHABLE,
    "The CA {ca} accepts connections, but did not send its directory in time.",
    _ANSWERS_AGAIN,
)
HTTP_RESET: Final = Text(
    _REACHABLE,
    "The CA {ca} closes the connection at {host} port {port} without an answer.",
    _ANSWERS_AGAIN,
)
HTTP_UNSTEADY: Final = Text(
    _REACHABLE,
    "One connection to the CA {ca} at {host} port {port} failed, but the next one worked.",
    "Run `dnsrenew doctor` again; if the result changes each time, check the connection to {host} for packet loss.",
)
HTTP_BUSY: Final = Text(
    _REACHABLE,
    "The CA {ca} does not work now: {directory} answers with HTTP status {status}.",
    "Wait until the CA {ca} works again (public CAs have a status page), then run: dnsrenew renew",
)
HTTP_STATUS: Final = Text(
    _REACHABLE,
    "The CA {ca} has no ACME directory at {directory}: the answer is HTTP status {status}.",
    "Set `directory` of the CA {ca} to the ACME address that it publishes, then run: dnsrenew renew",
)
NOT_ACME: Final = Text(
    _REACHABLE,
    "Something answers at {directory}, but not with the ACME directory of the CA {ca}.",
    "Set `directory` of the CA {ca} to the ACME address that it publishes; a login page of the network may answer too.",
)

# For a built-in CA, the configuration cannot be wrong:

_NETWORK: Final = "If the network requires a login, log in; otherwise exempt {host} from its TLS inspection."
BUILT_IN_NO_NAME: Final = DNS_NO_NAME._replace(
    fix="Correct the DNS settings of this machine. To test them, run: nslookup {host}"
)
BUILT_IN_REFUSED: Final = TCP_REFUSED._replace(fix=TCP_SILENT.fix)
BUILT_IN_UNTRUSTED: Final = TLS_UNTRUSTED._replace(
    fix="Exempt {host} from TLS inspection, or update the root certificates of this machine."
)
BUILT_IN_OTHER_NAME: Final = TLS_OTHER_NAME._replace(fix=_NETWORK)
BUILT_IN_NO_TLS: Final = TLS_FAILED._replace(fix=_NETWORK)
BUILT_IN_STATUS: Final = HTTP_STATUS._replace(fix=HTTP_BUSY.fix)
BUILT_IN_NOT_ACME: Final = NOT_ACME._replace(
    fix="If the network requires a login, log in; otherwise wait until the CA {ca} works again."
)

PROXY_NO_NAME: Final = Text(
    _REACHABLE,
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be found: its name does not exist in DNS.",
    "Correct HTTPS_PROXY in the environment of dnsrenew, or remove it.",
)
PROXY_INVALID: Final = Text(
    _REACHABLE,
    "The proxy that the environment sets for the CA {ca} has no valid address.",
    "Correct HTTPS_PROXY in the environment of dnsrenew, or remove it.",
)
PROXY_NO_ANSWER: Final = Text(
    _REACHABLE,
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be found: the DNS server that this machine "
    "uses does not answer.",
    "Correct the DNS settings of this machine, or HTTPS_PROXY in the environment of dnsrenew.",
)
PROXY_REFUSED: Final = Text(
    _REACHABLE,
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be connected to ({error}).",
    "Correct HTTPS_PROXY in the environment of dnsrenew, or remove it.",
)
PROXY_SILENT: Final = Text(
    _REACHABLE,
    "The proxy {proxy}, which the environment sets for the CA {ca}, does not answer.",
    "Correct HTTPS_PROXY in the environment of dnsrenew, or repair the proxy.",
)
PROXY_DENIES: Final = Text(
    _REACHABLE,
    "The proxy {proxy} refuses to connect to the CA {ca} at {host} port {port} (its answer: {error}).",
    "Allow {host} port {port} on the proxy, or correct the user and the password in HTTPS_PROXY.",
)

# ── clock ───────────────────────────────────────────────────────────────────────────────

CLOCK_OK: Final = Text("clock", "The clock of this machine agrees with {source}.", "")
CLOCK_WRONG: Final = Text(
    "clock",
    "The clock of this machine shows {now}, but that of {source} shows {date}: a new certificate would not be "
    "valid here.",
    "Set the clock of this machine, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)",
)
CLOCK_AHEAD: Final = Text(
    "clock",
    "The clock of this machine shows {now}, but that of {source} shows {date}: certificates are renewed too early.",
    "Set the clock of this machine, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)",
)
CLOCK_DOUBTED: Final = Text(
    "clock",
    "The certificate of {source} is not valid by the clock of this machine, which shows {now}: one of the two is "
    "wrong.",
    "Compare it with the time on your phone, and set the clock of this machine if it is wrong: sudo timedatectl "
    "set-ntp true (on Windows: w32tm /resync)",
)
CLOCK_UNKNOWN: Final = Text(
    "clock",
    "No CA reported the time, so dnsrenew could not check the clock of this machine, which shows {now}.",
    "Compare it with the time on your phone.",
)

# ── ca-terms ────────────────────────────────────────────────────────────────────────────

_TERMS: Final = "ca-terms"

TERMS_ACCOUNT: Final = Text(_TERMS, "There is an account at the CA {ca}.", "")
TERMS_OK: Final = Text(_TERMS, "Nothing is missing for an account at the CA {ca}; the first renewal creates it.", "")
TERMS_UNKNOWN: Final = Text(
    _TERMS,
    "The requirements of the CA {ca} for an account are unknown, because it did not answer.",
    "Run `dnsrenew doctor` again when the CA {ca} answers.",
)
TERMS_NOT_AGREED: Final = Text(
    _TERMS,
    "The CA {ca} issues certificates only if you agree to its terms of service.",
    "Read {terms}, and set agree_terms = true in the configuration.",
)
EAB_MISSING: Final = Text(
    _TERMS,
    "The CA {ca} creates accounts only for its customers: the configuration has no key (external account binding).",
    "Get a key for external account binding (EAB) from the CA, and set it: [ca.{ca}] eab = "
    '{{ kid = "…", hmac = "file:…" }}',
)

HMAC_OK: Final = Text("secrets", "The key `eab.hmac` of the CA {ca} can be read.", "")
HMAC_MALFORMED: Final = Text(
    "secrets",
    "The key `eab.hmac` of the CA {ca} ({reference}) is not valid: it must be base64url.",
    "Copy `kid` and `hmac` of `eab` again from the CA, unchanged.",
)

# ── ca-limits ───────────────────────────────────────────────────────────────────────────

LIMITS_OK: Final = Text(
    "ca-limits", ("No limit of the CA {ca} stops an order for these names, as far as dnsrenew knows."), ""
)
LIMITS_BY_HAND: Final = Text(
    "ca-limits",
    "{count} orders at the CA {ca} have failed within {window}, so `dnsrenew renew` in a terminal sends no "
    "order until {until}; other runs pause after each failure instead.",
    "Fix the cause of the failures, then run: dnsrenew renew {certificate} --now",
)

# ── caa ─────────────────────────────────────────────────────────────────────────────────

CAA_NONE: Final = Text("caa", "No CAA record restricts which CA may issue.", "")
CAA_ALLOWED: Final = Text("caa", "The CAA records at {found_at} allow the CA {ca} to issue.", "")
_ADD: Final = "Add this record at the DNS host of {owner}: {wanted}"
CAA_OTHER_CA: Final = Text("caa", "A CAA record does not allow the CA {ca} to issue for {names}: {record}", _ADD)
CAA_OTHER_ACCOUNT: Final = Text(
    "caa",
    "A CAA record allows the CA {ca} to issue for {names}, but only to a different account: {record}",
    _ADD,
)
CAA_OTHER_METHOD: Final = Text(
    "caa", "A CAA record allows the CA {ca} to issue for {names}, but not by {challenge}: {record}", _ADD
)
CAA_FORBIDS_ALL: Final = Text(
    "caa",
    "A CAA record forbids every CA to issue for {names}: {record}",
    "Replace this record with one that names the CA {ca}, or remove it, at the DNS host of {owner}: {record}",
)
CAA_CRITICAL: Final = Text(
    "caa",
    "A CAA record that is marked critical has a tag that CAs do not support, so none of them may issue for {names}: "
    "{record}",
    "Remove this record at the DNS host of {owner}: {record}",
)
CAA_UNKNOWN: Final = Text(
    "caa",
    "dnsrenew could not find out whether CAA records allow the CA {ca} to issue for {names}: the name servers do "
    "not answer the query.",
    "Make the name servers of the domain answer queries for CAA records; a CA refuses to issue if they do not.",
)
CAA_DOUBTFUL: Final = Text(
    "caa",
    "Only the CA {ca} can say whether the CAA records at {found_at} allow it to issue for {names}.",
    "To find out, run: dnsrenew renew",
)
CAA_CA_SILENT: Final = Text(
    "caa",
    "There are CAA records at {found_at}, but the CA {ca} did not answer, so dnsrenew cannot tell whether they "
    "name it.",
    "Run `dnsrenew doctor` again when the CA {ca} answers.",
)

"""The texts of errors and warnings about a CA.

Some fields are evidence in a form for people: ``{request}`` is the request of ``stage``, ``{reason}`` is ``detail``
with the subproblems, ``{problems}`` is each subproblem with its identifier, ``{wait}`` is ``retry_after`` with the time
at which it ends, ``{content}`` is ``content_type`` or :data:`NO_CONTENT`. ``{error}`` is the message of the error that
caused this one.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NO_REASON: Final = Phrase("no reason given")
"""The ``detail`` of a problem document without one."""
WAIT_UNTIL: Final = Phrase("{duration}, until {until}")
"""The ``{wait}`` of a CA that asked to wait."""
MORE_THAN_A_YEAR: Final = Phrase("more than a year")
DURATIONS: Final = {
    86400: Phrase("{count} days"),
    3600: Phrase("{count} hours"),
    60: Phrase("{count} minutes"),
    1: Phrase("{count} seconds"),
}
"""By the seconds of the unit."""
ONE_SECOND: Final = Phrase("{count} second")
NO_CONTENT: Final = Phrase("no content")
"""The ``{content}`` of an answer without a Content-Type."""
NO_ADDRESS: Final = Phrase("no address")
"""The ``address`` of a URL without a host."""
NO_IDENTIFIER: Final = Phrase("the order")
"""The subject of a subproblem without an identifier."""

# ── requests: the {request} of each stage ───────────────────────────────────────────────

REQUEST: Final = Phrase("the request")
REQUESTS: Final = {
    "directory": Phrase("the request for its directory"),
    "newNonce": Phrase("the request for a nonce"),
    "renewalInfo": Phrase("the request for renewal information"),
    "newAccount": Phrase("to create an account"),
    "account": Phrase("to update the account"),
    "accountInfo": Phrase("to show the account"),
    "keyChange": Phrase("to change the account key"),
    "revokeCert": Phrase("to revoke the certificate"),
    "newOrder": Phrase("the order"),
    "order": Phrase("the order"),
    "authorization": Phrase("to show an authorization"),
    "challenge": Phrase("the response to a challenge"),
    "finalize": Phrase("to issue the certificate"),
    "certificate": Phrase("to send the certificate"),
}

# ── refusals, by the type of the problem document (RFC 8555 section 6.7) ────────────────

_REFUSED: Final = "The CA {ca} refused {request}: {reason}"

ACCOUNT_REFUSED: Final = Text(
    "ca-account-refused",
    _REFUSED,
    "Check `contact` and `agree_terms`; if the CA closed the account, run `dnsrenew account roll {ca} --compromised`.",
)
CONTACT_INVALID: Final = Text(
    "ca-account-refused",
    _REFUSED,
    "Set `contact` to an email address that the CA accepts.",
)
EAB_REFUSED: Final = Text(
    "ca-account-refused",
    _REFUSED,
    "Get a new `eab` from the CA: many are valid for one account only, or for a few days.",
)
REVOCATION_REFUSED: Final = Text(
    "ca-account-refused",
    _REFUSED,
    "Run `dnsrenew revoke` on the machine that obtained the certificate.",
)
ALREADY_REVOKED: Final = Text(
    "ca-already-revoked",
    _REFUSED,
    "Run `dnsrenew renew` to replace the certificate: it is already revoked.",
)
CSR_REFUSED: Final = Text(
    "ca-bad-csr",
    _REFUSED,
    'Choose another type of key, such as key = "rsa2048".',
)
PUBLIC_KEY_REFUSED: Final = Text("ca-bad-csr", _REFUSED, 'Choose another type of key, such as key = "rsa2048".')
BAD_REASON: Final = Text("ca-bad-reason", _REFUSED, "Choose another `--reason`, or omit it.")
CAA_FORBIDS: Final = Text(
    "ca-caa",
    _REFUSED,
    "Add this CA to the CAA records of your domains, or remove those records.",
)
CONNECTION_FAILED: Final = Text(
    "ca-connection",
    _REFUSED,
    "Check that the name servers of your domains can be reached from the Internet.",
)
TLS_FAILED: Final = Text("ca-connection", _REFUSED, "Check that this machine can be reached from the Internet.")
DNS_FAILED: Final = Text(
    "ca-dns",
    _REFUSED,
    "Run `dnsrenew doctor` to check the DNS of your domains, including DNSSEC.",
)
EAB_MISSING: Final = Text(
    "ca-eab-required",
    _REFUSED,
    'Get a key for external account binding (EAB) from the CA, and set it: [ca.{ca}] eab = {{ kid = "…", '
    'hmac = "file:…" }}',
)
INCORRECT_RESPONSE: Final = Text(
    "ca-incorrect-response",
    _REFUSED,
    "Renew again; if it fails again, let dnsrenew wait a minute longer: write propagation = {{ settle = 60 }} in its "
    "[[certificate]] table.",
)
UNAUTHORIZED: Final = Text(
    "ca-unauthorized",
    _REFUSED,
    "Renew again; if it fails again, let dnsrenew wait a minute longer: write propagation = {{ settle = 60 }} in its "
    "[[certificate]] table.",
)
PROFILE_REFUSED: Final = Text(
    "ca-profile-unknown",
    _REFUSED,
    "Set `profile` to one that the CA offers, or omit it.",
)
IDENTIFIER_REJECTED: Final = Text(
    "ca-rejected-identifier",
    _REFUSED,
    "Remove the refused name from `domains`, or use another CA.",
)
NAME_MALFORMED: Final = Text(
    "ca-malformed-name",
    _REFUSED,
    "Correct the name in `domains`, or remove it: no CA can issue for it.",
)
ACTION_REQUIRED: Final = Text(
    "ca-user-action-required",
    _REFUSED,
    "Open the address in the message and do what the CA asks.",
)
ACTION_REQUIRED_AT: Final = Text(
    "ca-user-action-required",
    "The CA {ca} refused {request}: {reason} See {instance}",
    "Open the address in the message and do what the CA asks.",
)
SERVER_ERROR: Final = Text(
    "ca-server-error", _REFUSED, "Try again in an hour; if the error persists, ask the CA's support."
)
OTHER: Final = Text("ca-error", _REFUSED, "Do what the CA asks for in the message.")
SEVERAL_PROBLEMS: Final = Text(
    "ca-order-invalid",
    _REFUSED,
    "Run `dnsrenew doctor` to check the DNS of your domains, including DNSSEC.",
)
ORDER_INVALID: Final = Text(
    "ca-order-invalid",
    _REFUSED,
    "Do what the CA asks for in the message.",
)
ORDER_INVALID_NO_REASON: Final = Text(
    "ca-order-invalid",
    "The CA {ca} marked the order invalid without giving a reason.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)

# ── rate limits ─────────────────────────────────────────────────────────────────────────

RATE_LIMITED: Final = Text(
    "ca-rate-limited",
    _REFUSED,
    "Wait as long as the message says: the CA refuses earlier attempts.",
)
RATE_LIMITED_UNTIL: Final = Text(
    "ca-rate-limited",
    _REFUSED,
    "Wait {wait}, as the CA asks: it refuses earlier attempts.",
)
PAUSED: Final = Text(
    "ca-rate-limited",
    _REFUSED,
    "Open the address in the message, and end the pause there: until then, the CA refuses these names.",
)
PAUSED_AT: Final = Text(
    "ca-rate-limited",
    "The CA {ca} refused {request}: {reason} See {url}",
    "Open the address in the message, and end the pause there: until then, the CA refuses these names.",
)

# ── refusals without a problem document ─────────────────────────────────────────────────

_UNEXPLAINED: Final = "The CA {ca} refused {request} with HTTP status {status} and no explanation ({content})."

UNEXPLAINED: Final = Text(
    "ca-malformed-answer",
    _UNEXPLAINED,
    "Try again in an hour; if the error persists, ask the CA's support.",
)
SERVER_ERROR_UNEXPLAINED: Final = Text(
    "ca-server-error",
    _UNEXPLAINED,
    "Try again in an hour; if the error persists, ask the CA's support.",
)
RATE_LIMITED_UNEXPLAINED: Final = Text(
    "ca-rate-limited",
    _UNEXPLAINED,
    "Wait an hour, then renew again: the CA has received too many requests, and does not say how long to wait.",
)
RATE_LIMITED_UNEXPLAINED_UNTIL: Final = Text(
    "ca-rate-limited",
    _UNEXPLAINED,
    "Wait {wait}, as the CA asks: it refuses earlier attempts.",
)
NONCES_REFUSED: Final = Text(
    "ca-error",
    "The CA {ca} refused {count} of its own nonces in a row.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)

# ── failed validations ──────────────────────────────────────────────────────────────────

VALIDATION_FAILED: Final = "The CA {ca} could not validate {problems}"
"""The message for each type of problem; code and fix are the same as for a refusal."""
VALIDATIONS_FAILED: Final = Text(
    "ca-order-invalid",
    VALIDATION_FAILED,
    "Run `dnsrenew doctor` to check the DNS of your domains, including DNSSEC.",
)

# ── no answer ───────────────────────────────────────────────────────────────────────────

UNREACHABLE: Final = Text(
    "ca-unreachable",
    "The CA {ca} cannot be reached at {address}: {reason}.",
    "Check the Internet connection, the DNS, the proxy and the firewall of this machine.",
)
REFUSES_CONNECTIONS: Final = UNREACHABLE._replace(
    fix="Start the CA {ca}, or correct its `directory` in the configuration, then run: dnsrenew renew"
)
UNTRUSTED: Final = Text(
    "ca-untrusted",
    "The CA {ca} cannot be trusted at {address}: {reason}.",
    "Set `trust` to a file with the roots of this CA if it is your own, or find out what intercepts the connection.",
)
UNTRUSTED_DATES: Final = Text(
    "ca-untrusted",
    "The CA {ca} cannot be trusted at {address}: {reason}. The clock of this machine shows {now}.",
    "If the clock of this machine is wrong, set it (sudo timedatectl set-ntp true; on Windows: w32tm "
    "/resync); otherwise the CA must renew its certificate.",
)
TIMEOUT_VALIDATION: Final = Text(
    "ca-timeout",
    "The CA {ca} did not validate {identifiers} within {timeout:g} s.",
    "Renew again later; if the CA is slow every time, write timeout = 600 in the table [ca.{ca}].",
)
TIMEOUT_READY: Final = Text(
    "ca-timeout",
    "The CA {ca} validated all names, but the order was not ready within {timeout:g} s.",
    "Renew again later; if the CA is slow every time, write timeout = 600 in the table [ca.{ca}].",
)
TIMEOUT_ISSUANCE: Final = Text(
    "ca-timeout",
    "The CA {ca} did not issue the certificate within {timeout:g} s.",
    "Renew again later; if the CA is slow every time, write timeout = 600 in the table [ca.{ca}].",
)

# ── invalid answers ─────────────────────────────────────────────────────────────────────

ANSWER_TOO_LARGE: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent an answer that is too large: {reason}.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NO_NONCE: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent no valid nonce (RFC 8555 section 6.5).",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NOT_JSON: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent the {resource} as {content_type} that is not valid JSON.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NOT_JSON_NO_TYPE: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent the {resource} without a Content-Type and not as JSON.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NOT_A_CHAIN: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent an answer ({content_type}) that is not the certificate chain.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NOT_A_CHAIN_NO_TYPE: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent an answer without a Content-Type that is not the certificate chain.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NOT_AN_OBJECT: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent JSON that is not an object as the {resource}.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
FIELD_MISSING: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent no valid `{field}` in the {resource} (RFC 8555 section 7.1).",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
FIELD_TOO_LONG: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent {count} `{field}` in the {resource}; at most {limit} are accepted.",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NO_URL: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent the new {resource} without its URL (Location).",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
NO_CERTIFICATE_URL: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} sent a valid order without `certificate` (RFC 8555 section 7.1.3).",
    "Try again in an hour; if the error persists, ask the CA's support.",
)
PENDING_ORDER_UNKNOWN: Final = Text(
    "ca-malformed-answer",
    "The CA {ca} does not report whether the order of the earlier run still exists. {error}",
    "Try again in an hour; if the error persists, ask the CA's support.",
)

# ── the directory ───────────────────────────────────────────────────────────────────────

NOT_ACME_STATUS: Final = Text(
    "ca-not-acme",
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: it answers with status {status}.",
    "Set `directory` to the ACME address that the CA publishes.",
)
NOT_ACME_TYPE: Final = Text(
    "ca-not-acme",
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: {content_type} is not JSON.",
    "Set `directory` to the ACME address that the CA publishes.",
)
NOT_ACME_NO_TYPE: Final = Text(
    "ca-not-acme",
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its answer is not JSON.",
    "Set `directory` to the ACME address that the CA publishes.",
)
NOT_ACME_OBJECT: Final = Text(
    "ca-not-acme",
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its JSON is not an object.",
    "Set `directory` to the ACME address that the CA publishes.",
)
NOT_ACME_FIELDS: Final = Text(
    "ca-not-acme",
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its JSON has no URL for {missing}.",
    "Set `directory` to the ACME address that the CA publishes.",
)
NOT_ACME_REDIRECT: Final = Text(
    "ca-not-acme",
    "The CA {ca} cannot be used at {address}: {reason}.",
    "Set `directory` to the address that the redirect goes to.",
)
REVOCATION_NOT_OFFERED: Final = Text(
    "ca-not-offered",
    "The CA {ca} does not offer to revoke certificates.",
    "Ask the CA to revoke the certificate.",
)
ACCOUNT_REPLACED: Final = Text(
    "account-replaced",
    "The CA {ca} no longer has the account {old}. A new account with a new key takes its place: {url}",
    "Change CAA records with accounturi, and records of dns-persist-01, to the new account.",
)
KEY_CHANGE_NOT_OFFERED: Final = Text(
    "ca-not-offered",
    "The CA {ca} does not offer to change the key of an account.",
    "Keep the key, or remove this CA's folder under accounts/ in the store to get a new account.",
)

# ── the account ─────────────────────────────────────────────────────────────────────────

TERMS: Final = Text(
    "ca-terms",
    "The CA {ca} requires agreement to its terms of service: {terms}",
    "Read them, and set agree_terms = true.",
)
EAB_REQUIRED: Final = Text(
    "ca-eab-required",
    "The CA {ca} creates accounts only with an external account binding.",
    'Get a key for external account binding (EAB) from the CA, and set it: [ca.{ca}] eab = {{ kid = "…", '
    'hmac = "file:…" }}',
)
EAB_NO_KID: Final = Text(
    "eab-invalid",
    "The external account binding for the CA {ca} cannot be used: `eab.kid` is empty.",
    "Copy `kid` and `hmac` of `eab` again from the CA, unchanged.",
)
EAB_BAD_HMAC: Final = Text(
    "eab-invalid",
    "The external account binding for the CA {ca} cannot be used: `eab.hmac` is {fault}.",
    "Copy `kid` and `hmac` of `eab` again from the CA, unchanged.",
)
EAB_UNREADABLE: Final = Text(
    "eab-invalid",
    "The external account binding for the CA {ca} cannot be used. {error}",
    "{error_fix}",
)
EAB_TIMEOUT: Final = Text(
    "eab-invalid",
    "The external account binding for the CA {ca} cannot be used: {reference} could not be read within {timeout:g} s.",
    "Check whether `eab.hmac` can be read unattended: a keyring may be locked, or a disk may hang.",
)
EAB_NO_EMAIL: Final = Text(
    "eab-invalid",
    "The CA {ca} needs an email address for its external account binding, but `contact` contains none.",
    "Set `contact` to your email address.",
)
EAB_NO_SERVICE: Final = Text(
    "eab-invalid",
    "The CA {ca} does not create an external account binding for an email address.",
    "Set `eab` to the `kid` and `hmac` from the CA.",
)
EAB_EMAIL_REFUSED: Final = Text(
    "eab-invalid",
    "The CA {ca} refused an external account binding for {email}: {reason} (status {status}).",
    "Check the address in `contact`, or set `eab` to the `kid` and `hmac` from the website of the CA.",
)
EAB_EMAIL_UNCLEAR: Final = Text(
    "eab-invalid",
    "The CA {ca} answered the request for an external account binding with an unexpected document (status {status}).",
    "Try again later, or set `eab` to the `kid` and `hmac` from the website of the CA.",
)
KEY_CHANGE_PENDING: Final = Text(
    "",
    "The CA {ca} did not confirm the new key of the account. {error}",
    "Renew again: dnsrenew has kept the old key and the new one, and tries both.",
)
"""It has the code of the error that left the change pending."""
ACCOUNT_DAMAGED: Final = Text(
    "account-damaged",
    "The stored account key is neither an ECDSA key (P-256 or P-384) nor an RSA key in PEM format.",
    "Delete key.pem of this CA under accounts/ in the store: dnsrenew then creates a new account.",
)
CONTACT_REFUSED: Final = Text(
    "contact-refused",
    "The CA {ca} still has the old contact of the account. {error}",
    "Set `contact` to an email address that the CA accepts.",
)

# ── profiles and chains ─────────────────────────────────────────────────────────────────

PROFILE_UNKNOWN: Final = Text(
    "ca-profile-unknown",
    'The CA {ca} does not offer the profile "{profile}"; it offers {offered}.',
    "Set `profile` to one that the CA offers, or omit it.",
)
PROFILE_UNKNOWN_NONE: Final = Text(
    "ca-profile-unknown",
    'The CA {ca} does not offer the profile "{profile}"; it offers no profiles.',
    "Set `profile` to one that the CA offers, or omit it.",
)
LIFETIME_REFUSED: Final = Text(
    "lifetime-refused",
    "`lifetime` asks for a certificate that ends at {not_after}, which the CA {ca} does not issue. {error}",
    "Remove `lifetime`, or set it to a value that the CA accepts.",
)
PROFILE_IGNORED: Final = Text(
    "profile-unknown",
    'The CA {ca} does not offer the profile "{profile}", so its default profile is used; it offers {offered}.',
    "Set `profile` to one that the CA offers, or omit it.",
)
PROFILE_IGNORED_NONE: Final = Text(
    "profile-unknown",
    'The CA {ca} does not offer the profile "{profile}", so its default profile is used; it offers no profiles.',
    "Set `profile` to one that the CA offers, or omit it.",
)
PROFILE_IGNORED_REFUSED: Final = Text(
    "profile-unknown",
    'The CA {ca} refused the profile "{profile}", so its default profile is used. {error}',
    "Set `profile` to one that the CA offers, or omit it.",
)
CHAIN_UNKNOWN: Final = Text(
    "chain-unknown",
    'The CA {ca} has no chain to the root "{root}", so its default chain is used; its chains lead to {offered}.',
    "Set `preferred_chain` to one of these, or omit it.",
)
CHAIN_UNKNOWN_ROOT: Final = Text(
    "chain-unknown-root",
    'The new certificate of the CA {ca} leads to the root "{root}". That root is new here, and this machine does not '
    "trust it, so clients may refuse the certificate.",
    "Ask the CA whether it issues under this root, and update the root certificates of this machine if they are old.",
)

# ── the clock ───────────────────────────────────────────────────────────────────────────

CLOCK_WRONG: Final = Text(
    "clock-wrong",
    "The CA {ca} reports the time {date}, but the clock of this machine shows {now}: a certificate issued now "
    "would not be valid here.",
    "Set the clock of this machine, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)",
)
CLOCK_WRONG_ISSUED: Final = Text(
    "clock-wrong",
    "The CA {ca} reports the time {date}, but the clock of this machine shows {now}: the issued certificate is not "
    "valid here.",
    "Set the clock of this machine, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)",
)
CLOCK_AHEAD: Final = Text(
    "clock-ahead",
    "The CA {ca} reports the time {date}, but the clock of this machine shows {now}: certificates are renewed too "
    "early.",
    "Set the clock of this machine, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)",
)

# ── ACME Renewal Information (RFC 9773): no warnings, only the reason of a NoWindow ─────

ARI_LATE: Final = Text("ari-late", "The CA {ca} did not send renewal information in time.", "")
ARI_NOT_OFFERED: Final = Text("ari-not-offered", "The CA {ca} does not offer renewal information.", "")
ARI_MALFORMED: Final = Text("ari-malformed", "The renewal information of the CA {ca} is invalid: {cause}.", "")

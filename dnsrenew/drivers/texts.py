"""The texts of errors of DNS hosts and their drivers.

``{answer}`` is the HTTP status and the message of the host. ``{error}`` and ``{instruction}`` are the message and the
fix of the error that caused this one.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── finding and creating a driver ───────────────────────────────────────────────────────

DRIVER_INVALID: Final = Text(
    "driver-invalid",
    "The driver {driver} does not have the methods add and remove.",
    "Install a newer version of its package, or ask its author.",
)
OBJECT_INVALID: Final = Text(
    "driver-invalid",
    "The object for the DNS account {account} does not have the methods add and remove.",
    "Pass a DnsAccount, or an object with both methods.",
)
DRIVER_MISSING: Final = Text(
    "driver-missing",
    "The driver {driver} is not installed.",
    "Install the package of the driver {driver} into the environment of dnsrenew.",
)
DRIVER_BROKEN: Final = Text(
    "driver-broken",
    "The driver {driver} ({entry_point}) cannot be imported.",
    "Reinstall or update the package of the driver {driver}.",
)
OPTION_SECRET_MISSING: Final = Text(
    "secret-missing",
    "{error} The option {key} of the account {account} needs it.",
    "{instruction}",
)

# ── one call of a driver ────────────────────────────────────────────────────────────────

_TIMEOUT: Final = "provider-timeout"
_TRY_LATER: Final = "Try again later."
_CHECK_NETWORK: Final = "Try again later; if it persists, check whether a firewall or proxy blocks the connection."

PREPARE_TIMED_OUT: Final = Text(
    _TIMEOUT,
    "{title} (account {account}): the driver was not ready after {seconds:g} s.",
    _CHECK_NETWORK,
)
ADD_TIMED_OUT: Final = Text(
    _TIMEOUT,
    "{title} (account {account}) had not written the TXT values after {seconds:g} s. It may still write them.",
    _CHECK_NETWORK,
)
REMOVE_TIMED_OUT: Final = Text(
    _TIMEOUT,
    "{title} (account {account}) had not removed the TXT values after {seconds:g} s. It may still remove them.",
    _CHECK_NETWORK,
)
CALL_OVER: Final = Text(
    _TIMEOUT,
    "The time for the DNS account {account} ran out before all records were written or removed.",
    _TRY_LATER,
)

API_NOT_ENCRYPTED: Final = Text(
    "api-not-encrypted",
    "The account {account} sends its credentials unencrypted to {host}: {key} is an http:// address.",
    "Use an https:// address, for example that of a proxy with TLS in front of the API.",
)

# ── errors of a DNS host: without and with its answer ───────────────────────────────────

_ZONE_UNKNOWN: Final = "provider-zone-unknown"
_UNREACHABLE: Final = "provider-unreachable"
_UNTRUSTED: Final = "provider-untrusted"

_CHECK_CREDENTIALS: Final = (
    "Check {options} of the account {account} (`dnsrenew providers {provider}` lists what the host needs), "
    "and allow them to edit the TXT records of {zones}."
)
_CHECK_OPTIONS: Final = "Check {options} of the account {account}, and allow them to edit the TXT records of {zones}."
_CHECK_ZONE: Final = "Add {zones} to this account (see {page}), or list the zones of the account in its option `zones`."
_WAIT: Final = "Wait a few minutes and renew again; for the limits, see {page}."
_CHECK_API: Final = (
    "Check whether this machine can reach {where}, and whether a proxy or firewall blocks the connection; see "
    "also {page}."
)
_CHECK_PORTAL: Final = (
    "Check whether this network requires a login, as in a hotel. If not, see whether {where}, the API of the "
    "account {account}, has moved ({page}), or update dnsrenew."
)
_CHECK_ROOTS: Final = (
    "Check whether a proxy intercepts TLS connections to {where}, and update the root certificates of this machine; "
    "see also {page}."
)
_CHECK_CLOCK: Final = (
    "If the clock of this machine is wrong, set it (sudo timedatectl set-ntp true; on Windows: w32tm "
    "/resync); otherwise check whether a proxy intercepts TLS connections to {where}; see also {page}."
)
_LATER: Final = "Try again later; if it persists, check whether {where} has an outage (see {page})."
_SLOW: Final = (
    "Try again later; if it persists, check whether a firewall or proxy blocks the connection to {where} (see {page})."
)
_UPDATE: Final = "Try again later; if it persists, see {page}, or update dnsrenew and its libraries."
_FOLLOW: Final = "Follow the message of the host (see {page}), then renew again."
_REPORT: Final = (
    "Check the options of the account {account} (see {page}); if they are right, report this to the author of the "
    "driver."
)

UNAUTHORIZED: Final = Text(
    "provider-unauthorized",
    "{title} (account {account}) did not accept the credentials, or they are not allowed to edit {zones}.",
    _CHECK_CREDENTIALS,
)
UNAUTHORIZED_ANSWER: Final = Text(
    "provider-unauthorized",
    "{title} (account {account}) did not accept the credentials, or they are not allowed to edit {zones}: {answer}.",
    _CHECK_CREDENTIALS,
)
UNSENDABLE: Final = Text(
    "provider-unauthorized",
    "The credentials of the account {account} contain a character that cannot be sent by HTTP, such as a curly "
    "quotation mark or a line break.",
    "Copy them again from the page of the host, without quotation marks.",
)
UNAUTHORIZED_PLUG_IN: Final = Text(
    "provider-unauthorized",
    "{title} (account {account}) did not accept the credentials, or they are not allowed to edit {zones}.",
    _CHECK_OPTIONS,
)
UNAUTHORIZED_PLUG_IN_ANSWER: Final = Text(
    "provider-unauthorized",
    "{title} (account {account}) did not accept the credentials, or they are not allowed to edit {zones}: {answer}.",
    _CHECK_OPTIONS,
)
ZONE_UNKNOWN: Final = Text(
    _ZONE_UNKNOWN,
    "{title} (account {account}) has no zone {zones} that these credentials can see.",
    _CHECK_ZONE,
)
ZONE_UNKNOWN_ANSWER: Final = Text(
    _ZONE_UNKNOWN,
    "{title} (account {account}) has no zone {zones} that these credentials can see: {answer}.",
    _CHECK_ZONE,
)
NOTHING_THERE: Final = Text(
    "provider-address-wrong",
    "The API of {title} (account {account}) is not at the address in its option `api`: {answer}.",
    "Correct `api` of the account {account}, including its path (see {page}).",
)
RATE_LIMITED: Final = Text(
    "provider-rate-limited",
    "{title} (account {account}) received too many requests.",
    _WAIT,
)
RATE_LIMITED_ANSWER: Final = Text(
    "provider-rate-limited",
    "{title} (account {account}) received too many requests: {answer}.",
    _WAIT,
)
UNREACHABLE: Final = Text(
    _UNREACHABLE,
    "{title} (account {account}) cannot be reached.",
    _CHECK_API,
)
UNREACHABLE_ANSWER: Final = Text(
    _UNREACHABLE,
    "{title} (account {account}) cannot be reached: {answer}.",
    _CHECK_API,
)
REDIRECTED: Final = Text(
    _UNREACHABLE,
    "{title} (account {account}), or a proxy on the way, redirects the request.",
    _CHECK_PORTAL,
)
REDIRECTED_ANSWER: Final = Text(
    _UNREACHABLE,
    "{title} (account {account}), or a proxy on the way, redirects the request: {answer}.",
    _CHECK_PORTAL,
)
UNTRUSTED: Final = Text(
    _UNTRUSTED,
    "{title} (account {account}) has a TLS certificate that is not trusted on this machine.",
    _CHECK_ROOTS,
)
UNTRUSTED_ANSWER: Final = Text(
    _UNTRUSTED,
    "{title} (account {account}) has a TLS certificate that is not trusted on this machine: {answer}.",
    _CHECK_ROOTS,
)
UNTRUSTED_DATES: Final = Text(
    _UNTRUSTED,
    "{title} (account {account}) has a TLS certificate that is not valid at {now}, the time that this machine's "
    "clock shows.",
    _CHECK_CLOCK,
)
UNTRUSTED_DATES_ANSWER: Final = Text(
    _UNTRUSTED,
    "{title} (account {account}) has a TLS certificate that is not valid at {now}, the time that this machine's "
    "clock shows: {answer}.",
    _CHECK_CLOCK,
)
TIMED_OUT: Final = Text(
    _TIMEOUT,
    "{title} (account {account}) did not answer in time.",
    _SLOW,
)
TIMED_OUT_ANSWER: Final = Text(
    _TIMEOUT,
    "{title} (account {account}) did not answer in time: {answer}.",
    _SLOW,
)
SERVER_ERROR: Final = Text(
    "provider-server-error",
    "{title} (account {account}) has an internal error.",
    _LATER,
)
SERVER_ERROR_ANSWER: Final = Text(
    "provider-server-error",
    "{title} (account {account}) has an internal error: {answer}.",
    _LATER,
)
MALFORMED_ANSWER: Final = Text(
    "provider-malformed-answer",
    "{title} (account {account}) sent an answer that its driver cannot read.",
    _UPDATE,
)
MALFORMED_ANSWER_ANSWER: Final = Text(
    "provider-malformed-answer",
    "{title} (account {account}) sent an answer that its driver cannot read: {answer}.",
    _UPDATE,
)
REFUSED: Final = Text(
    "provider-refused",
    "{title} (account {account}) refused the change.",
    _FOLLOW,
)
REFUSED_ANSWER: Final = Text(
    "provider-refused",
    "{title} (account {account}) refused the change: {answer}.",
    _FOLLOW,
)
DRIVER_BUG: Final = Text(
    "provider-bug",
    "The driver of {title} (account {account}) failed with an internal error.",
    _REPORT,
)
DRIVER_BUG_ANSWER: Final = Text(
    "provider-bug",
    "The driver of {title} (account {account}) failed with an internal error: {answer}.",
    _REPORT,
)

OWN_DRIVER_BUG: Final = Text(
    "provider-bug",
    "Your driver (account {account}) raised {cause} at {place}.",
    "Fix the driver; the traceback is logged at DEBUG by the logger {logger}.",
)

# ── hook ────────────────────────────────────────────────────────────────────────────────

_TRY_HOOK: Final = (
    "Run it by hand with the same arguments (`dnsrenew providers hook` lists them), and fix the problem that it "
    "reports."
)

HOOK_MISSING: Final = Text(
    "hook-missing",
    "The program {program} of the account {account} cannot be run: {reason}.",
    "Correct `program` of the account {account}, and make the file executable.",
)
HOOK_NAME: Final = Text(
    "hook-name",
    "The program of the account {account} is not run for {name}, because that is not a host name.",
    "Change the CNAME record that points to {name}: its target may contain only letters, digits, hyphens and "
    "underscores.",
)
HOOK_LATE: Final = Text(
    "hook-timeout",
    "The program of the account {account} did not finish in time and printed nothing, so dnsrenew ended it.",
    _TRY_HOOK,
)
HOOK_LATE_OUTPUT: Final = Text(
    "hook-timeout",
    "The program of the account {account} did not finish in time, so dnsrenew ended it: {answer}.",
    _TRY_HOOK,
)
HOOK_FAILED: Final = Text(
    "hook-failed",
    "The program of the account {account} failed: {answer}.",
    _TRY_HOOK,
)

# ── acme.sh ─────────────────────────────────────────────────────────────────────────────

_ACME_SH_MISSING: Final = "acme-sh-missing"
_ACME_SH_UNFIT: Final = "acme-sh-unfit"
_ACME_SH_TIMEOUT: Final = "acme-sh-timeout"
_ACME_SH_FAILED: Final = "acme-sh-failed"
_OTHER_WAY: Final = "Use another way for this DNS host: `dnsrenew providers --search {name}` lists all ways."
_MEND_SCRIPT: Final = (
    "Fix the problem that the script reports: `dnsrenew renew -vv` shows its whole output, `dnsrenew providers "
    "acme.sh` the variables that it needs."
)
VARIABLES_LACKING: Final = Phrase("{reason} (`env` lacks {variables}, which the script needs)")
WEB_PAGE: Final = Phrase("it received a web page instead of an answer: {words}")

SCRIPT_MISSING: Final = Text(
    _ACME_SH_MISSING,
    "The script {script} of the account {account} is not on this machine.",
    "Install acme.sh, or set `home` or `script` to its place; `dnsrenew providers acme.sh` lists the scripts found.",
)
ACME_SH_MISSING: Final = Text(
    _ACME_SH_MISSING,
    "The script {path} of the account {account} needs acme.sh, which is not on this machine.",
    "Install acme.sh, or set `home` of the account {account} to its folder.",
)
ACME_SH_OLD: Final = Text(
    _ACME_SH_UNFIT,
    "{path} is acme.sh {version}; the account {account} needs {oldest} or later.",
    "Run: acme.sh --upgrade",
)
SCRIPT_LINE_ENDS: Final = Text(
    _ACME_SH_UNFIT,
    "The script {path} of the account {account} has Windows line endings, which shells cannot read.",
    "Run: sed -i 's/\\r$//' {path}",
)
SCRIPT_LACKS: Final = Text(
    _ACME_SH_UNFIT,
    "The script {path} of the account {account} does not define {function}.",
    "Use a script that has both functions, add and rm: otherwise values stay in DNS.",
)
SCRIPT_OTHER_SHELL: Final = Text(
    _ACME_SH_UNFIT,
    "The script {path} of the account {account} begins with {line}, which is not a shell that can run acme.sh.",
    "Use a script of acme.sh, or the provider `hook` for a program of your own.",
)
SHELL_MISSING: Final = Text(
    _ACME_SH_MISSING,
    "The script {path} of the account {account} needs the shell {shell}, which is not on this machine.",
    "Install {shell}.",
)
VARIABLE_LINES: Final = Text(
    "acme-sh-variable",
    "The value of the variable {name} of the account {account} contains a line break or a NUL.",
    "Copy the value again, as one line.",
)
SCRIPT_LATE: Final = Text(
    _ACME_SH_TIMEOUT,
    "The script of the account {account} did not finish in time and printed nothing, so dnsrenew ended it.",
    _MEND_SCRIPT,
)
SCRIPT_LATE_OUTPUT: Final = Text(
    _ACME_SH_TIMEOUT,
    "The script of the account {account} did not finish in time, so dnsrenew ended it: {answer}.",
    _MEND_SCRIPT,
)
SCRIPT_FAILED: Final = Text(
    _ACME_SH_FAILED,
    "The script of the account {account} failed: {answer}.",
    _MEND_SCRIPT,
)
SCRIPT_FAILED_SILENT: Final = Text(
    _ACME_SH_FAILED,
    "The script of the account {account} failed without giving a reason.",
    _MEND_SCRIPT,
)
SCRIPT_REMOVES_ALL: Final = Text(
    "acme-sh-known",
    "{script} removes every TXT value of a name, including those of other programs.",
    _OTHER_WAY,
)
SCRIPT_DAMAGES: Final = Text(
    "acme-sh-known",
    "{script} damages other programs' values that contain spaces when it adds one at the same name.",
    _OTHER_WAY,
)
SCRIPT_REMOVES_NOTHING: Final = Text(
    "acme-sh-known",
    "{script} can report success without removing anything; such values stay in dnsrenew's journal until they are "
    "gone.",
    _OTHER_WAY,
)
SCRIPT_PRINTS_SECRET: Final = Text(
    "acme-sh-known",
    "{script} prints its password.",
    _OTHER_WAY,
)
SCRIPT_REPLACES: Final = Text(
    "acme-sh-known",
    "{script} replaces the values of a name with the one that it adds.",
    _OTHER_WAY,
)
SCRIPT_CANNOT_REMOVE: Final = Text(
    "acme-sh-known",
    "{script} cannot remove a value.",
    _OTHER_WAY,
)

# ── mistakes in a provider file and in the options of an account (phrases, see validation/texts.py) ─────────────────

FILE: Final = Phrase("the file")
NOT_UTF8: Final = Phrase("This file is not UTF-8 text.")
UNREADABLE: Final = Phrase("This file cannot be read: {cause}.")
READABLE: Final = Phrase("a readable file")
TITLE: Final = Phrase("the name of the host, as text")
URL: Final = Phrase("an https:// address")
DRIVER_NAME: Final = Phrase("the name of a driver, such as lexicon or rfc2136")
ZONE_SUFFIXES: Final = Phrase("a list of domain names in lower case, without a final dot")
NAME_SERVERS: Final = Phrase("a list of host names in lower case, with * for any text, such as *.ns.example.net")
TOOLS: Final = Phrase("a table for each tool: its names for the host, each with our options and the tool's own")
OTHER_NAMES: Final = Phrase("a list of texts: other names of the host")
OPTION_TABLES: Final = Phrase("a table of tables, one for each option")
VARIABLE_NAME: Final = Phrase("the name of an environment variable")
PATTERN: Final = Phrase("a regular expression")
TTL: Final = Phrase("a whole number of seconds from 1 to 604800")
PROPAGATION_TIMEOUT: Final = Phrase("a number of seconds from 1 to 86400")
SETTLE: Final = Phrase("a number of seconds from 0 to 3600")
VALUES: Final = Phrase('"many", "two" or "one"')
KIND: Final = Phrase('"text", "list", "program", "file", "url", "address", "script" or "variables"')
SCOPE: Final = Phrase('"name" or "zone"')
SCOPE_FOUND: Final = '"zone"'
SCOPE_OF_MANY: Final = Phrase('"name", or set values to "one"')
RESERVED_NAME: Final = Phrase("a reserved name")
OTHER_NAME: Final = Phrase("another name: every account has an option of this name")
OPTION_NAME_FOUND: Final = Phrase("an invalid name")
OPTION_NAME: Final = Phrase("lower-case letters, digits and underscores")
NO_OPTION: Final = Phrase("Remove it: this DNS host has no options.")
VALUE: Final = Phrase("a value")
REQUIRED: Final = Phrase("{help} (required by {title})")
OPTIONAL: Final = Phrase("(optional) {help}")
TEXT_OR_REFERENCE: Final = Phrase("a text, or a reference to a secret")
QUOTED_TEXT: Final = Phrase("a text in quotes")
LIST: Final = Phrase("a list of texts in quotes")
VARIABLES: Final = Phrase("a table of environment variables, such as [dns.NAME.env]")
NOT_A_URL: Final = Phrase("a text that is not a web address")
URL_WITH_USER: Final = Phrase("an address with a user name")
URL_WITH_QUERY: Final = Phrase("an address with a query or fragment")
HOST_ADDRESS: Final = Phrase('an address such as "192.0.2.53" or "[2001:db8::53]:5353", IPv6 in brackets')
API_ADDRESS: Final = Phrase(
    "an http:// or https:// address without user name, query and fragment, such as https://dns.example.net/api"
)

# ── acme-dns ────────────────────────────────────────────────────────────────────────────

ACME_DNS_INCOMPLETE: Final = Text(
    "option-invalid",
    "The account {account} does not have {key}: a registration needs {options}.",
    "Set all of {options}; or set none of them, and run `dnsrenew delegate NAME`.",
)
ACME_DNS_NOT_REGISTERED: Final = Text(
    "acme-dns-not-registered",
    "The account {account} has no registration at its acme-dns server yet.",
    "Run `dnsrenew delegate NAME` for the certificate: it registers, and shows the CNAME record that you set once.",
)
ACME_DNS_OTHER_NAME: Final = Text(
    "acme-dns-other-name",
    "The CNAME record points to {name}, but the registration of the account {account} writes only {subdomain}.",
    "Point the CNAME record to the name that `dnsrenew delegate NAME` shows.",
)
ACME_DNS_UNREADABLE: Final = Text(
    "secret-missing",
    "The registration at the acme-dns server cannot be read from {file}: {cause}.",
    "Allow the user that runs dnsrenew to read the file.",
)
ACME_DNS_REGISTRATION: Final = Text(
    "secret-missing",
    "{file} does not contain a registration at an acme-dns server.",
    "Restore the file from a backup; without one, delete it, run `dnsrenew delegate NAME` and change the CNAME record.",
)

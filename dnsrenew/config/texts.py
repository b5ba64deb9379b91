"""The texts of the configuration: its errors and warnings, and the phrases of its mistakes.

A phrase of a mistake is a sentence, or completes one: "This is FOUND.", "Use EXPECTED." or "Set it to EXPECTED.", see
:mod:`dnsrenew.base.validation.texts`, which has the phrases that provider files need too.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── errors: the file ────────────────────────────────────────────────────────────────────

CONFIG_NOT_FOUND: Final = Text(
    "config-missing",
    "No configuration found. Searched: {searched}.",
    "Run `dnsrenew init`, create {suggested}, or name your file with --config.",
)
CONFIG_MISSING: Final = Text(
    "config-missing",
    "The configuration {searched} does not exist.",
    "Correct the path, or create the file.",
)
CONFIG_MISSING_OPTION: Final = Text(
    "config-missing",
    "--config names {searched}, which does not exist.",
    "Correct the path, or create the file.",
)
CONFIG_MISSING_VARIABLE: Final = Text(
    "config-missing",
    "$DNSRENEW_CONFIG names {searched}, which does not exist.",
    "Correct the variable, or create the file.",
)
CONFIG_NAMED_TXT: Final = Text(
    "config-missing",
    "No configuration found, but {found} is there.",
    "Rename it to {name}.",
)
CONFIG_NOT_UTF8: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: it is not UTF-8 text (byte {position}).",
    "Save it as UTF-8 text.",
)
CONFIG_FOLDER: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: it is a folder.",
    "Name a file in that folder.",
)
CONFIG_NOT_A_FILE: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: it is {kind}.",
    "Write the configuration to a regular file, and name that file: dnsrenew reads it more than once.",
)
CONFIG_FORBIDDEN: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: permission denied.",
    "Run the command with sudo, or write a separate configuration for the user that runs dnsrenew: this one may "
    "contain secrets.",
)
CONFIG_UNREADABLE: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: {cause}.",
    "Check the path.",
)
CONFIG_NO_PATH: Final = Text(
    "config-unreadable",
    "The configuration {file} cannot be read: this is not a valid path.",
    "Check the path.",
)
# ── errors, and warnings for an ordinary user who names the configuration ───────────────

_FIX_FILE: Final = "Check its content and run `{command}`, or accept the risk with {insist_option}."
_FIX_FOLDER: Final = (
    "Run `{command}`, move the file to a folder that only {user} can change, or accept the risk with {insist_option}."
)
UNTRUSTED_FILE_OWNER: Final = Text(
    "config-untrusted",
    "{path} belongs to {owner}, so {owner} decides what dnsrenew does as {user}.",
    _FIX_FILE,
)
UNTRUSTED_FILE_GROUP: Final = Text(
    "config-untrusted",
    "The group {group} can change {path} (mode {mode}), so it could decide what dnsrenew does as {user}.",
    _FIX_FILE,
)
UNTRUSTED_FILE_LIST: Final = Text(
    "config-untrusted",
    "The access list of {path} lets other users change it, so they could decide what dnsrenew does as {user}.",
    _FIX_FILE,
)
UNTRUSTED_FILE_EVERYBODY: Final = Text(
    "config-untrusted",
    "Every user of this machine can change {path} (mode {mode}), so any of them could decide what dnsrenew does as "
    "{user}.",
    _FIX_FILE,
)
UNTRUSTED_FOLDER_OWNER: Final = Text(
    "config-untrusted",
    "{path} belongs to {owner}, so {owner} can replace {file} and decide what dnsrenew does as {user}.",
    "Run dnsrenew as {owner}, move the file to a folder that only {user} can change, or accept the risk with "
    "{insist_option}.",
)
UNTRUSTED_FOLDER_GROUP: Final = Text(
    "config-untrusted",
    "The group {group} can write to {path} (mode {mode}), where {file} is, so it could decide what dnsrenew does "
    "as {user}.",
    _FIX_FOLDER,
)
UNTRUSTED_FOLDER_LIST: Final = Text(
    "config-untrusted",
    "The access list of {path}, where {file} is, lets other users write to it, so they could decide what dnsrenew "
    "does as {user}.",
    _FIX_FOLDER,
)
UNTRUSTED_FOLDER_EVERYBODY: Final = Text(
    "config-untrusted",
    "Every user of this machine can write to {path} (mode {mode}), where {file} is, so any of them could decide "
    "what dnsrenew does as {user}.",
    _FIX_FOLDER,
)
UNTRUSTED_LINK: Final = Text(
    "config-untrusted",
    "The link {path} belongs to {owner}, so {owner} can replace {file} and decide what dnsrenew does as {user}.",
    "Run `{command}`, use the path that the link points to, or accept the risk with {insist_option}.",
)

# ── warnings ────────────────────────────────────────────────────────────────────────────

SECRET_PLAIN: Final = Text(
    "secret-plain",
    "The configuration contains secrets in plain text: {keys}.",
    'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or {{ command = […] }} instead; to keep the plain text, '
    'write "literal:…".',
)
SECRET_FILE_NAME: Final = Text(
    "secret-plain",
    "{key} is the name of an existing file in plain text, so the name itself is used as the secret.",
    'Write "file:{file}" to use the content of the file, or "literal:…" if the name is the secret.',
)
SECRET_ODD: Final = Text(
    "secret-odd",
    "These secrets look like references of an unknown kind: {keys}. Each is used as the secret itself.",
    'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or {{ command = […] }}; '
    'or "literal:…" if it is the secret itself.',
)
SECRET_OPEN: Final = Text(
    "secret-open",
    "Other users can read these files, which contain secrets: {files}.",
    "Run `{command}`.",
)
INCLUDE_EMPTY: Final = Text(
    "include-empty",
    "No file matches {patterns} in include.",
    "Correct the pattern, mount the folder if it is missing, or remove the pattern.",
)
REFUSES_COUNT: Final = Text(
    "ca-will-refuse",
    "The CA {ca} will refuse the certificate of {domain}: with the profile {profile} it accepts at most {most} "
    "names, but there are {count}.",
    "Split the certificate, or remove `profile`.",
)
REFUSES_ADDRESSES: Final = Text(
    "ca-will-refuse",
    "The CA {ca} will refuse the certificate of {domain}: it issues for IP addresses only with the profile "
    "{wanted}, not with {profile}.",
    'Set profile = "{wanted}".',
)
SHORT_LIFE_ONE_CA: Final = Text(
    "short-life-one-ca",
    "The certificate of {domain} is valid for only six days, and {ca} is its only CA. If that CA is down "
    "for more than three days, the certificate expires.",
    "Add a route with another CA, such as Google or ZeroSSL.",
)
OUTSIDE_ALL_ZONES: Final = Text(
    "domain-outside-zones",
    "No DNS account can write the records of {domains}: the accounts are limited to {zones}.",
    "Correct the name or the zones. This warning does not apply if a CNAME record at _acme-challenge of the name "
    "points into one of these zones.",
)
OUTSIDE_ALL_ZONES_NEAREST: Final = Text(
    "domain-outside-zones",
    "No DNS account can write the records of {domains}: the accounts are limited to {zones}.",
    "If you mean {nearest}, write that. This warning does not apply if a CNAME record at _acme-challenge of the "
    "name points into one of these zones.",
)
PROGRAM_MISSING: Final = Text(
    "program-missing",
    "The program {path} of {names} cannot be run on this machine: it does not exist, or is not executable.",
    "Install it or correct `{key}`, unless the configuration is for another machine.",
)
WEBROOT_MISSING: Final = Text(
    "webroot-missing",
    "The folder {path} of {names} does not exist on this machine.",
    "Correct `{key}` or create the folder, unless the configuration is for another machine.",
)
DEPLOY_FOLDER_MISSING: Final = Text(
    "deploy-folder-missing",
    "The folder {path} for the deployment of {names} does not exist on this machine.",
    "Run mkdir -p {path}, or correct `{key}`, unless the configuration is for another machine.",
)
SERVER_FOLDER_MISSING: Final = DEPLOY_FOLDER_MISSING._replace(
    fix="Correct `{key}`, unless the configuration is for another machine."
)
FLEET_UNSEALED: Final = Text(
    "fleet-unsealed",
    "The database stores private keys unencrypted.",
    "Set DNSRENEW_SEAL to 32 random bytes in base64 (openssl rand -base64 32), and write "
    'seal = "env:DNSRENEW_SEAL" into [fleet].',
)
METRICS_NOT_PROM: Final = Text(
    "metrics-file-name",
    "The node exporter does not read {path}, because its name does not end in .prom.",
    "In [metrics], set `textfile` to {suggested}.",
)
NO_CERTIFICATES: Final = Text(
    "no-certificates",
    "The configuration has no certificate.",
    "Add a [[certificate]] with its domains.",
)

# ── phrases: tables and keys ────────────────────────────────────────────────────────────

MORE: Final = Phrase("{keys} and {count:,} more")
ARGUMENTS: Final = Phrase("the arguments")
CONFIGURATION: Final = Phrase("the configuration")
A_MAPPING: Final = Phrase("a mapping of tables")
A_VALUE_FOR: Final = Phrase("Add a line {key} = … here.")
MISPLACED_KEY: Final = Phrase("This key is for the whole file, but is in a table.")
ABOVE_TABLES: Final = Phrase("this line above the first [table] of the file")
MOVE_ABOVE: Final = Phrase("Move this line, and other such lines, above the first [table].")
MOVE_BELOW: Final = Phrase("It belongs in a certificate: move this line below its [[certificate]].")
NO_EFFECT: Final = Phrase("This key has no effect in this route.")
NOT_HERE: Final = Phrase("This key is not allowed here.")
ONLY_WITH: Final = Phrase("It works only with challenge = {challenge}.")
NAME: Final = Phrase("This name is not valid.")
ANOTHER_NAME: Final = Phrase("another name: {where} uses it already")
FIRST: Final = Phrase("the first")

# ── phrases: fleets ─────────────────────────────────────────────────────────────────────

DATABASE_URL: Final = Phrase("a URL such as postgresql://dnsrenew@db.example/dnsrenew")
URL_WITH_PASSWORD: Final = Phrase("a URL with a password")
DATABASE_WITHOUT_PASSWORD: Final = Phrase(
    'the URL without the password, which is written as a secret: {{ url = "postgresql://…", password = "env:NAME" }}'
)
NOT_PLAIN: Final = Phrase(
    'Remove it: with documents = "plain" in [fleet], certificates cannot name programs, files, secrets or deployments.'
)
FLEET_WITHOUT_DATABASE: Final = Phrase("The store of this fleet is a folder.")
STORE_OF_FLEET: Final = Phrase(
    'a database for all machines: store = {{ url = "postgresql://…", password = "env:NAME" }}'
)
SEALS: Final = Phrase("a secret, or a list of secrets")
NO_SEAL: Final = Phrase("a text that is not 32 bytes in base64")
SEAL: Final = Phrase("32 random bytes in base64, as `openssl rand -base64 32` prints them")
DEFAULTS_KEY: Final = Phrase("Remove this key: each certificate has its own {key}.")
A_DOCUMENT: Final = Phrase('a JSON object such as {{"domains": ["shop.example.com"]}}')
THE_DOCUMENT: Final = Phrase("the certificate")
TAGS: Final = Phrase('texts of up to {most} characters, such as ["customer-7"]')
SECRET_IN_DATABASE: Final = Phrase("a secret in plain text")
SECRET_REFERENCE: Final = Phrase('a reference such as "env:NAME" or "file:PATH": the database stores no secrets')
CALLABLE_IN_DATABASE: Final = Phrase("a callable")
A_DEPLOYMENT: Final = Phrase("a Deployment or a table: a callable cannot be stored in the database")
NO_FLEET_PACKAGES: Final = Phrase("The packages for PostgreSQL are not installed.")
FLEET_PACKAGES: Final = Phrase("the packages psycopg, psycopg-pool and procrastinate")
NOT_READ_BY_LIBPQ: Final = Phrase("a URL that libpq does not understand")

# ── phrases: values ─────────────────────────────────────────────────────────────────────

NOT_EMPTY: Final = Phrase("a text that is not empty")
LIST_LENGTH: Final = Phrase("a list of {count}")
STORE: Final = Phrase("the path of a folder, or a URL that starts with postgresql://")
A_URL: Final = Phrase("a URL")
PLAIN_NAME: Final = Phrase("a name of letters, digits, dots, hyphens and underscores")
CERTIFICATE_NAME: Final = Phrase(
    "1 to 64 characters a-z, 0-9, dot, hyphen and underscore, without a dot or hyphen at the start or a dot at the end"
)
WINDOWS_NAME: Final = Phrase("a name that is not reserved on Windows")
HTTPS_URL: Final = Phrase("a URL that starts with https://")
WEB_URL: Final = Phrase("a URL that starts with https:// or http://")
URL_WITH_USER: Final = Phrase("a URL with a user name")
HTTPS_URL_NO_USER: Final = Phrase("a URL that starts with https:// and has no user name")
WEB_URL_NO_USER: Final = Phrase("a URL that starts with https:// or http:// and has no user name")
ADDRESS: Final = Phrase('an address such as "192.0.2.53" or "[2001:db8::53]:5353", IPv6 in brackets')
TARGET_ADDRESS: Final = Phrase('an address with a port, such as "localhost:443" or "[2001:db8::7]:443"')
LISTEN_ADDRESS: Final = Phrase('an address such as ":80", "192.0.2.7:8080" or "[2001:db8::7]:8080"')
PORT: Final = Phrase("a port from 1 to 65535")
MAIL: Final = Phrase('an email address such as "me@example.com"')
FILE_MODE: Final = Phrase('an octal file mode in quotes, such as "0640"')
RENEW_BEFORE: Final = Phrase('a fraction of the lifetime such as "1/3", or a time such as "10 days" or "36 hours"')
LIFETIME: Final = Phrase('a time from 5 minutes to 10 years, such as "7 days"')
FRACTION: Final = Phrase("a fraction of the lifetime between 0 and 1")
TIME_UNIT: Final = Phrase('a time such as "20 days", in {units}')
TIME_ABOVE_ZERO: Final = Phrase("a time longer than zero")
REQUEST: Final = Phrase("a certificate request (CSR, PEM or DER) for the domains of a server")
REQUEST_INLINE: Final = Phrase("the request")
REQUEST_BECAUSE: Final = Phrase("{file} cannot be used: {reason}.")
REQUEST_NAMES: Final = Phrase("Use the names of `csr` ({names}), or remove this key.")
REQUEST_KIND: Final = Phrase("Use {key}, the key of `csr`, or remove this key.")
NEEDS_KEY: Final = Phrase("The deployment {to} needs the private key, but dnsrenew has no private key for a `csr`.")
WITHOUT_KEY: Final = Phrase("a deployment that needs only the certificate")
FILE_EXISTS: Final = Phrase("the path of an existing file")

# ── phrases: lists ──────────────────────────────────────────────────────────────────────

DOMAINS: Final = Phrase('a list with at least one domain name, such as ["example.com"]')
MANY_DOMAINS: Final = Phrase("at most {most:,} domains; CAs allow 100 to 250 in a certificate")
DOMAINS_FOUND: Final = Phrase("{count:,} domains are too many.")
CONTACTS: Final = Phrase('a list of email addresses, such as ["me@example.com"]')
ZONES: Final = Phrase('a list with at least one zone, such as ["example.com"]')
ROUTES: Final = Phrase("a list with at least one route")
TABLES: Final = Phrase("a list of tables")
ONE_BRACKET: Final = Phrase("Write [{key}], with one bracket.")
TWO_BRACKETS: Final = Phrase("Write [[{key}]], with two brackets.")
DEPLOYMENTS: Final = Phrase("a list of Deployment, tables and functions of a Certificate")
CA_ARGUMENT: Final = Phrase('the name of a CA, or a CA such as CA("https://…")')
ADDRESSES: Final = Phrase("a list of addresses HOST[:PORT]")
URLS: Final = Phrase("a list of https URLs")
INCLUDES: Final = Phrase('a list of paths such as ["conf.d/*.toml"]')
COMMAND: Final = Phrase('a list of texts, such as ["systemctl", "reload", "nginx"]')
DNS_SCRIPT: Final = Phrase("the name of a script of acme.sh, such as dns_cyon, or its absolute path")
VARIABLE_TABLE: Final = Phrase("a table of environment variables, such as [dns.NAME.env]")
VARIABLE: Final = Phrase("the name of a variable of the script, other than HOME, TMPDIR and those of acme.sh itself")
VARIABLE_VALUE: Final = Phrase("a text of one line, or a reference to a secret")
VARIABLE_LINES: Final = Phrase("a text with a line break")
SCRIPT_VARIABLE: Final = Phrase("the value that the script asks for; its page at acme.sh describes it")
DNS_HOOK: Final = Phrase('a list of texts, such as ["/etc/dnsrenew/dns-hook"]')
TEXTS: Final = Phrase("a list of texts")

# ── phrases: domains ────────────────────────────────────────────────────────────────────

DOMAIN: Final = Phrase("a domain name")
DOMAIN_QUOTES: Final = Phrase("Put each name in its own quotes: {names}.")
DOMAIN_LIST: Final = Phrase("Write a list of names: [{names}].")
DOMAIN_BECAUSE: Final = Phrase("a domain name: {reason}")
DOMAIN_NO_URL: Final = Phrase("a domain name, without https:// and without a port")
DOMAIN_NO_PATH: Final = Phrase("only the domain name: remove the / and everything after it")
DOMAIN_NO_SLASH: Final = Phrase("only the domain name: remove the / at the end")
DOMAIN_NO_SPACE: Final = Phrase("only the domain name: remove the space at its start or end")
DOMAIN_STAR: Final = Phrase('a wildcard of one star, a dot and a domain: "*.example.com"')
DOMAIN_NO_STAR: Final = Phrase("a name without a star")
DOMAIN_NO_IP: Final = Phrase("a domain name, not an IP address")
IP_INVALID: Final = Phrase('a complete IP address such as "192.0.2.7" or "2001:db8::7", or a domain name')
IP_NO_PORT: Final = Phrase('the IP address without a port: "{address}"')
IP_NO_BRACKETS: Final = Phrase('the IP address without brackets: "{address}"')
IP_NO_ZONE: Final = Phrase("an IP address without a zone such as %eth0: CAs cannot reach link-local addresses")
IP_NO_NETWORK: Final = Phrase("one IP address, not a network: remove the / and everything after it")
IP_NO_STAR: Final = Phrase("an IP address without a star: only domain names can have wildcards")
IP_MAPPED: Final = Phrase('the IPv4 address itself: "{address}"')
DOMAIN_TWICE: Final = Phrase("This domain is in the list twice.")
SAME_DOMAIN: Final = Phrase("Remove it: it is the same domain as {domain}.")

# ── phrases: include ────────────────────────────────────────────────────────────────────

NO_FILE_AT: Final = Phrase("There is no file at {path}.")
INCLUDE_FILE: Final = Phrase("the path of an existing file, or a pattern such as conf.d/*.toml")
BAD_PATTERN: Final = Phrase("a pattern that no file can match")
INCLUDE_PATTERN: Final = Phrase("a pattern such as conf.d/*.toml")

# ── phrases: CAs ────────────────────────────────────────────────────────────────────────

CA_TABLES: Final = Phrase("tables [ca.NAME]")
CA_TABLE: Final = Phrase("a table [ca.NAME]")
SECOND_CA: Final = Phrase("a second CA of this name")
CA_DIRECTORY: Final = Phrase("the https URL of the CA's directory")
UNKNOWN_CA: Final = Phrase("The CA {ca} is unknown.")
ROOTS: Final = Phrase("a file with the CA's root certificates in PEM format (-----BEGIN CERTIFICATE-----)")
UNREADABLE_ROOTS: Final = Phrase("{file} cannot be read ({cause}).")
NO_ROOTS: Final = Phrase("{file} contains no certificate in PEM format.")
NO_EAB: Final = Phrase("The CA {ca} needs an external account binding.")
EAB: Final = Phrase("Add [ca.{ca}] with eab = {{ kid = …, hmac = … }} {source}.")
NO_EAB_BY_EMAIL: Final = Phrase("This CA creates no binding for an email address.")
EAB_TABLE: Final = Phrase("{{ kid = …, hmac = … }}")
EAB_FORMS: Final = Phrase('{{ kid = …, hmac = … }}, or "email" if the CA is to create the binding for your `contact`')
NO_CONTACT: Final = Phrase("The CA {ca} creates its binding for an email address, but `contact` is missing.")
A_CONTACT: Final = Phrase("Set `contact` to your email address.")
EAB_SOURCES: Final = {
    "google": Phrase("from `gcloud publicca external-account-keys create`"),
    "google-staging": Phrase(
        "from `gcloud publicca external-account-keys create`, with the test API selected in gcloud"
    ),
    "zerossl": Phrase('from https://app.zerossl.com/developer, or eab = "email"'),
    "sslcom": Phrase("from the API credentials of your account at https://secure.ssl.com"),
    "actalis": Phrase("from the ACME page of your account at https://www.actalis.com"),
}
"""Where to get the external account binding (RFC 8555 section 7.3.4) that these CAs require."""

NOT_AGREED: Final = "false"
AGREEMENT: Final = "true"
AGREE: Final = Phrase("Read the terms of service of {terms}, and write agree_terms = true if you agree.")
TERMS_OF: Final = Phrase("{ca} ({url})")
TERMS: Final = {
    "letsencrypt": "https://letsencrypt.org/repository/",
    "letsencrypt-staging": "https://letsencrypt.org/repository/",
    "google": "https://pki.goog/",
    "google-staging": "https://pki.goog/",
    "zerossl": "https://zerossl.com/terms/",
    "sslcom": "https://www.ssl.com/repository/",
    "actalis": "https://www.actalis.com",
}
"""Where the built-in CAs publish their terms of service."""
NO_UNDERSCORE: Final = Phrase("a name without an underscore: public CAs do not issue for such names")
NO_ACME_LABEL: Final = Phrase("the domain itself, without _acme-challenge, which dnsrenew adds")
NOT_ONE_LABEL: Final = Phrase(
    "a full domain name such as my-house.duckdns.org: public CAs do not issue for a single word"
)
NOT_PUBLIC_IP: Final = Phrase("a public IP address: public CAs do not issue for private or reserved ones")
PROFILE_OF_IP: Final = Phrase('"{profile}": {ca} issues for IP addresses only with this profile')
MOST_NAMES: Final = Phrase("at most {most} domains, which is the limit of {ca} for one certificate")
MOST_NAMES_OF_PROFILE: Final = Phrase('at most {most} domains, which is the limit of {ca} with profile = "{profile}"')
NOT_LOCAL: Final = Phrase("a public name: public CAs do not issue for names of a local network")
NOT_A_SUFFIX: Final = Phrase("a domain below it: public CAs do not issue for a public suffix")

STAGING: Final = Phrase(
    "Define its staging server as another table, such as [ca.{ca}-staging] with its `directory` (and `trust`, if "
    '[ca.{ca}] has it), and write staging = "{ca}-staging" in [ca.{ca}].'
)

# ── phrases: DNS accounts ───────────────────────────────────────────────────────────────

DNS_TABLES: Final = Phrase("tables [dns.NAME]")
DNS_TABLE: Final = Phrase("a table [dns.NAME], whose name you choose")
UNNAMED_ACCOUNT: Final = Phrase("an account without a name")
NAMED_ACCOUNT: Final = Phrase("[dns.NAME], where NAME is a word of your choice, such as [dns.{example}]")
EXAMPLE_ACCOUNT: Final = "home"
SECOND_ACCOUNT: Final = Phrase("a second account of this name")
TWO_ACCOUNTS: Final = Phrase("Two accounts have this name.")
OWN_ACCOUNT_NAME: Final = Phrase("a different name for each: DnsAccount(…, name=…)")
NO_NAME_KEY: Final = Phrase("Remove this key: the word after `dns.` is the name of the account.")
UNKNOWN_ACCOUNT: Final = Phrase("The DNS account {account} is unknown.")
ACCOUNT_NAMES: Final = Phrase("the name of an account, or a list of names")
NAME_TWICE: Final = Phrase("a list with a name twice")
EACH_ACCOUNT_ONCE: Final = Phrase("each account once")
NO_ACCOUNT: Final = Phrase("There is no DNS account.")
ACCOUNT_ARGUMENT: Final = Phrase("Pass dns=… with an account at the DNS host of its domains.")
ACCOUNT_NEEDED: Final = Phrase(
    "Add a table for the DNS host of its domains: `dnsrenew providers NAME` prints one to copy, such as [dns.duckdns]."
)
DNS_HOST: Final = Phrase("the name of a DNS host, see `dnsrenew providers`")
DNS_HOST_NAME: Final = Phrase("the name of a DNS host, of letters, digits, dots, hyphens and underscores")
UNKNOWN_HOST: Final = Phrase("The DNS host {provider} is unknown.")
HOST_WITHOUT_DRIVER: Final = Phrase("dnsrenew has no driver for {title}.")
_OTHER_ACCOUNT: Final = (
    "replace this table with the block of `dnsrenew providers acme-dns`, and run `dnsrenew delegate NAME` for the "
    "certificate: you set one CNAME record, once."
)
USE_SCRIPT: Final = Phrase(
    f'If acme.sh is installed, write provider = "acme.sh" and script = "{{script}}". If not, {_OTHER_ACCOUNT}'
)
DELEGATE: Final = Phrase(f"Instead, {_OTHER_ACCOUNT}")
HOST_LEFT_OUT: Final = Phrase("{provider} cannot be used. {why}.")
OTHER_HOST: Final = Phrase(
    f"Run `dnsrenew providers --search WORD` to find its name. If your host is not listed, {_OTHER_ACCOUNT}"
)
NO_DRIVER: Final = Phrase("The driver {driver} of {provider} is not installed.")
SUPPORTED_HOST: Final = Phrase("a DNS host with a built-in or installed driver, see `dnsrenew providers`")
OPTION: Final = Phrase("{help} (required by {provider})")
PLACEHOLDER: Final = Phrase("{value} is a placeholder.")
WRITE: Final = Phrase("Write {value}.")
WRITE_VALUE: Final = Phrase("Write the value itself: {help}.")
WORKING_ACCOUNT: Final = Phrase("an account that works")

# ── phrases: certificates and routes ────────────────────────────────────────────────────

PROFILE: Final = Phrase('the name of a profile, or {{ prefer = "…" }}')
NAME_AGAIN: Final = Phrase("Another certificate has the name {name}.")
SAME_FIRST: Final = Phrase("Two certificates start with {name}.")
DELETE_OR_NAME: Final = Phrase('Delete one, or write name = "…" in one.')
CERTIFICATE_HERE: Final = Phrase("certificate number {number}")
CERTIFICATE_THERE: Final = Phrase("certificate number {number} in {file}")
NAME_NEEDED: Final = Phrase('a word such as "home", because {name} cannot be used as the name of a folder')
DOH_NEEDED: Final = Phrase('a URL in resolver.doh, or "authoritative"')
SECOND_ANSWER: Final = Phrase("a second way to serve the response")
ONE_ANSWER: Final = Phrase('only one of "listen", "webroot" and "app"')
IN_A_ROUTE: Final = {
    "dns": Phrase('Name the account in a route: routes = [{{ challenge = "dns-01", dns = {value} }}].'),
    "route": Phrase('Write a list of routes: routes = [{{ challenge = "dns-01" }}].'),
    "challenge": Phrase("Name the challenge in a route: routes = [{{ challenge = {value} }}]."),
}
ROUTE: Final = Phrase("This route is in the list twice.")
SAME_ROUTE: Final = Phrase("Remove it: it is the same as route {number}.")
OUTSIDE_ZONES: Final = Phrase("{domain} is outside the zones of the accounts.")
IN_ZONES: Final = Phrase("a name in {zones}")
IP_ROUTE: Final = Phrase('dns-01 cannot validate an IP address. Set routes = [{{ challenge = "http-01" }}].')
IP_ROUTE_TOO: Final = Phrase('Add another route: routes = [{{ challenge = "dns-01" }}, {{ challenge = "http-01" }}].')
WILDCARD: Final = Phrase("Add a dns-01 route: http-01 and tls-alpn-01 cannot validate a wildcard.")

# ── phrases: deployments ────────────────────────────────────────────────────────────────

DEPLOYMENT: Final = Phrase('a table such as {{ to = "hfs" }} or {{ run = ["systemctl", "reload", "nginx"] }}')
ADD_TARGET: Final = Phrase("Add `to`, which can be {targets}.")
TARGET_OF: Final = Phrase('For {server}, use to = "{to}".')
NO_TARGET: Final = Phrase("This deployment has neither `to` nor `run`.")
NO_FILE: Final = Phrase("This deployment does nothing.")
AT_LEAST_ONE: Final = Phrase("Add at least one of {keys}.")
KEY_MODE: Final = Phrase('a mode that lets only its owner read the key, such as "0600" (with `group`, also "0640")')
OPEN_MODE: Final = Phrase('a mode that does not let others write, such as "0644"')
FILE_OF_TWO: Final = Phrase("Certificates {first} and {name} both write {path}.")
LINE: Final = Phrase("{name} ({file}:{line})")
FILE_OF_ITS_OWN: Final = Phrase("Use a separate file for each, or one certificate with all names.")
OWN_FILE: Final = Phrase("another file: `{key}` already uses this one")
SOCKET: Final = Phrase("the path of a socket, or HOST:PORT on this machine, because the key is sent unencrypted")
SAFE_URL: Final = Phrase("a URL that starts with https://, or with http:// if it is on this machine")
URL_FOR_LOGIN: Final = Phrase(
    "the address of the server, because dnsrenew sends no credentials to a server that it found itself"
)
NO_LOGIN: Final = Phrase("This deployment has no login.")
LOGIN: Final = Phrase("Add `token`, or `user` and `password`.")
TIME_LIMIT: Final = Phrase("a number of seconds above 0, at most {most}")
USER: Final = Phrase("the name of a user of this machine")
GROUP: Final = Phrase("the name of a group of this machine")

# ── phrases: references to secrets ────────────────────────────────────────────────────────────────────

REFERENCE: Final = Phrase(
    'one of these forms: "env:NAME", "file:PATH", "keyring:SERVICE/USER", {{ command = ["…"] }} or "literal:…"'
)
SECRET_VALUE: Final = Phrase('a str, or a Secret such as Secret.env("NAME")')
REFERENCE_EMPTY: Final = Phrase('"{scheme}:" without anything after it')
REFERENCE_NUL: Final = Phrase("a text with a NUL character")
WIDE_TEXT: Final = Phrase("{found} has characters of full width.")
WIDE_COLON: Final = Phrase("The colon {colon} after {scheme} has full width.")
KEYRING: Final = '"keyring:SERVICE/USER"'
KEYRING_PARTS: Final = Phrase('"keyring:" without a service and a user')
COMMAND_LIST: Final = Phrase('a command as a list of texts, such as {{ command = ["pass", "show", "dns"] }}')
ENV_NAMES: Final = Phrase('the names of environment variables, such as env = ["VAULT_TOKEN"]')
COMMAND_REFERENCE: Final = '{ command = ["…"] }'
SCHEME_HINT: Final = Phrase("{key} (did you mean {reference}?)")
READABLE: Final = Phrase("a secret that can be read")
FILE_MISSING: Final = Phrase("The file {name} does not exist.")
FILE_MISSING_FIX: Final = Phrase("Create it and paste your {key} into it.")
THE_FILE: Final = Phrase("the file {name}")
THE_VALUE: Final = Phrase("the secret")
FORM_WRONG: Final = Phrase("This does not look right: {fault}.")
FORM_KEY: Final = Phrase("{secret} contains a key and = before the value")
FORM_OTHER: Final = Phrase("{secret} does not have the form that this DNS host uses")
FORM_BLANK: Final = Phrase("{secret} contains a space")
FORM_LENGTH: Final = Phrase("{secret} has {count} characters: some are missing, or there are too many")
FORM_FILE: Final = Phrase("the name of a file, not its content")
FORM_FILE_FIX: Final = Phrase('Write "file:{name}" to use the content of the file.')
ONE_LINE: Final = Phrase("only the secret itself, in one line")
HMAC: Final = Phrase("the key as the CA shows it, in base64url: A-Z, a-z, 0-9, - and _")
NOTIFY_ADDRESSES: Final = Phrase("a list of apprise addresses")
NOTIFY_KINDS: Final = Phrase("a list with at least one kind of change")
NOTIFY_NEEDED: Final = Phrase('a list of addresses, such as ["file:ntfy.txt"], or set `heartbeat`')
NO_APPRISE: Final = Phrase("The package apprise, which sends the messages, is not installed.")
APPRISE: Final = Phrase("an installed package apprise")
INSTALL: Final = Phrase("Run: {command}")
OTHER_ADDRESS: Final = Phrase("a text that is not a known address")
APPRISE_ADDRESS: Final = Phrase(
    "an address that apprise supports, such as ntfys://TOPIC or mailtos://USER:PASSWORD@HOST"
)

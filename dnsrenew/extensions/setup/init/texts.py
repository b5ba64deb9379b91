"""The texts of ``dnsrenew init``: its questions in plain words, and faults of answers."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import CANCELLED, Phrase, Text

# ── the questions ───────────────────────────────────────────────────────────────────────

ASK_DOMAINS: Final = Phrase("Which domain is the certificate for?")
HELP_DOMAINS: Final = Phrase(
    "The name in the address that people open, such as my-house.duckdns.org. Separate several names with spaces; "
    "*.example.org stands for all names below example.org. You must be able to change the DNS of the domain."
)
ASK_CONTACT: Final = Phrase("Which email address may the CA write to?")
HELP_CONTACT: Final = Phrase(
    "The CA stores it with your account and may write to you about problems. If you do not want to give one, "
    "answer none."
)
ASK_TERMS: Final = Phrase("The certificate is from {ca}. Do you agree to its terms of service ({url})?")
ASK_TERMS_OWN: Final = Phrase("The certificate is from {ca}. Do you agree to its terms of service?")
CA_TITLES: Final = {"letsencrypt": "Let's Encrypt"}
HELP_TERMS: Final = Phrase("A CA issues only after you accept its terms. Accepting them is free.")
ASK_HOST: Final = Phrase("Which DNS host has {zones}? Its name servers are those of {hosts}.")
ASK_HOST_UNKNOWN: Final = Phrase(
    "Which DNS host has {zones}? Its name servers do not show it: {servers}. If the host has no API, answer delegate: "
    "you set one record by hand, once, and another host answers from then on."
)
ASK_KNOWN: Final = Phrase("Can the account {account} in {path} write the records of {zones} too?")
HELP_KNOWN: Final = Phrase(
    "If you answer y, dnsrenew tests it right away. If you answer n, or if the test fails, it asks for the DNS host."
)
HELP_HOST: Final = Phrase(
    "The company where you change the DNS records of the domain. `dnsrenew providers` lists the possible answers; "
    "? with a word, such as ? bind, searches them. Answer rfc2136 for a name server of your own, delegate for a "
    "host that is not in the list."
)
HOST_LINE: Final = Phrase("{name}: {title}")
NO_HOST_LIKE: Final = Phrase("No DNS host has {word} in its name.")
THE_ANSWER: Final = Phrase("the answer")
NOT_UTF_8: Final = Phrase("it is not UTF-8")
ANSWER_REFUSED: Final = Phrase("This answer is not valid.")
ABOUT_DELEGATION: Final = Phrase(
    "Another host then holds the values that prove that you control the domain. You set one CNAME record at your "
    "present host, once; dnsrenew shows it and waits for it."
)
ASK_OTHER_HOST: Final = Phrase("Which DNS host writes the values?")
HELP_OTHER_HOST: Final = Phrase(
    "acme-dns needs no account and no domain, only the address of such a server. Any other host of "
    "`dnsrenew providers` needs a second domain there, such as a free one of DuckDNS or deSEC."
)
ASK_OTHER_ZONE: Final = Phrase("Which domain do you have there?")
HELP_OTHER_ZONE: Final = Phrase("A domain whose records this account can change; the values are written below it.")
ASK_OPTION: Final = Phrase("{option}: {help}")
HELP_OPTION: Final = Phrase(
    "`dnsrenew providers {host}` shows all options of the host. To go back to the choice of the host, answer <."
)
ASK_SECRET: Final = Phrase("{option} (not shown while you type): {help}")
HELP_SECRET: Final = Phrase(
    "Paste it and press Enter. It is written to a file that only you can read. If it is stored already, answer "
    "file:PATH, env:NAME or keyring:SERVICE/USER. To go back to the choice of the host, answer <."
)
ASK_DEPLOY: Final = Phrase("Which of these servers should use the certificate?")
HELP_DEPLOY: Final = Phrase(
    "Answer names or numbers, separated by spaces, or none. dnsrenew writes the files, makes the server load them, "
    "and checks that it serves them; if it does not, dnsrenew restores the old ones."
)
NO_SERVER: Final = Phrase("No server was found on this machine. The files of the certificate will be below {folder}.")
ASK_SCHEDULE: Final = Phrase("Renew automatically from now on?")
HELP_SCHEDULE: Final = Phrase(
    "A certificate is valid for some weeks. A schedule on this machine then runs dnsrenew four times a day. To "
    "remove it, run `dnsrenew schedule remove`."
)
ASK_REHEARSE: Final = Phrase(
    "Do a dry run at the CA's staging server first? The real certificate is obtained after it."
)
HELP_REHEARSE: Final = Phrase(
    "The dry run does the same as the real run, but at a server with high limits, and saves only the account "
    "there. If you answer n, the certificate is obtained right away."
)

SERVER_LINE: Final = Phrase("{number}. {key} ({config}): {note}")
STRANGE_SERVER_LINE: Final = Phrase("{number}. {key} (process {pid} of {user}): {reason}; name its files yourself")
NOT_YOURS: Final = Phrase("it belongs to another user")
NOT_ONLY_YOURS: Final = Phrase("others can change {path}")
DEPLOY_CHOSEN: Final = Phrase("Deployments: {servers}.")
NOTE_TAKEN: Final = Phrase("already serves {name} from {config}")
NOTE_READY: Final = Phrase("ready")
NOTE_CHANGE: Final = Phrase("needs a change in its configuration, which you see at the end")
NOTE_HTTPS: Final = Phrase("HTTPS is off there; dnsrenew switches it on at port 443")
SHOWN_NONE: Final = Phrase("none")
SHOWN_DEFAULT: Final = Phrase("default")
SHOWN_KEPT: Final = Phrase("unchanged")
SHOWN_YES: Final = Phrase("Y/n")

FROM_SERVER: Final = Phrase("from {config} of {server}")
FROM_MACHINE: Final = Phrase("the name of this machine")
FROM_VARIABLE: Final = Phrase("from the variable {name}")
FROM_GIT: Final = Phrase("from the settings of git")
FROM_LAST_TIME: Final = Phrase("your last answer")
INIT_AGAIN: Final = Phrase("Your last answers are offered again, without secrets.")
TESTING: Final = Phrase(
    "Testing {title}: writing a test value, waiting until every name server shows it, and removing it."
)
ACCOUNT_WORKS: Final = Phrase("The account {account} works.")
ACCOUNT_LATER: Final = Phrase("The account {account} will be tested when the CNAME record exists.")

CLOSED_FOLDER: Final = Phrase("this user cannot write to {folder}")
CLOSED_RELOAD: Final = Phrase("only root can run {command}")
FOR_SERVER: Final = Phrase("for {server}")
FOR_SERVER_OF: Final = Phrase("for {server}, {config}")
CHANGE_PATH: Final = Phrase("In {config}, replace {old} with {new}")
SET_PATH: Final = Phrase("In {config}, set {setting} to {new}")
ADD_TO_SERVER: Final = Phrase("In {config}, add these lines to the `server` block of {domain}:")
ADD_VIRTUAL_HOST: Final = Phrase(
    "In {config}, add these lines, and copy the other lines from the `<VirtualHost>` of {domain} at port 80:"
)
ADD_MODULE_TOO: Final = Phrase(
    "Enable Apache's SSL module (Debian and Ubuntu: a2enmod ssl). In {config}, add these lines, and copy the other "
    "lines from the `<VirtualHost>` of {domain} at port 80:"
)

# ── wrong answers ───────────────────────────────────────────────────────────────────────

TEXTS_EXPECTED: Final = Phrase("a text or a list of texts")
FLAG_EXPECTED: Final = Phrase("true or false")
HOST_EXPECTED: Final = Phrase("a name that `dnsrenew providers` lists")
DOMAIN_EXPECTED: Final = Phrase("a domain, such as www.example.org")
TERMS_EXPECTED: Final = Phrase("true (--agree-terms) if you agree to the terms of service of the CA")
ANSWERS_EXPECTED: Final = {"domains": DOMAIN_EXPECTED, "agree_terms": TERMS_EXPECTED, "provider": HOST_EXPECTED}
"""The description of an answer that a script must give."""
DEPLOY_EXPECTED: Final = Phrase('names of servers, `deploy` entries, or "none"')

ANSWER_KIND: Final = Text("init-answer-wrong", "The answer {key} is not {expected}.", "Correct it in your answers.")
ANSWER_UNKNOWN: Final = Text(
    "init-answer-wrong", "There is no answer {key}; did you mean {nearest}?", "Correct it in your answers."
)
ANSWER_WRONG: Final = Text("init-answer-wrong", "{lines}", "Fix this and run the command again; nothing was changed.")
ANSWERS_WRONG: Final = Text(
    "init-answer-wrong", "{lines}", "Fix these {count} mistakes and run the command again; nothing was changed."
)
SECRET_WRONG: Final = Text(
    "init-answer-wrong",
    "The command of {option} is not valid ({found}). Use {expected}.",
    "Correct it in your answers.",
)
TABLES_WRONG: Final = Text("init-answer-wrong", "The answers have a mistake: {reason}.", "Correct it in your answers.")
NO_REHEARSAL: Final = Text(
    "init-answer-wrong",
    "The CA {ca} has no staging server for a dry run.",
    "Set rehearse = false, or define another table, such as [ca.{ca}-staging] with its `directory` (and `trust`, if "
    '[ca.{ca}] has it), and write staging = "{ca}-staging" in [ca.{ca}].',
)
BY_HAND_ALONE: Final = Text(
    "init-answer-wrong",
    "With {title}, you must set records by hand, but this run has no terminal.",
    "Run it in a terminal, or choose another DNS host.",
)
DOMAINS_EMPTY: Final = Text(
    "init-answer-wrong", "The domain is missing.", ("Enter at least one, such as www.example.org.")
)
DOMAIN_WRONG: Final = Text(
    "init-answer-wrong", "{answer} is not a domain name: {reason}.", "Enter only the name, such as www.example.org."
)
DOMAIN_IS_MAIL: Final = Text(
    DOMAIN_WRONG.code, "{answer} is an email address.", "Enter only the domain, such as www.example.org."
)
DOMAIN_IS_ADDRESS: Final = Text(
    "init-answer-wrong",
    "{answer} is an IP address, but dns-01 works only for names.",
    "Enter a name. To use an IP address, write the configuration by hand (docs/reference/configuration.md).",
)
DOMAIN_REFUSED: Final = Text(
    "init-answer-wrong",
    "{answer} cannot be used for a certificate. Use {expected}.",
    "Enter a registered name; DuckDNS and deSEC have free ones.",
)
DOMAIN_NO_DOT: Final = DOMAIN_REFUSED._replace(
    message="{answer} has no dot; public CAs issue no certificate for such a name."
)
RESOLVER_NEEDED: Final = Phrase(
    "Correct the DNS settings of this machine, or write [resolver] with `nameservers` into a file and pass it with "
    "--answers."
)
NAME_ABSENT: Final = Text(
    "init-answer-doubtful",
    "{names} does not exist in DNS, though {zone} does.",
    "Check your spelling. If you will add the name later, enter the same answer again.",
)
NAME_LATER: Final = Text(NAME_ABSENT.code, "{names} does not exist in DNS yet.", "Add its record before people use it.")
CONTACT_WRONG: Final = Text(
    "init-answer-wrong", "{answer} is not an email address.", "Enter one such as me@example.com, or none."
)
TERMS_NEEDED: Final = Text(
    "init-answer-wrong",
    "The CA issues certificates only if you agree to its terms of service.",
    "Answer y to agree, or stop with Ctrl-C; nothing has been written.",
)
TERMS_UNACCEPTED: Final = Phrase(TERMS_NEEDED.message)
WRITE_TERMS: Final = Phrase("Write agree_terms = true if you agree.")
YES_OR_NO_FOR: Final = Text(
    "init-answer-wrong", "The answer {key} is {answer}, which is neither yes nor no.", "Correct it in your answers."
)
YES_OR_NO_EXPECTED: Final = Text("init-answer-wrong", "{answer} is neither yes nor no.", "Answer y or n.")
HOST_UNKNOWN: Final = Text(
    "init-answer-wrong",
    "No DNS host is named {answer}.",
    "Search the output of `dnsrenew providers` for it, or answer delegate.",
)
HOST_NEAREST: Final = Text(
    "init-answer-wrong",
    "No DNS host is named {answer}; did you mean {nearest}?",
    "Search the output of `dnsrenew providers` for it, or answer delegate.",
)
HOST_BY_SCRIPT: Final = Text(
    "init-answer-wrong",
    "dnsrenew has no driver for {title}; acme.sh has the script {script}.",
    "If acme.sh is installed, answer acme.sh; if not, answer delegate: you set one record by hand.",
)
HOST_WITHOUT_DRIVER: Final = Text(
    "init-answer-wrong", "dnsrenew has no driver for {title}.", "Answer delegate: you set one record by hand, once."
)
HOST_NAMED: Final = Phrase("{name} ({title})")
HOSTS_LIKE: Final = Text("init-answer-wrong", "Several DNS hosts match {answer}: {hosts}.", "Enter one of these names.")
HOST_LEFT_OUT: Final = Text(
    "init-answer-wrong", "{title} cannot be used: {why}", "Answer delegate: you set one record by hand, once."
)
HOST_NOT_THE_ZONE_S: Final = Text(
    "init-answer-doubtful",
    "{zones} does not seem to be at {title}: its name servers are {servers}.",
    "Enter the host of these name servers. If your answer is right, enter it again.",
)
PACKAGE_NEEDED: Final = Text(
    HOST_NOT_THE_ZONE_S.code,
    "{title} also needs the package {package}.",
    "In another terminal, run {command}; then come back and press Enter.",
)
HOST_TAKEN: Final = Text(
    HOST_NOT_THE_ZONE_S.code,
    "{title} is used, but the name servers of {zones} ({servers}) do not seem to belong to it.",
    "If the test of the account fails, choose another host.",
)
SECRET_EXPECTED: Final = Phrase("the secret alone in one line, or file: and the path of a file that contains it")
SECRET_UNUSABLE: Final = Phrase("It cannot be used: {fault}.")
OPTION_UNUSABLE: Final = Text(
    "init-answer-wrong", "{option} cannot be used: {fault}.", "Enter it again, alone in one line."
)
DOMAIN_IS_URL: Final = Text(
    "init-answer-wrong", "{answer} is the address of a web page.", "Enter only {name}, without {scheme}:// before it."
)
ASKED_AGAIN: Final = Phrase("The options are asked for again; press Enter to keep the value in brackets.")
BACK: Final = Phrase("To go back to the choice of the host, answer <.")
OPTION_EMPTY: Final = Text("init-answer-wrong", "{option} is required.", "Enter it, or < for another DNS host.")
OPTIONS_WRONG: Final = Text("init-answer-wrong", "The DNS account is incomplete: {reason}.", "Correct the options.")
TEST_FAILED: Final = Text("init-answer-wrong", "{reason}", "{advice}")
TEST_UNKNOWN: Final = Text("init-answer-doubtful", "{reason}", "{advice}")
TEST_LATE: Final = Text(
    "init-answer-wrong",
    "The test of the account {title} did not finish in time.",
    "Enter the answers again; if it is slow every time, run `dnsrenew doctor` to find the cause.",
)
BY_HAND: Final = Text(
    "init-answer-doubtful",
    "With {title}, you must set records by hand at every renewal, so a schedule cannot renew.",
    "Answer delegate instead: you set one record, once.",
)
SERVER_UNKNOWN: Final = Text(
    "init-answer-wrong",
    "{answer} is not one of the servers: {known}.",
    ("Enter names or numbers from the list, or none."),
)
SERVER_NONE: Final = Text(
    "init-answer-wrong",
    "{answer} was not found on this machine.",
    "Start the server, or add a `deploy` entry to the configuration later.",
)
SERVER_MISSPELT: Final = Text(
    "init-answer-wrong", "No server is named {answer}; did you mean {nearest}?", "Correct the name, or answer none."
)
SERVER_CLOSED: Final = Text(
    "init-answer-wrong",
    "dnsrenew cannot deploy to {server} as this user: {reason}.",
    "Run `dnsrenew init` as root, or answer none.",
)
SERVER_TAKEN: Final = Text(
    "init-answer-wrong",
    "{server} already serves {name} from {config}, and this certificate would replace its files.",
    "Answer none; then add the new domains to {name} in {config}, or give them files of their own.",
)
SERVER_STRANGE: Final = Text(
    "init-answer-wrong",
    "dnsrenew does not use the {server} that it found (process {pid} of {user}): {reason}.",
    'To deploy to it, name its files yourself: deploy = [{{ to = "files", certificate = "PATH", key = "PATH" }}]',
)
HFS_STRANGE: Final = Text(
    SERVER_STRANGE.code,
    SERVER_STRANGE.message,
    'To deploy to it, name it yourself: deploy = [{{ to = "hfs", url = "http://127.0.0.1:PORT", folder = "PATH" }}]',
)
DEPLOY_WRONG: Final = Text("init-answer-wrong", "The deployment is not valid: {reason}", "Correct it in your answers.")
NO_SCHEDULER: Final = Text(
    "init-answer-wrong",
    "This machine has no systemd, cron, launchd or Task Scheduler.",
    "Answer n, and keep `dnsrenew run` running, as in a container.",
)
SECRET_ARGUMENT: Final = Text(
    "init-answer-wrong",
    "The secret {option} is on the command line, where other users can read it.",
    "Write it to a private file and use file:PATH, or put it into the file of --answers.",
)
OPTION_FORM: Final = Text(
    "init-answer-wrong",
    "--option {answer} is not KEY=VALUE.",
    ("Write it as in this example: --option server=127.0.0.1"),
)
ANSWERS_UNREADABLE: Final = Text(
    "init-answers-unreadable", "The answers in {path} cannot be read: {reason}.", "Correct the file."
)
ANSWERS_SYNTAX: Final = Text(
    "init-answers-unreadable", "The answers in {path} are not valid TOML: {reason}.", "Correct the file."
)
ANSWERS_OPEN: Final = Text(
    "secret-open", "Other users can read {path}, which contains secrets.", "Run: chmod 600 {path}"
)
ANSWERS_MISSING: Final = Text(
    "init-no-answers",
    "These answers are missing, and there is no terminal to ask for them: {keys}.",
    "Run it in a terminal, or pass the answers as options or with --answers FILE.",
)

# ── files ───────────────────────────────────────────────────────────────────────────────

CONFIG_EXISTS: Final = Text(
    "init-config-exists",
    "There already is a configuration: {path}.",
    "Run `dnsrenew init` in a terminal to add a certificate to it, or write another one with --config FILE.",
)
INIT_STOPPED: Final = Text(
    CANCELLED.code,
    "Stopped; no configuration was written.",
    "Your answers (not the secrets) are kept and offered next time.",
)
INIT_STOPPED_NEW: Final = Text(CANCELLED.code, INIT_STOPPED.message, "Run `dnsrenew init` again.")
ASK_APPEND: Final = Phrase("There already is a configuration, {path}. Add a certificate to it?")
HELP_APPEND: Final = Phrase(
    "All its lines stay. The new certificate, and its DNS account if it is a new one, are added at the end. If you "
    "answer n, nothing is changed."
)
DOMAINS_THERE: Final = Text(
    "init-config-exists",
    "The configuration {path} already has a certificate for these domains: {name}.",
    "Obtain it: dnsrenew renew {name}",
)
SET_OTHERWISE: Final = Text(
    "init-config-exists",
    "The configuration {path} has another value for {key}, and init does not change existing lines.",
    "Leave {key} out of the answers, or change it in the configuration first.",
)
TERMS_NOT_THERE: Final = Text(
    "init-config-exists",
    "The configuration {path} does not agree to the terms of service of a CA, and init does not change existing lines.",
    "Add agree_terms = true at the top of the file, then run `dnsrenew init` again.",
)
CHANGED_MEANWHILE: Final = Text(
    "init-unwritable", "{path} was changed while you answered the questions.", "Run `dnsrenew init` again."
)
UNWRITABLE: Final = Text(
    "init-unwritable",
    "{path} cannot be written: {reason}.",
    "Run the command in a folder of your own, or name another file with --config FILE.",
)

# Comments in the written file.
FILE_HEAD: Final = Phrase("Written by `dnsrenew init`. Change it as you like; `dnsrenew check` names every mistake.")
FILE_TERMS: Final = Phrase("the terms of service of the CA")
FILE_KEY: Final = Phrase("or rsa2048 for old clients")
FILE_DEPLOY: Final = Phrase("Where the certificate goes. For more, see docs/guides/servers.md:")

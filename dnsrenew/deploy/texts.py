"""The texts of the errors and warnings of deployments."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text


class NothingDone(Text):
    """A text of an error before any change, for example for a missing program or a refused connection."""

    __slots__ = ()


# ── before anything is written ──────────────────────────────────────────────────────────

PAIR_UNREADABLE: Final = Text(
    "deploy-pair",
    "The user {user} is not allowed to read the private key {path}.",
    "Run `dnsrenew doctor`: it shows the owner and the command that gives the store to {user}.",
)
PAIR_WRONG: Final = Text(
    "deploy-pair",
    "The certificate and its key cannot be loaded together: {reason}.",
    "Run `dnsrenew renew --force {certificate}`, which creates a new pair.",
)
UNEXPECTED: Final = Text(
    "deploy-refused",
    "The deployment target {to} failed with an unexpected error: {cause}.",
    "Report this to the author of the target {to}.",
)

# ── files ───────────────────────────────────────────────────────────────────────────────

FOREIGN_LINK: Final = Text(
    "deploy-unwritable",
    "{path}, on the way to {file}, is a link of {owner}, so {owner} decides which file {user} replaces.",
    "In the `deploy` entry, use the folder that the link points to, or run `{command}`.",
)
FOLDER_MISSING: Final = Text(
    "deploy-unwritable",
    "The folder {folder} does not exist.",
    "Create {folder}, or correct the path in the `deploy` entry.",
)
NOT_A_FILE: Final = Text(
    "deploy-unwritable",
    "{path} is not a file, so it cannot be replaced.",
    "Move {path} elsewhere, or use another path in the `deploy` entry.",
)
TOO_LARGE: Final = Text(
    "deploy-unwritable",
    "{path} is larger than 1 MB, so it cannot be a certificate or a key. It was not replaced.",
    "Correct the path in the `deploy` entry, or move {path} elsewhere.",
)
UNWRITABLE: Final = Text(
    "deploy-unwritable",
    "{path} cannot be written: {reason}.",
    "Allow the user {user} to write to {folder}, or run dnsrenew as a user that is allowed to.",
)
FULL: Final = Text(
    "deploy-unwritable",
    "{path} cannot be written: {reason}.",
    "Free space on the disk that holds {folder}; the old files are still in place.",
)
DISK_READ_ONLY: Final = Text(
    "deploy-unwritable",
    "{path} cannot be written: its file system is read-only.",
    "Mount the file system of {folder} read-write (as root: `mount -o remount,rw {mount}`; in a container, use a "
    "volume), or use a file on another disk.",
)
READ_ONLY: Final = Text(
    "deploy-unwritable",
    "The systemd unit that runs dnsrenew does not allow it to write {path}: {reason}.",
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {folder}.",
)
READ_ONLY_ELSEWHERE: Final = Text(
    "deploy-unwritable",
    "The systemd unit {unit} does not allow dnsrenew to write {path}: {reason}.",
    "Run `systemctl edit {unit}`, write [Service] and ReadWritePaths={folder}, and restart it.",
)
OWNER_REFUSED: Final = Text(
    "deploy-unwritable",
    "The owner of {path} cannot be set to {owner}: {reason}.",
    "Run dnsrenew as root, or remove `owner` and `group` from the `deploy` entry.",
)

# ── programs ────────────────────────────────────────────────────────────────────────────

PROGRAM_MISSING: Final = NothingDone(
    "deploy-refused",
    "The program {program} cannot be run: {reason}.",
    "Install {program}, or correct the command in the `deploy` entry.",
)
PROGRAM_FAILED: Final = Text(
    "deploy-refused",
    "{program} exited with status {status}: {output}",
    "Run `{command}` by hand, fix the problem that it reports, then run `dnsrenew deploy {certificate}`.",
)
PROGRAM_FAILED_SILENTLY: Final = Text(
    "deploy-refused",
    "{program} exited with status {status} and printed nothing.",
    "Run `{command}` by hand to find the problem, fix it, then run `dnsrenew deploy {certificate}`.",
)
PROGRAM_FAILED_UNIT: Final = Text(
    "deploy-refused",
    "{program} exited with status {status}: {output} The last lines of the journal of {unit}: {journal}",
    "Fix the problem in the journal (`journalctl -u {unit}` shows all of it), then run `dnsrenew deploy "
    "{certificate}`.",
)
NO_SUCH_OWNER: Final = Phrase("there is no such user or group")
NOT_LISTED: Final = Phrase("it is not in the list of certificates")
NO_LIST: Final = Phrase("no list of certificates")
NO_SECRET: Final = Phrase("no secret")
NO_DATA: Final = Phrase("an answer without `data`")
NO_TICKET: Final = Phrase("no ticket")
FILE_GONE: Final = Phrase("{path} is missing")
FILE_OTHER: Final = Phrase("{path} has other content")
FILE_OTHER_MODE: Final = Phrase("{path} has another mode or owner")
DISTURBED: Final = Text(
    "deploy-changed",
    "Another program has changed the files deployed to {target}: {fault}.",
    "Find out which program changed them. The next run deploys them again; to do it now, run: dnsrenew deploy "
    "{certificate}",
)
DISTURBED_AND_REPAIRED: Final = Text(
    "deploy-changed",
    "Another program had changed the files deployed to {target}: {fault}. They have been deployed again.",
    "Find out which program changed them.",
)
PROGRAM_LATE: Final = Text(
    "deploy-timeout",
    "{program} was still running after {seconds} s, so dnsrenew ended it.",
    "Find out why the command takes so long, or write timeout = {longer} in the `deploy` entry.",
)

# ── HTTP ────────────────────────────────────────────────────────────────────────────────

HAPROXY_PLAIN: Final = Text(
    "deploy-refused",
    "{socket} is neither encrypted nor on this machine, so nothing was sent.",
    "Set `socket` to the runtime socket of an HAProxy on this machine, or deploy with ssh.",
)
WEBHOOK_PLAIN: Final = Text(
    "deploy-refused",
    "{url} is not encrypted, so nothing was sent.",
    "Use an https:// address in the `deploy` entry.",
)
NO_ANSWER: Final = NothingDone(
    "deploy-unreachable",
    "{url} does not answer: {reason}.",
    "Check that the server runs and that its address in the `deploy` entry is right.",
)
ANSWER_CUT: Final = Text(
    "deploy-unreachable",
    "{url} gave no answer to a request that may have arrived: {reason}.",
    "Read the log of the server at that address, fix the problem, then run `dnsrenew deploy`.",
)
ANSWER_LATE: Final = Text(
    "deploy-timeout",
    "{url} does not answer in time: {reason}.",
    "Find out why the server takes so long, or write timeout = {longer} in the `deploy` entry.",
)
WEBHOOK_REFUSED: Final = Text(
    "deploy-refused",
    "{url} answered with status {status}.",
    "Read the log of the server at that address, fix the problem, then run `dnsrenew deploy`.",
)

# ── verifying ───────────────────────────────────────────────────────────────────────────

NOT_REACHED: Final = Text(
    "deploy-unreachable",
    "Nothing accepts connections at {address}: {reason}.",
    "Make the server listen there (docs/guides/servers.md shows how), or start it, or correct `verify`; then run "
    "`dnsrenew deploy`.",
)
NO_TLS: Final = Text(
    "deploy-not-served",
    "{address} accepts connections, but does not use TLS: {reason}.",
    "Correct `verify` (and `starttls`) in the `deploy` entry, or the configuration of the server.",
)
NOT_SERVED: Final = Text(
    "deploy-not-served",
    "{address} still serves another certificate for {name} after {seconds} s: {subject}, valid until {not_after}.",
    "Check that the server's configuration names these files, and that the `reload` command loads them. If "
    "it only needs more time, write verify_timeout = {longer} in the `deploy` entry.",
)
NOT_LOADED: Final = Text(
    NOT_SERVED.code,
    NOT_SERVED.message,
    "Check that the server's configuration names these files, then reload or restart the server.",
)
NO_NAME: Final = Phrase("a certificate without a name")
OTHER_KEY_SERVED: Final = Text(
    "deploy-not-served",
    "{address} serves another certificate for {name} after {seconds} s, with an {key} key instead of {expected}: "
    "{subject}, valid until {not_after}.",
    "Check that the server loads these files. If it has both an RSA and an ECDSA certificate, allow TLS "
    "1.2 there, or leave `verify` out: with TLS 1.3 alone, dnsrenew cannot choose one.",
)

# ── putting back ────────────────────────────────────────────────────────────────────────

RESTORE_FAILED: Final = Text(
    "deploy-not-restored",
    "The old certificate could not be restored at {target}: {reason}.",
    "Check the server now, then run `dnsrenew deploy {certificate}`.",
)

NOT_ACTIVATED: Final = Text(
    "deploy-not-restored",
    "The old files are restored at {target}, but could not be activated: {reason}.",
    "Check the server now, then run `dnsrenew deploy {certificate}`.",
)

# ── HFS ─────────────────────────────────────────────────────────────────────────────────

HFS_SILENT: Final = NothingDone(
    "deploy-unreachable",
    "HFS does not answer at {url}: {reason}.",
    "Start HFS, or set `url` in the `deploy` entry to the address of its admin page.",
)
HFS_CLOSED: Final = Text(
    "deploy-refused",
    "HFS at {url} does not allow dnsrenew to change its settings (HTTP {status}).",
    "Set `url`, and `user` and `password` of an HFS admin, in the `deploy` entry, or open the admin page to this "
    "machine.",
)
HFS_NO_CONFIG: Final = Text(
    "deploy-unsupported",
    "HFS at {url} does not allow dnsrenew to change its settings, and {path} is not its configuration.",
    "In the `deploy` entry, set `folder` to the folder that contains HFS's config.yaml.",
)
HFS_OTHER_FOLDER: Final = NothingDone(
    "deploy-unsupported",
    "The folder {folder} is not that of HFS: it has no config.yaml. HFS at {url} names {named}.",
    "Remove `folder` from the `deploy` entry, or correct it.",
)
HFS_NOT_FOUND: Final = Text(
    "deploy-unreachable",
    "No HFS that runs as {user} was found on this machine.",
    "Start HFS, or set `url` in the `deploy` entry to the address of its admin page.",
)
HFS_STRANGE: Final = Text(
    "deploy-unreachable",
    "The HFS that was found (process {pid} of {user}) was not contacted: it belongs to another user, or others can "
    "change its files.",
    "If you want to deploy to it, set `url` in the `deploy` entry to the address of its admin page.",
)
HFS_TOO_OLD: Final = Text(
    "deploy-unsupported",
    "The server at {url} is not HFS 3, or is too old to return its settings.",
    'Update HFS to version 3.0 or later, or use to = "files" with the files that HFS reads.',
)
HFS_FOREIGN: Final = Text(
    "deploy-unsupported",
    "HFS at {url} names the folder {folder}, but users other than {user} can change {path}. The private "
    "key was not written there, because one of these users could run a program that answers in place of HFS.",
    "If this is the folder of your HFS, set `folder` to it in the `deploy` entry.",
)
HFS_HTTPS_OFF: Final = Text(
    "deploy-unsupported",
    "HTTPS is switched off in HFS at {url}.",
    "Switch on HTTPS in the admin page of HFS, or set https = true in the `deploy` entry.",
)
HFS_NOT_LISTENING: Final = Text(
    "deploy-refused",
    "HFS at {url} cannot open its HTTPS port: {reason}.",
    "Choose another HTTPS port in the admin page of HFS, or stop the program that uses this one.",
)
HFS_PORT_FORBIDDEN: Final = Text(
    "deploy-refused",
    "HFS at {url} cannot open its HTTPS port {port}, and nothing listens there: ports below 1024 need a permission "
    "that HFS does not have.",
    "On the admin page of HFS, choose an HTTPS port of 1024 or higher, such as 8443.",
)
HFS_REFUSED: Final = Text(
    "deploy-refused",
    "HFS at {url} refused a request (HTTP {status}): {reason}.",
    "Read the log of HFS, fix the problem, then run `dnsrenew deploy`.",
)
HFS_RENEWAL_OFF: Final = Text(
    "hfs-renewal-off",
    "HFS's own renewal was switched off, because it would replace this certificate.",
    "If you stop using dnsrenew for HFS, switch it on again on the admin page of HFS.",
)

# ── HAProxy, Caddy ──────────────────────────────────────────────────────────────────────

HAPROXY_SILENT: Final = NothingDone(
    "deploy-unreachable",
    "The runtime socket {socket} of HAProxy cannot be used: {reason}.",
    "Add `stats socket {socket} mode 660 level admin` to the global section of HAProxy, and restart it once.",
)
HAPROXY_LATE: Final = Text(
    "deploy-timeout",
    "HAProxy does not answer at {socket} within {seconds} s.",
    "Find out why the server takes so long, or write timeout = {longer} in the `deploy` entry.",
)
HAPROXY_REFUSED: Final = Text(
    "deploy-refused",
    "HAProxy at {socket} refused the certificate: {reason}",
    "Check that a `crt` in HAProxy's configuration is exactly {path}, and that the socket has `level admin`.",
)
CADDY_REFUSED: Final = Text(
    "deploy-refused",
    "Caddy at {url} did not reload its configuration (HTTP {status}): {reason}",
    "Fix the problem that Caddy reports, then run `dnsrenew deploy`.",
)

# ── HTTP APIs ───────────────────────────────────────────────────────────────────────────

API_TRUST: Final = Text(
    "deploy-unreachable",
    "{name} at {url} was not contacted: the file {path} contains no readable root certificate.",
    "Set `trust` in the `deploy` entry to a file with root certificates in PEM format.",
)
API_PAIR: Final = Text(
    "deploy-unreachable",
    "{name} at {url} was not contacted: the client certificate cannot be used: {reason}.",
    "Correct the client certificate and its key, then run `dnsrenew deploy {certificate}`.",
)
API_UNTRUSTED: Final = NothingDone(
    "deploy-unreachable",
    "{name} at {url} was not contacted: {reason}.",
    "Set `trust` in the `deploy` entry to its root certificate, and use in `url` a name from its certificate.",
)
API_LATE: Final = Text(
    "deploy-timeout",
    "{name} at {url} did not answer in time: {reason}.",
    "Check the load of {name}, or write timeout = {longer} in the `deploy` entry, then run `dnsrenew deploy "
    "{certificate}`.",
)
API_LOGIN: Final = NothingDone(
    "deploy-refused",
    "{name} at {url} refused the token or the password, or its user lacks a permission (HTTP {status}).",
    "Check the token or the user and password in the `deploy` entry, and the rights of that user.",
)
API_REFUSED: Final = Text(
    "deploy-refused",
    "{name} at {url} refused a request (HTTP {status}): {reason}.",
    "Fix the problem that {name} reports, then run `dnsrenew deploy {certificate}`.",
)
API_STRANGE: Final = Text(
    "deploy-unsupported",
    "The server at {url} is not the API of {name}: {reason}.",
    "Set `url` in the `deploy` entry to the address of {name}.",
)
API_NO_LOGIN: Final = NothingDone(
    "deploy-unsupported",
    "{name} at {url} needs a token, or a user and a password, but the `deploy` entry has neither.",
    "Add `token`, or `user` and `password`, to the `deploy` entry.",
)

# ── Synology, TrueNAS ───────────────────────────────────────────────────────────────────

SYNOLOGY_LOGIN: Final = NothingDone(
    "deploy-refused",
    "{name} at {url} refused the login: {reason} (error {number}).",
    "Check `user`, `password` and `device` in the `deploy` entry; the user must be an administrator.",
)
SYNOLOGY_REFUSED: Final = Text(
    "deploy-refused",
    "{name} at {url} refused the call {call} (error {number}).",
    "Read the log of DSM, fix the problem, then run `dnsrenew deploy {certificate}`.",
)
TRUENAS_NO_API: Final = Text(
    "deploy-unsupported",
    "{name} at {url} offers neither its WebSocket API nor its REST API.",
    'Set `url` in the `deploy` entry to the address of {name}, or use to = "ssh" with a `reload` that imports the '
    "files with midclt.",
)
TRUENAS_LOGIN: Final = Text(
    "deploy-refused",
    "{name} at {url} refused the API key or the password ({reason}).",
    "Set `token` and `user`, the user of the API key, in the `deploy` entry. A `password` works without two-factor "
    "authentication.",
)
TRUENAS_REFUSED: Final = Text(
    "deploy-refused",
    "{name} at {url} refused {method}: {reason}.",
    "Fix the problem that {name} reports, then run `dnsrenew deploy {certificate}`.",
)
TRUENAS_JOB: Final = Text(
    "deploy-refused",
    "{name} at {url} did not import the certificate: {reason}.",
    "Fix the problem that {name} reports, then run `dnsrenew deploy {certificate}`.",
)
TRUENAS_JOB_LATE: Final = Text(
    "deploy-timeout",
    "{name} at {url} was still importing the certificate after {seconds} s.",
    "Check the tasks of {name}, or write timeout = {longer} in the `deploy` entry, then run `dnsrenew deploy "
    "{certificate}`.",
)

# ── Kubernetes ──────────────────────────────────────────────────────────────────────────

KUBE_OUTSIDE: Final = Text(
    "deploy-unsupported",
    "dnsrenew is not running in a Kubernetes pod with a service account: {path} cannot be read.",
    "Set `kubeconfig` in the `deploy` entry, or mount the token of a service account.",
)
KUBE_UNREADABLE: Final = Text(
    "deploy-unsupported",
    "The kubeconfig {path} cannot be read: {reason}.",
    "Write it with `kubectl config view --minify --flatten --raw -o json`, readable only by the user that runs "
    "dnsrenew.",
)
KUBE_TYPE: Final = Text(
    "deploy-refused",
    "The secret {secret} in the namespace {namespace} already exists with the type {type} instead of "
    "kubernetes.io/tls.",
    "Delete that secret, or set another `secret` in the `deploy` entry.",
)

# ── Docker ──────────────────────────────────────────────────────────────────────────────

DOCKER_SILENT: Final = NothingDone(
    "deploy-unreachable",
    "Docker's socket {socket} cannot be used: {reason}.",
    "Start Docker, allow the user that runs dnsrenew to use {socket}, or set `socket` in the `deploy` entry.",
)
DOCKER_REFUSED: Final = Text(
    "deploy-refused",
    "Docker refused a request for the container {container} (HTTP {status}): {reason}.",
    "Check `container` in the `deploy` entry, and that the container is running.",
)
DOCKER_STRANGE: Final = Text(
    "deploy-unsupported",
    "The program at {socket} is not the API of Docker.",
    "Set `socket` in the `deploy` entry to the socket of Docker or Podman.",
)
DOCKER_PROGRAM: Final = Text(
    "deploy-refused",
    "The program {program} in the container {container} exited with status {status}: {output}.",
    "Run it with docker exec, fix the problem that it reports, then run `dnsrenew deploy {certificate}`.",
)
DOCKER_LATE: Final = Text(
    "deploy-timeout",
    "Docker gave no complete answer for the container {container} within {seconds} s.",
    "Find out why the program or Docker takes so long, or write timeout = {longer} in the `deploy` entry.",
)

# ── SSH ─────────────────────────────────────────────────────────────────────────────────

SSH_MISSING: Final = NothingDone(
    "deploy-unsupported",
    "The program {program} of OpenSSH cannot be run: {reason}.",
    "Install the client programs of OpenSSH.",
)
SSH_LATE: Final = Text(
    "deploy-timeout",
    "The host {host} had not finished an SSH command after {seconds} s.",
    "Find out why {host} takes so long, or write timeout = {longer} in the `deploy` entry.",
)
SSH_HOST_KEY: Final = NothingDone(
    "deploy-refused",
    "The host key of {host} is unknown or has changed, so nothing was sent: {reason}.",
    "Compare it with the host key on the server itself, then correct {known_hosts}.",
)
SSH_LOGIN: Final = NothingDone(
    "deploy-refused",
    "The host {host} refused the login: {reason}.",
    "In the `deploy` entry, check `user` and `identity`; on {host}, check authorized_keys of that user.",
)
SSH_SILENT: Final = NothingDone(
    "deploy-unreachable",
    "The host {host} cannot be reached by SSH: {reason}.",
    "Check `host` and `port` in the `deploy` entry, and that sshd is running there and offers sftp.",
)
SSH_UNWRITABLE: Final = Text(
    "deploy-unwritable",
    "The files on {host} cannot be written: {reason}.",
    "Create the folder on {host}, and allow the SSH user to write to it.",
)
SSH_PATH: Final = Text(
    "deploy-unwritable",
    "The path {path} contains a character that cannot be sent to {host}.",
    "In the `deploy` entry, use a path without line breaks and other control characters.",
)
SSH_TOO_LARGE: Final = Text(
    "deploy-unwritable",
    "{path} on {host} is larger than 1 MB, so it cannot be a certificate or a key. It was not replaced.",
    "Correct the path in the `deploy` entry, or move {path} elsewhere.",
)
SSH_PROGRAM: Final = Text(
    "deploy-refused",
    "The program {program} on {host} exited with status {status}: {reason}.",
    "Run the command on {host}, fix the problem that it reports, then run `dnsrenew deploy {certificate}`.",
)

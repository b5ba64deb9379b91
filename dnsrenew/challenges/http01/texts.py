"""The texts of http-01."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NO_WILDCARD: Final = Text(
    "http-wildcard",
    "The challenge http-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
UNREACHABLE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message}",
    "Forward port 80 to this machine, or use a dns-01 route: it needs no open port.",
)
UNREACHABLE_IP: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message}",
    "Forward port 80 of the address to this machine.",
)
UNREACHABLE_BECAUSE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message} {likely}",
    "{likely_fix}",
)
TOKEN_MALFORMED: Final = Text(
    "ca-malformed-answer",
    "The CA sent an invalid token for {identifier}: {token}",
    "Try again later, or use another CA.",
)
NOT_SERVED: Final = Text(
    "http-not-served",
    "This machine does not receive the challenge response for {identifier} at {where}: {cause}.",
    "Check whether a firewall or another program intercepts the request, or use dns-01.",
)
STUCK: Final = Text(
    "http-not-served",
    "Challenge responses at {where} could not be written or read within {seconds} seconds.",
    "Check whether the file system of the webroot responds, or use dns-01, which needs no files.",
)
KEPT: Final = Text(
    "http-kept",
    "Challenge responses could not be removed at {where} ({reason}).",
    "They are harmless. Delete the files in .well-known/acme-challenge when convenient.",
)
WEBROOT_LINK: Final = Text(
    "http-webroot-link",
    "A symbolic link leads from {path} out of the webroot to {leads_to}.",
    "Replace the link with a folder, or set webroot to a folder without such a link.",
)
WEBROOT_FOREIGN_LINK: Final = Text(
    "http-webroot-link",
    "{path}, on the way to the webroot {webroot}, is a link of {owner}, so {owner} decides where {user} writes.",
    "Set webroot to the folder that the link points to, or run `{command}`.",
)
WEBROOT_MISSING: Final = Text(
    "http-webroot-missing",
    "The webroot {webroot} is not a folder.",
    "Set webroot to the folder whose files the web server serves at http://NAME/.",
)
WEBROOT_UNWRITABLE: Final = Text(
    "http-webroot-unwritable",
    "The user that runs dnsrenew cannot write files in {path}: {reason}.",
    "Give this user write access to the folder, or use dns-01, which needs no files.",
)
WEBROOT_DISK_READ_ONLY: Final = Text(
    "http-webroot-unwritable",
    "No file can be written in {path}: its file system is read-only ({reason}).",
    "Mount it read-write (as root: `mount -o remount,rw {mount}`), or use dns-01, which needs no files.",
)
WEBROOT_READ_ONLY: Final = Text(
    "http-webroot-unwritable",
    "The systemd unit that runs dnsrenew does not allow it to write files in {path}: {reason}.",
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {webroot}.",
)
WEBROOT_READ_ONLY_ELSEWHERE: Final = Text(
    "http-webroot-unwritable",
    "The systemd unit {unit} does not allow dnsrenew to write files in {path}: {reason}.",
    "Run `systemctl edit {unit}`, write [Service] and ReadWritePaths={webroot}, and restart it.",
)
PORT_TAKEN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by {owner} (process {pid} of {user}).",
    "Set webroot to the folder that this program serves, stop the program, or use dns-01, which needs no port.",
)
PORT_TAKEN_UNKNOWN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by another program.",
    "Set webroot to the folder that this program serves, stop the program, or use dns-01, which needs no port.",
)
PORT_FORBIDDEN: Final = Text(
    "http-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which http-01 needs.",
    "Run dnsrenew as root, or use dns-01, which needs no port.",
)
ADDRESS_MISSING: Final = Text(
    "http-address-missing",
    'This machine has no address for listen = "{listen}".',
    'Listen on an address of this machine, or on all of them with listen = ":{port}".',
)
PORT_FAILED: Final = Text(
    "http-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix the reported system error, or use dns-01, which needs no port.",
)
NO_APP: Final = Text(
    "http-no-app",
    "The http-01 route with app = true works only inside the server whose app is wrapped by served.http01_app(app).",
    "Start that server, which renews automatically, or add another route, such as dns-01.",
)

# Clauses for the field {cause}.
OTHER_RESPONSE: Final = Phrase("{address} responds with something else")
FILE_UNREADABLE: Final = Phrase("its file cannot be read ({reason})")
FILE_CHANGED: Final = Phrase("its file has other content")

"""Every parser of what others wrote, with examples, and what it may raise."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock
from xml.etree.ElementTree import Element

from dnsrenew.acme.client import parse_window
from dnsrenew.acme.problems import Problems
from dnsrenew.acme.resources import links, one_line, parse_authorization, parse_order
from dnsrenew.base import x509
from dnsrenew.base.checks import parse_issuer, parse_methods
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.found import RunningProgram
from dnsrenew.base.http import Response, date_of, retry_after
from dnsrenew.base.runtime import Context
from dnsrenew.base.x509 import user_files
from dnsrenew.config import Config
from dnsrenew.dns import caa_lookup, wire
from dnsrenew.dns.lookup import system_servers
from dnsrenew.drivers.catalogue import parse_provider
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.extensions.doctor.router import outside, surroundings, upnp
from dnsrenew.extensions.setup.archive.archive_file import ArchiveWriter, Member
from dnsrenew.extensions.setup.archive.restore import survey
from dnsrenew.extensions.setup.importing.importer import run_import
from dnsrenew.extensions.setup.importing.model import ImportRequest
from dnsrenew.extensions.setup.init.server import ServerHost
from dnsrenew.extensions.setup.init.servers import find_servers
from dnsrenew.schedule.detect import detect
from dnsrenew.schedule.machine import Machine
from dnsrenew.store import FolderStore, Meta, State
from dnsrenew.store.journal import JournalPage
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger import LedgerState
from tests.kit.acme_sh_folder import AcmeSh
from tests.kit.clock import START
from tests.kit.config_files import GOOD
from tests.kit.memory import threads_at_once
from tests.kit.stores import SPEC, issue
from tests.kit.tool_folders import LETSENCRYPT, OldMachine, rsa_key

FILE: Final = 1 << 20
"""Bytes of the largest file."""
ANSWER: Final = 1 << 16
"""Bytes of the largest answer."""
_PAIR: Final = issue(1)


GROUPS: Final = ("import", "init", "schedule", "file", "answer", "x509", "store")
"""What the names of the parsers begin with."""


class Foreign(NamedTuple):
    """A parser.

    :ivar errors: what it may raise.
    :ivar most: the bytes of the largest text that it gets.
    """

    examples: tuple[bytes, ...]
    parse: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = ()
    most: int = FILE

    def run(self, data: bytes) -> None:
        """Parse, and take the documented errors for an answer."""
        with suppress(*self.errors):
            self.parse(data)


def parsers(folder: Path) -> dict[str, Foreign]:
    """Return all parsers by name.

    :param folder: for the files that they read.
    """
    return {**_imports(folder / "old"), **_servers(folder / "new"), **_schedules(folder / "schedule"),
            **_files(folder / "files"), **_answers(), **_keys(), **_records()}  # fmt: skip


# ── the tools of an import ──────────────────────────────────────────────────────────────

_CADDYFILE: Final = b"""\
{
    email me@example.test
    acme_ca https://acme-v02.api.letsencrypt.org/directory
}
(dns) {
    tls {
        dns cloudflare {env.CF_API_TOKEN}
        dns_challenge_override_domain {args[0]}
    }
}
example.test, *.example.test:443 {
    import dns "x.other.test"
    import sites/*.caddy
    root * /var/www # the folder
}
"""
_CLI_INI: Final = b"# all\nkey-type = ecdsa\n[a] # b\npre-hook = 'systemctl stop nginx'\ndeploy-hook = \"x y\"\nodd\n"
_CREDENTIALS: Final = b"dns_cloudflare_api_token = abc\ndns_cloudflare_email=me@example.test # mine\n"
_CRONTAB: Final = b"""\
SHELL=/bin/sh
LEGO_PATH="/etc/lego"
17 3 * * * root cd / && CF_DNS_API_TOKEN=x lego --path /etc/lego --dns cloudflare -d example.test renew \\
  --renew-hook 'systemctl reload nginx'
@daily root /usr/local/bin/renew
"""
_SCRIPT: Final = b"""\
#!/bin/sh
. /etc/lego/lego.env
export A=1 B="$A$A" C='x'
[ -x /usr/bin/lego ] && sh -c "lego --http -d example.test renew"; exit $?
"""
_UNIT: Final = b"""\
[Service]
User=root
Environment=A=1 "CF_DNS_API_TOKEN=token with blank"
EnvironmentFile=-/etc/lego/lego.env
ExecStart=/usr/bin/lego --path %E/lego -d example.test --dns %i \\
  renew
ExecStart=
"""
_COMPOSE: Final = b"""\
services:
  lego:
    environment:
      - CF_DNS_API_TOKEN=x
      LEGO_PATH: "/etc/lego"
    command: ["lego", "--http", "-d", "example.test", "renew"]
"""
_HFS: Final = b"""\
port: 8080
https_port: 443
acme_domain: example.test,www.example.test
cert: "acme.cer"
private_key: |
  -----BEGIN PRIVATE KEY-----
  MA==
vfs:
  children:
    - name: x
"""
_NGINX: Final = b"""\
http {
  include /etc/nginx/sites-enabled/*;
  server {
    listen [::]:443 ssl http2; server_name example.test "www.example.test";
    root /var/www/html; # files
    ssl_certificate /etc/lego/certificates/example.test.crt;
    ssl_certificate_key /etc/lego/certificates/example.test.key;
  }
}
"""
_APACHE: Final = b"""\
ServerRoot "/etc/apache2"
IncludeOptional sites-enabled/*.conf
Listen 443
<VirtualHost *:443>
  ServerName example.test
  ServerAlias www.example.test
  DocumentRoot "/var/www/html"
  SSLCertificateFile /etc/lego/certificates/example.test.crt
  SSLCertificateKeyFile /etc/lego/certificates/example.test.key
</VirtualHost>
"""
_HAPROXY: Final = b"""\
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
frontend tls
    bind :443 ssl crt /etc/lego/certificates/example.test.pem alpn h2
"""
_TSIG: Final = b'key "k.example.test" {\n  algorithm hmac-sha256;\n  secret "c2VjcmV0";\n};\n'


class _Tools:
    """A machine with a folder of each tool, of which one file at a time is another one."""

    def __init__(self, root: Path) -> None:
        self.machine = OldMachine(root)
        self.machine.certbot_account(rsa_key())
        self.machine.certbot_certificate("example.test", authenticator="nginx", maps="example.test = /var/www")
        self.machine.write("etc/letsencrypt/cli.ini", _CLI_INI.decode())
        secrets = self.machine.write("root/c.ini", _CREDENTIALS.decode())
        self.machine.certbot_certificate(
            "b.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(secrets), renew_hook="reload"
        )
        self.machine.lego_account()
        self.machine.lego_certificate(["example.test", "*.example.test"])
        acme = AcmeSh(self.machine)
        acme.common(ACCOUNT_EMAIL="me@example.test", SAVED_DuckDNS_Token="x", SAVED_NSUPDATE_KEY="/root/k")
        acme.account(CA_EMAIL="me@example.test")
        acme.certificate("example.test", "*.example.test", Le_Webroot="dns_nsupdate,nginx", Le_ReloadCmd="x")
        self.machine.write("root/k", _TSIG.decode())
        self.machine.write("home/me/.hfs/config.yaml", _HFS.decode())
        caddy = self.machine.write("etc/caddy/Caddyfile", _CADDYFILE.decode()).parent
        data = caddy / "certificates/acme-v02.api.letsencrypt.org-directory/example.test"
        data.mkdir(parents=True)
        (data / "example.test.crt").write_text(_PAIR[0])
        (data / "example.test.key").write_bytes(_PAIR[1])
        document = {"sans": ["example.test"], "issuer_data": {"ca": LETSENCRYPT}}
        (data / "example.test.json").write_text(json.dumps(document))
        self.machine.write("etc/tls/a.pem", _PAIR[0])
        self.machine.write("etc/tls/a.key", _PAIR[1].decode())

    def parser(self, kind: str, folder: str, place: str, example: bytes = b"") -> Foreign:
        """Return the import of a folder in which one file is another one.

        :param example: of a file that is not there yet.
        """
        file = self.machine.root / place
        before = file.read_bytes() if file.exists() else None

        def run(data: bytes) -> None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            target = self.machine.target
            request = ImportRequest(self.machine.root / folder, kind, target, True, self.machine.host())
            store, context = FolderStore(target.parent / "state"), Context(clock=SystemClock())
            try:
                with (
                    threads_at_once(),
                    mock.patch("dnsrenew.deploy.verify.inspect_ports", return_value=[]),
                ):  # in threads, by the network
                    json.dumps(run_import(request, store, context).to_dict())
            finally:
                shutil.rmtree(target.parent)
                target.parent.mkdir()
                file.unlink() if before is None else file.write_bytes(before)

        return Foreign((before or example,), run, (ConfigError, StoreError))


def _imports(root: Path) -> dict[str, Foreign]:
    tools = _Tools(root)
    (regr,) = (path.relative_to(root) for path in root.rglob("regr.json"))
    (account,) = (path.relative_to(root) for path in root.rglob(".lego/**/account.json"))
    acme = "home/me/.acme.sh"
    of: dict[str, tuple[Any, ...]] = {
        "certbot, renewal": ("certbot", "etc/letsencrypt", "etc/letsencrypt/renewal/b.test.conf"),
        "certbot, cli.ini": ("certbot", "etc/letsencrypt", "etc/letsencrypt/cli.ini"),
        "certbot, credentials": ("certbot", "etc/letsencrypt", "root/c.ini"),
        "certbot, account": ("certbot", "etc/letsencrypt", str(regr)),
        "certbot, key": ("certbot", "etc/letsencrypt", str(regr.with_name("private_key.json"))),
        "certbot, chain": ("certbot", "etc/letsencrypt", "etc/letsencrypt/archive/b.test/fullchain1.pem"),
        "lego, account": ("lego", "home/me/.lego", str(account)),
        "lego, certificate": ("lego", "home/me/.lego", "home/me/.lego/certificates/example.test.crt"),
        "lego, crontab": ("lego", "home/me/.lego", "etc/cron.d/lego", _CRONTAB),
        "lego, script": ("lego", "home/me/.lego", "home/me/renew.sh", _SCRIPT),
        "lego, compose": ("lego", "home/me/.lego", "home/me/compose.yaml", _COMPOSE),
        "lego, unit": ("lego", "home/me/.lego", "etc/systemd/system/lego@cloudflare.service", _UNIT),
        "acme.sh, account.conf": ("acme.sh", acme, f"{acme}/account.conf"),
        "acme.sh, settings": ("acme.sh", acme, f"{acme}/example.test_ecc/example.test.conf"),
        "acme.sh, ca.conf": ("acme.sh", acme, f"{acme}/ca/acme-v02.api.letsencrypt.org/directory/ca.conf"),
        "acme.sh, key": ("acme.sh", acme, f"{acme}/example.test_ecc/example.test.key"),
        "acme.sh, TSIG key": ("acme.sh", acme, "root/k"),
        "caddy, Caddyfile": ("caddy", "etc/caddy", "etc/caddy/Caddyfile"),
        "caddy, document": ("caddy", "etc/caddy", _caddy("example.test.json")),
        "hfs, config.yaml": ("hfs", "home/me/.hfs", "home/me/.hfs/config.yaml"),
        "pem, certificate": ("pem", "etc/tls", "etc/tls/a.pem"),
        "pem, key": ("pem", "etc/tls", "etc/tls/a.key"),
        "nginx, lines": ("lego", "home/me/.lego", "etc/nginx/sites-enabled/a", _lines(root, _NGINX)),
        "Apache, lines": ("lego", "home/me/.lego", "etc/apache2/sites-enabled/a", _lines(root, _APACHE)),
        "HAProxy, lines": ("lego", "home/me/.lego", "etc/haproxy/haproxy.cfg", _lines(root, _HAPROXY)),
        "nginx, webroot": ("certbot", "etc/letsencrypt", "etc/nginx/sites-enabled/b", _NGINX),
    }  # fmt: skip
    return {f"import: {name}": tools.parser(*arguments) for name, arguments in of.items()}


def _caddy(name: str) -> str:
    return f"etc/caddy/certificates/acme-v02.api.letsencrypt.org-directory/example.test/{name}"


def _lines(root: Path, config: bytes) -> bytes:
    """Return the configuration of a server that names the files in the folder of lego."""
    return config.replace(b"/etc/lego", os.fsencode(root / "home/me/.lego"))


# ── servers ─────────────────────────────────────────────────────────────────────────────

_CADDY_PAIR: Final = (
    b"{\n  admin localhost:2020\n}\nhttps://a.test:8443 {\n  tls /etc/caddy/a.pem /etc/caddy/a.key\n}\n"
)
_MOSQUITTO: Final = b"listener 1883\nlistener 8883\ncertfile /etc/m/a.pem\nkeyfile /etc/m/a.key\ninclude_dir /etc/m\n"
_JELLYFIN: Final = b"""\
<?xml version="1.0"?>
<NetworkConfiguration>
  <EnableHttps>true</EnableHttps>
  <InternalHttpsPort>8920</InternalHttpsPort>
  <CertificatePath>/var/lib/jellyfin/site.pfx</CertificatePath>
  <CertificatePassword>pass &amp; word</CertificatePassword>
</NetworkConfiguration>
"""
_HASS: Final = b"http:\n  server_port: 8443\n  ssl_certificate: /ssl/fullchain.pem\n  ssl_key: /ssl/privkey.pem\n"


def _servers(root: Path) -> dict[str, Foreign]:
    """The configurations that `init` reads of servers that run."""
    root.mkdir()
    running: Mapping[str, tuple[str, tuple[str, ...], bytes]] = {
        "nginx": ("/etc/nginx/nginx.conf", ("nginx", "-c", "/etc/nginx/nginx.conf"), _NGINX),
        "Apache": ("/etc/apache2/apache2.conf", ("apache2", "-f", "/etc/apache2/apache2.conf"), _APACHE),
        "HAProxy": ("/etc/haproxy/haproxy.cfg", ("haproxy", "-f", "/etc/haproxy/haproxy.cfg"), _HAPROXY),
        "Caddy": ("/etc/caddy/Caddyfile", ("caddy", "run", "--config", "/etc/caddy/Caddyfile"), _CADDY_PAIR),
        "Mosquitto": ("/etc/m/m.conf", ("mosquitto", "-c", "/etc/m/m.conf"), _MOSQUITTO),
        "Jellyfin": ("/etc/jellyfin/network.xml", ("jellyfin", "-c", "/etc/jellyfin"), _JELLYFIN),
        "Home Assistant": ("/srv/hass/configuration.yaml", ("hass", "-c", "/srv/hass"), _HASS),
        "HFS": ("/srv/hfs/config.yaml", ("hfs",), _HFS),
    }  # fmt: skip
    return {f"init: {name}": _server(root, *one) for name, one in running.items()}


def _server(root: Path, path: str, command: tuple[str, ...], example: bytes) -> Foreign:
    file = root / path.lstrip("/")
    uid = os.geteuid()
    program = RunningProgram(7, command[0], command, os.path.dirname(path), "me", (), uid)
    host = ServerHost(root=root, home=root, programs=(program,), user="me", is_admin=False)

    def run(data: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        repr(find_servers(host))

    return Foreign((example,), run)


# ── schedules ───────────────────────────────────────────────────────────────────────────


def _schedules(root: Path) -> dict[str, Foreign]:
    """The commands among which `doctor` and `status` look for one that renews."""
    (root / "run/systemd/system").mkdir(parents=True)
    wants = root / "etc/systemd/system/timers.target.wants"
    wants.mkdir(parents=True)
    (wants / "x.timer").symlink_to("../x.timer")
    (wants.parent / "x.timer").write_text("[Timer]\nUnit=x.service\n")
    call = b"dnsrenew renew --config /etc/dnsrenew/dnsrenew.toml"
    machine = Machine(root, root / "home", "linux", lambda *_: "")

    def detects(place: str, example: bytes, only: bool = False) -> Foreign:
        def run(data: bytes) -> None:
            file = root / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            detect("/etc/dnsrenew/dnsrenew.toml", machine)

        return Foreign((example,), run)

    return {
        "schedule: crontab": detects("etc/cron.d/x", b"HOME=/root\n17 3 * * * root " + call + b" # daily\n"),
        "schedule: script": detects("etc/cron.daily/x", b"#!/bin/sh\nexec " + call + b" a.test 'b c'\n"),
        "schedule: unit": detects("etc/systemd/system/x.service", b"[Service]\nUser=root\nExecStart=" + call + b"\n"),
        "schedule: command": detects("proc/7/cmdline", b"/usr/bin/python3\0/usr/bin/dnsrenew\0run\0--config\0x\0"),
    }


# ── files of ours, which others can give us ─────────────────────────────────────────────

_PROVIDER: Final = b"""\
title = "A Host"
driver = "lexicon"
zone_suffixes = ["duckdns.org"]
driver_options = { provider = "porkbun" }
[options.auth_key]
required = true
secret = true
env = "KEY"
help = "The key"
pattern = "[a-z]+"
form = "small letters"
[behaviour]
ttl = 60
values = "one"
"""


def _files(root: Path) -> dict[str, Foreign]:
    root.mkdir()
    config = root / "dnsrenew.toml"

    def load(data: bytes) -> None:
        config.write_bytes(data)
        Config.load(config)

    def read_archive(data: bytes) -> None:
        file = root / "archive"
        file.write_bytes(data if data.startswith(b"\x1f\x8b") else gzip.compress(data, 1))
        with file.open("rb") as stream:
            survey(stream, None, Context())

    def read_resolvers(data: bytes) -> None:
        file = root / "resolv.conf"
        file.write_bytes(data)
        assert system_servers(file)

    archive = _archive()
    return {
        "file: dnsrenew.toml": Foreign((GOOD.encode(),), load, (ConfigError,), 1 << 18),
        "file: provider": Foreign(
            (_PROVIDER,),
            lambda data: parse_provider(data.decode("utf-8", "replace"), "host", "x"),
            (ConfigError,),
            1 << 18,
        ),
        "file: archive": Foreign((gzip.decompress(archive), archive), read_archive, (StoreError,)),
        "file: resolv.conf": Foreign((b"# by DHCP\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n",), read_resolvers),
        "file: routes": Foreign(
            (_ROUTES,), lambda data: surroundings.from_table(data.decode("ascii", "replace")), (ValueError,)
        ),
    }


_ROUTES: Final = b"""\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
"""


def _archive() -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out, None, START)
    header = {"format": 1, "config": "/etc/dnsrenew.toml", "main": "dnsrenew.toml", "masked": [], "left_out": []}
    writer.add(Member("archive.json", json.dumps(header).encode()))
    writer.add(Member("config/dnsrenew.toml", GOOD.encode()))
    writer.finish()
    return out.getvalue()


# ── answers ─────────────────────────────────────────────────────────────────────────────

_PROBLEM: Final = {
    "type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "too many certificates: see https://ca.test/docs/limits",
    "instance": "https://ca.test/x",
    "subproblems": [{"type": "x", "detail": "no", "identifier": {"type": "dns", "value": "a.test"}}],
}
_ORDER: Final = {
    "status": "pending",
    "identifiers": [{"type": "dns", "value": "a.test"}],
    "authorizations": ["https://ca.test/authz/1"],
    "finalize": "https://ca.test/finalize/1",
}
_AUTHORIZATION: Final = {
    "status": "pending",
    "identifier": {"type": "dns", "value": "a.test"},
    "challenges": [{"type": "dns-01", "url": "https://ca.test/c/1", "token": "abc", "status": "pending"}],
}
_WINDOW: Final = {
    "suggestedWindow": {"start": "2026-11-25T10:00:00Z", "end": "2026-11-26T10:00:00Z"},
    "explanationURL": "https://ca.test/why",
}
_ROUTER: Final = b"""\
<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>http://192.168.0.1:80/</URLBase><device>
<friendlyName>Router</friendlyName><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/c</controlURL>
</service></serviceList></device></root>
"""
_MAPPING: Final = b"""\
<s:Envelope xmlns:s="x"><s:Body><u:GetGenericPortMappingEntryResponse xmlns:u="y"><NewRemoteHost></NewRemoteHost>
<NewExternalPort>80</NewExternalPort><NewProtocol>TCP</NewProtocol><NewInternalPort>8080</NewInternalPort>
<NewInternalClient>192.168.0.7</NewInternalClient><NewEnabled>1</NewEnabled>
</u:GetGenericPortMappingEntryResponse></s:Body></s:Envelope>
"""
_GATEWAY: Final = "192.168.0.1"
_SEEN: Final = {"version": 1, "address": "192.0.2.1", "port": 80, "open": False, "error": "timeout", "seconds": 1.5}


def _answers() -> dict[str, Foreign]:
    def refused(data: bytes) -> None:
        error = Problems("lab").refused(_response(data, 403), "newOrder", 5.0, START)
        str(error).encode()

    def router(data: bytes) -> None:
        root = upnp._document(_response(data))
        one_line(root.findtext(".//{*}friendlyName", ""), 60)
        list(upnp._connections(None, root, f"http://{_GATEWAY}/", _GATEWAY))  # type: ignore[arg-type]  # it asks nothing

    def mapping(data: bytes) -> None:
        root: Element = upnp._document(_response(data))
        upnp._mapping({str(each.tag).rpartition("}")[2]: each.text or "" for each in root.iter()})

    def device(data: bytes) -> None:
        found = upnp._LOCATION.search(data[:2048])
        upnp.is_at(found[1].decode("ascii", "replace") if found else "", _GATEWAY)

    def headers(data: bytes) -> None:
        text = data.decode("latin-1")
        retry_after({"Retry-After": text}, START), date_of({"Date": text, "Age": text})
        links(text, "alternate")

    answers = {
        "problem": Foreign((_json(_PROBLEM),), refused),
        "order": Foreign((_json(_ORDER),), lambda data: parse_order("x", _response(data).json()), (ValueError,)),
        "authorization": Foreign(
            (_json(_AUTHORIZATION),), lambda data: parse_authorization("x", _response(data).json()), (ValueError,)
        ),
        "ARI": Foreign((_json(_WINDOW),), lambda data: parse_window(_response(data).json(), 60.0), (ValueError,)),
        "headers": Foreign((b"120", b"Wed, 25 Nov 2026 10:05:00 GMT", b'<https://ca.test/1>;rel="alternate"'), headers),
        "UPnP, router": Foreign((_ROUTER,), router, (upnp._ActionFailed,)),
        "UPnP, mapping": Foreign((_MAPPING,), mapping, (upnp._ActionFailed,)),
        "UPnP, device": Foreign(
            (b"HTTP/1.1 200 OK\r\nLOCATION: http://192.168.0.1:5000/d.xml\r\nST: x\r\n\r\n",), device
        ),
        "NAT-PMP": Foreign((b"\0\x80\0\0\0\0\0\7\xc0\0\2\1",), surroundings._read),
        "outside probe": Foreign((_json(_SEEN),), lambda data: outside._read(_response(data), 80)),
        "CAA value": Foreign((b"ca.test; accounturi=https://ca.test/acct/1; validationmethods=dns-01",), _caa),
        "DNS": Foreign(tuple(_dns_answers()), _dns),
    }
    return {f"answer: {name}": each._replace(most=ANSWER) for name, each in answers.items()}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _response(body: bytes, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/problem+json"}, body, "https://ca.test/")


def _caa(data: bytes) -> None:
    text = data.decode("latin-1")
    parse_issuer(text)
    parse_methods(text)


_HEADER: Final = 12
_OWNER: Final = wire.from_text("_acme-challenge.a.test.")


def _dns_answers() -> Iterator[bytes]:
    import dns.message
    import dns.rrset

    for kind, text in (
        ("TXT", '"abc" "def"'),
        ("CAA", '0 issue "ca.test"'),
        ("CNAME", "x.b.test."),
        ("A", "192.0.2.1"),
    ):
        query = dns.message.make_query("_acme-challenge.a.test.", kind, id=7)
        answer = dns.message.make_response(query)
        answer.answer.append(dns.rrset.from_text("_acme-challenge.a.test.", 60, "IN", kind, text))
        yield answer.to_wire()


def _dns(data: bytes) -> None:
    if len(data) < _HEADER:  # belongs() refuses it
        return
    wire.is_truncated(data)
    for authority in (True, False):
        answer = wire.parse(data, authority=authority, additional=True)
        if answer is not None:
            wire.txt_values(answer), wire.addresses(answer, _OWNER), wire.soa_serial(answer)
            wire.ns_names(answer.answer, _OWNER), wire.cname_target(answer, _OWNER)
            caa_lookup._read(answer, _OWNER)


# ── certificates and keys ───────────────────────────────────────────────────────────────


def _keys() -> dict[str, Foreign]:
    chain, key_pem = _PAIR[0], _PAIR[1]
    key = x509.key_from_pem(key_pem)
    rsa = x509.key_to_pem(rsa_key())
    request = user_files.request_to_pem(x509.make_csr(key, ["a.test"]))
    pfx = tuple(user_files.to_pkcs12(chain, key_pem, password=word, alias="a", legacy=False) for word in ("", "x"))

    def holds(data: bytes) -> None:
        for word in ("", "x"):
            user_files.pkcs12_holds(data, word, chain, key_pem)
            user_files.pkcs12_leaf(data, word)

    def given(data: bytes) -> None:
        if user_files.has_both(data):
            user_files.key_from_file(data)
        user_files.chain_from_file(data, key, SPEC.identifiers, START + timedelta(days=2))

    def pool(data: bytes) -> None:
        user_files.CertificatePool(data.decode("ascii", "replace")).chain_of(key)

    der = x509.to_der(chain)
    texts = (chain.encode(), chain.encode() + key_pem)
    return {
        "x509: key": Foreign((key_pem, rsa), user_files.key_from_file, (ConfigError,)),
        "x509: key of ours": Foreign((key_pem,), x509.key_from_pem, (ValueError,)),
        "x509: JWK": Foreign((_jwk(rsa),), _read_jwk, (ValueError,), ANSWER),
        "x509: given files": Foreign((*texts, der), given, (CAError, ConfigError)),
        "x509: pool": Foreign(texts, pool),
        "x509: facts": Foreign(texts, x509.read_certificate, (ValueError,)),
        "x509: request": Foreign(
            (request.encode(),),
            lambda data: user_files.read_request(data.decode("ascii", "replace"), key),
            (ValueError,),
        ),
        "x509: PKCS#12": Foreign(pfx, holds),
    }


def _jwk(pem: bytes) -> bytes:
    from josepy.jwk import JWKRSA

    return json.dumps(JWKRSA(key=x509.key_from_pem(pem)).to_json()).encode()


def _read_jwk(data: bytes) -> None:
    try:
        value: Any = json.loads(data)
    except RecursionError:
        return
    if isinstance(value, dict):
        x509.key_from_jwk(value)


# ── the store ───────────────────────────────────────────────────────────────────────────

_TIME: Final = "2026-11-25T10:00:00Z"
_VALUE: Final = {"zone": "a.test.", "name": "_acme-challenge.a.test.", "value": "v", "ttl": 60, "dns": "home"}
_META: Final = {
    "schema": 1, "issuer": "Lab CA 1", "serial": "2f", "not_before": _TIME, "not_after": "2027-02-23T10:00:00Z",
    "domains": ["a.test"], "identifiers": ["a.test"], "ca": "lab", "key": "ecdsa-p256", "profile": "short",
}  # fmt: skip
_FAILURE: Final = {"time": _TIME, "code": "ca-dns", "message": "No.", "fix": "Yes.", "attempts": [{"code": "x"}]}
_STATE: Final = {**_META, "version": 1, "failures": 2, "last_failure": _FAILURE, "worked": ["lab/dns-01"]}
_LEDGER: Final = {"schema": 1, "failed": {"a.test": _TIME}, "sets": {"0123456789abcdef": _TIME}}
_JOURNAL: Final = {"schema": 1, "certificate": "home", "since": _TIME, "values": [_VALUE]}


def _records() -> dict[str, Foreign]:
    of: dict[str, tuple[Any, Any]] = {
        "state.json": (State, _STATE),
        "meta": (Meta, _META),
        "ledger": (LedgerState, _LEDGER),
        "journal": (JournalPage, _JOURNAL),
    }
    return {
        f"store: {name}": Foreign((_json(example),), kind.from_json, (DamagedFile, NewerSchema), ANSWER)
        for name, (kind, example) in of.items()
    }

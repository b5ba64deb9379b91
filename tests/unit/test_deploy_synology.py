"""The target ``synology`` against a stand-in.

Its login is written from Synology's "DSM Login Web API Guide" (SYNO.API.Info, SYNO.API.Auth); SYNO.Core.Certificate,
which Synology does not describe, from what public deploy hooks such as that of acme.sh send to it.
"""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dnsrenew import Certificate, Secret
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.synology import SynologyDeployer
from tests.kit.api_server import Api, Asked
from tests.kit.deployments import deployer_context, make_certificate, slowly, type_what_the_error_advises

SID = "session-of-dsm-0123"
SYNO_TOKEN = "token-of-dsm-0123"
PASSWORD = "password-of-dsm"


class Dsm:
    """One DSM.

    :ivar refusals: error numbers by call, such as ``login``.
    :ivar sessions: how many are open.
    """

    def __init__(self) -> None:
        self.certificates = [
            {"id": "dEf", "desc": "", "is_default": True, "pem": "old"},
            {"id": "mAi", "desc": "mail", "is_default": False, "pem": "old"},
        ]
        self.refusals: dict[str, int] = {}
        self.sessions = 0
        self.login: dict[str, str] = {}

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer a request as DSM does: errors have status 200 too."""
        parts = urlsplit(asked.path)
        files: dict[str, str] = {}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if asked.headers.get("Content-Type", "").startswith("multipart/form-data"):
            files = _read_form(asked)
        fields = query | {name: values[0] for name, values in parse_qs(asked.body).items() if not files}
        call = fields.get("method", "")
        if call in self.refusals:
            return _error(self.refusals[call])
        if (parts.path, fields.get("api")) == ("/webapi/query.cgi", "SYNO.API.Info"):
            return _data({"SYNO.API.Auth": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 9}})
        if parts.path != "/webapi/entry.cgi":
            return 404, "<html>404</html>"
        if fields.get("api") == "SYNO.API.Auth" and call == "login":
            return self._log_in(fields)
        if (
            asked.headers.get("Cookie") != f"id={SID}"
            or asked.headers.get("X-SYNO-TOKEN") != SYNO_TOKEN
            or not self.sessions
        ):
            return _error(119)
        if call == "logout":
            self.sessions -= 1
            return 200, {"success": True}
        if (fields["api"], call) == ("SYNO.Core.Certificate.CRT", "list"):
            return _data({"certificates": self.certificates})
        return self._import(files) if (fields["api"], call) == ("SYNO.Core.Certificate", "import") else _error(102)

    def _log_in(self, fields: dict[str, str]) -> tuple[int, Any]:
        self.login = fields
        if (fields["account"], fields["passwd"]) != ("admin", PASSWORD):
            return _error(400)
        self.sessions += 1
        return _data({"sid": SID, "synotoken": SYNO_TOKEN, "is_portal_port": False})

    def _import(self, form: dict[str, str]) -> tuple[int, Any]:
        if not {"key", "cert", "inter_cert", "id", "desc"} <= form.keys():
            return _error(5503)
        default = form.get("as_default") == "true"
        new = {"id": form["id"] or "nEw", "desc": form["desc"], "is_default": default}
        new["pem"] = form["cert"] + form["inter_cert"] + form["key"]
        self.certificates = [one for one in self.certificates if one["id"] != new["id"]] + [new]
        return _data({"restart_httpd": True})


def _data(data: Any) -> tuple[int, Any]:
    return 200, {"data": data, "success": True}


def _error(number: int) -> tuple[int, Any]:
    return 200, {"error": {"code": number}, "success": False}


def _read_form(asked: Asked) -> dict[str, str]:
    """The parts of a form, read by Python's parser for mail."""
    text = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n{asked.body}".encode()
    parts: Any = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text).iter_parts()
    return {
        part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True).decode() for part in parts
    }


@pytest.fixture
def dsm() -> Dsm:
    """Return a DSM with two certificates."""
    return Dsm()


@pytest.fixture
def url(dsm: Dsm) -> Iterator[str]:
    """Run the API of DSM and return its URL. At the end no session is open."""
    with Api(dsm.answer) as api:
        yield api.url
    assert dsm.sessions == 0


def put(url: str, certificate: Certificate, **options: Any) -> None:
    """Deploy to DSM."""
    login = {"url": url, "user": "admin", "password": Secret(PASSWORD), **options}
    SynologyDeployer(deployer_context(login)).deploy(certificate)


def test_a_slow_station(url: str, dsm: Dsm, tmp_path: Path) -> None:
    """A DSM that is too late ends the deployment; the line that the error advises helps."""
    with slowly(url) as slow:
        type_what_the_error_advises("synology", {"url": slow, "user": "admin", "password": PASSWORD}, tmp_path)


def whole(certificate: Certificate) -> str:
    """Return the chain and the private key, as DSM stores them."""
    return certificate.fullchain_pem + certificate.private_key_pem


def test_the_default_certificate_is_replaced(dsm: Dsm, url: str, tmp_path: Path) -> None:
    """The default certificate is replaced under its id, so that the services keep using it. Others stay unchanged."""
    certificate = make_certificate(tmp_path)
    put(url, certificate)
    mail, default = dsm.certificates
    assert mail["pem"] == "old"
    assert default == {"id": "dEf", "desc": "", "is_default": True, "pem": whole(certificate)}
    assert dsm.login["version"] == "7"


def test_one_by_its_description(dsm: Dsm, url: str, tmp_path: Path) -> None:
    """A certificate is replaced by its description, or else created. It does not become the default."""
    certificate = make_certificate(tmp_path)
    put(url, certificate, description="mail")
    put(url, certificate, description="web ä")
    found = [(one["id"], one["desc"], one["is_default"]) for one in dsm.certificates]
    assert found == [("dEf", "", True), ("mAi", "mail", False), ("nEw", "web ä", False)]
    assert {one["pem"] for one in dsm.certificates[1:]} == {whole(certificate)}


def test_a_trusted_device_spares_the_second_factor(dsm: Dsm, url: str, tmp_path: Path) -> None:
    """The id and the name of a trusted device are sent with the login."""
    put(url, make_certificate(tmp_path), device=Secret("device-id-of-a-test"), device_name="laptop")
    assert (dsm.login["device_id"], dsm.login["device_name"]) == ("device-id-of-a-test", "laptop")


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (("login", 403), "second factor"),
        (("login", 407), "blocked this address"),
        (("login", 9999), "error 9999"),
        (("list", 105), "error 105"),
        (("import", 5511), "error 5511"),
        (("query", 102), "error 102"),
    ],
)
def test_refusals(dsm: Dsm, url: str, tmp_path: Path, refusal: tuple[str, int], words: str) -> None:
    """Each error names what DSM refused. Nothing is changed."""
    dsm.refusals = dict([refusal])
    with pytest.raises(DeployError) as refused:
        put(url, make_certificate(tmp_path))
    assert refused.value.code == "deploy-refused"
    assert words in refused.value.message
    assert {one["pem"] for one in dsm.certificates} == {"old"}


def test_a_wrong_password(url: str, tmp_path: Path) -> None:
    """A wrong password is named in the error."""
    with pytest.raises(DeployError) as refused:
        put(url, make_certificate(tmp_path), password=Secret("another-password"))
    assert "password is wrong" in refused.value.message


def test_what_dsm_cannot_do(url: str, tmp_path: Path) -> None:
    """DSM shows neither certificates nor keys, so nothing can be compared or restored."""
    options = {"url": url, "user": "admin", "password": Secret(PASSWORD)}
    deployer = SynologyDeployer(deployer_context(options))
    assert not deployer.check(make_certificate(tmp_path))
    assert not deployer.restore()

"""The target ``truenas`` against a stand-in, which was written from the REST reference of TrueNAS (/api/docs).

Certificates, jobs and the general settings of API 2.0, as TrueNAS CORE 13 and SCALE up to 25.10 have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, Secret
from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime.context import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.deploy.targets.truenas import TruenasDeployer
from dnsrenew.errors import DeployError
from tests.kit.api_server import Api, Asked
from tests.kit.clock import FakeClock
from tests.kit.deployments import KeptFiles, deployer_context, make_certificate

KEY = "1-api-key-of-truenas"
BASE = "/api/v2.0"


class TrueNas:
    """One TrueNAS.

    :ivar is_old: answers POST of ui_restart with 405, and a new certificate with itself instead of a job.
    :ivar job: the last states of each job; the last one stays.
    """

    def __init__(self) -> None:
        self.certificates: dict[int, dict[str, Any]] = {1: {"id": 1, "name": "freenas_default", "certificate": "old"}}
        self.in_use = 1
        self.restarts = 0
        self.is_old = False
        self.job = ["RUNNING", "SUCCESS"]

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer a request as TrueNAS does."""
        if asked.headers.get("Authorization") not in {f"Bearer {KEY}", "Basic cm9vdDpwYXNzd29yZC1vZi10cnVlbmFz"}:
            return 401, ""
        method, path = asked.method, asked.path.removeprefix(BASE)
        if path.startswith("/certificate/id/"):
            return self._one(method, int(path.rpartition("/")[2]))
        handlers = {
            ("GET", "/system/general"): self._general,
            ("PUT", "/system/general"): lambda: self._use(json.loads(asked.body)),
            ("POST", "/system/general/ui_restart"): self._restart_new,
            ("GET", "/system/general/ui_restart"): self._restart,
            ("GET", "/certificate?limit=0"): lambda: (200, list(self.certificates.values())),
            ("POST", "/certificate"): lambda: self._import(json.loads(asked.body)),
            ("GET", "/core/get_jobs?id=77"): self._state,
        }  # fmt: skip
        return handlers.get((method, path), lambda: (404, {"message": "Not found"}))()

    def _general(self) -> tuple[int, Any]:
        one = self.certificates[self.in_use]
        return 200, {"ui_certificate": one if self.is_old else one["id"], "ui_httpsport": 443}

    def _use(self, change: dict[str, Any]) -> tuple[int, Any]:
        if change["ui_certificate"] not in self.certificates:
            return 422, {"general_settings.ui_certificate": [{"message": "Certificate not found", "errno": 2}]}
        self.in_use = change["ui_certificate"]
        return self._general()

    def _restart_new(self) -> tuple[int, Any]:
        return (405, "405: Method Not Allowed") if self.is_old else self._restart()

    def _restart(self) -> tuple[int, Any]:
        self.restarts += 1
        return 200, "null"

    def _one(self, method: str, number: int) -> tuple[int, Any]:
        if number not in self.certificates:
            return 404, {"message": f"Certificate {number} does not exist"}
        if method == "DELETE":
            del self.certificates[number]
            return 200, True
        return 200, self.certificates[number]

    def _import(self, new: dict[str, Any]) -> tuple[int, Any]:
        if new.keys() != {"create_type", "name", "certificate", "privatekey"}:
            return 422, {"certificate_create": [{"message": "Invalid keys", "errno": 22}]}
        if any(one["name"] == new["name"] for one in self.certificates.values()):
            return 422, {"certificate_create.name": [{"message": "A certificate with this name exists", "errno": 22}]}
        number = max(self.certificates) + 1
        if self.job[-1] == "SUCCESS":
            self.certificates[number] = {"id": number, "name": new["name"], "certificate": new["certificate"]}
        return 200, self.certificates[number] if self.is_old else 77

    def _state(self) -> tuple[int, Any]:
        state = self.job.pop(0) if len(self.job) > 1 else self.job[0]
        return 200, [{"id": 77, "state": state, "error": "[EINVAL] It is too weak" if state == "FAILED" else None}]


@pytest.fixture
def nas() -> TrueNas:
    """Return a TrueNAS that uses its own certificate."""
    return TrueNas()


@pytest.fixture
def url(nas: TrueNas) -> Iterator[str]:
    """Run the API of the TrueNAS and return its URL."""
    with Api(nas.answer) as api:
        yield api.url


def deployer(url: str, kept: KeptFiles | None = None, **login: Any) -> TruenasDeployer:
    """A deployer for it, whose waits take no time."""
    options = {"url": url, **(login or {"token": Secret(KEY)})}
    return TruenasDeployer(deployer_context(options, kept, clock=FakeClock()))


def served(nas: TrueNas) -> str:
    """Return the certificate of the web interface."""
    return str(nas.certificates[nas.in_use]["certificate"])


@pytest.mark.parametrize("is_old", [False, True])
def test_a_certificate_is_imported_and_used(nas: TrueNas, url: str, tmp_path: Path, is_old: bool) -> None:
    """The web interface restarts once.

    Older imports are deleted, except for the previous one; other certificates stay.
    """
    nas.is_old = is_old
    certificates = [make_certificate(tmp_path / "store") for _ in range(4)]
    nas.certificates[9] = {"id": 9, "name": "dnsrenew_other_5d", "certificate": "of another"}
    for number, certificate in enumerate(certificates, start=1):
        assert not deployer(url).check(certificate)
        deployer(url).deploy(certificate)
        assert (served(nas), nas.restarts) == (certificate.fullchain_pem, number)
        assert deployer(url).check(certificate)
    left = [one["certificate"] for one in nas.certificates.values()]
    assert left == ["old", "of another", *(one.fullchain_pem for one in certificates[-2:])]


def test_a_password_will_do(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """A user and a password replace the API key."""
    certificate = make_certificate(tmp_path)
    deployer(url, user="root", password=Secret("password-of-truenas")).deploy(certificate)
    assert served(nas) == certificate.fullchain_pem


def test_a_wrong_key(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """A wrong API key is refused, and nothing is changed."""
    with pytest.raises(DeployError) as refused:
        deployer(url, token=Secret("1-another-api-key")).check(make_certificate(tmp_path))
    assert (refused.value.code, served(nas)) == ("deploy-refused", "old")


def test_a_version_without_the_api(tmp_path: Path) -> None:
    """A version without the API is an error that names the alternative."""
    with Api(lambda _: (404, "<html>404 Not Found</html>")) as api, pytest.raises(DeployError) as gone:
        deployer(api.url).check(make_certificate(tmp_path))
    assert gone.value.code == "deploy-unsupported"
    assert "midclt" in gone.value.fix


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["RUNNING", "FAILED"], ("deploy-refused", "too weak")), (["RUNNING"], ("deploy-timeout", "still importing"))],
)
def test_an_import_that_fails(
    nas: TrueNas, url: str, tmp_path: Path, states: list[str], expected: tuple[str, str]
) -> None:
    """If the import fails, the old certificate stays in use."""
    code, words = expected
    nas.job, kept = states, KeptFiles()
    failing = deployer(url, kept)
    with pytest.raises(DeployError) as failed:
        failing.deploy(make_certificate(tmp_path))
    assert failed.value.code == code
    assert words in failed.value.message
    assert not failing.restore()
    assert (served(nas), nas.restarts) == ("old", 0)


def put_unserved(url: str, certificate: Certificate) -> DeploymentResult:
    """Deploy with a port that serves nothing."""
    options = {"url": url, "token": Secret(KEY), "verify": ("127.0.0.1:1",), "verify_timeout": 0.0}
    one, kept = entry(Deployment("truenas", **options)), KeptFiles()
    (result,) = engine.deploy(Context(clock=FakeClock()).for_certificate("home"), [one], certificate, lambda _: kept)
    return result


def test_the_old_one_comes_back(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """The old certificate is restored. The next try reuses the import."""
    certificate = make_certificate(tmp_path)
    result = put_unserved(url, certificate)
    assert (result.ok, result.rolled_back, served(nas), nas.restarts) == (False, True, "old", 2)
    deployer(url).deploy(certificate)
    assert (served(nas), len(nas.certificates)) == (certificate.fullchain_pem, 2)

"""``run``: runs a program of the user with the certificate in its environment. Hooks of certbot work unchanged."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dnsrenew.base.model import Certificate, rfc3339
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.safe_files import PRIVATE_FILE, OpenFolder
from dnsrenew.base.subprocesses import environment
from dnsrenew.deploy import programs
from dnsrenew.deploy.protocol import PROGRAM_TIMEOUT, RELOAD, TargetDeployer, TargetKind, TargetOption


class RunDeployer(TargetDeployer):
    """Runs the program. Its effects cannot be inspected or undone."""

    def deploy(self, certificate: Certificate) -> None:
        """Run the program."""
        options, seconds = self._options, self._options.get("timeout", PROGRAM_TIMEOUT)
        with _folder(certificate) as folder:
            env = {**environment(options.get("env", ())), **_variables(certificate, folder)}
            programs.run(self._context.run, options["run"], seconds=seconds, env=env)


@contextlib.contextmanager
def _folder(certificate: Certificate) -> Iterator[Path]:
    """Yield the folder with the files. For a certificate in a database it is a temporary private folder."""
    if certificate.path is not None:
        yield certificate.path
        return
    leaf, chain = split_chain(certificate.fullchain_pem)
    contents = {"fullchain.pem": certificate.fullchain_pem, "cert.pem": leaf, "chain.pem": chain}
    if certificate.has_private_key:
        contents["privkey.pem"] = certificate.private_key_pem
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        for name, content in contents.items():
            OpenFolder(folder, None).write(name, content.encode("ascii"), PRIVATE_FILE)
        yield Path(folder)


def _variables(certificate: Certificate, current: Path) -> dict[str, str]:
    """Return the environment variables that describe a certificate."""
    domains = " ".join(certificate.domains)
    return {
        "DNSRENEW_NAME": certificate.name,
        "DNSRENEW_DOMAINS": domains,
        "DNSRENEW_FULLCHAIN": str(current / "fullchain.pem"),
        "DNSRENEW_PRIVKEY": str(current / "privkey.pem") if certificate.has_private_key else "",
        "DNSRENEW_CERT": str(current / "cert.pem"),
        "DNSRENEW_CHAIN": str(current / "chain.pem"),
        "DNSRENEW_SERIAL": certificate.serial,
        "DNSRENEW_NOT_AFTER": rfc3339(certificate.not_after) or "",
        # certbot's names
        "RENEWED_LINEAGE": str(current),
        "RENEWED_DOMAINS": domains,
    }


TARGET = TargetKind(
    to="run",
    options={"run": TargetOption("words", required=True), "timeout": RELOAD["timeout"], "env": RELOAD["env"]},
    describe=lambda options: shlex.join(options.get("run", ("run",))),
    make=RunDeployer,
    needs_key=lambda _options: False,
    can_inspect=False,
)

"""An example for each public name, which the reference shows without its ``def``.

Its name is the public name in lower case; tests run each of them at the box, and give it the parameters.
"""

import asyncio
import logging
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dnsrenew
from dnsrenew import testing

# ── functions and classes to start with ─────────────────────────────────────────────────


def obtain() -> None:
    certificate = dnsrenew.obtain(
        "home.example.com",
        dns=dnsrenew.DnsAccount("desec", auth_token=dnsrenew.Secret.env("DESEC_TOKEN")),
        contact="me@example.com",
        agree_terms=True,
    )
    print(certificate.fullchain_path, certificate.private_key_path)


def aobtain(token: dnsrenew.Secret) -> None:
    async def main() -> None:
        account = dnsrenew.DnsAccount("desec", auth_token=token)
        async with asyncio.timeout(300):
            certificate = await dnsrenew.aobtain("home.example.com", dns=account, agree_terms=True)
        print(certificate.not_after)

    asyncio.run(main())


def serve(app: Any, token: dnsrenew.Secret) -> None:
    account = dnsrenew.DnsAccount("desec", auth_token=token)
    with dnsrenew.serve("home.example.com", dns=account, agree_terms=True) as served:
        app.run(port=443, ssl_context=served.ssl_context)  # Flask


def follow(app: Any) -> None:
    context = dnsrenew.follow("/etc/letsencrypt/live/home.example.com")
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # applies to every later certificate too
    app.run(port=443, ssl_context=context)


def ssl_context_factory(uvicorn: Any) -> None:
    uvicorn.run("main:app", port=443, workers=4, ssl_context_factory=dnsrenew.ssl_context_factory("home"))


def renewer() -> None:
    renewer = dnsrenew.Renewer(dnsrenew.Config.load("dnsrenew.toml"))
    for outcome in renewer.renew():
        print(outcome.name, outcome.status, outcome.error or "")


def fleet(server: Any) -> None:
    with dnsrenew.Fleet(dnsrenew.Config.load("dnsrenew.toml")) as fleet:
        fleet.add(["shop.example.com"], tag="customer-7")
        server.run(ssl_context=fleet.ssl_context())  # any name of the fleet, by SNI


def config() -> None:
    tables = {
        "agree_terms": True,
        "dns": {"home": dnsrenew.DnsAccount("desec", auth_token=dnsrenew.Secret.env("DESEC_TOKEN"))},
        "certificate": [{"domains": ["home.example.com"]}],
    }
    config = dnsrenew.Config.from_dict(tables, base=Path.cwd())
    print([spec.name for spec in config.certificates])


# ── arguments ───────────────────────────────────────────────────────────────────────────


def dnsaccount() -> None:
    home = dnsrenew.DnsAccount("desec", name="home", zones="example.com", auth_token=dnsrenew.Secret.env("DESEC_TOKEN"))
    print(home.provider, home.zones)


def secret() -> None:
    token = dnsrenew.Secret.file("desec-token.txt")
    print(token, len(token.reveal()))  # the print shows the reference only


def ca() -> None:
    company = dnsrenew.CA("https://ca.example.com/acme/directory", trust="/etc/ssl/company-root.pem")
    dnsrenew.obtain("intern.example.com", ca=company, dns=dnsrenew.DnsAccount("desec", auth_token="…"))


def eab() -> None:
    eab = dnsrenew.Eab("kid-1", dnsrenew.Secret.env("EAB_HMAC"))
    google = dnsrenew.CA("https://dv.acme-v02.api.pki.goog/directory", eab=eab)
    print(google.eab is eab)


def route(account: dnsrenew.DnsAccount) -> None:
    routes = [dnsrenew.Route("dns-01", dns="home"), dnsrenew.Route("http-01", listen=":80")]
    dnsrenew.obtain("home.example.com", dns=account, routes=routes, agree_terms=True)


def propagation(account: dnsrenew.DnsAccount) -> None:
    slow = dnsrenew.Propagation(timeout=900, settle=30)
    dnsrenew.obtain("home.example.com", dns=account, propagation=slow, agree_terms=True)


def resolver(account: dnsrenew.DnsAccount) -> None:
    resolver = dnsrenew.Resolver(nameservers=("9.9.9.9",), doh=("https://dns.quad9.net/dns-query",))
    dnsrenew.obtain("home.example.com", dns=account, resolver=resolver, agree_terms=True)


def deployment(account: dnsrenew.DnsAccount) -> None:
    files = dnsrenew.Deployment("files", certificate="site/tls.crt", key="site/tls.key")
    dnsrenew.obtain("home.example.com", dns=account, deploy=files, agree_terms=True)


def profile(config: dnsrenew.Config) -> None:
    for spec in config.certificates:
        if spec.profile is not None:
            print(spec.name, spec.profile.name, spec.profile.required)


def renewbefore(account: dnsrenew.DnsAccount) -> None:
    week = dnsrenew.RenewBefore(seconds=7 * 86400)
    dnsrenew.obtain("home.example.com", dns=account, renew_before=week, agree_terms=True)


def certificatespec(config: dnsrenew.Config) -> None:
    spec = config.certificates[0]
    print(spec.name, spec.domains, spec.ca, spec.key)


def givenrequest(config: dnsrenew.Config) -> None:
    print([spec.name for spec in config.certificates if spec.csr is not None])  # GivenRequest: the key is elsewhere


def storeaddress() -> None:
    address = dnsrenew.StoreAddress("postgresql://dnsrenew@db.example.com/dnsrenew", dnsrenew.Secret.env("PGPASSWORD"))
    print(address)  # without the password


def clock(config: dnsrenew.Config) -> None:
    class NextYear:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(days=365)

        def monotonic(self) -> float:
            return time.monotonic()

        def wait(self, seconds: float, event: threading.Event) -> bool:
            return event.wait(seconds)

    clock: dnsrenew.Clock = NextYear()
    print(dnsrenew.Renewer(config, clock=clock).status()[0].state)


# ── results ─────────────────────────────────────────────────────────────────────────────


def certificate(renewer: dnsrenew.Renewer) -> None:
    certificate = renewer.certificate("home")
    if certificate.not_after - datetime.now(UTC) < timedelta(days=7):
        print(f"{certificate.name} ends at {certificate.not_after}")
    context = certificate.ssl_context()
    context.set_alpn_protocols(["http/1.1"])


def outcome(renewer: dnsrenew.Renewer) -> None:
    failed = [outcome for outcome in renewer.renew() if outcome.error]
    for outcome in failed:
        print(outcome.name, outcome.status, outcome.error, outcome.next_attempt)


def attempt(renewer: dnsrenew.Renewer) -> None:
    for outcome in renewer.renew():
        for attempt in outcome.attempts:
            print(attempt.route.ca, attempt.route.challenge, attempt.error or "ok")


def routetaken(renewer: dnsrenew.Renewer) -> None:
    (outcome,) = renewer.renew(["home"], force=True)
    if outcome.route is not None:
        print(outcome.route.challenge, outcome.route.dns, outcome.route.ca)


def notice(renewer: dnsrenew.Renewer) -> None:
    for status in renewer.status():
        for notice in status.warnings:
            print(notice.code, notice.message, notice.fix)


def deploymentresult(renewer: dnsrenew.Renewer) -> None:
    for outcome in renewer.deploy():
        print([(result.to, result.target) for result in outcome.deployed if not result.ok])


def certificatestatus(renewer: dnsrenew.Renewer) -> None:
    for status in renewer.status(["home"]):
        print(status.state, status.next_renewal, status.last_failure)


def storedversion(renewer: dnsrenew.Renewer) -> None:
    for version in renewer.status(["home"])[0].versions:
        print(version.version, version.serial, "in force" if version.current else "")


def accountstatus(renewer: dnsrenew.Renewer) -> None:
    for account in renewer.accounts():
        print(account.ca, account.status, account.url)


def revocation(renewer: dnsrenew.Renewer) -> None:
    revocation = renewer.revoke("home", reason="key-compromise")
    print(revocation.serial, revocation.already)
    renewer.renew(["home"])


def cleanupresult(renewer: dnsrenew.Renewer) -> None:
    result = renewer.cleanup()
    print(f"{len(result.removed)} TXT values removed, {len(result.kept)} left")


def served(renewer: dnsrenew.Renewer, app: Any) -> None:
    with renewer.serve("home") as served:
        print(served.certificate.not_after, served.status()[0].last_failure)
        app.run(port=443, ssl_context=served.ssl_context)


def event(config: dnsrenew.Config) -> None:
    def listen(event: dnsrenew.Event) -> None:
        if event.kind in {"certificate-stored", "kept"}:
            print(event.time, event.certificate, event.data)

    dnsrenew.Renewer(config, on_event=listen).renew(force=True)


def diagnosis(renewer: dnsrenew.Renewer) -> None:
    diagnosis = renewer.diagnose("home")
    if not diagnosis.renewable:
        print(diagnosis.next_action)


def check(renewer: dnsrenew.Renewer) -> None:
    for check in renewer.diagnose("home").checks:
        if check.result == "bad":
            print(check.code, check.summary, check.fix)


def change(renewer: dnsrenew.Renewer) -> None:
    for change in renewer.diagnose("home").changes:
        print(f"{change.code}: {change.was} until {change.since}, now {change.now}")


def fleetstatus(fleet: dnsrenew.Fleet) -> None:
    status = fleet.status()
    print(status.due, status.failing, status.counts["valid"])


def workerstatus(fleet: dnsrenew.Fleet) -> None:
    for worker in fleet.status().workers:
        print(worker.to_dict())


def calimits(fleet: dnsrenew.Fleet) -> None:
    for name, limits in fleet.status().limits.items():
        print(name, limits.to_dict())


# ── types of single values ──────────────────────────────────────────────────────────────


def keykind(account: dnsrenew.DnsAccount) -> None:
    key: dnsrenew.KeyKind = "ecdsa-p384"
    dnsrenew.obtain("home.example.com", dns=account, key=key, agree_terms=True)


def propagationcheck() -> None:
    check: dnsrenew.PropagationCheck = "doh"
    print(dnsrenew.Propagation(check=check))


def outcomestatus(renewer: dnsrenew.Renewer) -> None:
    fine: set[dnsrenew.OutcomeStatus] = {"renewed", "not-due"}
    sys.exit(any(outcome.status not in fine for outcome in renewer.renew()))


def renewalreason(renewer: dnsrenew.Renewer) -> None:
    urgent: set[dnsrenew.RenewalReason] = {"missing", "expired", "revoked"}
    print([outcome.name for outcome in renewer.renew() if outcome.reason in urgent])


def certificatestate(renewer: dnsrenew.Renewer) -> None:
    good: set[dnsrenew.CertificateState] = {"valid", "due"}
    print([status.name for status in renewer.status() if status.state not in good])


def checkresult(renewer: dnsrenew.Renewer) -> None:
    unknown: dnsrenew.CheckResult = "unknown"
    print([check.code for check in renewer.diagnose("home").checks if check.result == unknown])


# ── drivers and deployers ───────────────────────────────────────────────────────────────


def driver() -> None:
    class Printing:
        def add(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
            print("add", *records)

        def remove(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
            print("remove", *records)

    by_hand: dnsrenew.Driver = Printing()
    dnsrenew.obtain("home.example.com", dns=by_hand, agree_terms=True)


def drivercontext() -> None:
    class MyDriver:
        def __init__(self, context: dnsrenew.DriverContext) -> None:
            self._context, self._token = context, context.text("token")

        def add(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
            for record in records:
                self._context.check()  # before each write
                self._context.logger.debug("writing %s", record.name)

    context = dnsrenew.DriverContext("mine", {"token": "…"}, {}, lambda: 30.0, threading.Event(), logging.getLogger())
    MyDriver(context).add([])


def txtrecord() -> None:
    record = dnsrenew.TxtRecord("example.com.", "_acme-challenge.example.com.", "a-value", ttl=60)
    print(record.name.removesuffix(f".{record.zone}"))


def deployer(account: dnsrenew.DnsAccount) -> None:
    def deploy(certificate: dnsrenew.Certificate) -> None:  # enough where nothing can be put back
        Path("tls.pem").write_text(certificate.private_key_pem + certificate.fullchain_pem)

    dnsrenew.obtain("home.example.com", dns=account, deploy=deploy, agree_terms=True)


def deployercontext() -> None:
    class Balancer:
        def __init__(self, context: dnsrenew.DeployerContext) -> None:
            self._context, self._url = context, context.options["url"]

        def check(self, certificate: dnsrenew.Certificate) -> bool:
            self._context.check()
            self._context.logger.debug("asking %s for %s", self._url, certificate.serial)
            return False

    print(Balancer)


def savedfiles() -> None:
    def replace(saved: dnsrenew.SavedFiles, path: Path, new: bytes) -> None:
        saved.keep({"old": path.read_bytes()})  # before it is replaced; restore() finds it by saved.kept()
        path.write_bytes(new)

    print(replace)


# ── errors ──────────────────────────────────────────────────────────────────────────────


def dnsrenewerror(account: dnsrenew.DnsAccount) -> None:
    try:
        dnsrenew.obtain("home.example.com", dns=account, agree_terms=True)
    except dnsrenew.DnsRenewError as error:
        print(error.code, error.message, error.fix, error.evidence)


def configerror() -> None:
    try:
        dnsrenew.Config.load("dnsrenew.toml")
    except dnsrenew.ConfigError as error:
        for mistake in error.evidence.get("mistakes", []):
            print(mistake["line"], mistake["key"], mistake["found"], mistake["expected"])


def secreterror() -> None:
    try:
        dnsrenew.Secret.file("missing.txt").reveal()
    except dnsrenew.SecretError as error:
        print(error.fix)


def storeerror(renewer: dnsrenew.Renewer) -> None:
    try:
        renewer.certificate("home")
    except dnsrenew.StoreError as error:
        print("not obtained yet" if error.code == "certificate-missing" else error)


def lockederror(renewer: dnsrenew.Renewer) -> None:
    try:
        renewer.csr("home", wait=10)
    except dnsrenew.LockedError as error:
        print(error.evidence["pid"])


def cancelled(account: dnsrenew.DnsAccount) -> None:
    cancel = threading.Event()
    threading.Timer(300, cancel.set).start()
    try:
        dnsrenew.obtain("home.example.com", dns=account, agree_terms=True, cancel=cancel)
    except dnsrenew.Cancelled:
        print("stopped; its TXT values are removed")


def deployerror(renewer: dnsrenew.Renewer) -> None:
    for outcome in renewer.deploy():
        for result in outcome.deployed:
            if isinstance(result.error, dnsrenew.DeployError):
                print(result.target, result.error.fix)


def renewalfailed(account: dnsrenew.DnsAccount) -> None:
    try:
        dnsrenew.obtain("home.example.com", dns=account, agree_terms=True)
    except dnsrenew.RenewalFailed as error:
        print([(attempt.route.ca, str(attempt.error)) for attempt in error.attempts])


def attempterror(renewer: dnsrenew.Renewer) -> None:
    for outcome in renewer.renew():
        if isinstance(outcome.error, dnsrenew.AttemptError):
            print("another route may work:", outcome.error.fix)


def providererror() -> None:
    class Refusing:
        def add(self, records: Sequence[dnsrenew.TxtRecord]) -> None:
            raise dnsrenew.ProviderError("provider-unauthorized", "The token is refused.", fix="Make a new one.")

    print(Refusing)


def dnserror(error: dnsrenew.RenewalFailed) -> None:
    if isinstance(error.__cause__, dnsrenew.DnsError):
        print(error.__cause__.code, error.__cause__.evidence)


def propagationerror(error: dnsrenew.RenewalFailed) -> None:
    if isinstance(error.__cause__, dnsrenew.PropagationError):
        print("call again with propagation={'timeout': 900}")


def challengeerror(error: dnsrenew.RenewalFailed) -> None:
    if isinstance(error.__cause__, dnsrenew.ChallengeError):
        print(error.__cause__.fix)


def caerror(error: dnsrenew.RenewalFailed) -> None:
    if isinstance(error.__cause__, dnsrenew.CAError):
        print(error.__cause__.type, error.__cause__.detail, error.__cause__.retry_after)


# ── dnsrenew.testing ────────────────────────────────────────────────────────────────────


def acme_box() -> None:
    with testing.acme_box() as box:
        certificate = dnsrenew.obtain("home.example.com", **box.arguments)
        assert certificate.domains == ("home.example.com",)


def acmebox() -> None:
    with testing.acme_box() as box:
        box.fail_next("rateLimited", retry_after=60)
        box.age = timedelta(days=80)  # what is issued now is due at once
        print(box.toml())


def inmemorydriver() -> None:
    driver = testing.InMemoryDriver()
    driver.add([dnsrenew.TxtRecord("example.com.", "_acme-challenge.example.com.", "a-value", 60)])
    print(driver.look("_acme-challenge.example.com."))


def issuedcertificate() -> None:
    with testing.acme_box() as box:
        dnsrenew.obtain("home.example.com", **box.arguments)
        print([issued.names for issued in box.issued])


def check_driver() -> None:
    driver = testing.InMemoryDriver()
    testing.check_driver(lambda: driver, "example.com", look=driver.look)

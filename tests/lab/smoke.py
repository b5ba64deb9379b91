"""A minimal ACME client, with requests, cryptography and dnspython: proof that the lab works.

Run it: `python -m tests.lab.smoke [NAMES] [LAG]`. No checks, no retries, one thread: an example, not a client.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from . import Lab

_POLL = 0.02
_PATIENCE = 60


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Client:
    """An account at the CA, created at its first use."""

    directory_url: str
    trust: str
    session: requests.Session = field(default_factory=requests.Session)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    account: str = ""
    nonce: str = ""
    polls: list[tuple[str, str, str | None]] = field(default_factory=list)
    """What polling gave: (what, status, Retry-After)."""

    def __post_init__(self) -> None:
        """Read the directory, make the account."""
        self.session.verify = self.trust
        self.session.trust_env = False
        self.directory = self.session.get(self.directory_url, timeout=30).json()
        self.nonce = self.session.head(self.directory["newNonce"], timeout=30).headers["Replay-Nonce"]
        made = self.post(self.directory["newAccount"], {"termsOfServiceAgreed": True})
        self.account = made.headers["Location"]

    def jwk(self) -> dict[str, str]:
        """The public key, in the order of RFC 7638."""
        numbers = self.key.public_key().public_numbers()
        return {
            "crv": "P-256",
            "kty": "EC",
            "x": _b64(numbers.x.to_bytes(32)),
            "y": _b64(numbers.y.to_bytes(32)),
        }

    def txt_value(self, token: str) -> str:
        """The TXT value of RFC 8555 section 8.4."""
        thumbprint = _b64(hashlib.sha256(json.dumps(self.jwk(), separators=(",", ":")).encode()).digest())
        return _b64(hashlib.sha256(f"{token}.{thumbprint}".encode()).digest())

    def post(self, url: str, payload: object = None) -> requests.Response:
        """A signed POST; without a payload a POST-as-GET."""
        who: dict[str, Any] = {"kid": self.account} if self.account else {"jwk": self.jwk()}
        protected = _b64(json.dumps({"alg": "ES256", "nonce": self.nonce, "url": url, **who}).encode())
        body = "" if payload is None else _b64(json.dumps(payload).encode())
        r, s = decode_dss_signature(self.key.sign(f"{protected}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        jws = {"protected": protected, "payload": body, "signature": _b64(r.to_bytes(32) + s.to_bytes(32))}
        response = self.session.post(url, json=jws, headers={"Content-Type": "application/jose+json"}, timeout=30)
        self.nonce = response.headers.get("Replay-Nonce", "")
        response.raise_for_status()
        return response

    def poll(self, what: str, url: str, *wanted: str) -> dict[str, Any]:
        """Poll every 20 ms until the status is one of these."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            response = self.post(url)
            found: dict[str, Any] = response.json()
            self.polls.append((what, found["status"], response.headers.get("Retry-After")))
            if found["status"] in wanted:
                return found
            if found["status"] == "invalid":
                raise RuntimeError(json.dumps(found))
            time.sleep(_POLL)
        raise TimeoutError(url)


def issue(lab: Lab, domains: list[str], client: Client | None = None) -> tuple[str, dict[str, float]]:
    """Return a chain in PEM for domains in the lab's example.test, and the seconds of each step."""
    client = client or Client(lab.directory_url, str(lab.ca.trust_pem))
    marks = [("begin", time.perf_counter())]

    def mark(step: str) -> None:
        marks.append((step, time.perf_counter()))

    identifiers = [{"type": "dns", "value": domain} for domain in domains]
    made = client.post(client.directory["newOrder"], {"identifiers": identifiers})
    order, order_url = made.json(), made.headers["Location"]
    authorizations = [client.post(url).json() for url in order["authorizations"]]
    mark("order")
    challenges = [
        (f"_acme-challenge.{authz['identifier']['value']}.", challenge)
        for authz in authorizations
        for challenge in authz["challenges"]
        if authz["status"] == "pending" and challenge["type"] == "dns-01"
    ]
    records = [(name, "TXT", client.txt_value(challenge["token"])) for name, challenge in challenges]
    lab.update("example.test", add=records, key=lab.key)
    mark("update")
    _wait_for(lab, records)
    mark("propagation")
    for _, challenge in challenges:
        client.post(challenge["url"], {})
    mark("challenges")
    client.poll("order", order_url, "ready")
    mark("validation")
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, critical=False)
    der = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    answer = client.post(order["finalize"], {"csr": _b64(der)})
    client.polls.append(("finalize", answer.json()["status"], answer.headers.get("Retry-After")))
    mark("finalize")
    order = client.poll("issuance", order_url, "valid")
    mark("issuance")
    chain = client.post(order["certificate"]).text
    lab.update("example.test", remove=records, key=lab.key)
    mark("end")
    return chain, {step: after - before for (_, before), (step, after) in itertools.pairwise(marks)}


def _wait_for(lab: Lab, records: list[tuple[str, str, str]]) -> None:
    for name, _, value in records:
        for server in lab.ns:
            end = time.monotonic() + _PATIENCE
            while value not in lab.txt(name, server):
                if time.monotonic() > end:
                    raise TimeoutError(name)
                time.sleep(_POLL)


def main() -> None:
    """Issue one certificate and print the time of each step."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    lag = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    domains = ["example.test", "*.example.test"][:count] + [f"n{n}.example.test" for n in range(2, count)]
    begin = time.perf_counter()
    with Lab.start(lag=lag) as lab:
        started = time.perf_counter()
        client = Client(lab.directory_url, str(lab.ca.trust_pem))
        chain, steps = issue(lab, domains, client)
        print(f"lab {started - begin:.2f} s, certificate {time.perf_counter() - started:.2f} s")
        for step, seconds in steps.items():
            print(f"  {step:12} {seconds * 1000:8.1f} ms")
        print(dict.fromkeys(client.polls))
        print(x509.load_pem_x509_certificates(chain.encode())[0].subject)


if __name__ == "__main__":
    main()

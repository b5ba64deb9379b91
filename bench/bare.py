"""A bare script: the minimum of a Python client for a certificate.

Run it: `python bench/bare.py SETTINGS FOLDER NAME…`. One requests.Session, cryptography, dnspython; one thread; no
store, no config, no checks, no retries, no clean-up. Its settings contain what dnsrenew has to find out (the zone and
the addresses of its servers). It keeps only the chain and the key, and polls again after 20 ms, whatever Retry-After
the CA sends. What dnsrenew costs is measured against it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.tsig
import dns.update
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

POLL = 0.02
"""Seconds between two polls of DNS and of the CA."""


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 8555 section 6.1)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Client:
    """A new account at the CA, and signed requests by it."""

    def __init__(self, directory: str, trust: str) -> None:
        self.session = requests.Session()
        self.session.verify, self.session.trust_env = trust, False
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}
        canonical = json.dumps(self.jwk, separators=(",", ":")).encode()
        self.thumbprint = b64(hashlib.sha256(canonical).digest())
        self.who: dict[str, Any] = {"jwk": self.jwk}
        self.urls = self.session.get(directory, timeout=30).json()
        self.nonce = self.session.head(self.urls["newNonce"], timeout=30).headers["Replay-Nonce"]
        account = self.post(self.urls["newAccount"], {"termsOfServiceAgreed": True})
        self.who = {"kid": account.headers["Location"]}

    def post(self, url: str, payload: object = None) -> requests.Response:
        """A signed POST; without a payload a POST-as-GET."""
        protected = b64(json.dumps({"alg": "ES256", "nonce": self.nonce, "url": url, **self.who}).encode())
        body = "" if payload is None else b64(json.dumps(payload).encode())
        r, s = decode_dss_signature(self.key.sign(f"{protected}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        jws = {"protected": protected, "payload": body, "signature": b64(r.to_bytes(32) + s.to_bytes(32))}
        answer = self.session.post(url, json=jws, headers={"Content-Type": "application/jose+json"}, timeout=30)
        answer.raise_for_status()
        self.nonce = answer.headers["Replay-Nonce"]
        return answer

    def wait(self, url: str, status: str) -> dict[str, Any]:
        """Poll the order until it has the status, and return it."""
        while True:
            order: dict[str, Any] = self.post(url).json()
            if order["status"] == status:
                return order
            if order["status"] == "invalid":
                raise SystemExit(f"the order is invalid: {order}")
            time.sleep(POLL)


def write(settings: dict[str, Any], values: list[tuple[str, str]]) -> None:
    """All TXT values in one RFC 2136 update."""
    key = dns.tsig.Key(settings["key"], settings["secret"], algorithm="hmac-sha256.")
    update = dns.update.UpdateMessage(settings["zone"], keyring=key)
    for name, value in values:
        update.add(name, 60, "TXT", value)
    code = dns.query.tcp(update, settings["servers"][0], port=settings["port"], timeout=30).rcode()
    if code:
        raise SystemExit(f"the update was refused: {code}")


def wait_visible(settings: dict[str, Any], values: list[tuple[str, str]]) -> None:
    """Wait until each server has every value."""
    for server in settings["servers"]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            for name, value in values:
                question = dns.message.make_query(name, "TXT", flags=0)
                while not _has(line, question, (server, settings["port"]), value):
                    time.sleep(POLL)


def _has(line: socket.socket, question: dns.message.Message, place: tuple[str, int], value: str) -> bool:
    answer = dns.query.udp(question, place[0], port=place[1], timeout=30, sock=line)
    return any(value in record.to_text() for rrset in answer.answer for record in rrset)


def main() -> None:
    """Settings and names in, two files out."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    folder, names = Path(sys.argv[2]), sys.argv[3:]
    client = Client(settings["directory"], settings["trust"])
    identifiers = [{"type": "dns", "value": name} for name in names]
    made = client.post(client.urls["newOrder"], {"identifiers": identifiers})
    order = made.json()
    values, answers = [], []
    for url in order["authorizations"]:
        authorization = client.post(url).json()
        challenge = next(each for each in authorization["challenges"] if each["type"] == "dns-01")
        proof = b64(hashlib.sha256(f"{challenge['token']}.{client.thumbprint}".encode()).digest())
        values.append((f"_acme-challenge.{authorization['identifier']['value']}.", proof))
        answers.append(challenge["url"])
    write(settings, values)
    wait_visible(settings, values)
    for url in answers:
        client.post(url, {})
    client.wait(made.headers["Location"], "ready")
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(alternatives, critical=False)
    signed = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    client.post(order["finalize"], {"csr": b64(signed)})
    order = client.wait(made.headers["Location"], "valid")
    (folder / "fullchain.pem").write_text(client.post(order["certificate"]).text)
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))


if __name__ == "__main__":
    main()

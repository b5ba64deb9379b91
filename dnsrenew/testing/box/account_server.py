"""Requests to the CA of a box, and its accounts (RFC 8555 sections 6 to 7.3), without HTTP."""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from dnsrenew.testing.box.resources import AcmeProblem, BoxAccount, BoxAnswer, SignedRequest, json_answer, thumbprint

_LISTED: Final = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo")

Handler = Callable[[SignedRequest, str], BoxAnswer]
"""Answers a request to a URL."""


class AccountServer:
    """A CA as far as it has accounts. Thread-safe.

    :param base: the address that its URLs begin with.
    :param verifies: whether it checks signatures.
    :param accounts: by URL; the CA adds new ones.
    :param meta: what the directory says beside the resources.
    """

    def __init__(
        self, base: str, *, verifies: bool, accounts: dict[str, BoxAccount] | None, meta: Mapping[str, Any] | None
    ) -> None:
        self.base = base
        self.accounts = {} if accounts is None else accounts
        self.meta = dict(meta or {})
        self._verifies = verifies
        self._nonces: set[str] = set()
        self._failures: dict[str, deque[AcmeProblem]] = {}
        self._lock = threading.RLock()
        self._public: dict[str, Callable[[str], BoxAnswer]] = {
            "directory": self._directory,
            "newNonce": lambda _: BoxAnswer(200, headers=(("Cache-Control", "no-store"),)),
        }
        self._resources: dict[str, Handler] = {
            "newAccount": self._new_account,
            "account": self._change_account,
            "keyChange": self._change_key,
        }

    @property
    def resources(self) -> frozenset[str]:
        """The resources to which a request can be sent."""
        return frozenset(self._resources)

    def fail(self, resource: str, problem: AcmeProblem) -> None:
        """Refuse the next request for a resource that has no refusal yet."""
        with self._lock:
            self._failures.setdefault(resource, deque()).append(problem)

    def nonce(self) -> str:
        """Return a new nonce."""
        with self._lock:
            self._nonces.add(nonce := secrets.token_urlsafe(16))
        return nonce

    def answer(self, method: str, path: str, body: bytes) -> BoxAnswer:
        """Answer a request, a refusal as a problem document (RFC 8555 section 6.7)."""
        try:
            return self._post(path, SignedRequest.read(body)) if method == "POST" else self._get(path)
        except AcmeProblem as problem:
            return problem.answer()

    # ── requests ────────────────────────────────────────────────────────────────────────

    def _get(self, path: str) -> BoxAnswer:
        resource, _, rest = path.strip("/").partition("/")
        if resource not in self._public:
            raise AcmeProblem("notFound", f"there is no {path}")
        return self._public[resource](rest)

    def _directory(self, _rest: str) -> BoxAnswer:
        names = (name for name in _LISTED if name in self._public or name in self._resources)
        body: dict[str, Any] = {name: f"{self.base}/{name}" for name in names}
        return json_answer({**body, "meta": self.meta})

    def _post(self, path: str, request: SignedRequest) -> BoxAnswer:
        resource = path.strip("/").partition("/")[0]
        if resource not in self._resources:
            raise AcmeProblem("notFound", f"there is no {path}")
        work = self._resources[resource]
        with self._lock:
            self._check(path, request, resource)
            if resource != "challenge":
                if failure := self._failure_of(resource):
                    raise failure
                return work(request, f"{self.base}{path}")
        # Without the lock: a validation by http-01 asks the program under test.
        return work(request, f"{self.base}{path}")

    def _check(self, path: str, request: SignedRequest, resource: str) -> None:
        """Check nonce, URL, key and signature (RFC 8555 section 6)."""
        header = request.header
        if header.get("nonce") not in self._nonces:
            raise AcmeProblem("badNonce", "the nonce is not known")
        self._nonces.discard(header["nonce"])
        if header.get("url") != f"{self.base}{path}":
            raise AcmeProblem("unauthorized", "the URL of the JWS is another one")
        if resource in {"newAccount", "revokeCert"} and "jwk" in header:
            self._verify(request, header["jwk"])
            return
        account = self.accounts.get(str(header.get("kid")))
        if account is None:
            raise AcmeProblem("accountDoesNotExist", "there is no such account")
        if account.status != "valid":
            raise AcmeProblem("unauthorized", f"the account is {account.status}")
        self._verify(request, account.jwk)

    def _verify(self, request: SignedRequest, jwk: Mapping[str, Any]) -> None:
        if self._verifies:
            request.verify(jwk)

    def _failure_of(self, resource: str) -> AcmeProblem | None:
        """Return the refusal that a test has asked for."""
        with self._lock:
            failures = self._failures.get(resource)
            return failures.popleft() if failures else None

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def _new_account(self, request: SignedRequest, _url: str) -> BoxAnswer:
        jwk, wanted = request.header["jwk"], request.payload or {}
        known = self._account_with(jwk)
        if known is not None:
            return json_answer(known.to_dict(), headers=(("Location", known.url),))
        if wanted.get("onlyReturnExisting"):
            raise AcmeProblem("accountDoesNotExist", "there is no account with this key")
        if "termsOfService" in self.meta and wanted.get("termsOfServiceAgreed") is not True:
            raise AcmeProblem("userActionRequired", "the terms of service are not agreed to")
        account = BoxAccount(f"{self.base}/account/{len(self.accounts) + 1}", jwk, wanted.get("contact", ()))
        self.accounts[account.url] = account
        return json_answer(account.to_dict(), 201, (("Location", account.url),))

    def _account_with(self, jwk: Mapping[str, Any]) -> BoxAccount | None:
        mark = thumbprint(jwk)
        return next((each for each in self.accounts.values() if each.thumbprint == mark), None)

    def _change_account(self, request: SignedRequest, url: str) -> BoxAnswer:
        account, changes = self.accounts[request.header["kid"]], request.payload or {}
        if url != account.url:
            raise AcmeProblem("unauthorized", "the account is another one")
        account.contact = changes.get("contact", account.contact)
        account.status = "deactivated" if changes.get("status") == "deactivated" else account.status
        return json_answer(account.to_dict())

    def _change_key(self, request: SignedRequest, _url: str) -> BoxAnswer:
        """Replace the key of an account (RFC 8555 section 7.3.5)."""
        inner = SignedRequest.read(json.dumps(request.payload).encode())
        account, jwk = self.accounts[request.header["kid"]], inner.header.get("jwk", {})
        self._verify(inner, jwk)
        if self._account_with(jwk) is not None:
            raise AcmeProblem("conflict", "another account has this key")
        account.former.append(account.thumbprint)
        account.jwk = jwk
        return json_answer(account.to_dict())

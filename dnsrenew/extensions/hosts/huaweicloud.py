"""Huawei Cloud (https://support.huaweicloud.com/intl/en-us/api-dns/): the API of Flexible Engine, with signed requests.

Signatures: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, urlsplit

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.drivers.host_api import HostApi
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts.flexibleengine import FlexibleEngineDriver


class HuaweiCloudDriver(FlexibleEngineDriver):
    """Writes through the DNS API of Huawei Cloud, with an access key and its secret."""

    def connect(self) -> HostApi:
        """Return the API of the account."""
        return HuaweiCloudApi(self.context, SystemClock())


class HuaweiCloudApi(HostApi):
    """Requests that are signed with the secret (SDK-HMAC-SHA256)."""

    def __init__(self, context: DriverContext, clock: Clock) -> None:
        super().__init__(context, f"https://dns.{context.text('region')}.myhuaweicloud.com/v2")
        self._clock = clock
        self._key, self._secret = context.text("access_key_id"), context.text("secret_access_key")

    def json(self, method: str, path: str = "", *, params: Any = None, content: Any = None, **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer; the names and values of parameters are signed too.

        :raises HostError: the status is 400 or above, or the body is not JSON.
        """
        query = "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in sorted((params or {}).items()))
        body = b"" if content is None else json.dumps(content).encode()
        time = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        signed = {"Authorization": self._signed(method, path, query, body, time), "X-Sdk-Date": time}
        headers = {"Content-Type": "application/json", **signed}
        path += f"?{query}" if query else ""
        return super().json(method, path, body=body or None, headers=headers, **arguments)

    def _signed(self, method: str, path: str, query: str, body: bytes, time: str) -> str:
        """Return the value of the header ``Authorization``; the path ends with a slash in what is signed."""
        address = urlsplit(self.address + path)
        headers = f"host:{address.netloc}\nx-sdk-date:{time}\n"
        asked = f"{method}\n{address.path}/\n{query}\n{headers}\nhost;x-sdk-date\n{hashlib.sha256(body).hexdigest()}"
        text = f"SDK-HMAC-SHA256\n{time}\n{hashlib.sha256(asked.encode()).hexdigest()}"
        signature = hmac.digest(self._secret.encode(), text.encode(), hashlib.sha256).hex()
        return f"SDK-HMAC-SHA256 Access={self._key}, SignedHeaders=host;x-sdk-date, Signature={signature}"


def _quoted(value: object) -> str:
    return quote(str(value), safe="~")

"""Huawei Cloud (https://support.huaweicloud.com/intl/en-us/api-dns/): the API of Flexible Engine, with signed requests.

Signatures: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from dnsrenew.extensions.hosts.flexibleengine import FlexibleEngineDriver
from dnsrenew.extensions.hosts.record_driver import digest, keyed


class HuaweiCloudDriver(FlexibleEngineDriver):
    """Writes through the DNS API of Huawei Cloud, with an access key and its secret."""

    address = "https://dns.{region}.myhuaweicloud.com/v2"
    headers: ClassVar = {"Content-Type": "application/json"}

    def json(self, method: str, path: str = "", *, params: Any = None, **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer. The names and values of parameters are signed too.

        :raises HostError: the status is 400 or above, or the body is not JSON.
        """
        query = "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in sorted((params or {}).items()))
        return super().json(method, f"{path}?{query}" if query else path, **arguments)

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the header ``Authorization``. The signed path ends with a slash."""
        secret, place, time = self.text, self.place(path), f"{self.now():%Y%m%dT%H%M%SZ}"
        lines = f"host:{place.netloc}\nx-sdk-date:{time}\n\nhost;x-sdk-date\n{digest(body)}"
        asked = f"{method}\n{place.path}/\n{place.query}\n{lines}"
        text = f"SDK-HMAC-SHA256\n{time}\n{digest(asked)}"
        signature = keyed(secret("secret_access_key"), text).hex()
        credentials = f"Access={secret('access_key_id')}, SignedHeaders=host;x-sdk-date, Signature={signature}"
        headers |= {"Authorization": f"SDK-HMAC-SHA256 {credentials}", "X-Sdk-Date": time}


def _quoted(value: object) -> str:
    return quote(str(value), safe="~")

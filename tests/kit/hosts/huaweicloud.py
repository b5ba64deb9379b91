"""Huawei Cloud, from https://support.huaweicloud.com/intl/en-us/api-dns/ (zones, record sets of version 2).

Signatures are those of https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

from tests.kit.api_server import Asked
from tests.kit.hosts.flexibleengine import FlexibleEngine

_AUTHORIZATION = re.compile(r"SDK-HMAC-SHA256 Access=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})")


class HuaweiCloud(FlexibleEngine):
    """The API of Flexible Engine is that of Huawei Cloud, whose requests are signed with an access key."""

    provider = "huaweicloud"
    credentials: ClassVar = {
        "access_key_id": "QTWAOYTTINDUT2QVKYUC",
        "secret_access_key": "MFyfvK41ba2giqM7good-secret-4711",
        "region": "ap-southeast-1",
    }
    secret = "secret_access_key"

    def is_allowed(self, asked: Asked) -> bool:
        """Tell whether a request is signed with the access key."""
        found = _AUTHORIZATION.fullmatch(asked.headers.get("Authorization", ""))
        time = asked.headers.get("X-Sdk-Date", "")
        if found is None or found[1] != self.credentials["access_key_id"]:
            return False
        late = datetime.now(UTC) - datetime.strptime(time + "+0000", "%Y%m%dT%H%M%SZ%z")
        if abs(late.total_seconds()) > 900 or not {"host", "x-sdk-date"} <= set(found[2].split(";")):
            return False
        parts, given = urlsplit(asked.path), {name.lower(): value for name, value in asked.headers.items()}
        query = "&".join(
            f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(parse_qsl(parts.query))
        )
        path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        headers = "".join(f"{name}:{given[name].strip()}\n" for name in found[2].split(";"))
        lines = [asked.method, path, query, headers, found[2], hashlib.sha256(asked.octets).hexdigest()]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        text = f"SDK-HMAC-SHA256\n{time}\n{digest}"
        key = self.credentials["secret_access_key"].encode()
        return hmac.new(key, text.encode(), "sha256").hexdigest() == found[3]

"""Running servers."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "If the next check does not fix it, renew it again: dnsrenew renew --force {name}, or obtain(force=True).": (
        "如果下次检查后仍未恢复，请再次续期：dnsrenew renew --force {name}，或 obtain(force=True)。"
    ),
    "It is tried again within the hour; report the error if it comes back.": (
        "它会在一小时内重试；如果错误再次出现，请报告。"
    ),
    "The renewal of {names} in the background stopped because of an unexpected error: {reason}.": (
        "后台对 {names} 的续期因意外错误而停止：{reason}。"
    ),
    "The server cannot use the new certificate {name}, and keeps the old one: {reason}.": (
        "服务器无法使用新证书 {name}，继续使用旧证书：{reason}。"
    ),
}

"""The choice of routes."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add a route for it, or a DNS account that can write its TXT record.": (
        "请为它添加途径，或添加能写入其 TXT 记录的 DNS 账户。"
    ),
    "No route is left for {identifiers}.": "{identifiers} 没有剩余的途径。",
    "{first} Same for {others} and {more} more.": "{first}（{others} 和另外 {more} 个名称也是如此。）",
    "{first} Same for {others}.": "{first}（{others} 也是如此。）",
}

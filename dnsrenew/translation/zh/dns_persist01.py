"""The challenge dns-persist-01."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01, and the DNS account {accounts} cannot hold one.": (
        "DNS 中没有允许账户 {account_url}（CA {ca}）以 dns-persist-01 验证 {identifiers} 的 TXT 记录，而 DNS 账户 "
        "{accounts} 无法存放这种记录。"
    ),
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01.": (
        "DNS 中没有允许账户 {account_url}（CA {ca}）以 dns-persist-01 验证 {identifiers} 的 TXT 记录。"
    ),
    "DNS has no valid TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01. The record there {reason}.": (
        "DNS 中没有允许账户 {account_url}（CA {ca}）以 dns-persist-01 验证 {identifiers} 的有效 TXT 记录。现有的记"
        "录{reason}。"
    ),
    "It does no harm; delete it at your DNS host: {line}": "它没有害处；请在 DNS 服务商处删除它：{line}",
    "Set a new record at your DNS host before then, and delete the old one: {line}": (
        "请在此之前在 DNS 服务商处设置新记录，并删除旧记录：{line}"
    ),
    "Set once at the DNS host of the domain, and run dnsrenew renew again: {lines}": (
        "请在该域名的 DNS 服务商处设置一次，然后重新运行 dnsrenew renew：{lines}"
    ),
    "Set once at your DNS host, and run dnsrenew renew again: {lines}": (
        "请在 DNS 服务商处设置一次，然后重新运行 dnsrenew renew：{lines}"
    ),
    "The CA {ca} offers dns-persist-01 for {identifier}, but {reason}.": (
        "CA {ca} 为 {identifier} 提供 dns-persist-01，但{reason}。"
    ),
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}.": (
        "{name} 处以 dns-persist-01 验证 {identifiers} 的 TXT 记录有效期至 {until}。"
    ),
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}. A new one "
    "could not be written: {error}": (
        "{name} 处以 dns-persist-01 验证 {identifiers} 的 TXT 记录有效期至 {until}。无法写入新记录：{error}"
    ),
    "The challenge dns-persist-01 cannot validate an IP address: {identifiers}.": (
        "dns-persist-01 质询不能验证 IP 地址：{identifiers}。"
    ),
    "The old TXT record at {name} could not be removed after a new one was written: {error}": (
        "写入新记录之后，无法删除 {name} 处的旧 TXT 记录：{error}"
    ),
    "a TXT record cannot hold the account URI {uri}": "TXT 记录无法容纳账户 URI {uri}",
    "has no policy=wildcard, which a wildcard needs": "没有通配符域名所需的 policy=wildcard",
    "is for another account of this CA": "属于此 CA 的另一个账户",
    "it does not accept the issuer domain name {issuer} of its directory": "它不接受其目录中的签发者域名 {issuer}",
    "its directory has no accountHashPrefix": "其目录中没有 accountHashPrefix",
    "its list of issuer domain names is missing or malformed": "其签发者域名列表缺失或格式错误",
    "the account would be {uri}, which is not at the host of the CA": "账户将是 {uri}，而它不在该 CA 的主机上",
    "the issuer domain name {issuer} is not one of its names in CAA records": (
        "签发者域名 {issuer} 不是它在 CAA 记录中使用的名称"
    ),
    "was valid until {until}": "已于 {until} 失效",
}

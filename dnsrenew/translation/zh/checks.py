"""Checks of addresses and CAA records."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add this record at the DNS host of {owner}: {wanted}": "请在 {owner} 的 DNS 服务商处添加此记录：{wanted}",
    "Correct the {kind} record of {identifier}, remove it, or use a dns-01 route.": (
        "请改正 {identifier} 的 {kind} 记录，或将其删除，或使用 dns-01 途径。"
    ),
    "Forward port 80 of {identifier} to this host, or run dnsrenew on the host that has this address.": (
        "请把 {identifier} 的 80 端口转发到本机，或在拥有此地址的主机上运行 dnsrenew。"
    ),
    "Give {identifier} an A record with the public address of this host, or use a dns-01 route.": (
        "请为 {identifier} 添加指向本机公网地址的 A 记录，或使用 dns-01 途径。"
    ),
    "If {address} is your router, forward its port 80 to this host; otherwise correct the A record of {identifier}.": (
        "如果 {address} 是您的路由器，请把它的 80 端口转发到本机；否则请改正 {identifier} 的 A 记录。"
    ),
    "It is unknown whether CAA records restrict {identifier}. {reason}": (
        "无法得知 CAA 记录是否限制 {identifier}。{reason}"
    ),
    "No CAA record restricts issuance for {identifier}.": "没有 CAA 记录限制为 {identifier} 签发证书。",
    "Remove this record at the DNS host of {owner}: {record}": "请在 {owner} 的 DNS 服务商处删除此记录：{record}",
    "Replace this record by one that names the CA, or remove it, at the DNS host of {owner}: {record}": (
        "请在 {owner} 的 DNS 服务商处，把此记录换成指定该 CA 的记录，或将其删除：{record}"
    ),
    "Make sure that every host of {identifier} answers challenges, or use a dns-01 route.": (
        "请确保 {identifier} 的每台主机都能应答质询，或使用 dns-01 途径。"
    ),
    "The critical CAA record at {place} with the tag {tag}, unknown to CAs, forbids all of them to issue for "
    "{identifier}.": (
        "{place} 处有标记为 critical 且 CA 不认识其标签 {tag} 的 CAA 记录，禁止所有 CA 为 {identifier} 签发证书。"
    ),
    "The CAA records at {place} allow it.": "{place} 处的 CAA 记录允许签发。",
    "The CAA records at {place} allow no CA to issue for {identifier} (a malformed record allows no CA).": (
        "{place} 处的 CAA 记录不允许任何 CA 为 {identifier} 签发证书（格式错误的记录不允许任何 CA）。"
    ),
    "The CAA records at {place} allow no CA to issue for {identifier} (a record names this CA, but its conditions "
    "cannot be met).": (
        "{place} 处的 CAA 记录不允许任何 CA 为 {identifier} 签发证书（有一条记录写明了此 CA，但其条件无法满足）。"
    ),
    "The CAA records at {place} allow no CA to issue for {identifier}.": (
        "{place} 处的 CAA 记录不允许任何 CA 为 {identifier} 签发证书。"
    ),
    "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier} (a malformed record allows "
    "no CA).": (
        "{place} 处的 CAA 记录只允许 {issuers} 而不允许 {ca} 为 {identifier} 签发证书（格式错误的记录不允许任何 CA）。"
    ),
    "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier} (a record names this CA, "
    "but its conditions cannot be met).": (
        "{place} 处的 CAA 记录只允许 {issuers} 而不允许 {ca} 为 {identifier} 签发证书（有一条记录写明了此 CA，但其条件"
        "无法满足）。"
    ),
    "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier}.": (
        "{place} 处的 CAA 记录只允许 {issuers} 而不允许 {ca} 为 {identifier} 签发证书。"
    ),
    "The CAA records at {place} allow {ca} to issue for {identifier} only by {methods}, not by {challenge}.": (
        "{place} 处的 CAA 记录只允许 {ca} 用 {methods} 为 {identifier} 签发证书，不允许用 {challenge}。"
    ),
    "The CAA records at {place} allow {ca} to issue for {identifier} only for another account than this one.": (
        "{place} 处的 CAA 记录只允许 {ca} 通过另一个账户为 {identifier} 签发证书，不允许通过此账户。"
    ),
    "The {kind} record of {identifier} points to {address}, and this host has no address of that family.": (
        "{identifier} 的 {kind} 记录指向 {address}，而本机没有该地址族的地址。"
    ),
    "The {kind} record of {identifier} points to {address}, which belongs to {proxy}; it is unknown whether it passes "
    "requests on to this host.": (
        "{identifier} 的 {kind} 记录指向 {address}，该地址属于 {proxy}；无法得知它是否把请求转发到本机。"
    ),
    "The {kind} record of {identifier} points to {address}, which is not an address of this host ({own}).": (
        "{identifier} 的 {kind} 记录指向 {address}，它不是本机的地址（{own}）。"
    ),
    "There are CAA records at {place}, but the CA does not state its CAA identities.": (
        "{place} 处有 CAA 记录，但 CA 没有公布其 CAA 标识。"
    ),
    "Use a dns-01 route for {identifier}, or make sure that the proxy passes /.well-known/acme-challenge/ on to this "
    "host.": ("请对 {identifier} 使用 dns-01 途径，或确保代理把 /.well-known/acme-challenge/ 转发到本机。"),
    "Whether the CA may issue for {identifier} depends on how it interprets this record: {record}": (
        "CA 能否为 {identifier} 签发证书，取决于它如何解读此记录：{record}"
    ),
    "{found_at} (through its CNAME record, at {owner})": "{found_at}（经由其 CNAME 记录，位于 {owner}）",
    "{identifier} has no A or AAAA record, so the CA finds no host to connect to.": (
        "{identifier} 没有 A 或 AAAA 记录，因此 CA 找不到可连接的主机。"
    ),
    "{identifier} is not an address of this host.": "{identifier} 不是本机的地址。",
    "{identifier} points to this host and to others ({address}); the CA connects to one of them.": (
        "{identifier} 指向本机和其他主机（{address}）；CA 会连接其中之一。"
    ),
    "{identifier} resolves to this host.": "{identifier} 解析到本机。",
    "{some} and {last}": "{some} 和 {last}",
    "{some} or {last}": "{some} 或 {last}",
}

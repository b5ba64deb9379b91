"""The doctor: the words around its checks, on a terminal, in Markdown and in the report."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "! worth knowing": "! 值得注意",
    "1 check found nothing wrong.": "1 项检查没有发现问题。",
    "? not known": "? 未知",
    "Certificate": "证书",
    "Certificates in time": "证书的时间线",
    "Changed since the record": "自上次记录以来的变化",
    "Concerns {names} and {more} more.": "涉及 {names} 等，另有 {more} 个。",
    "Concerns {names}.": "涉及 {names}。",
    "Could not be determined": "无法确定",
    "Evidence": "依据",
    "Expires": "到期",
    "Found for several certificates": "多个证书共有的检查结果",
    "Found to be wrong": "存在问题",
    "How a CA reaches this host, and how it finds its records. Each part has the colour of its worst check.": (
        "CA 如何访问本机，以及如何找到本机的记录。每个部分的颜色取决于其中最差的检查结果。"
    ),
    "In order:": "正常：",
    "Internet": "互联网",
    "Made on {time} by dnsrenew {version} on {system}. All times are UTC.": (
        "由 dnsrenew {version}（{system}）于 {time} 生成。所有时间均为 UTC。"
    ),
    "May stop every route.": "可能使所有途径都无法使用。",
    "May stop routes through {through}.": "可能使经由 {through} 的途径无法使用。",
    "May stop {challenges}.": "可能使 {challenges} 无法使用。",
    "Name servers": "域名服务器",
    "Next, for {name}: {action}": "下一步（{name}）：{action}",
    "Next: {action}": "下一步：{action}",
    "Not known:": "未知：",
    "Nothing was found that could be done about it here.": "没有发现可以在此处理的问题。",
    "Of {count} certificates, {can} can be renewed and {cannot} cannot.": (
        "{count} 个证书中，{can} 个可以续期，{cannot} 个不能续期。"
    ),
    "Of {count} certificates, {can} can be renewed, and of {unknown} it is not known.": (
        "{count} 个证书中，{can} 个可以续期，{unknown} 个无法确定。"
    ),
    "Of {count} certificates, {can} can be renewed, {cannot} cannot, and of {unknown} it is not known.": (
        "{count} 个证书中，{can} 个可以续期，{cannot} 个不能续期，{unknown} 个无法确定。"
    ),
    "Parent zone": "父区域",
    "Port 443": "443 端口",
    "Port 443 of this host has changed since {since}: {was} → {now}.": (
        "本机的 443 端口自 {since} 以来有变化：{was} → {now}。"
    ),
    "Port 80": "80 端口",
    "Port 80 of this host has changed since {since}: {was} → {now}.": (
        "本机的 80 端口自 {since} 以来有变化：{was} → {now}。"
    ),
    "Provider (ISP)": "网络运营商",
    "Renewal": "续期",
    "Resolver": "解析器",
    "Router": "路由器",
    "Stops every route.": "使所有途径都无法使用。",
    "Stops routes through {through}.": "使经由 {through} 的途径无法使用。",
    "Stops {challenges}.": "使 {challenges} 无法使用。",
    "The address of the router has changed since {since}: {was} → {now}.": (
        "路由器的地址自 {since} 以来有变化：{was} → {now}。"
    ),
    "The check {code} has changed since {since}: {was} → {now}.": (
        "检查项 {code} 的结果自 {since} 以来有变化：{was} → {now}。"
    ),
    "The code of the check, for the documents": "检查的代码，可据此查阅文档",
    "The firewall before port 80 has changed since {since}: {was} → {now}.": (
        "80 端口前的防火墙自 {since} 以来有变化：{was} → {now}。"
    ),
    "The forwarding of port 80 has changed since {since}: {was} → {now}.": (
        "80 端口的转发自 {since} 以来有变化：{was} → {now}。"
    ),
    "The name servers have changed since {since}: {was} → {now}.": "域名服务器自 {since} 以来有变化：{was} → {now}。",
    "The network": "网络",
    "The path of DNS": "DNS 路径",
    "The public address has changed since {since}: {was} → {now}.": "公网地址自 {since} 以来有变化：{was} → {now}。",
    "The way in": "访问路径",
    "There is nothing to do: all {count} certificates can be renewed.": "无需处理：全部 {count} 个证书都可以续期。",
    "There is nothing to do: {challenges} at {ca} works.": "无需处理：{challenges} 可用（由 {ca} 签发）。",
    "There is nothing to do: {challenges} with {accounts} at {ca} works.": (
        "无需处理：{challenges} 可用（账户 {accounts}，由 {ca} 签发）。"
    ),
    "This file may name domains, addresses and paths; read it before you give it to anyone.": (
        "此文件可能含有域名、地址和路径；交给他人之前请先阅读。"
    ),
    "This host": "本机",
    "This host alone": "仅本机",
    "Time line": "时间线",
    "Valid from": "生效",
    "Valid from {start} to {end}.": "有效期从 {start} 到 {end}。",
    "Valid from {start} to {end}; renewal from {renewal}.": "有效期从 {start} 到 {end}；从 {renewal} 起续期。",
    "What port 443 shows from outside has changed since {since}: {was} → {now}.": (
        "从外部看到的 443 端口自 {since} 以来有变化：{was} → {now}。"
    ),
    "What port 80 shows from outside has changed since {since}: {was} → {now}.": (
        "从外部看到的 80 端口自 {since} 以来有变化：{was} → {now}。"
    ),
    "What the doctor found": "诊断结果",
    "It is unknown which certificates can be renewed: only this host was examined.": (
        "无法得知哪些证书可以续期：只检查了本机。"
    ),
    "Worth knowing:": "值得注意：",
    "Worth knowing; this stops no renewal": "值得注意（不影响续期）",
    "Wrong:": "有问题：",
    "dnsrenew doctor: {count} certificates": "诊断（dnsrenew doctor）：{count} 个证书",
    "dnsrenew doctor: {headline}": "诊断（dnsrenew doctor）：{headline}",
    "dnsrenew {version} on {system}": "dnsrenew {version}，运行于 {system}",
    "in order": "正常",
    "no": "否",
    "not known": "未知",
    "not examined": "未检查",
    "wrong": "有问题",
    "yes": "是",
    "{count} certificates can be renewed by {challenges} at {ca}": (
        "{count} 个证书可以通过 {challenges} 续期（由 {ca} 签发）"
    ),
    "{count} certificates can be renewed by {challenges} with {accounts} at {ca}": (
        "{count} 个证书可以通过 {challenges} 续期（账户 {accounts}，由 {ca} 签发）"
    ),
    "{count} checks found nothing wrong.": "{count} 项检查没有发现问题。",
    "{name} can be renewed by {challenges} at {ca}": "{name} 可以通过 {challenges} 续期（由 {ca} 签发）",
    "{name} can be renewed by {challenges} with {accounts} at {ca}": (
        "{name} 可以通过 {challenges} 续期（账户 {accounts}，由 {ca} 签发）"
    ),
    "{name} cannot be renewed": "{name} 不能续期",
    "{name}: it is unknown whether it can be renewed": "{name}：无法确定能否续期",
    "✓ in order": "✓ 正常",
    "✗ 1 is wrong": "✗ 1 项有问题",
    "✗ {count} are wrong": "✗ {count} 项有问题",
}

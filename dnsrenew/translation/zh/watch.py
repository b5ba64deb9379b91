"""Notifications and metrics."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "An unexpected error stopped the messages ({type}).": "消息因意外错误而停止发送（{type}）。",
    "And {count} more. Run: dnsrenew status --failing": "另有 {count} 个。请运行：dnsrenew status --failing",
    "Compare the address with the page of the service in the documentation of apprise.": (
        "请将该地址与 apprise 文档中该服务的页面比对。"
    ),
    "Correct {key} in the configuration, or find out why the service does not accept it.": (
        "请更正配置中的 {key}，或查明该服务为何不接受。"
    ),
    "Free disk space there; the file keeps the numbers of the last run that could write it.": (
        "请在那里腾出磁盘空间；该文件保留上一次成功写入时的数值。"
    ),
    "The store could not record the notification about {name}, so it may be sent again: {reason}.": (
        "无法在存储位置记录关于 {name} 的消息，因此可能会再次发送：{reason}。"
    ),
    "Less than a sixth of the lifetime of the certificate is left.": "该证书的有效期只剩不到六分之一。",
    "Less than a third of the lifetime of the certificate is left.": "该证书的有效期只剩不到三分之一。",
    "Nothing was sent to {address}: apprise does not know this kind of address, or a part of it is missing.": (
        "没有向 {address} 发送任何内容：apprise 不支持这类地址，或地址不完整。"
    ),
    "Nothing was sent to {address}: the package apprise is not installed.": (
        "没有向 {address} 发送任何内容：没有安装 apprise 软件包。"
    ),
    "Nothing was sent to {address}: {reason}.": "没有向 {address} 发送任何内容：{reason}。",
    "No notification about {name} was sent, because the store cannot be read: {reason}.": (
        "没有发送关于 {name} 的消息，因为无法读取存储目录：{reason}。"
    ),
    "Run dnsrenew schedule install again, or add ReadWritePaths={folder} to the service.": (
        "请重新运行 dnsrenew schedule install，或在服务中添加 ReadWritePaths={folder}。"
    ),
    "Set `listen` in [metrics] to an address of this host and a port that is free.": (
        "请把 [metrics] 中的 `listen` 设为本机的地址和空闲的端口。"
    ),
    "Set `textfile` in [metrics] to a file in a folder that exists and that the user of dnsrenew can write to.": (
        "请把 [metrics] 中的 `textfile` 设为一个文件，其所在的目录须存在，且运行 dnsrenew 的用户可以写入。"
    ),
    "The certificate is valid until {until}.": "该证书有效期至 {until}。",
    "The certificate is valid until {until}. The next renewal is due on {renewal}.": (
        "该证书有效期至 {until}，下次应于 {renewal} 续期。"
    ),
    "The metrics cannot be served at {value}: {cause}.": "无法在 {value} 提供指标：{cause}。",
    "Set `textfile` in [metrics] to a path without this link, or run `{command}`.": (
        "请把 [metrics] 中的 `textfile` 设为不经过该链接的路径，或运行 `{command}`。"
    ),
    "{path}, on the way to the metrics {file}, is a link of {owner}, so {owner} decides where {user} writes.": (
        "通往指标文件 {file} 的路径上的 {path} 是 {owner} 的链接，因此 {user} 把文件写到何处由 {owner} 决定。"
    ),
    "The metrics cannot be written to {path}: the disk is full.": "无法把指标写入 {path}：磁盘已满。",
    "The metrics cannot be written to {path}: the service of systemd may not write there.": (
        "无法把指标写入 {path}：systemd 服务不允许写入该处。"
    ),
    "The metrics cannot be written to {path}: {cause}.": "无法把指标写入 {path}：{cause}。",
    "The metrics for {path} cannot be collected: {failure}.": "无法为 {path} 收集指标：{failure}。",
    "The next run tries again.": "下一次运行会重试。",
    "The old certificate expired on {until}.": "旧证书已于 {until} 过期。",
    "The old certificate is valid until {until}.": "旧证书有效期至 {until}。",
    "The renewal of {name} failed: {domains}.": "{name} 续期失败：{domains}。",
    "This is a test message.": "这是一条测试消息。",
    "This is a test message. Messages are sent on: {kinds}.": "这是一条测试消息。以下情况会发送消息：{kinds}。",
    "an unexpected error ({type})": "意外错误（{type}）",
    "dnsrenew on {host}": "{host} 上的 dnsrenew",
    "dnsrenew tries again, not before {time}.": "dnsrenew 会在 {time} 之后重试。",
    "dnsrenew was stopped": "dnsrenew 已停止",
    "dnsrenew: test message": "dnsrenew：测试消息",
    "expired: {names}": "已过期：{names}",
    "it is not a URL that starts with https:// or http://": "它不是以 https:// 或 http:// 开头的 URL",
    "missing: {names}": "缺失：{names}",
    "the last round failed": "上一轮失败",
    "the service answered with status {status}": "该服务应答的状态为 {status}",
    "the service did not accept it": "该服务没有接受",
    "the service did not answer in time": "该服务没有及时应答",
    "the store cannot be read ({code})": "无法读取存储目录（{code}）",
    "{first} (and {count} more)": "{first}（另有 {count} 个）",
    "{names} and {count} more": "{names} 以及另外 {count} 个",
    "{name} is deployed now, after a failure: {to} ({target}).": "{name} 此前部署失败，现已部署：{to}（{target}）。",
    "{name} is in order again after a failed renewal: {domains}.": "{name} 此前续期失败，现已恢复正常：{domains}。",
    "{name} is still not renewed: {domains}.": "{name} 仍未续期：{domains}。",
    "{name} was not deployed: {to} ({target}).": "{name} 未部署：{to}（{target}）。",
    "{name} was renewed: {domains}.": "{name} 已续期：{domains}。",
    "{name}: not deployed": "{name}：未部署",
    "{name}: renewal failed": "{name}：续期失败",
    "{name}: renewed": "{name}：已续期",
    "{name}: still not renewed, expired on {until}": "{name}：仍未续期，已于 {until} 过期",
    "{name}: still not renewed, valid until {until}": "{name}：仍未续期，有效期至 {until}",
    "{name}: works again": "{name}：已恢复正常",
}

"""What ``--help`` prints of ``worker`` and ``fleet``."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A table that was taken out of the configuration stays in the fleet; take it out with dnsrenew fleet remove.": (
        "从配置中删除的表，其证书仍留在集群中；请用 dnsrenew fleet remove 删除。"
    ),
    "Accounts with their keys, certificates, what the CAs said of limits, and orders under way. Of a certificate "
    "that both have, the newer one wins. The folder stays as it is.": (
        "包括账户及其密钥、证书、CA 告知的限额，以及进行中的订单。两处都有的证书以较新的为准。目录保持不变。"
    ),
    "Counts by state, what waits for a worker, the workers that are alive and what they do, the certificates of the "
    "last hour, and what the limits of the CAs leave.": (
        "显示各状态的证书数、等待工作进程处理的证书、运行中的工作进程及其正在处理的证书、最近一小时签发的证书数，以及 "
        "CA 限额的余量。"
    ),
    "Each line is a JSON object: what [[certificate]] can say, and tags. What it does not say, [fleet.defaults] "
    "say. A certificate with tags is changed, and its domains are given to another one, only by a line that has one "
    "of those tags.": (
        "每行是一个 JSON 对象，可用的键与 [[certificate]] 相同，另加 tags。未写出的键取自 [fleet.defaults]。对于有标签"
        "的证书，只有带其中一个标签的行才能更改它，或把它的域名用于另一个证书。"
    ),
    "It has private keys that are not sealed. The documents of fleet add are not in it.": (
        "其中的私钥没有加密。用 fleet add 添加的条目不在其中。"
    ),
    "JSON lines; - for standard input": "每行一个 JSON 对象的文件；- 表示标准输入",
    "Repeated, it changes nothing. It also seals private keys anew after a new seal was put first into [fleet] seal.": (
        "重复运行不会更改任何内容。如果 [fleet] 的 seal 中第一项换成了新密钥，它还会用新密钥重新加密私钥。"
    ),
    "Takes certificates that are due from the database, the most urgent first, until it is stopped. It waits for a "
    "database that does not answer. Ctrl-C ends it with exit status 130, SIGTERM with 143: it takes no more, ends "
    "within a minute what is under way, and hands back the rest. SIGHUP makes it read the configuration again; if "
    "that has a mistake, it says so and keeps the old one.": (
        "从数据库领取应续期的证书，最紧急的优先，直到被停止。数据库没有应答时会等待。Ctrl-C 使它以退出状态 130 结束，"
        "SIGTERM 则为 143：它不再领取证书，在一分钟内完成正在处理的证书，并交还其余的证书。SIGHUP 使它重新读取配置；如"
        "果配置有错误，它会给出提示并继续使用旧配置。"
    ),
    "The log goes to standard error. With --json each log line is a JSON object, and standard output gets one "
    "document at the end: how many certificates had which outcome.": (
        "日志写到标准错误。使用 --json 时，每行日志是一个 JSON 对象，结束时向标准输出打印一个文档：各种结果的证书数。"
    ),
    "The store of the configuration is a PostgreSQL database. Without a command it shows the status.": (
        "配置中的 `store` 须是 PostgreSQL 数据库。不带子命令时显示状态。"
    ),
    "Without --revoke they stay valid at the CA until they expire. Servers stop serving them within seconds.": (
        "不带 --revoke 时，CA 在证书过期之前仍视其为有效。服务器会在几秒内停止提供这些证书。"
    ),
    "a folder that is empty or does not exist": "空目录，或尚不存在的目录",
    'a store that works at once, with store = "backup"': '可立即使用的存储目录，在配置中写上 store = "backup"',
    "add certificates": "添加证书",
    "add or change certificates, all or none": "添加或更改证书（要么全部完成，要么都不做）",
    "all certificates with this tag": "带有此标签的所有证书",
    "certificates at once (default: as [fleet] says, or 16)": "同时处理的证书数（默认：[fleet] 中的值，或 16）",
    "count only certificates with this tag": "只统计带有此标签的证书",
    "from now on the workers renew them": "从现在起由工作进程续期",
    "in the database that `store` names": "在 `store` 指定的数据库中",
    "make the tables": "创建数据表",
    "make the tables, or bring them to this version": "创建数据表，或升级到此版本",
    "manage certificates that several machines share in a database": "管理多台机器通过数据库共享的证书（集群）",
    "names, or patterns such as 'web-*'": "名称，或 'web-*' 这样的模式",
    "obtain and renew them, on any number of machines": "获取并续期这些证书，可在任意多台机器上运行",
    "renew what is due in a fleet, on any number of machines": "续期集群中应续期的证书，可在任意多台机器上运行",
    "revoke them first; what cannot be revoked stays in the fleet": "先吊销；无法吊销的证书留在集群中",
    "show how the fleet is doing": "显示集群的状态",
    "take certificates out of the fleet, with their private keys": "从集群中删除证书及其私钥",
    "the folder that `store` named before": "`store` 之前指定的目录",
    "write the [[certificate]] tables of the configuration into the fleet": "把配置中的 [[certificate]] 表写入集群",
    "write the content of a folder store into the database": "把存储目录的内容写入数据库",
    "write the content of the database into an empty folder": "把数据库的内容写入空目录",
}

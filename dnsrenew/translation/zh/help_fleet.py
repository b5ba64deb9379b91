"""What ``--help`` prints of ``worker`` and ``fleet``."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Each line is a JSON object with the keys of a [[certificate]] table, and tags. [fleet.defaults] supplies keys "
    "that are missing. A line can change a certificate that has tags, or take one of its domains, only if the line "
    "has one of these tags.": (
        "每行是一个 JSON 对象，键与 [[certificate]] 表相同，另加 tags。未写出的键取自 [fleet.defaults]。对于有标签的证"
        "书，只有带其中一个标签的行才能更改它，或使用它的域名。"
    ),
    "JSON lines; - for standard input": "每行一个 JSON 对象的文件；- 表示标准输入",
    "Loads accounts with their keys, certificates, limits that the CAs reported, and pending orders. If both have a "
    "certificate, the newer one is kept. The folder stays as it is.": (
        "写入账户及其密钥、证书、CA 告知的限额，以及未完成的订单。两处都有的证书保留较新的。目录保持不变。"
    ),
    "Removing a table from the configuration does not remove its certificate from the fleet; use dnsrenew fleet "
    "remove.": ("从配置中删除表，不会从集群中删除其证书；若要删除，请用 dnsrenew fleet remove。"),
    "Running it again changes nothing. After you put a new seal first into `seal` of [fleet], it seals the private "
    "keys with that one. Where [fleet] has a seal, private keys that are not sealed are refused.": (
        "重复运行不会更改任何内容。在 [fleet] 的 `seal` 中把新密钥放在第一位之后，它会用新密钥加密私钥。"
        "[fleet] 有 `seal` 时，未加密的私钥会被拒绝。"
    ),
    "Shows certificates by state, those that wait for a worker, the running workers and what they do, the "
    "certificates issued in the last hour, and what the limits of the CAs still allow.": (
        "显示各状态的证书数、等待工作进程处理的证书、运行中的工作进程及其正在处理的证书、最近一小时签发的证书数，以及 "
        "CA 限额的余量。"
    ),
    "Takes certificates that are due from the database, the most urgent first, until it is stopped. It waits for a "
    "database that does not answer. Ctrl-C ends it with exit status 130, SIGTERM with 143: it takes no more "
    "certificates, finishes those in progress within a minute, and returns the rest to the queue. SIGHUP makes it "
    "read the configuration again; if that has a mistake, it says so and keeps the old one.": (
        "从数据库领取应续期的证书，最紧急的优先，直到被停止。数据库没有应答时会等待。Ctrl-C 使它以退出状态 130 结束，"
        "SIGTERM 则为 143：它不再领取证书，在一分钟内完成正在处理的证书，并把其余的证书退回队列。SIGHUP 使它重新读取配"
        "置；如果配置有错误，它会给出提示并继续使用旧配置。"
    ),
    "The folder has the private keys unencrypted. What `fleet add` wrote (settings and tags) is not in it.": (
        "目录中的私钥没有加密。由 `fleet add` 写入的内容（设置和标签）不在其中。"
    ),
    "The log goes to standard error. With --json each log line is a JSON object, and standard output gets one "
    "document at the end: the number of certificates by outcome.": (
        "日志写到标准错误。使用 --json 时，每行日志是一个 JSON 对象，结束时向标准输出打印一个文档：各种结果的证书数。"
    ),
    "The store of the configuration is a PostgreSQL database. Without a command it shows the status.": (
        "配置中的 `store` 须是 PostgreSQL 数据库。不带子命令时显示状态。"
    ),
    "Without --revoke they stay valid at the CA until they expire. Servers stop serving them within seconds.": (
        "不带 --revoke 时，CA 在证书过期之前仍视其为有效。服务器会在几秒内停止提供这些证书。"
    ),
    'a folder store, to use with store = "backup"': '得到存储目录，可在配置中用 store = "backup" 使用',
    "a folder that is empty or does not exist": "空目录，或尚不存在的目录",
    "add certificates": "添加证书",
    "add or change certificates, all or none": "添加或更改证书（要么全部完成，要么都不做）",
    "all certificates with this tag": "带有此标签的所有证书",
    "certificates to process in parallel (default: `concurrency` of [fleet], or 16)": (
        "并行处理的证书数（默认：[fleet] 中的 `concurrency`，或 16）"
    ),
    "count only certificates with this tag": "只统计带有此标签的证书",
    "create the tables": "创建数据表",
    "create the tables, or upgrade them to this version": "创建数据表，或升级到此版本",
    "from now on the workers renew them": "从现在起由工作进程续期",
    "in the database that `store` names": "在 `store` 指定的数据库中",
    "manage certificates that several machines share in a database": "管理多台机器通过数据库共享的证书（集群）",
    "names, or patterns such as 'web-*'": "名称，或 'web-*' 这样的模式",
    "obtain and renew them, on any number of machines": "获取并续期这些证书，可在任意多台机器上运行",
    "remove certificates from the fleet, with their private keys": "从集群中删除证书及其私钥",
    "renew what is due in a fleet, on any number of machines": "续期集群中应续期的证书，可在任意多台机器上运行",
    "revoke them first; what cannot be revoked stays in the fleet": "先吊销；无法吊销的证书留在集群中",
    "seal private keys that are not sealed, when a fleet gets its first seal": (
        "加密尚未加密的私钥，用于集群首次设置 `seal` 时"
    ),
    "show the status of the fleet": "显示集群的状态",
    "the folder of the store": "存储目录的路径",
    "write the [[certificate]] tables of the configuration into the fleet": "把配置中的 [[certificate]] 表写入集群",
    "write the content of a folder store into the database": "把存储目录的内容写入数据库",
    "write the content of the database into an empty folder": "把数据库的内容写入空目录",
}

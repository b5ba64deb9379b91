"""The program: what it prints of a fleet."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "--force would renew all certificates of the fleet, due or not, and CAs limit how often that is possible": (
        "--force 会把集群中的所有证书都续期，不论是否到期，而 CA 对续期次数有限制"
    ),
    "A worker looks at them within a minute: dnsrenew worker, then dnsrenew fleet status": (
        "工作进程会在一分钟内处理：请运行 dnsrenew worker，然后运行 dnsrenew fleet status"
    ),
    "Certificates in the last hour": "最近一小时签发的证书",
    "Give a file of JSON lines, or - for standard input.": "请指定每行一个 JSON 对象的文件，或用 - 表示标准输入。",
    "Give names, or --tag TAG.": "请给出名称，或 --tag TAG。",
    "Have the workers renew them: dnsrenew fleet sync, or dnsrenew fleet add FILE": (
        "若要由工作进程续期，请运行：dnsrenew fleet sync，或 dnsrenew fleet add FILE"
    ),
    "Killed runs left TXT records that only the database knows of: run dnsrenew cleanup.": (
        "被中止的运行遗留了 TXT 记录，只有数据库中记有这些记录：请运行 dnsrenew cleanup。"
    ),
    "Killed runs left TXT records that only {folder} knows of: run dnsrenew cleanup with the configuration of that "
    "store.": (
        "被中止的运行遗留了 TXT 记录，只有 {folder} 中记有这些记录：请用该存储目录的配置运行 dnsrenew cleanup。"
    ),
    "Limits of the CAs": "CA 的限额",
    "No worker has the account or the CA": "没有工作进程具备所需账户或 CA 的证书",
    "Revoke {certificates} ({names}), and take them out of the fleet with private keys?": (
        "要吊销 {certificates}（{names}），并从集群中删除证书及其私钥吗？"
    ),
    "Sealed {count} private keys with the first seal.": "已用 seal 中的第一个密钥加密 {count} 个私钥。",
    "Stopped. Renewed: {renewed}, failed: {failed}.": "已停止。已续期：{renewed}，失败：{failed}。",
    "Stopping: what is under way ends within a minute, the rest is handed back.": (
        "正在停止：正在处理的证书会在一分钟内完成，其余的会交还。"
    ),
    "Take {certificates} ({names}) out of the fleet, with private keys?": (
        "要从集群中删除 {certificates}（{names}）及其私钥吗？"
    ),
    "The database answers again.": "数据库已恢复应答。",
    "The fleet has no certificates. Add some: dnsrenew fleet add FILE": (
        "集群中没有证书。请添加证书：dnsrenew fleet add FILE"
    ),
    "The tables in {place} are ready (version {version}).": "{place} 中的数据表已就绪（版本 {version}）。",
    "There is another account at {ca} already; it stays.": "在 {ca} 已有另一个账户，该账户保持不变。",
    "Waiting for certificates that are due; {certificates} at once.": (
        "正在等待应续期的证书；最多同时处理 {certificates}。"
    ),
    "Waiting the longest": "等待最久",
    "Workers": "工作进程",
    "either NAME or --tag says which certificates are meant": "须用 NAME 或 --tag 之一指定证书",
    "for {span}": "已等待：{span}",
    "has paused the account: {url}": "已暂停账户：{url}",
    "name set": "域名组合",
    "nothing to do": "空闲",
    "start one: dnsrenew worker": "请启动一个：dnsrenew worker",
    "takes about {orders} now": "目前约可接受 {orders}",
    "takes no orders until {time}": "{time} 之前不接受订单",
    "takes orders": "接受订单",
    "{added} added, {changed} changed, {same} unchanged": "已添加 {added} 个，已更改 {changed} 个，未变 {same} 个",
    "{certificates} and {accounts} written into the database": "已把 {certificates}和 {accounts}写入数据库",
    "{certificates} and {accounts} written into {folder}": "已把 {certificates}和 {accounts}写入 {folder}",
    "{certificates} left alone: what is there is as new or newer": "{certificates}保持不变：已有的版本相同或更新",
    "{certificates} taken out of the fleet": "已从集群中删除 {certificates}",
    "{certificates}: {states}": "{certificates}：{states}",
    "{count} stored that no worker renews: dnsrenew fleet sync, or dnsrenew fleet add FILE": (
        "{count} 个已保存的证书没有工作进程续期：请运行 dnsrenew fleet sync，或 dnsrenew fleet add FILE"
    ),
    "{count} {state}": "{count} 个{state}",
    "{due} due, {failing} failing": "{due} 个待续期，{failing} 个续期失败",
    "{error} Trying again until it answers.": "{error}dnsrenew 会一直重试，直到数据库有应答。",
    "{examined} of {total} certificates examined, those that fail and those due first; name others.": (
        "已检查 {total} 个证书中的 {examined} 个，即续期失败的和最先应续期的；若要检查其他证书，请写明名称。"
    ),
    "{limits}; {sets} held back": "{limits}；暂缓 {sets}",
    "{name} was left out: files of its certificate are missing or damaged.": (
        "已略去 {name}：其证书的文件缺失或已损坏。"
    ),
    "{pid} on {host}": "{host} 上的进程 {pid}",
}

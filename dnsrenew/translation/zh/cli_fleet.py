"""The program: what it prints of a fleet."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "--force would renew all certificates of the fleet, due or not, and CAs limit how often that is possible": (
        "--force 会把集群中的所有证书都续期，不论是否到期，而 CA 对续期次数有限制"
    ),
    "A worker replaces it within a minute, unless you remove it from the fleet: dnsrenew fleet remove {name}": (
        "工作进程会在一分钟内替换它，除非您把它从集群中删除：dnsrenew fleet remove {name}"
    ),
    "Add them to the fleet, so that workers renew them: dnsrenew fleet sync, or dnsrenew fleet add FILE": (
        "请把它们加入集群，由工作进程续期：dnsrenew fleet sync，或 dnsrenew fleet add FILE"
    ),
    "Certificates in the last hour": "最近一小时签发的证书",
    "Give a file of JSON lines, or - for standard input.": "请指定每行一个 JSON 对象的文件，或用 - 表示标准输入。",
    "Give names, or --tag TAG.": "请给出名称，或 --tag TAG。",
    "Interrupted runs left TXT records in DNS, which only the database lists. Remove them: dnsrenew cleanup": (
        "被中止的运行在 DNS 中遗留了 TXT 记录，只有数据库中列有这些记录。请删除它们：dnsrenew cleanup"
    ),
    "Interrupted runs left TXT records in DNS, which only {folder} lists. Remove them: dnsrenew cleanup, with the "
    "configuration of that store": (
        "被中止的运行在 DNS 中遗留了 TXT 记录，只有 {folder} 中列有这些记录。请用该存储目录的配置删除它们：dnsrenew "
        "cleanup"
    ),
    "Limits of the CAs": "CA 的限额",
    "No schedule is installed: workers renew the certificates of a fleet.": (
        "未安装自动续期：集群的证书由工作进程续期。"
    ),
    "Not renewed: a DNS account or CA is missing from the configuration of the workers": (
        "不会续期：工作进程的配置中缺少 DNS 账户或 CA"
    ),
    "Not renewed: the workers refuse what the database says of them (dnsrenew status NAME)": (
        "不会续期：工作进程拒绝数据库中对它们的描述（dnsrenew status NAME）"
    ),
    "Remove {certificates} ({names}) from the fleet, and delete private keys?": (
        "要从集群中删除 {certificates}（{names}）及其私钥吗？"
    ),
    "Revoke {revoked}, then remove {certificates} ({names}) from the fleet, and delete private keys?": (
        "要吊销 {revoked}，然后从集群中删除 {certificates}（{names}）及其私钥吗？"
    ),
    "Revoking {name} (reason: {reason}).": "正在吊销 {name}（原因：{reason}）。",
    "Run, on one machine or more: dnsrenew worker": "请在一台或多台机器上运行：dnsrenew worker",
    "Stopped. Renewed: {renewed}, failed: {failed}.": "已停止。已续期：{renewed}，失败：{failed}。",
    "Stopping: certificates in progress finish within a minute, the rest return to the queue.": (
        "正在停止：正在处理的证书会在一分钟内完成，其余的会退回队列。"
    ),
    "The account at {ca} was not replaced: another one is stored already.": (
        "没有替换在 {ca} 的账户：已保存有另一个账户。"
    ),
    "The database answers again.": "数据库已恢复应答。",
    "The fleet has no certificates. Add some: dnsrenew fleet add FILE": (
        "集群中没有证书。请添加证书：dnsrenew fleet add FILE"
    ),
    "The tables in {place} are ready (version {version}).": "{place} 中的数据表已就绪（版本 {version}）。",
    "Waiting for certificates that are due; {certificates} at once.": (
        "正在等待应续期的证书；最多同时处理 {certificates}。"
    ),
    "Waiting the longest": "等待最久",
    "Workers": "工作进程",
    "Workers pick them up within a minute. If none runs: dnsrenew worker": (
        "工作进程会在一分钟内处理。如果没有运行中的工作进程，请运行：dnsrenew worker"
    ),
    "certificate names or --tag are needed": "需要证书名称或 --tag",
    "--tag cannot be combined with certificate names": "--tag 不能与证书名称同时使用",
    "Give names or --tag TAG, not both.": "请给出名称或 --tag TAG，不能同时给出。",
    "for {span}": "已等待：{span}",
    "has paused the account: {url}": "已暂停账户：{url}",
    "name set": "域名组合",
    "nothing to do": "空闲",
    "private key": "私钥",
    "start one: dnsrenew worker": "请启动一个：dnsrenew worker",
    "takes about {orders} now": "目前约可接受 {orders}",
    "takes no orders until {time}": "{time} 之前不接受订单",
    "takes orders": "接受订单",
    "{added} added, {changed} changed, {same} unchanged": "已添加 {added} 个，已更改 {changed} 个，未变 {same} 个",
    "{certificates} and {accounts} written into the database": "已把 {certificates}和 {accounts}写入数据库",
    "{certificates} and {accounts} written into {folder}": "已把 {certificates}和 {accounts}写入 {folder}",
    "{certificates} removed from the fleet": "已从集群中删除 {certificates}",
    "{certificates} unchanged: the stored version is as new or newer": "{certificates}未更改：已保存的版本相同或更新",
    "{certificates}: {states}": "{certificates}：{states}",
    "{count} stored that no worker renews: dnsrenew fleet sync, or dnsrenew fleet add FILE": (
        "{count} 个已保存的证书没有工作进程续期：请运行 dnsrenew fleet sync，或 dnsrenew fleet add FILE"
    ),
    "{count} {state}": "{count} 个{state}",
    "{due} due, {failing} failing": "{due} 个待续期，{failing} 个续期失败",
    "{error} Retrying until the database answers.": "{error}dnsrenew 会一直重试，直到数据库有应答。",
    "Examined {examined} of {total} certificates: failing ones first, then those due soonest. To examine others, name "
    "them.": (
        "已检查 {total} 个证书中的 {examined} 个：先检查续期失败的，再检查最先应续期的。若要检查其他证书，请写明名称。"
    ),
    "{keys} sealed with the first seal.": "已用 seal 中的第一个密钥加密 {keys}。",
    "{limits}; would refuse {sets} now": "{limits}；目前会拒绝 {sets}",
    "{names}: no worker runs. Start one: dnsrenew worker": "{names}：没有运行中的工作进程。请启动一个：dnsrenew worker",
    "{name} was left out: files of its certificate are missing or damaged.": (
        "已略去 {name}：其证书的文件缺失或已损坏。"
    ),
    "{pid} on {host}": "{host} 上的进程 {pid}",
    "{revoked} revoked, {certificates} removed from the fleet": "已吊销 {revoked}，已从集群中删除 {certificates}",
}

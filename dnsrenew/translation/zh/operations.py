"""Names in a call, accounts, revocation, and certificates by hand."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add --yes to install the given one anyway.": "若仍要安装给出的证书，请加上 --yes。",
    "Add [[certificate]] with its domains to the configuration.": "请在配置中添加带有 domains 的 [[certificate]] 表。",
    "Add [{table}] with its directory to the configuration again.": "请把 [{table}] 及其 directory 重新加入配置。",
    "Add it to {path}, or change the certificate: dnsrenew fleet add FILE": (
        "请把它加入 {path}，或更改证书：dnsrenew fleet add FILE"
    ),
    "Add the intermediate certificate of the issuer to the file and install it again, unless all clients trust it.": (
        "请把签发者的中间证书加入该文件并重新安装，除非所有客户端都信任它。"
    ),
    "Add the key that the certificate was requested with: --key FILE": "请加上申请该证书时所用的私钥：--key FILE",
    "Add the table, or change the certificate: dnsrenew fleet add FILE": (
        "请添加该表，或更改证书：dnsrenew fleet add FILE"
    ),
    "An earlier attempt failed.": "之前的一次尝试失败。",
    "Certificates of the fleet that this configuration cannot renew were left out: {count:,} ({names}).": (
        "已略去集群中此配置无法续期的证书：{count:,} 个（{names}）。"
    ),
    "Did you mean {nearest}?": "是否想输入 {nearest}？",
    "Files of the certificate {name} in the store are missing or damaged.": (
        "证书 {name} 在存储目录中的文件缺失或已损坏。"
    ),
    "Give it to the configuration, or change the certificate with Fleet.add().": (
        "请把它加入配置，或用 Fleet.add() 更改证书。"
    ),
    "List the certificates with: dnsrenew status": "请运行 dnsrenew status 列出证书。",
    "Make a new key and CSR with dnsrenew csr {name} --new if the issuer has not made a certificate yet.": (
        "如果签发者还没有签发证书，请用 dnsrenew csr {name} --new 生成新的私钥和 CSR。"
    ),
    "No attempt is made before {time}.": "{time} 之前不再尝试。",
    "No certificate could be obtained for {domains}. {details}": "无法为 {domains} 获取证书。{details}",
    "No certificate has a name that matches {name}.": "没有名称与 {name} 匹配的证书。",
    "Remove it from the fleet: dnsrenew fleet remove {name}": "请把它从集群中删除：dnsrenew fleet remove {name}",
    "Remove the table, or run dnsrenew fleet remove {name}.": "请删除该表，或运行 dnsrenew fleet remove {name}。",
    "Replace the certificate (dnsrenew renew --force {name}), and ask the CA to revoke the old one.": (
        "请替换该证书（dnsrenew renew --force {name}），并要求 CA 吊销旧证书。"
    ),
    "Request a certificate for a new key: dnsrenew csr {name} --new": "请用新私钥申请证书：dnsrenew csr {name} --new",
    "Revoke it at {issuer} (serial number {serial}), then replace it with dnsrenew install, or with dnsrenew renew "
    "{name} --force.": (
        "请在 {issuer} 处吊销它（序列号 {serial}），然后用 dnsrenew install 或 dnsrenew renew {name} --force 替换它。"
    ),
    "Run dnsrenew renew: it creates the account together with the first certificate from this CA.": (
        "请运行 dnsrenew renew：它会在从此 CA 获取第一个证书时创建账户。"
    ),
    "Run dnsrenew status --failing to see why.": "请运行 dnsrenew status --failing 查看原因。",
    "Run dnsrenew status to list the certificates.": "请运行 dnsrenew status 列出证书。",
    "Run dnsrenew status to list the {count:,} certificates.": "请运行 dnsrenew status 列出全部 {count:,} 个证书。",
    "Run: dnsrenew renew {name}": "请运行：dnsrenew renew {name}",
    "Set the CNAME record yourself, and give the certificate a route with `alias`: dnsrenew fleet add FILE": (
        "请自行设置 CNAME 记录，并为该证书写上带 `alias` 的途径：dnsrenew fleet add FILE"
    ),
    "Skipped {route}: the same.": "已跳过 {route}：同上。",
    "Skipped {route}: {reason}": "已跳过 {route}：{reason}",
    "Take it out of the configuration first.": "请先把它从配置中删除。",
    "The CA {ca}, which issued the certificate {name}, is not in the configuration.": (
        "签发证书 {name} 的 CA {ca} 不在配置中。"
    ),
    "The certificate in force, {name} from {issuer}, is valid until {not_after}, longer than the given one "
    "({given}).": ("正在使用的证书 {name}（签发者 {issuer}）有效期至 {not_after}，比给出的证书（{given}）更长。"),
    "The certificate is for a key that was revoked as compromised.": "该证书使用的私钥曾因泄露而被吊销。",
    "The certificate {name} has a table in the configuration, and was added to the fleet too.": (
        "证书 {name} 在配置中有表，同时也已添加到集群中。"
    ),
    "The certificate {name} has not been obtained yet.": "尚未获取证书 {name}。",
    "The certificate {name} is in the configuration {path}, so the next run would obtain it again.": (
        "证书 {name} 在配置 {path} 中，因此下次运行会重新获取它。"
    ),
    "The certificate {name} is in the fleet, and dnsrenew delegate takes only the tables of the configuration.": (
        "证书 {name} 在集群中，而 dnsrenew delegate 只适用于配置中的表。"
    ),
    "The certificate {name} is in the fleet, so a worker would obtain it again.": (
        "证书 {name} 在集群中，因此工作进程会重新获取它。"
    ),
    "The certificate {name} was issued by {issuer} and installed by hand: dnsrenew revokes only what it has "
    "obtained.": ("证书 {name} 由 {issuer} 签发并手动安装：dnsrenew 只吊销由它获取的证书。"),
    "The configuration {path} has no {tables}.": "配置 {path} 中没有 {tables}。",
    "The renewal failed.": "续期失败。",
    "The stored CSR of {name} is for {names} with a key of the kind {kind}, and the configuration has changed.": (
        "已保存的 {name} 的 CSR 用于 {names}，密钥类型为 {kind}，而配置已更改。"
    ),
    "There is no CA named {ca} in the configuration.": "配置中没有名为 {ca} 的 CA。",
    "There is no account at the CA {ca} yet.": "在 CA {ca} 处还没有账户。",
    "There is no certificate named {name} in the configuration, and no other one.": (
        "配置中没有名为 {name} 的证书，也没有其他证书。"
    ),
    "There is no certificate named {name} in the configuration.": "配置中没有名为 {name} 的证书。",
    "There is no certificate named {name}, neither in the configuration nor in the fleet.": (
        "配置和集群中都没有名为 {name} 的证书。"
    ),
    "There is no certificate named {name}, neither in the configuration nor in the store.": (
        "配置和存储目录中都没有名为 {name} 的证书。"
    ),
    "There is no certificate {name} in the store, so there is nothing to revoke.": (
        "存储目录中没有证书 {name}，因此没有可吊销的内容。"
    ),
    "There is no private key for the certificate {name}: none was given, and no CSR of dnsrenew waits for it.": (
        "证书 {name} 没有私钥：没有给出私钥，dnsrenew 也没有等待它的 CSR。"
    ),
    'There is no revocation reason "{reason}".': "没有名为“{reason}”的吊销原因。",
    'This system does not know "{issuer}", which issued the last certificate in the file, so clients may refuse it.': (
        "本系统不认识签发文件中最后一个证书的“{issuer}”，因此客户端可能会拒绝该证书。"
    ),
    "Tried {route}: the same.": "已尝试 {route}：同上。",
    "Tried {route}: {reason}": "已尝试 {route}：{reason}",
    "Try again.": "请重试。",
    "Use one of these names: {known}.": "请使用以下名称之一：{known}。",
    "Use one of these reasons: {reasons}.": "请使用以下原因之一：{reasons}。",
    "{name} needs the account or CA {tables}, which the configuration lacks.": (
        "{name} 需要账户或 CA {tables}，而配置中没有。"
    ),
    "{name} needs the table {tables}, which {path} lacks.": "{name} 需要表 {tables}，而 {path} 中没有。",
    "{path} is damaged, so the certificate {name} cannot be revoked with it.": (
        "{path} 已损坏，因此无法用它吊销证书 {name}。"
    ),
}

"""The doctor: the store, the servers and the schedule, and what all checks share."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Certificates are renewed automatically ({kind}).": "证书会自动续期（{kind}）。",
    "Delete files that are not needed from the disk of {path}.": "请从 {path} 所在的磁盘上删除不需要的文件。",
    "Deploy it again: dnsrenew deploy {name} --force": "请重新部署：dnsrenew deploy {name} --force",
    "Deploy it: dnsrenew deploy {name}": "请部署它：dnsrenew deploy {name}",
    "Free some space on the disk of {path} soon.": "请尽快在 {path} 所在的磁盘上腾出空间。",
    "Free some space on the disk of {path}; a renewal needs less than 1 MB.": (
        "请在 {path} 所在的磁盘上腾出空间；续期所需不到 1 MB。"
    ),
    "Give {user} a folder of its own: change store in the configuration, or run: sudo install -d -o {user} {path}": (
        "请为 {user} 提供专用的目录：更改配置中的 store，或运行：sudo install -d -o {user} {path}"
    ),
    "It is unknown whether a worker of the fleet runs, because the database cannot be read.": (
        "无法读取数据库，因此无法得知集群是否有运行中的工作进程。"
    ),
    "It is unknown whether anything renews the certificates automatically.": "无法得知证书是否会自动续期。",
    "Keep dnsrenew run running, or call dnsrenew renew --scheduled from a scheduler of yours.": (
        "请让 dnsrenew run 保持运行，或由您自己的定时任务调用 dnsrenew renew --scheduled。"
    ),
    "Check it with the rights of an administrator: dnsrenew schedule show": (
        "请用管理员权限查看：dnsrenew schedule show"
    ),
    "See the store check first.": "请先查看检查项 store 的结果。",
    "No run has worked on {name} yet.": "还没有任何一次运行处理过 {name}。",
    "No worker of the fleet is alive, so nothing renews its certificates.": (
        "集群没有运行中的工作进程，因此不会续期其证书。"
    ),
    "Nothing answers at {port}, where the certificate should be served.": "应当提供证书的 {port} 没有应答。",
    "Nothing answers at {port}, where the certificate should be served. Other ports that do not serve it: {more}.": (
        "应当提供证书的 {port} 没有应答。另外还有 {more} 个端口没有提供该证书。"
    ),
    "Nothing on this host renews the certificates automatically, and it has neither systemd nor cron.": (
        "本机没有自动续期证书的设置，而且没有 systemd 和 cron。"
    ),
    "Nothing on this host renews the certificates automatically.": "本机没有自动续期证书的设置。",
    "Obtain it: dnsrenew renew {name}": "请获取它：dnsrenew renew {name}",
    "Renew it now: dnsrenew renew {name}": "请立即续期：dnsrenew renew {name}",
    "Renew it now: dnsrenew renew {name} --now": "请立即续期：dnsrenew renew {name} --now",
    "Replace it now: dnsrenew renew {name}": "请立即替换：dnsrenew renew {name}",
    "Report this as a bug of dnsrenew, with the output of dnsrenew doctor -vv.": (
        "请把此问题作为 dnsrenew 的缺陷报告，并附上 dnsrenew doctor -vv 的输出。"
    ),
    "Run dnsrenew doctor again.": "请重新运行 dnsrenew doctor。",
    "Run dnsrenew renew {name}, which tries it again.": "请运行 dnsrenew renew {name}，它会再次尝试。",
    "Run dnsrenew renew {name}: the order shows it.": "请运行 dnsrenew renew {name}：订单会显示结果。",
    "Set it up: dnsrenew schedule install": "请设置自动续期：dnsrenew schedule install",
    "Start one: dnsrenew worker": "请启动一个：dnsrenew worker",
    "Start the server at {port}; if it has moved, correct verify in the deploy entry.": (
        "请启动 {port} 处的服务器；如果它已迁移，请更正 deploy 条目中的 verify。"
    ),
    "The CA {ca} did not offer dns-persist-01 when it was asked on {time}.": (
        "{time} 询问时，CA {ca} 不提供 dns-persist-01。"
    ),
    "The certificate in the store has not been deployed to {targets}.": "存储目录中的证书还没有部署到 {targets}。",
    "The certificate {name} in use was validated by dns-persist-01 at {ca}.": (
        "正在使用的证书 {name} 是在 {ca} 通过 dns-persist-01 验证的。"
    ),
    "The disk of the store has {free} free.": "存储目录所在的磁盘有 {free} 可用空间。",
    "The disk of the store {path} can hold no more files: all its inodes are used.": (
        "存储目录 {path} 所在的磁盘无法再存放文件：inode 已用完。"
    ),
    "The disk of the store {path} is almost full: {free} are free.": (
        "存储目录 {path} 所在的磁盘几乎已满：可用空间为 {free}。"
    ),
    "The disk of the store {path} is full: {free} are free.": "存储目录 {path} 所在的磁盘已满：可用空间为 {free}。",
    "The last renewal of {name} failed on {time} with the error {code}: {message}": (
        "{name} 上次续期于 {time} 失败，错误为 {code}：{message}"
    ),
    "The last run left nothing to repeat.": "上次运行没有遗留待重试的内容。",
    "The newest certificate is served at {ports}.": "{ports} 提供的是最新的证书。",
    "The state of {name} cannot be read: {message}": "无法读取 {name} 的状态：{message}",
    "The store {path} cannot be created: {user} cannot write to {existing}.": (
        "无法创建存储目录 {path}：{user} 无法写入 {existing}。"
    ),
    "The store {path} does not exist yet; the first renewal creates it.": (
        "存储目录 {path} 尚不存在；首次续期时会创建它。"
    ),
    "The store {path} is private and can be written.": "存储目录 {path} 不对他人开放，并且可写。",
    "There is no certificate {name} yet that {ports} could serve.": "还没有证书 {name}，{ports} 尚无证书可提供。",
    "There is no certificate {name} yet.": "还没有证书 {name}。",
    "This check failed itself ({cause}).": "此项检查自身出错（{cause}）。",
    "The check did not finish in time.": "检查未能及时完成。",
    "Use another challenge or another CA for {name}.": "请为 {name} 使用其他验证方式或其他 CA。",
    "It is unknown before an order whether the CA {ca} offers dns-persist-01.": (
        "在下订单之前，无法得知 CA {ca} 是否提供 dns-persist-01。"
    ),
    "Workers of the fleet that are alive: {workers}.": "集群中运行中的工作进程：{workers}。",
    "dns-persist-01 at the CA {ca} failed on {time} with the error {code}.": (
        "在 CA {ca} 使用 dns-persist-01 于 {time} 失败，错误为 {code}。"
    ),
    "{name} expired on {not_after}.": "{name} 已于 {not_after} 过期。",
    "{name} expires on {not_after}; it should have been renewed on {due}.": (
        "{name} 将于 {not_after} 到期；本应于 {due} 续期。"
    ),
    "{name} has been due since {due}, and nothing has tried to renew it: the host was off, or its schedule is.": (
        "{name} 自 {due} 起应续期，但没有任何续期尝试：本机可能关机，或自动续期已停用。"
    ),
    "{name} is revoked.": "{name} 已被吊销。",
    "{name} is valid until {not_after}.": "{name} 有效期至 {not_after}。",
    "{port} does not serve the certificate in the store: the server still has another one.": (
        "{port} 提供的不是存储目录中的证书：服务器仍在使用另一个证书。"
    ),
    "{port} does not serve the certificate in the store: the server still has another one. Other ports that do not "
    "serve it: {more}.": (
        "{port} 提供的不是存储目录中的证书：服务器仍在使用另一个证书。另外还有 {more} 个端口没有提供该证书。"
    ),
}

"""The store: its files, rights and locks, and the ledger."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Set `store` to a folder on another file system.": "请将 `store` 设为另一文件系统上的目录。",
    "The folder {path} for the store cannot be created: the file system of {existing} accepts no new folders.": (
        "无法创建存储目录 {path}：{existing} 所在的文件系统不接受新目录。"
    ),
    "A store is never overwritten, and {path} holds {found}.": "存储目录从不被覆盖，而 {path} 中有 {found}。",
    "Check the disk that holds {existing} (dmesg, smartctl), or set `store` to a folder on another disk.": (
        "请检查 {existing} 所在的磁盘（dmesg、smartctl），或把 `store` 设为另一磁盘上的目录。"
    ),
    "Check {culprit} for an immutable flag, an ACL, AppArmor or SELinux.": (
        "请检查 {culprit} 是否受不可变标志、ACL、AppArmor 或 SELinux 限制。"
    ),
    "Choose a name of at most 64 characters a-z, 0-9, `_`, `-` and `.`, without a dot at either end, that Windows "
    "has not reserved.": (
        "请选用不超过 64 个字符的名称，只含 a-z、0-9、`_`、`-` 和 `.`，首尾不能是点，也不能是 Windows 的保留名称。"
    ),
    "Close the program that has a file in it open; the next run copies the new certificate.": (
        "请关闭打开了其中文件的程序；下一次运行会复制新证书。"
    ),
    "Everybody can write to the store {path} (mode {mode}).": "所有用户都可以写入存储目录 {path}（权限 {mode}）。",
    "Everybody can write to {path} (mode {mode}), and so replace the store {store}.": (
        "所有用户都可以写入 {path}（权限 {mode}），从而可以替换存储目录 {store}。"
    ),
    "Find out what has changed it in the database.": "请查明数据库中的它是被什么更改的。",
    "Find out what removed it.": "请查明是什么删除了它。",
    "Find the cause before you order again; to order before {until}, use `--now` (in Python: now=True).": (
        "请先查明原因再下单；若要在 {until} 之前下单，请使用 `--now`（在 Python 中：now=True）。"
    ),
    "Fix the reported system error, or set `store` to another folder.": (
        "请解决所报告的系统错误，或把 `store` 设为另一个目录。"
    ),
    "Fix what made the validation of {names} fail; the first run after {until} tries again, `--now` (in Python: "
    "now=True) at once.": (
        "请解决导致 {names} 验证失败的问题；{until} 之后的第一次运行会重试，`--now`（在 Python 中：now=True）则立即重"
        "试。"
    ),
    "Free space, inodes or quota on the disk that holds {existing}.": (
        "请在 {existing} 所在的磁盘上释放空间、inode 或配额。"
    ),
    "Give it to root, which cannot bypass modes here (it lacks CAP_DAC_OVERRIDE): chown -R root {quoted_store}, or "
    "check {culprit} for an immutable flag, an ACL, AppArmor or SELinux.": (
        "请把它交给 root，因为 root 在此不能绕过权限（缺少 CAP_DAC_OVERRIDE）：chown -R root {quoted_store}；或检查 "
        "{culprit} 是否受不可变标志、ACL、AppArmor 或 SELinux 限制。"
    ),
    "Give its owner access: chmod u+rwX {quoted_culprit}": "请给其所有者访问权限：chmod u+rwX {quoted_culprit}",
    "Give {user} access to {folder}.": "请给 {user} 访问 {folder} 的权限。",
    "Give {user} full control of {culprit}.": "请给 {user} 对 {culprit} 的完全控制权限。",
    "Inspect {copy} in the same folder if you need the cause, then delete it.": (
        "如果需要查找原因，请查看同一目录中的 {copy}，然后将其删除。"
    ),
    "Inspect {copy}, which will be in the same folder, if you need the cause, then delete it.": (
        "如果需要查找原因，请查看稍后出现在同一目录中的 {copy}，然后将其删除。"
    ),
    "Make it private to the user that runs dnsrenew: {command}": "请使它只能由运行 dnsrenew 的用户访问：{command}",
    "Mount {existing} read-write (in a systemd unit: ReadWritePaths=), or set `store` to another folder.": (
        "请以读写方式挂载 {existing}（在 systemd 单元中：ReadWritePaths=），或把 `store` 设为另一个目录。"
    ),
    "Move the file {culprit} elsewhere, or set `store` to another folder.": (
        "请把文件 {culprit} 移到别处，或把 `store` 设为另一个目录。"
    ),
    "Move {path} elsewhere, or give --config a file in another folder.": (
        "请把 {path} 移到别处，或为 --config 指定另一目录中的文件。"
    ),
    "Move {path} elsewhere.": "请把 {path} 移到别处。",
    "Open the address, end the pause there, then run `dnsrenew renew --now`.": (
        "请打开该地址，在那里结束暂停，然后运行 `dnsrenew renew --now`。"
    ),
    "Other users can write to {path} (owner {owner}, mode {mode}), and its mode cannot be changed.": (
        "其他用户可以写入 {path}（所有者 {owner}，权限 {mode}），且其权限无法更改。"
    ),
    "Remove from the store what you did not put there and run `{command}`, or allow it with --insist (insist=True).": (
        "请从存储目录中删除不是您放入的内容并运行 `{command}`，或用 --insist（insist=True）允许。"
    ),
    "Remove from the store what you did not put there, then run `{command}`.": (
        "请从存储目录中删除不是您放入的内容，然后运行 `{command}`。"
    ),
    "Rename or delete the file; dnsrenew cannot: {cause}": "请重命名或删除该文件，dnsrenew 无法做到：{cause}",
    "Replace the link {path} with the file or folder it points to (only the store itself may be a link).": (
        "请把链接 {path} 换成它指向的文件或目录（只有存储目录本身可以是链接）。"
    ),
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {existing}.": (
        "请重新运行 `dnsrenew schedule install`，使 systemd 单元允许写入 {existing}。"
    ),
    "Run `{command}`, move the store to a folder that only {user} can change, or allow it with --insist "
    "(insist=True).": (
        "请运行 `{command}`，或把存储目录移到只有 {user} 能更改的目录，或用 --insist（insist=True）允许。"
    ),
    "Run dnsrenew again, and change nothing in the store while it runs.": (
        "请重新运行 dnsrenew，运行期间不要更改存储目录中的任何内容。"
    ),
    "Run dnsrenew as {owner}, move the store to a folder that only {user} can change, or allow it with --insist "
    "(insist=True).": (
        "请以 {owner} 的身份运行 dnsrenew，或把存储目录移到只有 {user} 能更改的目录，或用 --insist（insist=True）允许。"
    ),
    "Run dnsrenew as {owner}, or create the store for {user}: sudo install -d -m 700 -o {user} {quoted_store}": (
        "请以 {owner} 的身份运行 dnsrenew，或为 {user} 创建存储目录：sudo install -d -m 700 -o {user} {quoted_store}"
    ),
    "Run dnsrenew as {owner}, or give the store to {user}: sudo chown -R {user} {quoted_store}": (
        "请以 {owner} 的身份运行 dnsrenew，或把存储目录交给 {user}：sudo chown -R {user} {quoted_store}"
    ),
    "Run dnsrenew as {owner}, or set `store` to a folder of {user}.": (
        "请以 {owner} 的身份运行 dnsrenew，或把 `store` 设为 {user} 的目录。"
    ),
    "Run dnsrenew as {owner}, take the store over (remove what you did not put there, then run `{command}`), or "
    "allow it with --insist (insist=True).": (
        "请以 {owner} 的身份运行 dnsrenew，或接管存储目录（删除不是您放入的内容，然后运行 `{command}`），或用 "
        "--insist（insist=True）允许。"
    ),
    "Run it again when that run has finished, or add --wait to wait for it.": (
        "请在那次运行结束后重新运行，或加上 --wait 等待它结束。"
    ),
    "Set `store` to a folder of its own, such as {own}, or run `{command}` if no other user needs {path}.": (
        "请把 `store` 设为专用的目录，例如 {own}；如果没有其他用户需要 {path}，也可运行 `{command}`。"
    ),
    "Set `store` to a folder on another file system, or mount this one with symbolic links (SMB: mfsymlinks).": (
        "请把 `store` 设为另一文件系统上的目录，或以支持符号链接的方式挂载此文件系统（SMB：mfsymlinks）。"
    ),
    "Set `store` to a folder on another file system, or mount this one with the server's inode numbers (SMB: "
    "serverino).": (
        "请把 `store` 设为另一文件系统上的目录，或以使用服务器 inode 编号的方式挂载此文件系统（SMB：serverino）。"
    ),
    "Set `store` to the path of a folder.": "请把 `store` 设为一个目录的路径。",
    "The CA {ca} asked to wait until {until} before an order for {names}.": (
        "CA {ca} 要求等到 {until} 再为 {names} 下单。"
    ),
    "The CA {ca} asked to wait until {until} before any order.": "CA {ca} 要求等到 {until} 再下任何订单。",
    "The CA {ca} has paused this account: it refuses orders until someone opens {url}.": (
        "CA {ca} 已暂停此账户：在有人打开 {url} 之前，它会拒绝订单。"
    ),
    "The CA {ca} has paused {names}: it refuses orders until someone opens {url}.": (
        "CA {ca} 已暂停 {names}：在有人打开 {url} 之前，它会拒绝订单。"
    ),
    "The CA {ca} would refuse an order for {names} until {until}: it allows {count} failed validations of a name "
    "in {window}.": ("CA {ca} 在 {until} 之前会拒绝 {names} 的订单：它允许一个名称在 {window} 内验证失败 {count} 次。"),
    "The CA {ca} would refuse an order for {names} until {until}: it issues {count} certificates for the same "
    "names in {window}.": (
        "CA {ca} 在 {until} 之前会拒绝 {names} 的订单：它在 {window} 内只为相同的名称签发 {count} 个证书。"
    ),
    "The access list of the store {path} lets others write to it.": "存储目录 {path} 的访问控制列表允许他人写入。",
    "The access list of {path} lets others write to it, and so replace the store {store}.": (
        "{path} 的访问控制列表允许他人写入，从而可以替换存储目录 {store}。"
    ),
    "The disk failed at {path}: {reason}.": "磁盘在访问 {path} 时出错：{reason}。",
    "The file system of {existing} does not support symbolic links, and `current` of a certificate is one.": (
        "{existing} 所在的文件系统不支持符号链接，而证书的 `current` 是符号链接。"
    ),
    "The file system of {folder} does not report whether an open file is still the one at its path.": (
        "{folder} 所在的文件系统不报告已打开的文件是否仍是其路径处的文件。"
    ),
    "The group {group} can write to the store {path} (mode {mode}).": (
        "用户组 {group} 可以写入存储目录 {path}（权限 {mode}）。"
    ),
    "The group {group} can write to {path} (mode {mode}), and so replace the store {store}.": (
        "用户组 {group} 可以写入 {path}（权限 {mode}），从而可以替换存储目录 {store}。"
    ),
    "The ledger of the CA {ca} could not be saved: {cause}": "无法保存 CA {ca} 的限额记录：{cause}",
    "The operating system refused an operation on {path}: {reason}.": "操作系统拒绝了对 {path} 的操作：{reason}。",
    "The store {path} belongs to {owner}, and dnsrenew runs as {user}.": (
        "存储目录 {path} 属于 {owner}，而 dnsrenew 以 {user} 的身份运行。"
    ),
    "The store {path} is not private (mode {mode}) and has other things in it, such as {found}.": (
        "存储目录 {path} 不是私有的（权限 {mode}），其中还有其他内容，例如 {found}。"
    ),
    "The {what} is locked by another run.": "{what} 被另一个运行锁定。",
    "The {what} is locked by process {pid} on {host} since {since}.": (
        "{what} 自 {since} 起被 {host} 上的进程 {pid} 锁定。"
    ),
    "Update dnsrenew, or set `store` to another folder.": "请升级 dnsrenew，或把 `store` 设为另一个目录。",
    "Wait for the next renewal, which records them again; until then `dnsrenew revoke` asks the configured CA.": (
        "请等待下一次续期，届时会重新记录这些信息；在此之前，`dnsrenew revoke` 会向配置中的 CA 请求吊销。"
    ),
    "Wait until {until} and use the certificates you have, or add a name to the certificate.": (
        "请等到 {until} 并使用现有的证书，或给证书添加一个名称。"
    ),
    "Wait until {until}; the first run after that tries again, `--now` (in Python: now=True) at once.": (
        "请等到 {until}；之后的第一次运行会重试，`--now`（在 Python 中：now=True）则立即重试。"
    ),
    "{count:g} days": "{count:g} 天",
    "{count:g} h": "{count:g} 小时",
    "{count} orders for {names} at the CA {ca} have failed within {window}. The next one is sent after {until}.": (
        "有 {count} 个为 {names} 向 CA {ca} 下的订单在 {window} 内失败。下一个订单将在 {until} 之后发送。"
    ),
    "{culprit} should be a folder, but is a file.": "{culprit} 应是目录，却是文件。",
    "{name!r} cannot be the name of a certificate.": "{name!r} 不能作为证书名称。",
    "{path} belongs to {owner}, so {owner} can replace the store {store} of {user}.": (
        "{path} 属于 {owner}，因此 {owner} 可以替换 {user} 的存储目录 {store}。"
    ),
    "{path} cannot be read by {user}.": "{user} 无法读取 {path}。",
    "{path} cannot be read: {culprit} belongs to {owner} (mode {mode}), and dnsrenew runs as {user}.": (
        "无法读取 {path}：{culprit} 属于 {owner}（权限 {mode}），而 dnsrenew 以 {user} 的身份运行。"
    ),
    "{path} cannot be written by {user}.": "{user} 无法写入 {path}。",
    "{path} cannot be written: its file system is read-only.": "无法写入 {path}：其文件系统为只读。",
    "{path} cannot be written: {culprit} belongs to {owner} (mode {mode}), and dnsrenew runs as {user}.": (
        "无法写入 {path}：{culprit} 属于 {owner}（权限 {mode}），而 dnsrenew 以 {user} 的身份运行。"
    ),
    "{path} could not be updated: {cause}": "无法更新 {path}：{cause}",
    "{path} in the store belongs to {owner}, and dnsrenew runs as {user}.": (
        "存储目录中的 {path} 属于 {owner}，而 dnsrenew 以 {user} 的身份运行。"
    ),
    "{path} is a symbolic link, and dnsrenew follows none inside its store.": (
        "{path} 是符号链接，dnsrenew 不跟随存储目录内的符号链接。"
    ),
    "{path} is damaged: {reason}. A certificate for this CSR needs its private key (--key).": (
        "{path} 已损坏：{reason}。此 CSR 的证书需要其私钥（--key）。"
    ),
    "{path} is damaged: {reason}. TXT values that a run wrote and did not remove may remain in DNS.": (
        "{path} 已损坏：{reason}。某次运行写入而未删除的 TXT 值可能会留在 DNS 中。"
    ),
    "{path} is damaged: {reason}. The CA finds the account by its key.": (
        "{path} 已损坏：{reason}。CA 会按密钥找到该账户。"
    ),
    "{path} is damaged: {reason}. dnsrenew creates a new order.": "{path} 已损坏：{reason}。dnsrenew 会创建新订单。",
    "{path} is damaged: {reason}. dnsrenew creates an account with a new key, unless CAA records allow only the "
    "old one.": ("{path} 已损坏：{reason}。dnsrenew 会用新密钥创建账户，除非 CAA 记录只允许旧账户。"),
    "{path} is damaged: {reason}. dnsrenew forgets what the CA refused recently.": (
        "{path} 已损坏：{reason}。dnsrenew 不再知道 CA 最近拒绝了什么。"
    ),
    "{path} is damaged: {reason}. dnsrenew reads the certificate instead, which does not contain the CA and the "
    "profile.": ("{path} 已损坏：{reason}。dnsrenew 改为读取证书，但其中没有 CA 和 profile 的信息。"),
    "{path} is damaged: {reason}. dnsrenew recreates it from the certificate, without the CA and the profile, which "
    "the next renewal records.": (
        "{path} 已损坏：{reason}。dnsrenew 会根据证书重新生成它，但证书中没有 CA 和 profile 的信息；"
        "下次续期时会重新记录。"
    ),
    "{path} is damaged: {reason}. dnsrenew rebuilds it from fullchain.pem.": (
        "{path} 已损坏：{reason}。dnsrenew 会用 fullchain.pem 重建它。"
    ),
    "{path} is damaged: {reason}. dnsrenew rebuilds it from the certificates in the store.": (
        "{path} 已损坏：{reason}。dnsrenew 会用存储目录中的证书重建它。"
    ),
    "{path} is damaged: {reason}. dnsrenew renews the certificate.": "{path} 已损坏：{reason}。dnsrenew 会续期该证书。",
    "{path} is damaged: {reason}. dnsrenew tries the account's other key.": (
        "{path} 已损坏：{reason}。dnsrenew 会尝试该账户的另一个密钥。"
    ),
    "{path} is not a valid path on this system.": "{path} 在本系统上不是有效的路径。",
    "{path} or its folder no longer exists.": "{path} 或其所在目录已不存在。",
    "DNS zone {zone}": "DNS 区域 {zone}",
    "account {name}": "账户 {name}",
    "{path} should be a file, but is {found}.": "{path} 应是文件，却是{found}。",
    "{path} was not what dnsrenew had put there. dnsrenew has recreated it.": (
        "{path} 已不是 dnsrenew 放置的内容，dnsrenew 已重新创建它。"
    ),
    "{path} was written by a newer dnsrenew (schema {schema}; this one supports {known}).": (
        "{path} 由更新版本的 dnsrenew 写入（schema {schema}；此版本支持 {known}）。"
    ),
}

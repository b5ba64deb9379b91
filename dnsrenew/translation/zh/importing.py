"""Taking over from other programs."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Rename it, and run the import again.": "请将其改名，然后再次导入。",
    "The configuration cannot name {path}, because that is not valid Unicode.": (
        "配置无法写出 {path}，因为它不是有效的 Unicode。"
    ),
    "it has too many domains": "其中的域名太多",
    "it has text that is not valid Unicode": "其中有不是有效 Unicode 的文本",
    "it has too many blocks within each other, or imports too much": "嵌套的块太多，或导入的内容太多",
    "Move the file to a folder that only {user} can change, or allow it with --insist.": (
        "请把该文件移到只有 {user} 能更改的目录，或用 --insist 允许。"
    ),
    "Other users than {user} can change {part} (owner {owner}, mode {mode}), and so replace {path}; nothing was "
    "imported.": (
        "除 {user} 外的其他用户可以更改 {part}（所有者 {owner}，权限 {mode}），从而替换 {path}；没有导入任何内容。"
    ),
    "Other users than {user} can change {path} (owner {owner}, mode {mode}), so nothing was imported.": (
        "除 {user} 外的其他用户可以更改 {path}（所有者 {owner}，权限 {mode}），因此没有导入任何内容。"
    ),
    "Read it, and write what is needed from it into the configuration.": ("请阅读该文件，并把其中需要的内容写入配置。"),
    "Read it, remove what you did not put there, and then run: {command}": (
        "请阅读该文件，删除不是您放入的内容，然后运行：{command}"
    ),
    "Run the import as that user: sudo -u {account} dnsrenew import {quoted}": (
        "请以该用户的身份导入：sudo -u {account} dnsrenew import {quoted}"
    ),
    "{file} was not used, because other users can change {part} (owner {owner}, mode {mode}).": (
        "没有使用 {file}，因为其他用户可以更改 {part}（所有者 {owner}，权限 {mode}）。"
    ),
    "{part} belongs to {owner}, so {owner} decides what {path} has, and dnsrenew runs as {user}.": (
        "{part} 属于 {owner}，因此 {path} 的内容由 {owner} 决定，而 dnsrenew 以 {user} 的身份运行。"
    ),
    "A program before each renewal was not imported, because no port has to be freed for {name}.": (
        "没有导入每次续期前运行的程序，因为 {name} 无需释放端口。"
    ),
    "A program for new certificates of {name} names {path}, which the other tool no longer replaces.": (
        "用于 {name} 的新证书的程序提到 {path}，而另一工具不会再替换该文件。"
    ),
    "A program that ran after each try for {name} now runs after each new certificate.": (
        "此前在每次尝试 {name} 之后运行的程序，现在会在每次得到新证书之后运行。"
    ),
    'Add a route such as {{ challenge = "http-01", webroot = "/var/www/html" }} to the certificate.': (
        '请为该证书添加途径，例如 {{ challenge = "http-01", webroot = "/var/www/html" }}。'
    ),
    "Add a table [notify] to the configuration.": "请在配置中添加 [notify] 表。",
    "Add it to the configuration if you want it.": "如果需要，请把它加入配置。",
    "Add the missing options; list them with: dnsrenew providers {provider}": (
        "请补上缺少的选项；查看选项请运行：dnsrenew providers {provider}"
    ),
    "Add what it did to `deploy` of the certificate.": "请把它所做的事加入该证书的 `deploy`。",
    "All users of this machine can read the private key {file}; dnsrenew never writes a key like that.": (
        "本机的所有用户都可以读取私钥 {file}；dnsrenew 不会这样写出私钥。"
    ),
    "Caddy keeps renewing {name} until its site names the new files.": (
        "在 Caddy 的站点改用新文件之前，Caddy 会继续自行续期 {name}。"
    ),
    "Caddy proves {name} on its own ports 80 and 443, which dnsrenew cannot share.": (
        "Caddy 用自己的 80 和 443 端口验证 {name}，dnsrenew 无法共用这些端口。"
    ),
    "Check that the server can read it as root or as a member of its group.": (
        "请检查服务器能否以 root 或其用户组成员的身份读取它。"
    ),
    "Check the configuration of {server}: {command}": "请检查 {server} 的配置：{command}",
    "Choose another one with `key` in the configuration.": "请在配置中用 `key` 选择其他类型。",
    "Compare its challenges, accounts and certificates with the configuration that was written.": (
        "请将其中的质询、账户和证书与写出的配置比对。"
    ),
    "Complete the configuration: {mistake}": "请补全配置：{mistake}",
    "Give the certificate a route with `listen` or `webroot`.": "请为该证书设置带有 `listen` 或 `webroot` 的途径。",
    "Give the certificate a route with a DNS account, or leave it to Caddy and remove it from the configuration.": (
        "请为该证书设置使用 DNS 账户的途径，或把它留给 Caddy 并从配置中删除。"
    ),
    "Give the certificate a route with a DNS account: run dnsrenew providers to list the DNS hosts.": (
        "请为该证书设置使用 DNS 账户的途径：请运行 dnsrenew providers 列出 DNS 服务商。"
    ),
    "Give the certificate a route: run dnsrenew providers to list the DNS hosts.": (
        "请为该证书设置途径：请运行 dnsrenew providers 列出 DNS 服务商。"
    ),
    "Continue without it; a new account is created when it is needed.": "可以不用它；需要时会创建新账户。",
    "HFS has neither a domain nor a certificate of a CA in {file}.": (
        "{file} 中的 HFS 既没有域名，也没有 CA 签发的证书。"
    ),
    "HFS itself listens on port 80, so dnsrenew cannot prove {name} there.": (
        "HFS 自己监听 80 端口，因此 dnsrenew 无法在那里验证 {name}。"
    ),
    "HTTPS is switched off in HFS, so a new certificate cannot be served.": "HFS 已关闭 HTTPS，因此无法提供新证书。",
    "The validation method of {name} is unknown: {tool} stores it in no file.": (
        "无法得知 {name} 的验证方式：{tool} 没有把它保存在任何文件中。"
    ),
    "In line {line} of {file}, write: {new}": "请在 {file} 的第 {line} 行写上：{new}",
    "Make it read the files that RENEWED_LINEAGE or DNSRENEW_FULLCHAIN and DNSRENEW_PRIVKEY name.": (
        "请让它读取 RENEWED_LINEAGE，或 DNSRENEW_FULLCHAIN 和 DNSRENEW_PRIVKEY 所指的文件。"
    ),
    "Make servers that read the older files read the new ones.": "请让读取旧文件的服务器改为读取新文件。",
    "Reload {server}: {command}": "请重新加载 {server}：{command}",
    "Line {line} of {file} is not a simple assignment, so it was not read.": (
        "{file} 的第 {line} 行不是简单的赋值，因此没有读取。"
    ),
    "Look for a target that does the same in the deployment reference.": "请在部署参考中查找作用相同的目标。",
    "Look for it in the configuration reference.": "请在配置参考中查找它。",
    "Check whether the certificate needs this setting.": "请检查证书是否需要此设置。",
    "Import into a new configuration with the path of the Caddyfile that has the block, or give the certificate a "
    "route with a DNS account.": "请用含有该块的 Caddyfile 的路径导入到新的配置中，或为该证书设置使用 DNS 账户的途径。",
    "No `tls` block with a DNS module was found for {name}, so its DNS host is unknown.": (
        "没有找到 {name} 的带 DNS 模块的 `tls` 块，因此不知道其 DNS 服务商。"
    ),
    "acme.sh proved the domains of {name} by several methods ({methods}); dnsrenew tries the routes in order for each "
    "domain.": "acme.sh 用多种方法验证 {name} 的域名（{methods}）；dnsrenew 会对每个域名依次尝试各途径。",
    "Name another file, such as --config {other}, and take from it what you need.": (
        "请指定其他文件，例如 --config {other}，并从中取用所需的内容。"
    ),
    "Name its root certificates with `trust` in the table of the CA.": "请在该 CA 的表中用 `trust` 指定其根证书。",
    "Name the domain with: dnsrenew init": "请运行 dnsrenew init 指定域名。",
    "Name the folder of the tool, such as /etc/letsencrypt.": "请指定该工具的目录，例如 /etc/letsencrypt。",
    "Name the folder of the tool: dnsrenew import PATH": "请指定该工具的目录：dnsrenew import PATH",
    "Name the folder that has both files.": "请指定同时含有两个文件的目录。",
    "No account was found, so the terms of service of the CA are not agreed to.": (
        "没有找到账户，因此尚未同意 CA 的服务条款。"
    ),
    "No certificate belongs to the private key in {file}.": "没有证书与 {file} 中的私钥对应。",
    "No certificate with its private key was found in {file}.": "{file} 中没有带私钥的证书。",
    "No configuration of a server names {path}: write it into that of the server, or remove the entry "
    "from `deploy` of {name} if no server needs it.": (
        "没有服务器的配置提到 {path}：请把它写入服务器的配置；"
        "如果没有服务器需要它，请从 {name} 的 `deploy` 中删除该条目。"
    ),
    "Nothing to do if it is not used.": "如果不使用它，则无需处理。",
    "Nothing to do if the program makes servers load the certificate.": ("如果该程序会让服务器加载证书，则无需处理。"),
    "Nothing to do if the program only freed a port.": "如果该程序只用于释放端口，则无需处理。",
    "Nothing to do.": "无需处理。",
    "Nothing to do: CAs have stopped issuing certificates with it.": ("无需处理：各 CA 已不再签发带有它的证书。"),
    "Nothing to do: Caddy keeps renewing it.": "无需处理：Caddy 会继续续期它。",
    "Nothing to do: dnsrenew obtains a certificate from a CA.": "无需处理：dnsrenew 会从 CA 获取证书。",
    "Nothing to import was found in {places}.": "在 {places} 没有找到可导入的内容。",
    "Nothing was imported.": ("没有导入任何内容。"),
    "Read them and add `agree_terms = true` to the configuration; dnsrenew check shows the address.": (
        "请阅读服务条款，并在配置中添加 `agree_terms = true`；dnsrenew check 会显示其地址。"
    ),
    "Remove its [[certificate]] from the configuration if it is no longer needed.": (
        "如果不再需要该证书，请从配置中删除它的 [[certificate]]。"
    ),
    "Renew automatically from now on: dnsrenew schedule install{config}": (
        "从现在起自动续期：dnsrenew schedule install{config}"
    ),
    "Replace the account manual in the routes of {names} by your DNS host, in {path}.": (
        "请在 {path} 中把 {names} 的途径里的账户 manual 换成您的 DNS 服务商。"
    ),
    "Restore it from a backup, or let dnsrenew obtain a new certificate.": (
        "请从备份恢复它，或让 dnsrenew 重新获取该证书。"
    ),
    "Run dnsrenew deploy, write this line into the site in place of its `tls`, and reload Caddy: tls {certificate} "
    "{key}": ("请运行 dnsrenew deploy，在站点中用下面这一行代替其 `tls`，并重新加载 Caddy：tls {certificate} {key}"),
    "Run dnsrenew import{config} again: when every server was seen serving from its new files, it names "
    "what stops {tool}.": (
        "请再次运行 dnsrenew import{config}：确认每台服务器都已使用新文件后，它会给出停止 {tool} 的方法。"
    ),
    "Run dnsrenew renew to obtain a new one.": "请运行 dnsrenew renew 获取新证书。",
    "Run the command as a user that may write it, or name another file with --config.": (
        "请以有权写入它的用户运行该命令，或用 --config 指定其他文件。"
    ),
    "Run the command as the user that owns it.": "请以其所有者的身份运行该命令。",
    "Servers read the files of {tool}: {files}.": ("有服务器在读取 {tool} 的文件：{files}。"),
    "Stop {tool}: remove its line from {source}.": "请停用 {tool}：从 {source} 中删除它的那一行。",
    "Stop {tool}: {command}": "请停用 {tool}：{command}",
    "Switch on HTTPS in HFS, or add `https = true` to the entry of `deploy` in the certificate {name}.": (
        "请在 HFS 中开启 HTTPS，或在证书 {name} 的 `deploy` 条目中添加 `https = true`。"
    ),
    "Test it with: dnsrenew renew --dry-run {name}": "请测试：dnsrenew renew --dry-run {name}",
    "Test the renewal, without a new certificate: dnsrenew renew --dry-run{config}": (
        "请测试续期（不产生新证书）：dnsrenew renew --dry-run{config}"
    ),
    "The DNS module {module} of Caddy has no equivalent.": "Caddy 的 DNS 模块 {module} 没有对应的功能。",
    "The TLS feature extension (must-staple) is not supported; the next certificate of {name} is without it.": (
        "不支持 TLS 特性扩展（must-staple）；{name} 的下一个证书将不带该扩展。"
    ),
    "The authenticator {plugin} of {name} has no equivalent.": "{name} 的验证插件 {plugin} 没有对应的功能。",
    "The certificate of the CA's own server was not checked; dnsrenew always checks it.": (
        "此前没有检查 CA 自己的服务器证书；dnsrenew 始终检查。"
    ),
    "The certificate of {file} is self-signed, so it was not imported.": ("{file} 中的证书是自签名的，因此没有导入。"),
    "The certificate {name} was issued by Caddy's own CA, so it was not imported.": (
        "证书 {name} 由 Caddy 自己的 CA 签发，因此没有导入。"
    ),
    "The certificate {name} was not imported: {reason}": "没有导入证书 {name}：{reason}",
    "The certificate {name} was requested, but never issued, so it was not imported.": (
        "证书 {name} 已申请但从未签发，因此没有导入。"
    ),
    "The configuration file of lego was not read.": "没有读取 lego 的配置文件。",
    "The credentials for {plugin} were not found: {missing}.": "没有找到 {plugin} 的凭据：{missing}。",
    "The deploy hook {script} of {name} has no equivalent.": "{name} 的部署钩子 {script} 没有对应的功能。",
    "The directory URL of the CA {ca} is unknown, so its account was not imported.": (
        "不知道 CA {ca} 的 directory URL，因此没有导入其账户。"
    ),
    "The domains of {name} are proved by several webroots; dnsrenew tries them in order for each domain.": (
        "{name} 的域名用多个网站根目录验证；dnsrenew 会对每个域名依次尝试。"
    ),
    "The hook {program} does not exist, so it was not imported.": "钩子 {program} 不存在，因此没有导入。",
    "The key of the account at {ca} is of a kind that dnsrenew cannot sign with.": (
        "在 {ca} 的账户的密钥类型无法被 dnsrenew 用于签名。"
    ),
    "The key type {kind} is not supported; the next certificate of {name} has the key type {used}.": (
        "不支持密钥类型 {kind}；{name} 的下一个证书将使用密钥类型 {used}。"
    ),
    "The manual hooks of {name} prove names by {challenge}, for which dnsrenew runs no program.": (
        "{name} 的手动钩子以 {challenge} 验证名称，而 dnsrenew 不为此运行程序。"
    ),
    "The notifications of {tool} were not imported.": "没有导入 {tool} 的通知。",
    "The port on which {server} serves {name} is not given in {file}: add `verify` with its HOST:PORT to the entry in "
    "`deploy`.": (
        "从 {file} 无法得知 {server} 在哪个端口提供 {name}：请在 `deploy` 的条目中添加 `verify`，写上其 HOST:PORT。"
    ),
    "The setting {key} was not imported: dnsrenew has no equivalent that is known to the import.": (
        "没有导入设置 {key}：导入功能不知道 dnsrenew 中有对应的设置。"
    ),
    "The setting {setting} of Caddy was not imported: dnsrenew has no equivalent that is known to the import.": (
        "没有导入 Caddy 的设置 {setting}：导入功能不知道 dnsrenew 中有对应的设置。"
    ),
    "The store has a certificate {name} that is valid for longer, so this one was not imported.": (
        "存储目录中的证书 {name} 有效期更长，因此没有导入此证书。"
    ),
    "The store has another account at {ca} already, so this one was not imported.": (
        "存储目录中已有在 {ca} 的另一个账户，因此没有导入此账户。"
    ),
    "The store has no certificate {name}: run dnsrenew renew {name}.": (
        "存储中没有证书 {name}：请运行 dnsrenew renew {name}。"
    ),
    "The way {way} in which acme.sh proved {name} has no equivalent.": (
        "acme.sh 验证 {name} 的方式 {way} 没有对应的功能。"
    ),
    "Use another store, with `store` in the configuration, to keep using the account.": (
        "若要继续使用该账户，请在配置中用 `store` 指定另一个存储目录。"
    ),
    "What servers serve was not compared with the store: {reason}": ("没有将服务器提供的证书与存储比对：{reason}"),
    "Write the missing options in place of change-me into {path}.": "请在 {path} 中用缺少的选项值代替 change-me。",
    "Write the new files for your servers: dnsrenew deploy{config}": (
        "请为您的服务器写出新文件：dnsrenew deploy{config}"
    ),
    "certbot edited the configuration of {server} to prove {name}, and no webroot of it was found.": (
        "certbot 曾修改 {server} 的配置来验证 {name}，而没有找到其网站根目录。"
    ),
    "certbot edited the configuration of {server} to prove {name}; dnsrenew puts the responses into {webroot} "
    "instead.": ("certbot 曾修改 {server} 的配置来验证 {name}；dnsrenew 改为把响应放入 {webroot}。"),
    "certbot was configured not to renew {name} automatically; dnsrenew renews every certificate of its "
    "configuration.": ("certbot 被设为不自动续期 {name}；dnsrenew 会续期其配置中的每个证书。"),
    "PEM files": "PEM 文件",
    "{address} served no certificate, so nothing shows that {name} is served from the new files: "
    "{reason}. Start the server, or correct `verify` in `deploy`.": (
        "{address} 没有提供证书，因此无法确认 {name} 来自新文件：{reason}。"
        "请启动该服务器，或更正 `deploy` 中的 `verify`。"
    ),
    "{address} serves another certificate than that of {name} in the store: run dnsrenew deploy {name}, and reload "
    "{server}.": (
        "{address} 提供的证书与存储中 {name} 的证书不同：请运行 dnsrenew deploy {name}，并让 {server} 重新加载配置。"
    ),
    "{address} serves {name}, but the old and the new files hold the same certificate, and nothing shows "
    "that {server} has loaded its configuration since it was changed: run dnsrenew deploy --force {name}, "
    "or restart it.": (
        "{address} 提供了 {name}，但新旧文件中的证书相同，且无法确认 {server} 在配置更改后已重新加载："
        "请运行 dnsrenew deploy --force {name}，或重启它。"
    ),
    "{tool} in {folder}": "{folder} 中的 {tool}",
    "it has no certificate": "其中没有证书",
    "it has no private key of a supported kind": "其中没有受支持类型的私钥",
    "it is empty": "内容为空",
    "it is too large": "文件过大",
    "it is not a JSON object": "不是 JSON 对象",
    "its private key is encrypted": "其私钥已加密",
    "the private key does not belong to the certificate": "该私钥与证书不匹配",
    "the server": "该服务器",
    "{file} is damaged or not complete: {reason}.": "{file} 已损坏或不完整：{reason}。",
    "{path} exists, and an import never writes over a configuration.": "{path} 已存在，而导入从不覆盖配置。",
    "{path} is not a folder of {kinds}, and has no certificate with its key.": (
        "{path} 不是 {kinds} 的目录，其中也没有带私钥的证书。"
    ),
    "{tool} edited the configuration of {server} to prove {name}, and no webroot of it was found.": (
        "{tool} 曾修改 {server} 的配置来验证 {name}，而没有找到其网站根目录。"
    ),
    "{tool} edited the configuration of {server} to prove {name}; dnsrenew puts the responses into {webroot} "
    "instead.": ("{tool} 曾修改 {server} 的配置来验证 {name}；dnsrenew 改为把响应放入 {webroot}。"),
    "{tool} has a certificate {name} for the domains of {newer}, which {other} has too; the newer one was imported.": (
        "{tool} 中有用于 {newer} 的域名的证书 {name}，{other} 中也有；已导入较新的一个。"
    ),
    "Create it, or correct `webroot` in the configuration.": ("请创建它，或更正配置中的 `webroot`。"),
    "Restore it from a backup, or continue without its content.": ("请从备份恢复它，或放弃其中的内容。"),
    "Stop {tool}, which runs from {source}, only when the problems with {causes} are fixed, or you accept them.": (
        "{tool} 由 {source} 运行；请在 {causes} 的问题已解决或您接受这些问题之后，再停用它。"
    ),
    "The webroot {file} does not exist.": ("网站根目录 {file} 不存在。"),
    "its domains are unknown, because {file} is missing or has no certificate": (
        "无法得知其域名，因为 {file} 缺失或其中没有证书"
    ),
    "{file} does not exist.": ("{file} 不存在。"),
    "{file} names no authenticator for {name}.": ("{file} 没有为 {name} 指定验证插件。"),
    "{path} does not exist.": ("{path} 不存在。"),
    "Add its tables, which this import shows, to the configuration, and run the import again.": (
        "请把此次导入显示的表加入配置，然后再次导入。"
    ),
    "Add the tables of {names}, which are shown above, to {path}, and run dnsrenew import{config} again.": (
        "请把上面显示的 {names} 的表加入 {path}，然后再次运行 dnsrenew import{config}。"
    ),
    "Import into a new configuration with --server URL, the directory URL of the CA; or add it as [ca.NAME] with "
    "`directory` to the configuration: dnsrenew then creates a new account.": (
        "请用 --server URL（CA 的 directory URL）导入到新的配置；或在配置中把它添加为带有 `directory` 的 "
        "[ca.NAME]：之后 dnsrenew 会创建新账户。"
    ),
    "Add what removes them to `program` of the DNS account.": "请把删除这些值的程序加入该 DNS 账户的 `program`。",
    "No timer, unit or crontab that runs {tool} on {folder} was found: look for what does, and stop it only when the "
    "problems with {causes} are fixed, or you accept them.": (
        "没有找到对 {folder} 运行 {tool} 的定时器、单元或 crontab：请查找由什么运行它，并且只在 {causes} 的问题已解决"
        "或您接受这些问题时才停止它。"
    ),
    "No timer, unit or crontab that runs {tool} on {folder} was found: look for what does, and stop it.": (
        "没有找到对 {folder} 运行 {tool} 的定时器、单元或 crontab：请查找由什么运行它，并停止它。"
    ),
    "The certificate {name} is not in the configuration, so dnsrenew does not renew it.": (
        "证书 {name} 不在配置中，因此 dnsrenew 不会续期它。"
    ),
    "The cleanup hook {program} of {name} does not exist, so TXT values stay after a renewal.": (
        "{name} 的清理钩子 {program} 不存在，因此续期后 TXT 值会留下。"
    ),
    "The manual hook {program} does not exist, so the validation of {name} was not imported.": (
        "手动钩子 {program} 不存在，因此没有导入 {name} 的验证方式。"
    ),
}

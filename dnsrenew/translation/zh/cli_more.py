"""The command: delegate, the conformance test, new drivers, notifications."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "'{name}' cannot be the name of a driver": "“{name}”不能用作驱动的名称",
    "'{name}' cannot be the name of a driver: {reason}": "“{name}”不能用作驱动的名称：{reason}",
    "- cannot be combined with --json": "- 不能与 --json 同时使用",
    "--markdown needs --check": "--markdown 需要与 --check 一起使用",
    "--passphrase-file needs --secrets": "--passphrase-file 需要与 --secrets 一起使用",
    "A person writes the records, so it needs a terminal.": "记录由人手动写入，因此需要终端。",
    "A test message was sent to {address}.": "已向 {address} 发送测试消息。",
    "Add --check ACCOUNT, or leave --markdown out.": "请加上 --check ACCOUNT，或去掉 --markdown。",
    "Add --passphrase-file FILE; FILE can be a pipe, such as that of a password manager.": (
        "请加上 --passphrase-file FILE；FILE 可以是管道，例如密码管理器的输出。"
    ),
    "Add --secrets, or leave --passphrase-file out.": "请加上 --secrets，或去掉 --passphrase-file。",
    "Add a [dns.…] table; dnsrenew providers NAME prints one to copy.": (
        "请添加 [dns.…] 表；dnsrenew providers NAME 会打印可复制的表。"
    ),
    "Add this as the first entry of `routes` to the certificate {certificate} in {path}:": (
        "请在 {path} 中把下面的内容作为 `routes` 的第一项加入证书 {certificate}："
    ),
    "Add this at the start of the table of the certificate {certificate} in {path}:": (
        "请在 {path} 中把下面的内容加到证书 {certificate} 的表的开头："
    ),
    "Add this before the first [[certificate.routes]] of the certificate {certificate} in {path}:": (
        "请在 {path} 中把下面的内容加到证书 {certificate} 的第一个 [[certificate.routes]] 之前："
    ),
    "Add this to the certificate {certificate} in {path}:": "请在 {path} 中把下面的内容加入证书 {certificate}：",
    "Change the absolute paths in {path}: they name the folder that it was exported from.": (
        "请修改 {path} 中的绝对路径：它们指向导出时所在的目录。"
    ),
    "Change these lines once, and reload the server:": "请修改以下各行一次，并重新加载服务器：",
    "Change to a folder that you can write to.": "请切换到您可以写入的目录。",
    "Check the configuration: dnsrenew check{config}": "请检查配置：dnsrenew check{config}",
    "Choose a longer one: anyone with the file can try passphrases without a limit.": (
        "请选用更长的口令：任何得到该文件的人都可以无限次尝试口令。"
    ),
    "Did you mean {nearest}? Otherwise write providers/NAME.toml if dns-lexicon knows the host, or a driver "
    "(`dnsrenew providers --new NAME`); or run `dnsrenew delegate NAME`, which needs no API, only one CNAME record.": (
        "是否想输入 {nearest}？否则，如果 dns-lexicon 支持该服务商，"
        "请编写 providers/NAME.toml，或编写驱动（`dnsrenew providers --new NAME`）；"
        "或运行 `dnsrenew delegate NAME`，它不需要 API，只需要一条 CNAME 记录。"
    ),
    "Did you mean {nearest}? Otherwise write providers/{name}.toml if dns-lexicon knows the host, or a driver "
    "(`dnsrenew providers --new {name}`); or run `dnsrenew delegate NAME`, which needs no API, only one CNAME "
    "record.": (
        "是否想输入 {nearest}？否则，如果 dns-lexicon 支持该服务商，请编写 providers/{name}.toml，或编写驱动"
        "（`dnsrenew providers --new {name}`）；或运行 `dnsrenew delegate NAME`，它不需要 API，只需要一条 CNAME 记录。"
    ),
    "Done. `dnsrenew status{option}` shows the certificate, {path} has the settings.": (
        "完成。`dnsrenew status{option}` 显示证书，设置在 {path} 中。"
    ),
    "Fill in {key} in {place}.": "请在 {place} 中填写 {key}。",
    "For a host that is not there, write providers/NAME.toml if dns-lexicon knows the host, or a driver (`dnsrenew "
    "providers --new NAME`); or run `dnsrenew delegate NAME`, which needs no API, only one CNAME record.": (
        "对于其中没有的服务商，如果 dns-lexicon 支持它，"
        "请编写 providers/NAME.toml，或编写驱动（`dnsrenew providers --new NAME`）；"
        "或运行 `dnsrenew delegate NAME`，它不需要 API，只需要一条 CNAME 记录。"
    ),
    "Give a file, or leave --json out.": "请指定文件，或去掉 --json。",
    "Give a file, or send the output to another program.": "请指定文件，或把输出交给其他程序。",
    "Give one of [dns.…] in dnsrenew.toml: {known}.": "请给出 dnsrenew.toml 中的 [dns.…] 之一：{known}。",
    "If the DNS host appends .{zone} to each name, enter: {names}": (
        "如果 DNS 服务商会自行为每个名称补上 .{zone}，请填写：{names}"
    ),
    "If the servers here do not have the certificates: dnsrenew deploy --force{config}": (
        "如果此处的服务器还没有这些证书：dnsrenew deploy --force{config}"
    ),
    "Keeps the two newest TXT values of a name: other names are validated one after the other.": (
        "每个名称只保存最新的两个 TXT 值：其余名称依次验证。"
    ),
    "Leave --passphrase-file out, if this is the right file.": "如果文件无误，请去掉 --passphrase-file。",
    "Metrics: http://{address}/metrics": "指标：http://{address}/metrics",
    "Move it away, or use another name.": "请把它移到别处，或使用其他名称。",
    "Next, run: dnsrenew renew {names}": "接下来请运行：dnsrenew renew {names}",
    "Next, run: python -m pytest {test}": "接下来请运行：python -m pytest {test}",
    "Not tested: {must} {reason}": "未测试：{must}{reason}",
    "Nothing matches '{name}'.": "没有与“{name}”匹配的 DNS 服务商。",
    "Nothing was exported, because the two passphrases differ.": "两次输入的口令不同，因此没有导出任何内容。",
    "Obtain {certificates} without a private key: dnsrenew renew{config}": (
        "获取没有私钥的 {certificates}：dnsrenew renew{config}"
    ),
    "Obtaining the certificate.": "正在获取证书。",
    "Passphrase for the new file:": "新文件的口令：",
    "Passphrase:": "口令：",
    "Put {path} there: the configuration uses it, and it was not in the file.": (
        "请把 {path} 放到那里：配置使用它，而文件中没有它。"
    ),
    "Python has a module of this name already": "已有同名的 Python 模块",
    "Rehearsing at the CA's test server; nothing is stored.": "正在用 CA 的测试服务器试运行；不保存任何内容。",
    "Renew automatically from now on, and only here: dnsrenew schedule install{config}": (
        "从现在起仅在此处自动续期：dnsrenew schedule install{config}"
    ),
    "Renewing what is due.": "正在续期应续期的证书。",
    "Run the command again.": "请重新运行该命令。",
    "Search with `dnsrenew providers --search WORD`. For a host that is not there, write providers/{name}.toml if "
    "dns-lexicon knows the host, or a driver (`dnsrenew providers --new {name}`); or run `dnsrenew delegate NAME`, "
    "which needs no API, only one CNAME record.": (
        "请用 `dnsrenew providers --search WORD` 查找。对于其中没有的服务商，如果 dns-lexicon 支持它，请编写 "
        "providers/{name}.toml，或编写驱动（`dnsrenew providers --new {name}`）；或运行 `dnsrenew delegate NAME`，它不"
        "需要 API，只需要一条 CNAME 记录。"
    ),
    "Set these records at the DNS host of {zones}, once:": "请在 {zones} 的 DNS 服务商处设置一次以下记录：",
    "Set this record at the DNS host of {zones}, once:": "请在 {zones} 的 DNS 服务商处设置一次以下记录：",
    "Started.": "已启动。",
    "Stopping.": "正在停止。",
    "TYPE": "类型",
    "The DNS host '{name}' cannot be used. {why}": "无法使用 DNS 服务商“{name}”。{why}",
    "The configuration has the route already.": "配置中已有该途径。",
    "The configuration needs no change: renewals use the account {account} already.": (
        "无需更改配置：续期已在使用账户 {account}。"
    ),
    "The configuration stays in {path}. When the cause is gone, run: dnsrenew renew{option}": (
        "配置保留在 {path} 中。问题解决后，请运行：dnsrenew renew{option}"
    ),
    "The configuration stays in {path}. When the cause is gone, run: dnsrenew renew{option}, then: dnsrenew schedule "
    "install{option}": (
        "配置保留在 {path} 中。问题解决后，请运行：dnsrenew renew{option}，然后运行：dnsrenew schedule install{option}"
    ),
    "Nothing renews this yet. Run: dnsrenew schedule install{option}": (
        "目前没有任何自动续期。请运行：dnsrenew schedule install{option}"
    ),
    "The route was written to {path}.": "已把途径写入 {path}。",
    "The same again:": "请再输入一次：",
    "There is no DNS account '{account}'.": "没有名为“{account}”的 DNS 账户。",
    "There is no DNS account '{account}': the configuration has none.": (
        "没有名为“{account}”的 DNS 账户：配置中没有 DNS 账户。"
    ),
    "This asks at most seven questions and then writes {path}. Enter takes the answer in brackets, ? shows help, "
    "Ctrl-C stops and leaves nothing behind.": (
        "最多提七个问题，然后写出 {path}。按 Enter 采用方括号中的回答，输入 ? 显示帮助，Ctrl-C 停止且不留下任何内容。"
    ),
    "Use a shorter name.": "请使用较短的名称。",
    "Use another name.": "请使用其他名称。",
    "Use lower-case letters, digits, - and _, with a letter first.": "请使用小写字母、数字、- 和 _，并以字母开头。",
    "VALUE": "值",
    "Waiting until every name server shows it. To stop, press Ctrl-C; run the same command again to continue.": (
        "正在等待所有域名服务器都能看到它。若要停止，请按 Ctrl-C；再次运行同一命令即可继续。"
    ),
    "What to do next:": "接下来：",
    "Windows reserves it for a device": "Windows 将它保留给设备",
    "Writes only names that a CNAME record leads to: run dnsrenew delegate NAME.": (
        "只写入 CNAME 记录所指的名称：请运行 dnsrenew delegate NAME。"
    ),
    "Written: {files}": "已写入：{files}",
    "a DNS host is named '{name}' already": "已有名为“{name}”的 DNS 服务商",
    "a passphrase is needed, and there is no terminal to ask for it": "需要口令，但没有可用于询问的终端",
    "a table [notify] with addresses": "写明地址的 [notify] 表",
    "an archive is not written to a terminal": "归档文件不会写到终端",
    "broken": "不符合",
    "configuration": "配置",
    "it is a word of Python": "它是 Python 的关键字",
    "it is not UTF-8": "不是 UTF-8",
    "kept": "符合",
    "leads elsewhere at {servers}": "在 {servers} 上指向别处",
    "not tested": "未测试",
    "not there yet at {servers}": "在 {servers} 上尚未出现",
    "pytest would take its file for tests": "pytest 会把它的文件当作测试",
    "set this TXT record at your DNS host, beside others of that name: {name}  {value}": (
        "请在 DNS 服务商处设置此 TXT 记录（保留同名的其他记录）：{name}  {value}"
    ),
    "standard output": "标准输出",
    "store": "存储目录",
    "restored the configuration and the state of {certificates}, without keys and secrets": (
        "已恢复配置和 {certificates}的状态，不含密钥和凭据"
    ),
    "the name of the driver has {length} characters, and {most} are possible": (
        "驱动的名称有 {length} 个字符，最多可用 {most} 个"
    ),
    "the passphrase has fewer than {least} characters": "口令少于 {least} 个字符",
    "waiting for the TXT records that you set": "正在等待您设置的 TXT 记录",
    "written: {path}": "已写入：{path}",
    "you can remove this TXT record: {name}  {value}": "现在可以删除此 TXT 记录：{name}  {value}",
    "{account} in {zone}: {ok} kept, {broken} broken, {left} not tested": (
        "账户 {account}，区域 {zone}：{ok} 项符合，{broken} 项不符合，{left} 项未测试"
    ),
    "{certificates} and {accounts} exported to {file}, with keys and secrets, sealed": (
        "{file}：已导出 {certificates}和 {accounts}，包括私钥和凭据，并已加密"
    ),
    "{certificates} and {accounts} exported to {file}, without keys and secrets": (
        "{file}：已导出 {certificates}和 {accounts}，不含私钥和凭据"
    ),
    "{certificates} and {accounts} restored": "已恢复 {certificates}和 {accounts}",
    "{certificates} and {accounts} were imported from {tools}. Nothing was ordered.": (
        "已从 {tools} 导入 {certificates}和 {accounts}。没有下单。"
    ),
    "{certificate} (not imported; the next renew obtains it)": "{certificate}（未导入；下次 renew 会获取它）",
    "{certificate}: CNAME shown by every name server ({duration})": (
        "{certificate}：所有域名服务器都能看到 CNAME 记录（{duration}）"
    ),
    "{count} of 1 name server shows it": "1 台域名服务器中 {count} 台能看到它",
    "{count} of {total} name servers show it": "{total} 台域名服务器中 {count} 台能看到它",
    "{first} cannot be combined with {second}": "{first} 和 {second} 不能同时使用",
    "{names}: delegated to the DNS account {account}, which was not tested": (
        "{names}：已委托给 DNS 账户 {account}，该账户未经测试"
    ),
    "{names}: delegated to the DNS account {account}, which was tested": (
        "{names}：已委托给 DNS 账户 {account}，该账户已通过测试"
    ),
    "{names}: the TXT record of dns-persist-01 is at every name server, and stays there": (
        "{names}：所有域名服务器都能看到 dns-persist-01 的 TXT 记录，该记录会一直保留"
    ),
    "{name}, after {elapsed}: {servers}": "{name}，已用 {elapsed}：{servers}",
    "{path} exists": "{path} 已存在",
    "{path} is not sealed, so it has no passphrase": "{path} 未加密，因此没有口令",
    "{path} was left out: {reason}": "已略去 {path}：{reason}",
    "{place}: {key} is in the file as it is; make sure that it holds no secret": (
        "{place}：{key} 原样写入文件；请确认其中没有机密"
    ),
    "{place}: {key} is masked": "{place}：{key} 已遮盖",
    "{title} ({provider}, driver {driver}), checked with dnsrenew {version}, Python {python} on {system}, on {date}": (
        "{title}（{provider}，驱动 {driver}），于 {date} 在 {system} 上用 dnsrenew {version}、Python {python} 检查"
    ),
    "{tools} was imported before; the configuration stays as it is.": "此前已从 {tools} 导入；配置保持不变。",
    "Add this to the configuration for the certificate {certificate}:": "请为证书 {certificate} 把以下内容加入配置：",
    "Make {reference} available here: {key} in {place} is read from it.": (
        "请在此系统上提供 {reference}：{place} 中的 {key} 从它读取。"
    ),
    "Write the directory URL of the CA, such as https://ca.example.com/acme/directory.": (
        "请写 CA 的 directory URL，例如 https://ca.example.com/acme/directory。"
    ),
    "the value of --server is not an https URL": "--server 的值不是 https URL",
    "{place}: {key} is read from {reference}, which is not in the file": (
        "{place}：{key} 从 {reference} 读取，文件中没有它的值"
    ),
}

"""The questions of dnsrenew init."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "--option {answer} is not KEY=VALUE.": "--option {answer} 的形式不是 KEY=VALUE。",
    "A CA issues only after you accept its terms. Accepting them is free.": (
        "只有在您接受其服务条款之后，CA 才会签发证书。接受条款不需要付费。"
    ),
    "A certificate is valid for 90 days or less. A schedule of this machine then runs dnsrenew four times a day; "
    "`dnsrenew schedule remove` removes it.": (
        "证书的有效期不超过 90 天。本机会每天自动运行四次 dnsrenew；移除请运行 `dnsrenew schedule remove`。"
    ),
    "A domain whose records this account can change; the values are written below it.": (
        "此账户可以更改其记录的域名；值写在该域名之下。"
    ),
    "Agree, or stop with Ctrl-C; nothing has been written.": "请同意，或按 Ctrl-C 停止；没有写入任何内容。",
    "Answer delegate instead: then one record that is set once is enough.": (
        "请改为回答 delegate：这样只需设置一次记录。"
    ),
    "Answer delegate: one record set by hand is enough.": "请回答 delegate：只需手动设置一条记录。",
    "Answer n, and keep `dnsrenew run` running, as in a container.": (
        "请回答 n，并让 `dnsrenew run` 保持运行，例如在容器中。"
    ),
    "The answer {key} is {answer}, which is neither yes nor no.": "回答 {key} 的值 {answer} 既不是 yes 也不是 no。",
    "There is no answer {key}; did you mean {nearest}?": "没有名为 {key} 的回答；您是想用 {nearest} 吗？",
    "The command of {option} is not valid: {found}, expected {expected}.": (
        "{option} 的命令无效：{found}，应为{expected}。"
    ),
    "The answers have a mistake: {reason}.": "回答有错误：{reason}。",
    "The CA {ca} has no test server to rehearse at.": "CA {ca} 没有可用于试运行的测试服务器。",
    "Set rehearse = false, or name one as staging in the table of the CA.": (
        "请设置 rehearse = false，或在该 CA 的表中用 staging 指定一个。"
    ),
    "With {title}, a person has to set records, and this run has no terminal.": (
        "使用 {title} 时需要人工设置记录，而此次运行没有终端。"
    ),
    "Run it in a terminal, or give another DNS host.": "请在终端中运行，或给出其他 DNS 服务商。",
    "Answer y or n.": "请回答 y 或 n。",
    "Correct it in the answers.": "请在回答中更正它。",
    "Correct the file.": "请更正该文件。",
    "Correct the options.": "请更正这些选项。",
    "Edit that file, or write another one with --config FILE.": "请编辑该文件，或用 --config FILE 写出另一个文件。",
    "Give a name that is registered; DuckDNS and deSEC have free ones.": (
        "请给出已注册的名称；DuckDNS 和 deSEC 提供免费的名称。"
    ),
    "Give a name; see `dnsrenew help renew` and the configuration reference for IP addresses.": (
        "请给出名称；关于 IP 地址，请参见 `dnsrenew help renew` 和配置参考。"
    ),
    "Give at least one, such as www.example.org.": "请至少给出一个，例如 www.example.org。",
    "Give it, or < for another DNS host.": "请给出它，或输入 < 改选其他 DNS 服务商。",
    "Give names or numbers of the list, or none.": "请给出列表中的名称或编号，或 none。",
    "Give one such as me@example.com, or none.": "请给出邮件地址，例如 me@example.com，或 none。",
    "Give only the name, such as www.example.org.": "请只给出名称，例如 www.example.org。",
    "Give the answers again; if it is slow every time, run `dnsrenew doctor` to see what hangs.": (
        "请重新给出回答；如果每次都很慢，请用 `dnsrenew doctor` 查看卡在何处。"
    ),
    "HTTPS is off there and is switched on at port 443": "那里的 HTTPS 已关闭，将在 443 端口开启",
    "In {config}, replace {old} by {new}": "请在 {config} 中把 {old} 换成 {new}",
    "In {config}, set {setting} to {new}": "请在 {config} 中把 {setting} 设为 {new}",
    "Check for a typing error, or give the same answer again if you will add the name later.": (
        "请检查是否有输入错误；如果稍后会添加该名称，请再次给出相同的回答。"
    ),
    "Look for it with `dnsrenew providers`, or answer delegate.": "请用 `dnsrenew providers` 查找，或回答 delegate。",
    "Name the host of these name servers, or give the same answer again if it is right.": (
        "请给出这些域名服务器所属的服务商；如果回答无误，请再次给出相同的回答。"
    ),
    "Names or numbers, separated by blanks, or none. dnsrenew writes the files, has the server load them, and checks "
    "that it serves them; if it does not, the old ones are restored.": (
        "名称或编号，用空格分隔，或 none。dnsrenew 会写出文件，让服务器加载，并检查服务器是否提供这些文件；如果没有，则"
        "恢复旧文件。"
    ),
    "No domain is given.": "没有给出域名。",
    "No public CA issues a certificate for {answer}; it issues for {expected}.": (
        "公共 CA 不为 {answer} 签发证书；可以签发的是：{expected}。"
    ),
    "There is no terminal to ask at, and these answers are missing: {keys}.": (
        "没有可用于询问的终端，且缺少以下回答：{keys}。"
    ),
    "Other users can read {path}, which holds secrets.": "其他用户可以读取含有凭据的 {path}。",
    "Paste it and press Enter. It is written to a file that only you can read. file:PATH, env:NAME or "
    "keyring:SERVICE/USER name a place where it is already. < goes back to the choice of the host.": (
        "请粘贴它并按 Enter。它会写入只有您能读取的文件。file:PATH、env:NAME 或 keyring:SERVICE/USER 表示它已存放的位"
        "置。输入 < 返回选择服务商。"
    ),
    "Rehearse at the CA's test server first? The certificate is obtained after that.": (
        "是否先用 CA 的测试服务器试运行？之后再获取证书。"
    ),
    "Renew automatically from now on?": "从现在起自动续期吗？",
    "Run chmod 600 on it, or remove it.": "请对它运行 chmod 600，或将其删除。",
    "Run dnsrenew init as root, or answer none.": "请以 root 运行 dnsrenew init，或回答 none。",
    "Run it in a terminal, or give the answers with --answers FILE or as options.": (
        "请在终端中运行，或用 --answers FILE 或选项给出回答。"
    ),
    "Run the command in a folder of your own, or name another file with --config FILE.": (
        "请在您自己的目录中运行该命令，或用 --config FILE 指定其他文件。"
    ),
    "Start the server, or add an entry of deploy to the configuration later.": (
        "请启动该服务器，或稍后在配置中添加 deploy 条目。"
    ),
    "Testing {title}: a test value is written, seen at every name server, and removed.": (
        "正在测试 {title}：写入测试值，确认所有域名服务器都能看到，然后删除。"
    ),
    "The CA keeps it with your account and may write about problems. To leave it out, answer none.": (
        "CA 会把它和您的账户一起保存，并可能在出现问题时发送邮件。如果不想填写，请回答 none。"
    ),
    "The DNS account is not complete: {reason}.": "DNS 账户不完整：{reason}。",
    "The answer {key} is not {expected}.": "回答 {key} 不是{expected}。",
    "The answers in {path} are not valid TOML: {reason}.": "{path} 中的回答不是有效的 TOML：{reason}。",
    "The answers in {path} cannot be read: {reason}.": "无法读取 {path} 中的回答：{reason}。",
    "The certificate is from {ca}. Do you agree to its terms of service ({url})?": (
        "证书由 {ca} 签发。您同意其服务条款（{url}）吗？"
    ),
    "The certificate is from {ca}. Do you agree to its terms of service?": "证书由 {ca} 签发。您同意其服务条款吗？",
    "The company where you change the DNS records of the domain. `dnsrenew providers` lists the names that can be "
    "answered. rfc2136 is a name server of your own. delegate is for a host that is not in the list.": (
        "您在其处更改该域名 DNS 记录的公司。`dnsrenew providers` 列出可以回答的名称。rfc2136 是您自己的域名服务器。"
        "delegate 用于列表中没有的服务商。"
    ),
    "The deployment is not valid: {reason}": "部署无效：{reason}",
    "The name in the address that people open, such as my-house.duckdns.org. Several are separated by blanks; "
    "*.example.org stands for all names below example.org. You must be able to change the DNS of the domain.": (
        "人们打开的地址中的名称，例如 my-house.duckdns.org。多个名称用空格分隔；*.example.org 代表 example.org 之下的所"
        "有名称。您必须能更改该域名的 DNS。"
    ),
    "The rehearsal does all that the real run does, at a server with high limits, and stores nothing. With n, the "
    "certificate is obtained at once.": (
        "试运行与正式运行做同样的事，但使用限制宽松的服务器，且不保存任何内容。回答 n 则立即获取证书。"
    ),
    "The secret {option} is on the command line, where other users can read it.": (
        "凭据 {option} 写在命令行上，其他用户可以读取。"
    ),
    "The test of the account {title} did not end in time.": "对账户 {title} 的测试没有及时结束。",
    "Another host then holds the values that prove your control of the domain. Set one CNAME record at your present "
    "host, once; dnsrenew shows it and waits for it.": (
        "证明您控制该域名的值将由另一个服务商保存。您只需在当前的服务商处设置一次 CNAME 记录；dnsrenew 会显示该记录，"
        "并等到它生效。"
    ),
    "There is a configuration already: {path}; init never changes one.": "已有配置 {path}；init 从不更改已有的配置。",
    "This machine has no systemd, cron, launchd or Task Scheduler.": (
        "本机没有 systemd、cron、launchd 或任务计划程序。"
    ),
    "Which DNS host has {zones}? By its name servers it is {hosts}.": (
        "{zones} 在哪个 DNS 服务商处？从其域名服务器看是 {hosts}。"
    ),
    "Which DNS host has {zones}? Its name servers are {servers}, which dnsrenew does not know. If the host has no "
    "API, answer delegate: one record that you set by hand, once, lets another host answer.": (
        "{zones} 在哪个 DNS 服务商处？其域名服务器是 dnsrenew 不认识的 {servers}。如果该服务商没有 API，请回答 "
        "delegate：只需手动设置一次记录，即可由另一个服务商应答。"
    ),
    "Which DNS host writes the values?": "由哪个 DNS 服务商写入值？",
    "Which domain do you have there?": "您在那里有哪个域名？",
    "Which domain is the certificate for?": "证书用于哪个域名？",
    "Which mail address may the CA write to?": "CA 可以向哪个邮件地址发送邮件？",
    "Which of these servers gets the certificate?\n{servers}": "以下哪些服务器使用该证书？\n{servers}",
    "With {title}, a person has to set records at every renewal, and a schedule cannot renew.": (
        "使用 {title} 时，每次续期都须由人设置记录，因此无法自动续期。"
    ),
    "Without your agreement to its terms the CA issues no certificate.": "如果您不同意其服务条款，CA 不会签发证书。",
    "Write it as in --option server=127.0.0.1.": "请写成 --option server=127.0.0.1 这样的形式。",
    "Write it to a private file and give file:PATH, or put it into the file of --answers.": (
        "请把它写入私有文件并给出 file:PATH，或放入 --answers 的文件。"
    ),
    "`dnsrenew providers NAME` shows all that the host needs. < goes back to the choice of the host.": (
        "`dnsrenew providers NAME` 会显示该服务商所需的全部选项。输入 < 返回选择服务商。"
    ),
    "a text or a list of texts": "文本或文本的列表",
    "acme-dns needs no account and no domain, only the address of such a server. Any other host of `dnsrenew "
    "providers` needs a second domain there, such as a free one of DuckDNS or deSEC.": (
        "acme-dns 不需要账户和域名，只需要这种服务器的地址。`dnsrenew providers` 中的其他服务商需要在那里有第二个域名，"
        "例如 DuckDNS 或 deSEC 的免费域名。"
    ),
    "dnsrenew cannot deploy to {server} as this user: {reason}.": "dnsrenew 无法以此用户部署到 {server}：{reason}。",
    "dnsrenew does not know a DNS host {answer}.": "dnsrenew 不认识 DNS 服务商 {answer}。",
    "dnsrenew does not know a DNS host {answer}; did you mean {nearest}?": (
        "dnsrenew 不认识 DNS 服务商 {answer}；您是不是想写 {nearest}？"
    ),
    "for {server}": "用于 {server}",
    "for {server}, {config}": "用于 {server}，{config}",
    'names of servers, entries of deploy, or "none"': '服务器的名称、deploy 条目或 "none"',
    "needs a change in its configuration, which is shown at the end": "需要修改其配置，最后会显示如何修改",
    "only root can run {command}": "只有 root 能运行 {command}",
    "ready": "就绪",
    "the name of a DNS host": "DNS 服务商的名称",
    "this user cannot write to {folder}": "此用户无法写入 {folder}",
    "{answer} is an IP address, and dns-01 is for names only.": "{answer} 是 IP 地址，而 dns-01 只用于名称。",
    "{answer} is neither yes nor no.": "{answer} 既不是“是”也不是“否”。",
    "{answer} is none of the servers: {known}.": "{answer} 不是以下服务器之一：{known}。",
    "{answer} is not a domain name: {reason}.": "{answer} 不是域名：{reason}。",
    "{answer} is not a mail address.": "{answer} 不是邮件地址。",
    "{answer} was not found on this machine.": "在本机上没有找到 {answer}。",
    "{names} does not exist in DNS, though {zone} does.": "DNS 中没有 {names}，但有 {zone}。",
    "{option} (not shown while you type): {help}": "{option}（输入时不显示）：{help}",
    "{option} is needed.": "需要 {option}。",
    "{title} cannot be used: {why}": "无法使用 {title}：{why}",
    "{title} is tested when the CNAME record is there.": "CNAME 记录出现后会测试 {title}。",
    "{title} works.": "{title} 可用。",
    "{zones} does not seem to be at {title}: its name servers are {servers}.": (
        "{zones} 似乎不在 {title} 处：其域名服务器是 {servers}。"
    ),
    "a domain, such as www.example.org": "域名，例如 www.example.org",
    "true, if you agree to the terms of service of the CA": "如果同意 CA 的服务条款，则为 true",
}

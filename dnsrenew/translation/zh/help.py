"""What ``--help`` prints."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "--check writes some 20 TXT values at unused names in the first zone of the account, or in that of a "
    "certificate that uses it, and removes them. The exit status is 1 if a MUST is broken.": (
        "--check 会在账户的第一个区域（或使用该账户的证书所在的区域）中未使用的名称处写入约 20 个 TXT 值，然后删除。如"
        "果有一项必须遵守的规则不符合，退出状态为 1。"
    ),
    "A certificate needs attention if it is missing, expired, revoked, overdue, failing or not deployed, or if it "
    "is in the store but no longer in the configuration (unconfigured). With -q only such certificates are shown.": (
        "缺失、已过期、已吊销、续期逾期、续期失败或未部署的证书，以及在存储目录中但配置中已无的证书，都需要处理。使用 "
        "-q 时只显示这些证书。"
    ),
    "A crash loses no key: both are kept until the CA has the new one.": (
        "即使崩溃也不会丢失密钥：在 CA 采用新密钥之前，两个密钥都会保留。"
    ),
    "Arguments": "参数",
    "Certificates stay valid. A closed account cannot be reopened; the next order at this CA creates a new one, with "
    "a new URL. Change CAA records with accounturi before that.": (
        "证书仍然有效。账户无法重新打开；向此 CA 的下一个订单会创建 URL 不同的新账户。请在此之前修改含 accounturi 的 "
        "CAA 记录。"
    ),
    "Commands": "命令",
    "Deletes the certificate with its private keys and its history. It says when the private key was last read, as "
    "far as the file system records that, because a server may still use it. The certificate stays valid at the CA "
    "until it expires; to end that, revoke it first.": (
        "删除证书及其私钥和历史。它会显示私钥上次被读取的时间（以文件系统的记录为准），因为可能仍有服务器在使用该私钥。"
        "CA 在证书过期之前仍视其为有效；若要使其失效，请先吊销。"
    ),
    "Every renew starts with this cleanup. It removes only values listed in the journal of the store, with the "
    "account that wrote them, and leaves the values of running renewals alone. The exit status is 1 if a value "
    "could not be removed; the next run tries again.": (
        "每次 renew 都先做这种清理。它只用写入时的账户删除存储目录的日志中列出的值，不影响正在进行的续期所用的值。如果"
        "有值无法删除，退出状态为 1；下次运行会重试。"
    ),
    "Examples": "示例",
    "Finds servers on this machine and the DNS host of the domain, and tests each answer while it is given: the name "
    "exists, the host is that of the zone, the account can write a test value. Writes dnsrenew.toml in the current "
    "folder and secrets to files that only you can read; it never changes a configuration that exists. Then it "
    "rehearses, obtains, deploys and installs the schedule. ? shows help for a question, Ctrl-C stops and leaves "
    "nothing behind. Answers that are given are not asked for. Without a terminal, domains, agree_terms, provider and "
    "its options have to be given; the others default to no, except rehearse. The file of answers can have the tables "
    "[ca.NAME] and [resolver] too.": (
        "查找本机上的服务器和域名的 DNS 服务商，并在您回答时逐一检查：域名存在，服务商与区域相符，账户能写入测试值。在"
        "当前目录写出 dnsrenew.toml，把凭据写入只有您能读取的文件；从不更改已有的配置。然后试运行、获取证书、部署并安装"
        "自动续期。输入 ? 显示问题的帮助，Ctrl-C 停止且不留下任何内容。已给出的回答不再询问。没有终端时，必须给出 "
        "domains、agree_terms、provider 及其选项；其余的视为否，但会试运行。回答文件中也可以有 [ca.NAME] 和 [resolver] "
        "表。"
    ),
    "For domains whose DNS host has no API. It prints the CNAME record to set by hand and waits until every name "
    "server shows it. Ctrl-C stops the wait; the same command continues it. Then it tests the account with a value "
    "that it removes, and writes the route to the configuration if that is needed.": (
        "用于 DNS 服务商没有 API 的域名。它会打印须手动设置的 CNAME 记录，并等到所有域名服务器都能看到它；Ctrl-C 会停止"
        "等待，再次运行同一命令即可继续。然后它用一个随后删除的值测试该账户，并在需要时把途径写入配置。"
    ),
    "Global options": "全局选项",
    "In a pipe or a file, --kind prints only the text of what would be installed.": (
        "输出到管道或文件时，--kind 只打印将要安装的内容文本。"
    ),
    "It can run at any time, also while certificates are renewed, and never replaces a file. Without --secrets, "
    "secrets in the configuration are masked, and files with secrets are left out. It says what is not in the file.": (
        "可以随时运行，续期期间也可以，且从不替换文件。不带 --secrets 时，配置中的凭据会被遮盖，含有凭据的文件会被略"
        "去。它会说明文件中没有哪些内容。"
    ),
    "It completes commands, options, and the names of certificates, CAs and DNS hosts.": (
        "可补全命令、选项，以及证书、CA 和 DNS 服务商的名称。"
    ),
    "Looks at this host, its network, DNS, the CA and the store, for at most 15 seconds, and orders nothing. For "
    "each certificate it says by which route it can be renewed now, or the one thing to do next. The exit status "
    "is 1 if a certificate cannot be renewed. Without a configuration it looks at the host, and the exit status is "
    "2.": (
        "检查本机及其网络、DNS、CA 和存储目录，最多用 15 秒，不会下单。对每个证书说明现在可通过哪个途径续期，或接下来该"
        "做的一件事。如果有证书无法续期，退出状态为 1。没有配置时只检查本机，退出状态为 2。"
    ),
    "Obtains and renews TLS certificates from Let's Encrypt and other ACME CAs by DNS-01, HTTP-01, TLS-ALPN-01 or "
    "DNS-PERSIST-01.": (
        "通过 DNS-01、HTTP-01、TLS-ALPN-01 或 DNS-PERSIST-01，从 Let's Encrypt 和其他 ACME CA 获取和续期 TLS 证书。"
    ),
    "Reasons: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation.": (
        "原因：unspecified、key-compromise、affiliation-changed、superseded、cessation-of-operation。"
    ),
    "Renews what is due, sleeps until the next certificate is due, and logs when that is. A failed renewal does "
    "not end it. Ctrl-C ends it with exit status 130, SIGTERM with 143; a renewal in progress cleans up first. "
    "SIGHUP makes it read the configuration again; if that has a mistake, it says so and keeps the old one.": (
        "续期所有应续期的证书，然后休眠到下一个证书应续期时，并在日志中记录该时间。续期失败不会使它结束。Ctrl-C 使它以"
        "退出状态 130 结束，SIGTERM 则为 143；正在进行的续期会先清理。SIGHUP 使它重新读取配置；如果配置有错误，它会给出"
        "提示并继续使用旧配置。"
    ),
    "Runs dnsrenew renew four times a day, each time with a random delay of up to an hour.": (
        "每天运行四次 dnsrenew renew，每次随机延迟最多一小时。"
    ),
    "Runs the deploy entries of the configuration with the certificates in the store, and renews nothing. Every "
    "renew does this too for entries that have not succeeded yet. Programs, webhooks, containers and Synology DSM "
    "cannot be looked at: such an entry runs again only with --force, or if a port of `verify` serves another "
    "certificate. The exit status is 1 if a certificate is not deployed.": (
        "用存储目录中的证书执行配置中的 deploy 条目，不续期任何证书。对于尚未成功的条目，每次 renew 也会这样做。程序、"
        "webhook、容器和 Synology DSM 无法查看：这样的条目只有在使用 --force，或 `verify` 的端口提供另一个证书时才会再"
        "次执行。如果有证书未部署，退出状态为 1。"
    ),
    "Shows for each address whether the message was sent, and if not, why. Nothing is sent to the heartbeat. The "
    "exit status is 1 if one address fails.": (
        "对每个地址说明消息是否已发送，未发送则说明原因。不会向心跳地址发送任何内容。如果有一个地址失败，退出状态为 1。"
    ),
    "Stores accounts and certificates as they are, orders nothing, sends nothing, and changes no file of the other "
    "tool. Writes dnsrenew.toml and its secret files, and says line by line what it could not import. Then it names "
    "the lines to change in servers, and the command that stops the other tool. Run it again after that. It reads only "
    "what root and the running user alone can change; --insist takes all. As root, it takes the folder .lego and the "
    "Caddyfile of the current folder only if PATH names them. The exit status is 1 if a certificate or an account "
    "could not be imported.": (
        "原样保存账户和证书，不下单，不发送任何内容，也不更改另一工具的任何文件。写出 dnsrenew.toml 及其凭据文件，并逐"
        "行说明无法导入的内容。然后给出服务器中要修改的各行，以及停用另一工具的命令。修改之后请再运行一次。只读取仅 "
        "root 和运行用户能更改的内容；--insist 接受全部内容。以 root 运行时，只有 PATH 指名，才会使用当前目录中的 "
        ".lego 目录和 Caddyfile。如果有证书或账户无法导入，退出状态为 1。"
    ),
    "The certificate is checked as one from a CA: key, domains, dates, purpose, chain. The CA of the configuration "
    "renews it when it is due.": (
        "该证书会像来自 CA 的证书一样接受检查：密钥、域名、日期、用途、证书链。应续期时由配置中的 CA 续期。"
    ),
    "The log goes to standard error. With --json each log line is a JSON object, and standard output gets one "
    "document at the end: the outcomes of the last round.": (
        "日志写到标准错误。使用 --json 时，每行日志是一个 JSON 对象，结束时向标准输出打印一个文档：最后一轮的结果。"
    ),
    "The private key stays in the store until dnsrenew install gets the certificate. Until then the command prints "
    "the same CSR again.": ("在 dnsrenew install 得到证书之前，私钥保留在存储目录中，此命令每次都打印同一个 CSR。"),
    "The schedule runs dnsrenew renew four times a day. Without a command it shows the schedule.": (
        "自动续期每天运行四次 dnsrenew renew。不带子命令时显示自动续期的状态。"
    ),
    "Without a command it sends a test message.": "不带子命令时发送测试消息。",
    "Without a command it shows the accounts.": "不带子命令时显示账户。",
    "Without this command, the next order at the CA does it.": "不运行此命令时，向该 CA 的下一个订单会完成更新。",
    "Writes the configuration that --config names (default: /etc/dnsrenew/dnsrenew.toml for root, otherwise in "
    "your config folder), and the store that it names. Nothing that exists is overwritten, and after an error "
    "nothing is left. A configuration can run programs: restore only files that you trust.": (
        "写出 --config 指定的配置（默认：root 为 /etc/dnsrenew/dnsrenew.toml，其他用户则在自己的配置目录中）及其指定的"
        "存储目录。不会覆盖任何已有内容，出错后也不会留下任何内容。配置可以运行程序：请只恢复您信任的文件。"
    ),
    "a TOML file with answers: keys as the options below, and those of the DNS host": (
        "含有回答的 TOML 文件：键与下列选项相同，另加 DNS 服务商的选项"
    ),
    "a certificate, or a domain of one": "证书，或证书中的一个域名",
    "a driver and its test to start from": "用作起点的驱动及其测试",
    "a test message to every address of [notify]": "向 [notify] 的每个地址发送测试消息",
    "account URLs, for accounturi in CAA records": "账户 URL，用于 CAA 记录中的 accounturi",
    "activate and verify also where the certificate is already": "即使目标已有该证书，也重新启用并验证",
    "after a failure, wait as a schedule does; a person at a terminal does not wait": (
        "失败后像自动运行那样等待；在终端上手动运行则不等待"
    ),
    "after you changed contact in dnsrenew.toml": "在 dnsrenew.toml 中更改 contact 之后",
    "all that are missing or due": "所有缺失或应续期的证书",
    "also test the DNS account": "同时测试 DNS 账户",
    "also write a page with everything that was found": "另外写出包含全部检查结果的网页",
    "also write a test value to DNS with each account, and remove it": "另外用每个账户向 DNS 写入测试值，然后删除",
    "an option of the DNS host; can be repeated; secrets as file:PATH": (
        "DNS 服务商的选项；可以重复；凭据写成 file:PATH"
    ),
    "another key": "换用新私钥",
    "answer a few questions, and get the certificate": "回答几个问题，然后得到证书",
    "ask a few questions, write dnsrenew.toml, obtain and deploy the certificate": (
        "提几个问题，写出 dnsrenew.toml，获取并部署证书"
    ),
    "at a terminal: at most seven questions, each with a default": "在终端上：最多七个问题，每个都有默认值",
    "bash, zsh, fish or powershell": "bash、zsh、fish 或 powershell",
    "serve as the outside helper for other hosts on HOST:PORT; examine nothing": (
        "在 HOST:PORT 上为其他主机充当外部辅助服务；不检查任何内容"
    ),
    "beside a configuration that exists": "与已有的配置并存",
    "certbot, lego, acme.sh, caddy, hfs or pem (default: any)": (
        "certbot、lego、acme.sh、caddy、hfs 或 pem（默认：任意）"
    ),
    "certificates to deploy: names, or patterns such as 'web-*' (default: all)": (
        "要部署的证书：名称，或 'web-*' 这样的模式（默认：全部）"
    ),
    "certificates to examine: names, or patterns such as 'web-*' (default: all)": (
        "要检查的证书：名称，或 'web-*' 这样的模式（默认：全部）"
    ),
    "certificates to process in parallel (default: 8)": "并行处理的证书数（默认：8）",
    "certificates to renew: names, or patterns such as 'web-*' (default: all)": (
        "要续期的证书：名称，或 'web-*' 这样的模式（默认：全部）"
    ),
    "certificates to show: names, or patterns such as 'web-*' (default: all)": (
        "要显示的证书：名称，或 'web-*' 这样的模式（默认：全部）"
    ),
    "check at least this often: 1m to 24h (default: 12h)": "至少按此间隔检查一次：1m 到 24h（默认：12h）",
    "close the account at the CA permanently": "永久关闭在 CA 的账户",
    "configuration file (default: $DNSRENEW_CONFIG, ./dnsrenew.toml, your config folder, "
    "/etc/dnsrenew/dnsrenew.toml)": (
        "配置文件（默认：$DNSRENEW_CONFIG、./dnsrenew.toml、您的配置目录、/etc/dnsrenew/dnsrenew.toml）"
    ),
    "delay each check by a random time of up to TIME": "每次检查前随机延迟（最多 TIME）",
    "delete a certificate from the store that is no longer configured": "从存储目录中删除已不在配置中的证书",
    "deploy stored certificates to targets that do not have them": "把已保存的证书部署到还没有这些证书的目标",
    "do not ask before it replaces a certificate that is valid for longer": "替换有效期更长的证书之前不询问",
    "do not ask; required without a terminal": "不询问；没有终端时必须使用",
    "do not wait after a failure or for a known rate limit of the CA": "失败后或遇到已知的 CA 速率限制时不等待",
    "does the driver of [dns.home] keep every MUST?": "[dns.home] 的驱动是否符合每一项规则？",
    "everything, to keep or to move it": "全部内容，用于备份或迁移",
    "exit with 1 if a certificate needs attention: see below": "如果有证书需要处理，退出状态为 1：见下文",
    "find out whether certificates can be renewed, and if not, why": "查明证书能否续期，不能则查明原因",
    "for monitoring: exit status 1 if something needs attention": "用于监控：有需要处理的证书时退出状态为 1",
    "for the domains and the kind of key in the configuration": "按配置中的域名和密钥类型",
    "hide domains, addresses, paths and other names, for --markdown, --json and --report": (
        "隐藏域名、地址、路径和其他名称，用于 --markdown、--json 和 --report"
    ),
    "in $PROFILE": "写入 $PROFILE",
    "in a script": "在脚本中",
    "in ~/.bashrc": "写入 ~/.bashrc",
    "in ~/.zshrc, after compinit": "写入 ~/.zshrc，在 compinit 之后",
    "install a schedule that renews": "安装自动续期",
    "install, show or remove the automatic renewal schedule": "安装、显示或移除自动续期",
    "its folder, or that of a certificate and its key (default: the usual places)": (
        "该工具的目录，或证书及其私钥所在的目录（默认：通常的位置）"
    ),
    "its private key (default: that of dnsrenew csr)": "其私钥（默认：dnsrenew csr 的私钥）",
    "keep what was found; later runs show what has changed since": "保存检查结果；以后的运行会显示此后的变化",
    "language: en or zh (default: $LC_ALL, $LC_MESSAGES, $LANG)": (
        "语言：en 或 zh（默认：$LC_ALL、$LC_MESSAGES、$LANG）"
    ),
    "leave deployments to a later run": "把部署留给以后的运行",
    "let another DNS account answer, by one CNAME record set once": "只需设置一次 CNAME 记录，由另一个 DNS 账户应答",
    "list only the hosts with WORD in the name or the title": "只列出名称或标题中含有 WORD 的服务商",
    "look at every target, and deploy where it differs": "查看每个目标，在不一致处部署",
    "list the supported DNS hosts, or show what one needs": "列出支持的 DNS 服务商，或显示某个服务商所需的选项",
    "make a new key and CSR; the earlier key is deleted": "生成新的私钥和 CSR；之前的私钥会被删除",
    "more output (-vv for bug reports)": "输出更多信息（-vv 用于报告错误）",
    "no colours (also: NO_COLOR=1)": "不使用颜色（或设置 NO_COLOR=1）",
    "obtain missing certificates and renew those that are due": "获取缺失的证书，并续期应续期的证书",
    "obtain the certificates": "获取证书",
    "of these, what expires within two weeks": "其中两周内到期的证书",
    "one of the reasons below (default: unspecified)": "下列原因之一（默认：unspecified）",
    "only certificates that expire within TIME (12h, 14d)": "只显示在 TIME 内到期的证书（12h、14d）",
    "only certificates that need attention": "只显示需要处理的证书",
    "only errors and warnings": "只显示错误和警告",
    "only the account at this CA (default: all)": "只处理在此 CA 的账户（默认：全部）",
    "only the configuration block": "只打印配置块",
    "only the text of the file": "只打印文件内容",
    "print Markdown, for a post in a forum": "打印 Markdown，用于在论坛发帖",
    "print a certificate request (CSR) for another issuer": "打印给其他签发者的证书请求（CSR）",
    "print one JSON document to standard output": "向标准输出打印一个 JSON 文档",
    "print the completion script of a shell": "打印 shell 的补全脚本",
    "print the files without installing them": "打印文件内容但不安装",
    "read the configuration again": "重新读取配置",
    "reload the server although it has the files": "即使服务器已有这些文件也重新加载",
    "read the passphrase from FILE instead of asking": "从 FILE 读取口令而不询问",
    "register at the acme-dns server, once, and say what to set": "在 acme-dns 服务器上注册一次，并给出要设置的记录",
    "rehearse at the CA's staging server first": "先用 CA 的测试服务器（staging）试运行",
    "remove TXT records that a killed run left in DNS": "删除被中止的运行遗留在 DNS 中的 TXT 记录",
    "renew although it is not due": "即使未到续期时间也续期",
    "renew although not due, or after a failure; with several certificates, give names or --all": (
        "即使未到续期时间或刚失败也续期；有多个证书时，请给出名称或 --all"
    ),
    "renew automatically from now on": "从现在起自动续期",
    "renew in the foreground, for containers": "在前台续期，适用于容器",
    "replace the account key; the URL stays": "更换账户密钥；URL 不变",
    "replace the account key; the account URL stays the same": "更换账户密钥；账户 URL 不变",
    "restore the store and the configuration from a file of export": "从 export 的文件恢复存储目录和配置",
    "retry now, after a failure": "失败后立即重试",
    "revoke a certificate; the next run replaces it": "吊销证书；下次运行会替换它",
    "send a test message to every address of [notify]": "向 [notify] 的每个地址发送测试消息",
    "send the contact addresses of the configuration to the CA now": "立即把配置中的联系方式发送给 CA",
    "show every certificate with its expiry and next renewal": "显示每个证书及其到期时间和下次续期",
    "show help, of the program or of a command": "显示程序或命令的帮助",
    "show one DNS host: options, configuration block, limits": "显示一个 DNS 服务商：选项、配置块、限制",
    "show or change the accounts at the CAs": "显示或更改在 CA 的账户",
    "show the accounts as the CAs know them": "显示 CA 所记录的账户",
    "show the help of the program or of a command": "显示程序或某个命令的帮助",
    "show the version": "显示版本",
    "show what is installed, or print what would be": "显示已安装的内容，或打印将要安装的内容",
    "someone else has the private key": "私钥已被他人获得",
    "start after a random delay of up to TIME": "随机延迟（最多 TIME）后开始",
    "stop renewing automatically": "停止自动续期",
    "store and deploy a certificate of another issuer": "保存并部署其他签发者的证书",
    "systemd, cron, launchd or windows (default: the best one for this machine)": (
        "systemd、cron、launchd 或 windows（默认：最适合本机的类型）"
    ),
    "import from certbot, lego, acme.sh, Caddy, HFS or PEM files": (
        "从 certbot、lego、acme.sh、Caddy、HFS 或 PEM 文件导入"
    ),
    "test a DNS account of the configuration with test values": "用测试值测试配置中的一个 DNS 账户",
    "test at the staging CA; saves nothing": "用测试 CA（staging）测试；不保存任何内容",
    "send a test message to the addresses of [notify]": "向 [notify] 的地址发送测试消息",
    "test with the CA's staging server; saves nothing and records no failure": (
        "用 CA 的测试服务器（staging）测试；不保存任何内容，也不记录失败"
    ),
    "the DNS account that writes, or a zone of one (default: the acme-dns account, or the only one of another "
    "zone); dns-persist-01: set the one TXT record of that challenge instead": (
        "负责写入的 DNS 账户，或其区域（默认：acme-dns 账户，或唯一一个写入其他区域的账户）；dns-persist-01：改为设置该"
        "质询的唯一一条 TXT 记录"
    ),
    "the DNS host: a name from dnsrenew providers": "DNS 服务商：dnsrenew providers 所列的名称",
    "the certificate": "证书",
    "the certificate to delete": "要删除的证书",
    "the certificate to revoke": "要吊销的证书",
    "the certificate with its chain: PEM in any order, DER or PKCS#7": "证书及其证书链：任意顺序的 PEM、DER 或 PKCS#7",
    "the command": "命令",
    "the file that dnsrenew export has written": "dnsrenew export 写出的文件",
    "the mail address for the CA": "提供给 CA 的邮件地址",
    "the names of the certificate, separated by commas": "证书的名称，用逗号分隔",
    "the new file; - for standard output": "新文件；- 表示标准输出",
    "the servers that get the certificate, such as nginx; or none": "使用该证书的服务器，例如 nginx；或 none",
    "to ask others for help": "用于向他人求助",
    "to this place": "恢复到此位置",
    "usage:": "用法：",
    "use the configuration and the store although other users can change them": (
        "即使其他用户可以更改配置和存储目录，也使用它们"
    ),
    "validate the configuration": "检查配置",
    "validate the configuration and its secrets, offline": "离线检查配置及其凭据",
    "wait up to TIME (30, 5m, 2h) for another cleanup; without TIME, up to a day": (
        "最多等待 TIME（30、5m、2h），直到另一次清理结束；不给出 TIME 则最多一天"
    ),
    "wait up to TIME (30, 5m, 2h) for another run that holds a lock; without TIME, up to a day": (
        "最多等待 TIME（30、5m、2h），直到持有锁的另一个运行结束；不给出 TIME 则最多一天"
    ),
    "what is found in the usual places": "在通常位置找到的内容",
    "what the DNS host needs, a block to copy": "DNS 服务商所需的选项，可复制的配置块",
    "with --check: print Markdown, for a pull request": "与 --check 一起使用：打印 Markdown，用于 pull request",
    "with --force: renew all certificates": "与 --force 一起使用：续期所有证书",
    "with --json: also print each event to standard error, as a line of JSON": (
        "与 --json 一起使用：另外把每个事件以一行 JSON 写到标准错误"
    ),
    "with private keys and secrets, sealed by a passphrase": "包括私钥和凭据，用口令加密",
    "with systemd, cron, launchd or the Task Scheduler": "用 systemd、cron、launchd 或任务计划程序",
    "with the account that writes to that zone": "用写入该区域的账户",
    "with the key of dnsrenew csr home": "用 dnsrenew csr home 的私钥",
    "without keys and secrets": "不含私钥和凭据",
    "write NAME.py and test_NAME.py, to write a driver from": "写出 NAME.py 和 test_NAME.py，作为编写驱动的起点",
    "write the store and the configuration to one file": "把存储目录和配置写入一个文件",
    "you agree to the terms of service of the CA": "您同意 CA 的服务条款",
    "the directory URL of a CA of which the tool keeps only the host": "该工具只保存了主机名的 CA 的 directory URL",
}

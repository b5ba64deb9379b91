"""The mistakes in a configuration."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "a list of Deployment, tables and functions of a Certificate": (
        "由 Deployment、表和接受 Certificate 的函数组成的列表"
    ),
    'a str, or a Secret such as Secret.env("NAME")': 'str，或 Secret，例如 Secret.env("NAME")',
    '"keyring:" without a service and a user': '"keyring:" 之后缺少服务和用户',
    '"{scheme}:" with nothing after it': '"{scheme}:" 之后没有内容',
    "1 to 64 characters a-z, 0-9, dot, hyphen and underscore, without a dot or hyphen at the start or a dot at the "
    "end": ("1 到 64 个字符，由 a-z、0-9、点、连字符和下划线组成，不能以点或连字符开头，也不能以点结尾"),
    "32 random bytes in base64, as `openssl rand -base64 32` prints them": (
        "base64 形式的 32 个随机字节，由 `openssl rand -base64 32` 打印"
    ),
    "Create it and paste your {key} into it.": "请创建该文件，并把您的 {key} 粘贴进去。",
    "Move this line, and other such lines, above the first [table].": "请把此行和其他类似的行移到第一个 [table] 之前。",
    "Read the terms of service of {terms}, and write agree_terms = true if you agree.": (
        "请阅读 {terms} 的服务条款；如果同意，请写上 agree_terms = true。"
    ),
    "Run: {command}": "请运行：{command}",
    "[ca.{ca}] with eab = {{ kid = …, hmac = … }} {source}": "[ca.{ca}] 中的 eab = {{ kid = …, hmac = … }}，{source}",
    "[dns.NAME], where NAME is a word of your choice, such as [dns.{example}]": (
        "[dns.NAME]，其中 NAME 由您自定，例如 [dns.{example}]"
    ),
    "`token`, or `user` and `password`": "`token`，或 `user` 和 `password`",
    "no login": "没有登录凭据",
    "a DNS host with a built-in or installed driver, see `dnsrenew providers`": (
        "有内置驱动或已安装驱动的 DNS 服务商，见 `dnsrenew providers`"
    ),
    "a Deployment or a table: a callable cannot be stored in the database": (
        "Deployment 或表（可调用对象无法存入数据库）"
    ),
    'a JSON object such as {{"domains": ["shop.example.com"]}}': '{{"domains": ["shop.example.com"]}} 这样的 JSON 对象',
    "a URL": "一个 URL",
    'a URL in resolver.doh, or "authoritative"': 'resolver.doh 中的 URL，或 "authoritative"',
    "a URL such as postgresql://dnsrenew@db.example/dnsrenew": "postgresql://dnsrenew@db.example/dnsrenew 这样的 URL",
    "a URL that libpq does not understand": "libpq 无法识别的 URL",
    "a URL that starts with https://": "以 https:// 开头的 URL",
    "a URL that starts with https:// and has no user name": "以 https:// 开头且不含用户名的 URL",
    "a URL that starts with https://, or with http:// and names this machine": (
        "以 https:// 开头的 URL，或以 http:// 开头并指向本机的 URL"
    ),
    "a URL that starts with https:// or http://": "以 https:// 或 http:// 开头的 URL",
    "a URL that starts with https:// or http:// and has no user name": "以 https:// 或 http:// 开头且不含用户名的 URL",
    "a URL with a password": "含有密码的 URL",
    "a URL with a user name": "含有用户名的 URL",
    "a [dns.NAME] (in Python: dns=…) that can write its TXT records": (
        "能写入其 TXT 记录的 [dns.NAME]（在 Python 中为 dns=…）"
    ),
    "a callable": "可调用对象",
    "a certificate, but no DNS account": "有证书，但没有 DNS 账户",
    'a command as a list of texts, such as {{ command = ["pass", "show", "dns"] }}': (
        '以文本列表表示的命令，例如 {{ command = ["pass", "show", "dns"] }}'
    ),
    'a database for all machines: store = {{ url = "postgresql://…", password = "env:NAME" }}': (
        '供所有机器使用的数据库：store = {{ url = "postgresql://…", password = "env:NAME" }}'
    ),
    "a different name for each: DnsAccount(…, name=…)": "各不相同的名称：DnsAccount(…, name=…)",
    "a different one: it is the same as number {number} in the list": "其他途径（它与列表中的第 {number} 个相同）",
    "a dns-01 route as well: http-01 and tls-alpn-01 cannot validate a wildcard": (
        "还要有一个 dns-01 途径（http-01 和 tls-alpn-01 无法验证通配符域名）"
    ),
    "a domain below it: no public CA issues for a public suffix": "它下面的域名（公共 CA 不为公共后缀签发证书）",
    "a domain name": "域名",
    "a domain name, not an IP address": "域名，而不是 IP 地址",
    'a domain name, or a wildcard such as "*.example.com" whose whole first label is the star': (
        '域名，或像 "*.example.com" 这样第一个标签只有星号的通配符域名'
    ),
    "a domain name, without https:// and without a port": "不带 https:// 也不带端口的域名",
    "a domain name: remove the / and everything after it": "域名（请删除 / 及其后的全部内容）",
    "a domain name: remove the / at the end": "域名（请删除末尾的 /）",
    "a domain name: remove the space at its start or end": "域名（请删除开头或末尾的空格）",
    "a domain name: {reason}": "域名（{reason}）",
    "a file with the CA's root certificates in PEM form (-----BEGIN CERTIFICATE-----)": (
        "含有 CA 根证书的 PEM 文件（-----BEGIN CERTIFICATE-----）"
    ),
    "a fleet whose store is a folder": "集群的 store 是目录",
    "a file of its own, because `{key}` names this one too": "另一个文件（`{key}` 也指向此文件）",
    "a fraction of the lifetime between 0 and 1": "0 与 1 之间的有效期比例",
    'a fraction of the lifetime such as "1/3", or a time such as "10 days" or "36 hours"': (
        '有效期的几分之几，例如 "1/3"；或一段时间，例如 "10 days" 或 "36 hours"'
    ),
    "a key of the whole file in a table": "此键属于整个文件，却写在了表中",
    "a key without effect in this route": "此键在此途径中不起作用",
    'a line such as name = "home", because {name} cannot be the name of a folder': (
        'name = "home" 这样的一行，因为 {name} 不能用作目录名'
    ),
    "a list of addresses HOST[:PORT]": "地址 HOST[:PORT] 的列表",
    "a list of apprise addresses": "apprise 地址的列表",
    "a list of at least one change": ("至少含一项变化的列表"),
    "a list of https URLs": "https URL 的列表",
    'a list of mail addresses, such as ["me@example.com"]': '邮件地址的列表，例如 ["me@example.com"]',
    'a list of paths such as ["conf.d/*.toml"]': '路径的列表，例如 ["conf.d/*.toml"]',
    "a list of tables": "表的列表",
    "a list of texts": "文本的列表",
    'a list of texts, such as ["/etc/dnsrenew/dns-hook"]': '文本的列表，例如 ["/etc/dnsrenew/dns-hook"]',
    'a list of texts, such as ["systemctl", "reload", "nginx"]': '文本的列表，例如 ["systemctl", "reload", "nginx"]',
    "a list of {count}": "有 {count} 项的列表",
    "a list with a name twice": "有重复名称的列表",
    'a list with at least one domain name, such as ["example.com"]': '至少有一个域名的列表，例如 ["example.com"]',
    "a list with at least one route": "至少有一个途径的列表",
    'a list with at least one zone, such as ["example.com"]': '至少有一个区域的列表，例如 ["example.com"]',
    'a mail address such as "me@example.com"': '邮件地址，例如 "me@example.com"',
    "a mapping of tables": "由表组成的映射",
    'a mode with which only its owner reads the key, such as "0600", or with `group` also "0640"': (
        '只有所有者能读取私钥的权限，例如 "0600"，设置了 `group` 时也可以是 "0640"'
    ),
    'a mode with which others cannot write, such as "0644"': '不允许其他人写入的权限，例如 "0644"',
    "a name in {zones}": "{zones} 中的名称",
    "a name of letters, digits, dots, hyphens and underscores": "由字母、数字、点、连字符和下划线组成的名称",
    "a name that is not reserved on Windows": "不是 Windows 保留名的名称",
    "a name without a star": "不带星号的名称",
    "a name without an underscore: no public CA issues for a name with one": (
        "不带下划线的名称（公共 CA 不为带下划线的名称签发证书）"
    ),
    "a number of seconds above 0, at most {most}": "大于 0 且不超过 {most} 的秒数",
    "a number of seconds from {least} to {most}": "{least} 到 {most} 之间的秒数",
    "a pattern such as conf.d/*.toml": "conf.d/*.toml 这样的匹配模式",
    "a pattern that no file can match": "任何文件都无法匹配的模式",
    "a port from 1 to 65535": "1 到 65535 之间的端口",
    "a public IP address: no public CA issues for a private or reserved one": (
        "公网 IP 地址（公共 CA 不为私有或保留地址签发证书）"
    ),
    "a public name with a dot: no public CA issues for a name of one word": (
        "带点的公共域名（公共 CA 不为只有一个词的名称签发证书）"
    ),
    "a public name: no public CA issues for the name of a local network": (
        "公共域名（公共 CA 不为局域网中的名称签发证书）"
    ),
    'a reference such as "env:NAME" or "file:PATH": the database stores no secrets': (
        '"env:NAME" 或 "file:PATH" 这样的引用（数据库中不存放凭据）'
    ),
    "a route": "一个途径",
    'a route that can validate an IP address, not only dns-01: routes = [{{ challenge = "dns-01" }}, {{ '
    'challenge = "http-01" }}]': (
        '能验证 IP 地址的途径，而不只是 dns-01：routes = [{{ challenge = "dns-01" }}, {{ challenge = "http-01" }}]'
    ),
    'a route that can validate an IP address, not only dns-01: routes = [{{ challenge = "http-01" }}]': (
        '能验证 IP 地址的途径，而不只是 dns-01：routes = [{{ challenge = "http-01" }}]'
    ),
    "a second CA of this name": "又一个同名的 CA",
    "a second account of this name": "又一个同名的账户",
    "a second way to serve the response": "又一种提供响应的方式",
    'a secret as "env:NAME", "file:PATH", "keyring:SERVICE/USER", {{ command = ["…"] }} or "literal:…"': (
        '写成 "env:NAME"、"file:PATH"、"keyring:SERVICE/USER"、{{ command = ["…"] }} 或 "literal:…" 的凭据'
    ),
    "a secret in plain text": "明文凭据",
    "a secret that can be read": "可以读取的凭据",
    "a secret, or a list of secrets": "凭据，或凭据的列表",
    "a table [ca.NAME]": "写成 [ca.NAME] 的表",
    "a table [dns.NAME], whose name you choose": "写成 [dns.NAME] 的表，名称由您自定",
    "a text that is not 32 bytes in base64": "不是 base64 形式的 32 个字节",
    "a text that is not empty": "非空文本",
    "a text with a NUL character": "含有 NUL 字符的文本",
    "a time in {units}": "以 {units} 为单位的时间",
    "a time longer than zero": "大于零的时间",
    "a value for {key}": "{key} 的值",
    'a whole IP address such as "192.0.2.7" or "2001:db8::7", or a domain name': (
        '完整的 IP 地址，例如 "192.0.2.7" 或 "2001:db8::7"；或域名'
    ),
    "a whole number from {least} to {most}": "{least} 到 {most} 之间的整数",
    'addresses, such as to = ["file:ntfy.txt"], or a heartbeat': '地址，例如 to = ["file:ntfy.txt"]，或 heartbeat',
    "an IP address without a star: there are wildcards only of domain names": (
        "不带星号的 IP 地址（只有域名才有通配符）"
    ),
    "an IP address without a zone such as %eth0: no CA can reach a link-local address": (
        "不带 %eth0 这类接口标识的 IP 地址（任何 CA 都无法访问链路本地地址）"
    ),
    "an account that works": "可用的账户",
    "an account without a name": "没有名称的账户",
    "an address :PORT or HOST:PORT, IPv6 in brackets": "地址，写成 :PORT 或 HOST:PORT，IPv6 放在方括号中",
    "an address HOST or HOST:PORT, IPv6 in brackets": "地址，写成 HOST 或 HOST:PORT，IPv6 放在方括号中",
    "the path of a socket, or HOST:PORT that names this machine: the key is sent as it is": (
        "套接字的路径，或指向本机的 HOST:PORT：私钥会原样发送"
    ),
    "an address HOST:PORT, IPv6 in brackets": "地址，写成 HOST:PORT，IPv6 放在方括号中",
    "an address that apprise knows, such as ntfys://TOPIC or mailtos://USER:PASSWORD@HOST": (
        "apprise 支持的地址，例如 ntfys://TOPIC 或 mailtos://USER:PASSWORD@HOST"
    ),
    "an installed package apprise": "已安装的 apprise 软件包",
    'an octal file mode in quotes, such as "0640"': '加引号的八进制文件权限，例如 "0640"',
    "another name: {where} uses it already": "其他名称（{where} 已使用此名称）",
    "another text": "其他文本",
    "at least one of {keys}": "{keys} 中的至少一个",
    "at most {most:,} domains; a CA allows 100 to 250 in a certificate": (
        "最多 {most:,} 个域名（CA 允许每个证书有 100 到 250 个）"
    ),
    "certificate number {number}": "第 {number} 个证书",
    "certificate number {number} in {file}": "{file} 中的第 {number} 个证书",
    "each account once": "每个账户只写一次",
    "each domain once: this is {domain} again": "每个域名只写一次（此处又是 {domain}）",
    "file {name}": "文件“{name}”",
    "file {name} not found": "找不到文件“{name}”",
    "from `gcloud publicca external-account-keys create`": "由 `gcloud publicca external-account-keys create` 得到",
    "from `gcloud publicca external-account-keys create`, with the test API selected in gcloud": (
        "在 gcloud 中选择测试 API 后，由 `gcloud publicca external-account-keys create` 得到"
    ),
    'from https://app.zerossl.com/developer, or eab = "email"': (
        '可从 https://app.zerossl.com/developer 获取，或写成 eab = "email"'
    ),
    "from the ACME page of your account at https://www.actalis.com": (
        "可从您在 https://www.actalis.com 的账户的 ACME 页面获取"
    ),
    "from the API credentials of your account at https://secure.ssl.com": (
        "可从您在 https://secure.ssl.com 的账户的 API 凭据中获取"
    ),
    "no file at {path}": "{path} 处没有文件",
    'no program, file, secret or deployment (documents = "plain" in [fleet])': (
        '不含程序、文件、凭据或部署（[fleet] 中 documents = "plain"）'
    ),
    "no such key here: each certificate has its own {key}": "不写此键（每个证书各有自己的 {key}）",
    "no such key: the word after `dns.` is the account's name": "不写此键（`dns.` 之后的词就是账户的名称）",
    "one IP address, not a network: remove the / and everything after it": (
        "单个 IP 地址，而不是网段（请删除 / 及其后的全部内容）"
    ),
    'one of "listen", "webroot" and "app"': '"listen"、"webroot" 和 "app" 之一',
    'profile = "{profile}": {ca} issues for IP addresses only with this profile': (
        'profile = "{profile}"（{ca} 只用此 profile为 IP 地址签发证书）'
    ),
    "tables [[certificate]], with two brackets": "用双层方括号写成 [[certificate]] 的表",
    "tables [ca.NAME]": "写成 [ca.NAME] 的表",
    "tables [dns.NAME]": "写成 [dns.NAME] 的表",
    'texts of up to {most} characters, such as ["customer-7"]': '不超过 {most} 个字符的文本，例如 ["customer-7"]',
    "the CA {ca} without its external account binding": "CA {ca} 没有外部账户绑定（EAB）",
    "the CA {ca}, which gives its binding for an e-mail address, without `contact`": (
        "CA {ca} 凭电子邮件地址提供外部账户绑定，但没有 `contact`"
    ),
    'the IP address without a port: "{address}"': '不带端口的 IP 地址："{address}"',
    'the IP address without brackets: "{address}"': '不带方括号的 IP 地址："{address}"',
    'the IPv4 address itself: "{address}"': 'IPv4 地址本身："{address}"',
    'the URL without the password, and the password as a secret: {{ url = "postgresql://…", password = "env:NAME" }}': (
        '不带密码的 URL，密码另写成凭据：{{ url = "postgresql://…", password = "env:NAME" }}'
    ),
    "the arguments": "参数",
    "the binding for an e-mail address, which this CA does not give": "凭电子邮件地址的外部账户绑定，而此 CA 不提供",
    "the configuration": "配置",
    "the domain itself, without _acme-challenge: dnsrenew adds it": (
        "域名本身，不带 _acme-challenge（dnsrenew 会自行加上）"
    ),
    "the first": "前一个",
    "the https URL of the CA's directory": "CA 的 directory 的 https URL",
    "the key as the CA shows it, in base64url: A-Z, a-z, 0-9, - and _": (
        "CA 给出的 base64url 形式的密钥：A-Z、a-z、0-9、- 和 _"
    ),
    "the name": "此名称",
    'the name of a CA, or a CA such as CA("https://…")': 'CA 的名称，或 CA 对象，例如 CA("https://…")',
    "the name of a DNS host, of letters, digits, dots, hyphens and underscores": (
        "DNS 服务商的名称，由字母、数字、点、连字符和下划线组成"
    ),
    "the name of a DNS host: `dnsrenew providers --search WORD` finds it; for a host that is not there, run `dnsrenew "
    "delegate NAME`": (
        "DNS 服务商的名称：用 `dnsrenew providers --search WORD` 查找；如果其中没有，请运行 `dnsrenew delegate NAME`"
    ),
    "{provider} cannot be used. {why}": "{provider} 不能使用。{why}",
    "the name of a DNS host, see `dnsrenew providers`": "DNS 服务商的名称，见 `dnsrenew providers`",
    "the name of a group of this system": "本系统用户组的名称",
    'the name of a profile, or {{ prefer = "…" }}': 'profile 的名称，或 {{ prefer = "…" }}',
    "the name of a user of this system": "本系统用户的名称",
    "the name of an account, or a list of names": "账户的名称，或名称的列表",
    "the name {name} a second time": "重复的名称 {name}",
    'the names of environment variables, such as env = ["VAULT_TOKEN"]': '环境变量的名称，例如 env = ["VAULT_TOKEN"]',
    "the package apprise, which sends the messages, is not installed": "没有安装用于发送消息的 apprise 软件包",
    "the packages for PostgreSQL are not installed": "没有安装用于 PostgreSQL 的软件包",
    "the packages psycopg, psycopg-pool and procrastinate": "软件包 psycopg、psycopg-pool 和 procrastinate",
    "the path of a folder, or a URL that starts with postgresql://": "目录的路径，或以 postgresql:// 开头的 URL",
    "the path of an existing file": "现有文件的路径",
    "the path of an existing file, or a pattern such as conf.d/*.toml": (
        "现有文件的路径，或 conf.d/*.toml 这样的匹配模式"
    ),
    "the secret": "该凭据",
    "the unknown CA {ca}": "未知的 CA {ca}",
    "the unknown DNS account {account}": "未知的 DNS 账户 {account}",
    "the unknown DNS host {provider}": "未知的 DNS 服务商 {provider}",
    "this key only with challenge = {challenge}": "此键仅与 challenge = {challenge} 一起使用",
    "this line above the first [table] of the file": "此行位于文件中第一个 [table] 之前",
    "two accounts of this name": "两个同名的账户",
    "your e-mail address in `contact`": "`contact` 中的您的电子邮件地址",
    "{count:,} domains": "{count:,} 个域名",
    "{domain} outside the zones of the accounts": "{domain} 不在这些账户的区域中",
    "{file}, which cannot be read ({cause})": "{file}，无法读取（{cause}）",
    "{file}, which holds no certificate in PEM form": "{file}，其中没有 PEM 格式的证书",
    "{help} (required by {provider})": "{help}（{provider} 必需）",
    "{keys} and {count:,} more": "{keys} 以及另外 {count:,} 个",
    "{key} (did you mean {reference}?)": "{key}（您是不是想写 {reference}？）",
    "{provider}, whose driver {driver} is not installed": "{provider}，其驱动 {driver} 尚未安装",
    "{secret} has a key and = before the value": "{secret}中的值前面有键和 =",
    "{secret} has another form": "{secret}的形式不符",
    "{secret} has quotes around the value": "{secret}中的值带有引号",
    "{secret} has {count} lines": "{secret}有 {count} 行",
    "{words}; this word is reserved for a later version": "{words}（此词留给以后的版本使用）",
    '{{ kid = …, hmac = … }}, or "email" for a binding that the CA gives for the contact': (
        '{{ kid = …, hmac = … }}，或 "email"（由 CA 按联系人提供绑定）'
    ),
    "{{ to = {targets}, … }} or {{ run = […] }}": "{{ to = {targets}, … }} 或 {{ run = […] }}",
}

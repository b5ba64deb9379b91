"""Delegating _acme-challenge to another DNS account."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "The CNAME record is at {doubled}: the DNS host appends {zone} to each name.": (
        "{doubled} 处有 CNAME 记录：DNS 服务商会自行为每个名称补上 {zone}。"
    ),
    'Add a DNS account that writes to that zone (zones = ["{name}"]), or delete the NS records of {name}.': (
        '请添加能写入该区域的 DNS 账户（zones = ["{name}"]），或删除 {name} 的 NS 记录。'
    ),
    "Add one: an acme-dns server (dnsrenew providers acme-dns), or the DNS host of another domain of yours.": (
        "请添加一个账户：acme-dns 服务器（dnsrenew providers acme-dns），或您另一个域名的 DNS 服务商。"
    ),
    "Add registration = FILE to the account.": "请在账户中添加 registration = FILE。",
    'Add the route {{ challenge = "dns-persist-01" }} to the certificate: the renewal that needs the record shows '
    "it.": ('请为该证书添加途径 {{ challenge = "dns-persist-01" }}：需要该记录的续期会显示它。'),
    "Ask its operator for a registration and store it as {file}, or use another server: yours, or that of `api`.": (
        "请向其运营者索取注册信息并保存为 {file}，或使用其他服务器：您自己的，或 `api` 所指的。"
    ),
    "Change it at the DNS host of {zone}, so that it leads to {value}.": (
        "请在 {zone} 的 DNS 服务商处更改它，使其指向 {value}。"
    ),
    "Check the address of the server: `api` of the account {account}.": (
        "请检查该服务器的地址：账户 {account} 的 `api`。"
    ),
    "Choose an account that a program can write: --to ACCOUNT.": "请选择程序能写入的账户：--to ACCOUNT。",
    "Choose an account that writes to another zone: --to ZONE or --to ACCOUNT.": (
        "请选择写入其他区域的账户：--to ZONE 或 --to ACCOUNT。"
    ),
    "Choose one: --to {example}": "请选择其一：--to {example}",
    "Delete the CNAME record of {value}.": "请删除 {value} 的 CNAME 记录。",
    "Delete them at the DNS host of {zone}, then set the CNAME record.": (
        "请在 {zone} 的 DNS 服务商处将其删除，然后设置 CNAME 记录。"
    ),
    "Enter the name without the zone there: {short}.": "请在那里填写不带区域的名称：{short}。",
    "If that does not end, check the name servers of {zone}: dnsrenew doctor": (
        "如果一直如此，请检查 {zone} 的域名服务器：dnsrenew doctor"
    ),
    "Allow DNS queries from this host to port 53, then run dnsrenew delegate again.": (
        "请放行本机发往 53 端口的 DNS 查询，然后重新运行 dnsrenew delegate。"
    ),
    "Allow the user of dnsrenew to write to {folder}, or name another file: registration = FILE.": (
        "请允许运行 dnsrenew 的用户写入 {folder}，或指定其他文件：registration = FILE。"
    ),
    'Name the zone: --to ZONE; or add zones = ["ZONE"] to the account.': (
        '请写明区域：--to ZONE；或在账户中添加 zones = ["ZONE"]。'
    ),
    "No name server of {zone} says whether {name} has a CNAME record: {answers}.": (
        "{zone} 的域名服务器都没有说明 {name} 是否有 CNAME 记录：{answers}。"
    ),
    "Not every name server of {zone} could be asked for the CNAME record of {name}: {answers}.": (
        "未能向 {zone} 的所有域名服务器查询 {name} 的 CNAME 记录：{answers}。"
    ),
    "Only a wildcard record answers for {name}; it leads to {target}.": "{name} 只有通配符记录应答，它指向 {target}。",
    "Run: dnsrenew doctor --probe": "请运行：dnsrenew doctor --probe",
    "Set once at the DNS host of the domain, and run dnsrenew delegate {name} --to dns-persist-01 again: {lines}": (
        "请在该域名的 DNS 服务商处设置一次，然后重新运行 dnsrenew delegate {name} --to dns-persist-01：{lines}"
    ),
    "Set the CNAME record of {name} itself at the DNS host of {zone}.": (
        "请在 {zone} 的 DNS 服务商处为 {name} 单独设置 CNAME 记录。"
    ),
    "Set the CNAME record that its documentation shows, then run: dnsrenew renew": (
        "请设置其文档所示的 CNAME 记录，然后运行：dnsrenew renew"
    ),
    "Several DNS accounts could write for {domains}: {accounts}.": "有多个 DNS 账户可为 {domains} 写入：{accounts}。",
    "Store the registration, as the server gave it (username, password, subdomain, fulldomain), as a JSON file, "
    "and name it instead of them: registration = FILE.": (
        "请把服务器给出的注册信息（username、password、subdomain、fulldomain）保存为 JSON 文件，并以该文件代替这些选"
        "项：registration = FILE。"
    ),
    "The CA {ca} still accepts an earlier validation of {identifier}, so it does not show which TXT record it "
    "requires.": ("CA {ca} 仍接受之前对 {identifier} 的验证，因此没有说明它需要哪条 TXT 记录。"),
    "The CNAME record of {name} is there, but the chain of CNAME records ends at {target}, not at {value}.": (
        "{name} 的 CNAME 记录已存在，但 CNAME 记录链最终指向 {target}，而不是 {value}。"
    ),
    "The CNAME record of {name} leads to {target}.": "{name} 的 CNAME 记录指向 {target}。",
    "The DNS account {account} can write the records of {domains} itself.": (
        "DNS 账户 {account} 可以直接写入 {domains} 的记录。"
    ),
    "The DNS account {account} does not say which zones it writes to.": "DNS 账户 {account} 没有写明它写入哪些区域。",
    "The DNS account {account} has its registration in options, which do not say its whole name.": (
        "DNS 账户 {account} 的注册信息写在选项中，而选项没有写明其完整名称。"
    ),
    "The DNS account {account} has no file for its registration.": "DNS 账户 {account} 没有用于保存注册信息的文件。",
    "The DNS account {account} is written by a person, so a CNAME record to it would save no work.": (
        "DNS 账户 {account} 由人手动写入，因此指向它的 CNAME 记录并不能省事。"
    ),
    "The DNS account {account} was not tested: it holds one value at {name}, and one is there.": (
        "DNS 账户 {account} 未经测试：它在 {name} 处只保存一个值，而那里已有一个值。"
    ),
    "The DNS account {account} writes only names that its server chooses, and its driver does not know which.": (
        "DNS 账户 {account} 只写入由其服务器选定的名称，而其驱动无法得知是哪个名称。"
    ),
    "The account or zone to write to is empty.": "所给的账户或区域为空。",
    "The acme-dns server of the account {account} does not register new names (HTTP status {status}).": (
        "账户 {account} 的 acme-dns 服务器不接受新注册（HTTP 状态 {status}）。"
    ),
    "The acme-dns server of the account {account} gave a name that cannot be used: {name}.": (
        "账户 {account} 的 acme-dns 服务器给出的名称无法使用：{name}。"
    ),
    "The certificate {name} has no domain, only IP addresses, which need no CNAME record.": (
        "证书 {name} 没有域名，只有 IP 地址，而 IP 地址不需要 CNAME 记录。"
    ),
    "The configuration has no DNS account that a CNAME record of {domains} could lead to.": (
        "配置中没有可供 {domains} 的 CNAME 记录指向的 DNS 账户。"
    ),
    "The registration of the DNS account {account} cannot be kept: {reason}": (
        "无法保存 DNS 账户 {account} 的注册信息：{reason}"
    ),
    "Use http-01 or tls-alpn-01 for IP addresses.": "请对 IP 地址使用 http-01 或 tls-alpn-01。",
    "Use one of these accounts, or a zone of one: {known}.": "请使用以下账户之一，或其区域：{known}。",
    "Use one of these accounts, or add one that writes to {to}: {known}.": (
        "请使用以下账户之一，或添加能写入 {to} 的账户：{known}。"
    ),
    "Use one of these: {known}.": "请使用以下之一：{known}。",
    "none of them has a known address": "它们的地址都未知",
    "{name} has other records already ({types}), and a CNAME record is not allowed beside other records.": (
        "{name} 已有其他记录（{types}），而 CNAME 记录不能与它们并存。"
    ),
    "{name} is a zone of its own with name servers of its own (NS records), and a CNAME record is not allowed at the "
    "top of a zone.": ("{name} 自成一个区域，有自己的域名服务器（NS 记录），而区域的顶端不能有 CNAME 记录。"),
    "{name} is neither a certificate of the configuration nor a domain of one.": (
        "{name} 既不是配置中的证书，也不是其中的域名。"
    ),
    "{to} is neither a DNS account of the configuration nor in a zone of one.": (
        "{to} 既不是配置中的 DNS 账户，也不在其区域中。"
    ),
}

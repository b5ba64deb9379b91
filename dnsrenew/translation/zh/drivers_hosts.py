"""The drivers of single DNS hosts."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add the permission Zone → Zone → Read for {zone} to the token at "
    "https://dash.cloudflare.com/profile/api-tokens, or set `zone_id` to the Zone ID on the overview page of "
    "{zone}.": (
        "请在 https://dash.cloudflare.com/profile/api-tokens 为该令牌添加对 {zone} 的 Zone → Zone → Read 权限，或把 "
        "`zone_id` 设为 {zone} 概览页面上的 Zone ID。"
    ),
    "Add the public IPv4 address of this host to the allowed addresses in Profile > Tools > API Access, and set "
    "auth_client_ip to it; see `dnsrenew providers namecheap`.": (
        "请在 Profile > Tools > API Access 中把本机的公网 IPv4 地址加入允许的地址，并把 auth_client_ip 设为该地址；参"
        "见 `dnsrenew providers namecheap`。"
    ),
    "Allow the user of dnsrenew to read the file.": "请允许运行 dnsrenew 的用户读取该文件。",
    "Check at https://www.customercontrolpanel.de whether {zone} is in this account; if netcup has moved it to "
    "CloudDNS, which is not in this API, run `dnsrenew delegate NAME` for another DNS host.": (
        "请在 https://www.customercontrolpanel.de 检查 {zone} 是否在此账户中；如果 netcup 已把它迁移到此 API 不支持的 "
        "CloudDNS，请运行 `dnsrenew delegate NAME` 改用另一个 DNS 服务商。"
    ),
    "Cloudflare (account {account}): `zone_id` is not the Zone ID of {zone}.": (
        "Cloudflare（账户 {account}）：`zone_id` 不是 {zone} 的 Zone ID。"
    ),
    "Cloudflare (account {account}): the API token is valid, but it may not look up the Zone ID of {zone}.": (
        "Cloudflare（账户 {account}）：API 令牌有效，但无权查询 {zone} 的 Zone ID。"
    ),
    "Cloudflare (account {account}): the zone {zone} has as many DNS records as its plan allows.": (
        "Cloudflare（账户 {account}）：区域 {zone} 的 DNS 记录数已达到其套餐的上限。"
    ),
    "Copy the Zone ID from the overview page of {zone}; an account with `zone_id` writes to one zone only.": (
        "请从 {zone} 的概览页面复制 Zone ID；设置了 `zone_id` 的账户只写入一个区域。"
    ),
    "Copy the token from {website}, logged in as the owner of {zone}.": (
        "请以 {zone} 的所有者登录 {website}，并从那里复制令牌。"
    ),
    "Delete records of {zone} that are not needed at https://dash.cloudflare.com, or change the plan of the zone.": (
        "请在 https://dash.cloudflare.com 删除 {zone} 中不需要的记录，或更换该区域的套餐。"
    ),
    "GoDaddy (account {account}) does not allow this key to use its API for {zone} (HTTP {status}). It opens the "
    "API only to accounts with 10 or more domains, or with a Discount Domain Club plan.": (
        "GoDaddy（账户 {account}）不允许此密钥对 {zone} 使用其 API（HTTP {status}）。它只向拥有 10 个以上域名或 "
        "Discount Domain Club 套餐的账户开放 API。"
    ),
    "GoDaddy (account {account}): nothing was removed from {name} in {zone}, because its other TXT values would "
    "lose what the API cannot write: {lost}.": (
        "GoDaddy（账户 {account}）：没有从 {zone} 的 {name} 处删除任何内容，因为其他 TXT 值会失去 API 无法写入的内容："
        "{lost}。"
    ),
    "Point the CNAME record to the name that `dnsrenew delegate NAME` shows, or use the registration it was made "
    "for.": ("请使该 CNAME 记录指向 `dnsrenew delegate NAME` 显示的名称，或使用该记录所对应的注册信息。"),
    "Move the zone to the Hetzner Console, and create a token (64 characters, Read & Write) in the project of the "
    "zone: Security > API tokens at https://console.hetzner.com.": (
        "请把该区域迁移到 Hetzner Console，并在该区域所属的项目中创建令牌（64 个字符，Read & Write）："
        "https://console.hetzner.com 的 Security > API tokens。"
    ),
    "Namecheap (account {account}) does not allow requests from this host as {address} (error {number}).": (
        "Namecheap（账户 {account}）不允许本机以地址 {address} 发送请求（错误 {number}）。"
    ),
    "Namecheap (account {account}) does not serve the DNS of {zone}: the domain uses other name servers.": (
        "Namecheap（账户 {account}）不提供 {zone} 的 DNS：该域名使用其他域名服务器。"
    ),
    "Namecheap (account {account}): {zone} was not changed, because each change replaces the zone, and would lose "
    "what the API cannot write: {lost}.": (
        "Namecheap（账户 {account}）：没有更改 {zone}，因为每次更改都会替换整个区域，从而失去 API 无法写入的内容："
        "{lost}。"
    ),
    "Namecheap (account {account}): {zone} was not changed, because the API shows no record in it, and a change "
    "would replace whatever it does not show.": (
        "Namecheap（账户 {account}）：没有更改 {zone}，因为 API 没有显示其中的任何记录，而更改会替换它没有显示的内容。"
    ),
    "Remove the value at https://dcc.godaddy.com by hand, and run `dnsrenew delegate NAME`: then {zone} stays as "
    "it is.": ("请在 https://dcc.godaddy.com 手动删除该值，并运行 `dnsrenew delegate NAME`：之后 {zone} 会保持原样。"),
    "Restore the file from a backup; without one, delete it, run `dnsrenew delegate NAME` and change the CNAME "
    "record.": ("请从备份恢复该文件；如果没有备份，请将其删除，运行 `dnsrenew delegate NAME`，并更改 CNAME 记录。"),
    "Run `dnsrenew delegate NAME` for the certificate: it registers and shows the CNAME record to set, once.": (
        "请为该证书运行 `dnsrenew delegate NAME`：它会注册，并给出只需设置一次的 CNAME 记录。"
    ),
    "Run `dnsrenew delegate NAME`: then a CNAME record set once is enough, and {zone} stays as it is.": (
        "请运行 `dnsrenew delegate NAME`：之后只需设置一次 CNAME 记录，{zone} 会保持原样。"
    ),
    "Run `dnsrenew delegate NAME`: then a CNAME record set once is enough, and {zone} stays as it is; or take "
    "these records and settings out of the zone.": (
        "请运行 `dnsrenew delegate NAME`：之后只需设置一次 CNAME 记录，{zone} 会保持原样；或从该区域中移除这些记录和设"
        "置。"
    ),
    "Set any record of {zone} at https://ap.www.namecheap.com and run it again, or run `dnsrenew delegate NAME`.": (
        "请在 https://ap.www.namecheap.com 为 {zone} 设置任意一条记录并重新运行，或运行 `dnsrenew delegate NAME`。"
    ),
    "Set any record of {zone} in the control panel (https://www.value-domain.com/moddns.php) and run it again, or "
    "run `dnsrenew delegate NAME`.": (
        "请在控制面板（https://www.value-domain.com/moddns.php）中为 {zone} 设置任意一条记录并重新运行，或运行 "
        "`dnsrenew delegate NAME`。"
    ),
    "Switch on API Access in the details of {zone} at https://porkbun.com/account/domainsSpeedy.": (
        "请在 https://porkbun.com/account/domainsSpeedy 的 {zone} 详情中开启 API Access。"
    ),
    "The API of netcup's customer control panel (account {account}) does not have the zone {zone}.": (
        "netcup 客户控制面板的 API（账户 {account}）中没有区域 {zone}。"
    ),
    "The API token of the account {account} has 32 characters: it is one of the old Hetzner DNS Console, which "
    "ended in May 2026.": (
        "账户 {account} 的 API 令牌有 32 个字符：它来自旧的 Hetzner DNS Console，后者已于 2026 年 5 月停用。"
    ),
    "The CNAME record leads to {name}, but the registration of the account {account} writes only {subdomain}.": (
        "该 CNAME 记录指向 {name}，但账户 {account} 的注册信息只能写入 {subdomain}。"
    ),
    "Set all of {options}, or none of them and run `dnsrenew delegate NAME`.": (
        "请设置全部的 {options}，或都不设置并运行 `dnsrenew delegate NAME`。"
    ),
    "The account {account} does not have {key}: a registration needs {options}.": (
        "账户 {account} 没有 {key}：注册信息需要 {options}。"
    ),
    "The account {account} has no registration at its acme-dns server yet.": (
        "账户 {account} 还没有在其 acme-dns 服务器上注册。"
    ),
    "The domain {zone} is not in the Porkbun account {account}, or its API access is off.": (
        "域名 {zone} 不在 Porkbun 账户 {account} 中，或其 API Access 已关闭。"
    ),
    "The registration at the acme-dns server cannot be read from {file}: {cause}.": (
        "无法从 {file} 读取在 acme-dns 服务器上的注册信息：{cause}。"
    ),
    "Try again later, and check whether a proxy answers instead of {website}.": (
        "请稍后重试，并检查是否有代理代替 {website} 应答。"
    ),
    "Use a production key of the account that has {zone} (`dnsrenew providers godaddy`); if the account is too "
    "small, run `dnsrenew delegate NAME` to have another DNS host answer for _acme-challenge.": (
        "请使用拥有 {zone} 的账户的 production 密钥（`dnsrenew providers godaddy`）；如果该账户的域名太少，请运行 "
        "`dnsrenew delegate NAME`，由另一个 DNS 服务商应答 _acme-challenge。"
    ),
    "Use the account of the DNS host whose name servers {zone} has, or choose Namecheap BasicDNS for the domain.": (
        "请使用 {zone} 的域名服务器所属 DNS 服务商的账户，或为该域名选用 Namecheap BasicDNS。"
    ),
    "Value Domain (account {account}): {zone} was not changed, because each change replaces the zone, and would "
    "lose what the API cannot write: {lost}.": (
        "Value Domain（账户 {account}）：没有更改 {zone}，因为每次更改都会替换整个区域，从而失去 API 无法写入的内容："
        "{lost}。"
    ),
    "Value Domain (account {account}): {zone} was not changed, because the API shows no record in it, and a change "
    "would replace whatever it does not show.": (
        "Value Domain（账户 {account}）：没有更改 {zone}，因为 API 没有显示其中的任何记录，而更改会替换它没有显示的内"
        "容。"
    ),
    "{file} does not hold a registration at an acme-dns server.": "{file} 中没有在 acme-dns 服务器上的注册信息。",
}

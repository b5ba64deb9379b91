"""The challenges dns-01, http-01 and tls-alpn-01."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A CNAME leads the TXT record for {identifier} to {name} in the zone {zone}. The DNS account {account}, which "
    "has no zones, writes there.": (
        "一条 CNAME 把 {identifier} 的 TXT 记录引到区域 {zone} 中的 {name}。未设置 zones 的 DNS 账户 {account} 会写入那"
        "里。"
    ),
    "A symbolic link leads from {path} out of the webroot to {leads_to}.": (
        "一个符号链接从 {path} 指向网站根目录之外的 {leads_to}。"
    ),
    "Set webroot to the folder that the link leads to, or run `{command}`.": (
        "请把 webroot 设为该链接指向的目录，或运行 `{command}`。"
    ),
    "{path}, on the way to the webroot {webroot}, is a link of {owner}, so {owner} decides where {user} writes.": (
        "通往网站根目录 {webroot} 的路径上的 {path} 是 {owner} 的链接，因此 {user} 把文件写到何处由 {owner} 决定。"
    ),
    "Add a dns-01 route for the wildcard.": "请为通配符域名添加 dns-01 途径。",
    "Add an http-01 or a tls-alpn-01 route for the address.": "请为该地址添加 http-01 或 tls-alpn-01 途径。",
    "Add the account {account} again, or remove the values at your DNS host: the next run checks that they are gone.": (
        "请重新添加账户 {account}，或在 DNS 服务商处删除这些值：下次运行会检查它们是否已消失。"
    ),
    "Add the zone to the account that holds it (zones = […]), or add an account for it.": (
        "请把该区域加入拥有它的账户（zones = […]），或为它添加一个账户。"
    ),
    "Challenge responses at {where} could not be written or read within {seconds} seconds.": (
        "未能在 {seconds} 秒内写入或读取 {where} 处的质询响应。"
    ),
    "Challenge responses could not be removed at {where} ({reason}).": "无法删除 {where} 处的质询响应（{reason}）。",
    "Check whether a firewall or another program intercepts the connection, or use dns-01.": (
        "请检查是否有防火墙或其他程序拦截了连接，或改用 dns-01。"
    ),
    "Check whether a firewall or another program intercepts the request, or use dns-01.": (
        "请检查是否有防火墙或其他程序拦截了请求，或改用 dns-01。"
    ),
    "Check whether the file system of the webroot responds, or use dns-01, which needs no files.": (
        "请检查网站根目录所在的文件系统是否有响应，或改用不需要文件的 dns-01。"
    ),
    "Could not check whether killed runs left TXT values in DNS. {reason}": (
        "无法检查被中止的运行是否在 DNS 中遗留了 TXT 值。{reason}"
    ),
    "Fix the reported system error, or use dns-01, which needs no port.": (
        "请解决所报告的系统错误，或改用不需要端口的 dns-01。"
    ),
    "Forward port 443 of the address to this host.": "请把该地址的 443 端口转发到本机。",
    "Forward port 443 to this host, or use a dns-01 route: it needs no open port.": (
        "请把 443 端口转发到本机，或使用不需要开放端口的 dns-01 途径。"
    ),
    "Forward port 80 of the address to this host.": "请把该地址的 80 端口转发到本机。",
    "Forward port 80 to this host, or use a dns-01 route: it needs no open port.": (
        "请把 80 端口转发到本机，或使用不需要开放端口的 dns-01 途径。"
    ),
    "Give this user write access to the folder, or use dns-01, which needs no files.": (
        "请允许此用户写入该目录，或改用不需要文件的 dns-01。"
    ),
    'Listen on an address of this host, or on all of them with listen = ":{port}".': (
        '请监听本机的某个地址，或用 listen = ":{port}" 监听所有地址。'
    ),
    "No DNS account can write {record}, which validates {identifier}.": (
        "没有 DNS 账户能写入用于验证 {identifier} 的 {record}。"
    ),
    "No DNS account can write {record}, which validates {identifier}. The accounts' zones are {zones}.": (
        "没有 DNS 账户能写入用于验证 {identifier} 的 {record}。各账户的区域是 {zones}。"
    ),
    "Port {port} cannot be opened: {cause}.": "无法打开端口 {port}：{cause}。",
    "Port {port}, which http-01 needs, is in use by another program.": "http-01 所需的端口 {port} 已被其他程序占用。",
    "Port {port}, which http-01 needs, is in use by {owner} (process {pid}).": (
        "http-01 所需的端口 {port} 已被 {owner} 占用（进程 {pid}）。"
    ),
    "Port {port}, which tls-alpn-01 needs, is in use by another program.": (
        "tls-alpn-01 所需的端口 {port} 已被其他程序占用。"
    ),
    "Port {port}, which tls-alpn-01 needs, is in use by {owner} (process {pid}).": (
        "tls-alpn-01 所需的端口 {port} 已被 {owner} 占用（进程 {pid}）。"
    ),
    "Remove the values at the old host (the next run checks that they are gone), or configure the account as it "
    "was and run: dnsrenew cleanup": (
        "请在原服务商处删除这些值（下次运行会检查它们是否已消失），或恢复该账户原来的配置并运行：dnsrenew cleanup"
    ),
    "Replace the link with a folder, or set webroot to a folder without such a link.": (
        "请用目录代替该链接，或把 webroot 设为不含此类链接的目录。"
    ),
    "Run `dnsrenew delegate {identifier}`: it shows the CNAME record to set, once, and waits for it.": (
        "请运行 `dnsrenew delegate {identifier}`：它会给出只需设置一次的 CNAME 记录，并等待该记录生效。"
    ),
    "Run `dnsrenew renew` in a terminal, or set a CNAME record once: `dnsrenew delegate {identifier}`.": (
        "请在终端中运行 `dnsrenew renew`，或设置一次 CNAME 记录：`dnsrenew delegate {identifier}`。"
    ),
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {webroot}.": (
        "请重新运行 `dnsrenew schedule install`，使该单元允许写入 {webroot}。"
    ),
    "Run it as root, give it CAP_NET_BIND_SERVICE, or use dns-01, which needs no port.": (
        "请以 root 运行，或授予 CAP_NET_BIND_SERVICE，或改用不需要端口的 dns-01。"
    ),
    "Run: dnsrenew cleanup": "请运行：dnsrenew cleanup",
    "Set webroot to the folder that this program serves, stop the program, or use dns-01, which needs no port.": (
        "请把 webroot 设为该程序所提供的目录，或停止该程序，或改用不需要端口的 dns-01。"
    ),
    "Set webroot to the folder whose files the web server serves at http://NAME/.": (
        "请把 webroot 设为网站服务器在 http://NAME/ 提供的文件所在的目录。"
    ),
    'Set zones = ["{zone}"] for the account {account} or alias = "{name}" in the route, or delete the CNAME if '
    "it is not yours.": (
        '请为账户 {account} 设置 zones = ["{zone}"]，或在途径中设置 alias = "{name}"；如果该 CNAME 不是您的，请将其'
        "删除。"
    ),
    "Start that server, which renews automatically, or add another route, such as dns-01.": (
        "请启动该服务器（它会自行续期），或添加其他途径，例如 dns-01。"
    ),
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.": (
        "请在续期证书时停止该程序，或改用不需要端口的 dns-01。"
    ),
    "TXT values at {names} could not be removed ({reason}).": "无法删除 {names} 处的 TXT 值（{reason}）。",
    "TXT values at {names} may have been written and could not be removed ({reason}).": (
        "{names} 处的 TXT 值可能已写入，但无法删除（{reason}）。"
    ),
    "TXT values of an earlier run at {names} could not be removed: {reason}": (
        "无法删除之前的运行遗留在 {names} 的 TXT 值：{reason}"
    ),
    "The CA cannot reach this host by HTTP on port 80. {ca_message}": (
        "CA 无法通过 HTTP 访问本机的 80 端口。{ca_message}"
    ),
    "The CA cannot reach this host by HTTP on port 80. {ca_message} {likely}": (
        "CA 无法通过 HTTP 访问本机的 80 端口。{ca_message} {likely}"
    ),
    "The CA cannot reach this host by TLS on port 443. {ca_message}": (
        "CA 无法通过 TLS 访问本机的 443 端口。{ca_message}"
    ),
    "The CA cannot reach this host by TLS on port 443. {ca_message} {likely}": (
        "CA 无法通过 TLS 访问本机的 443 端口。{ca_message} {likely}"
    ),
    "The CA sent an invalid token for {identifier}: {token}": "CA 为 {identifier} 发送的令牌无效：{token}",
    "The DNS account {accounts} writes only names that a CNAME record leads to, and {record} has none.": (
        "DNS 账户 {accounts} 只写入 CNAME 记录所指的名称，而 {record} 没有 CNAME 记录。"
    ),
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. The new host "
    "does not remove them: {reason}.": (
        "DNS 账户 {account} 在 {names} 写入 TXT 值时配置的是另一个服务商。新的服务商没有删除它们：{reason}。"
    ),
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. They are still "
    "in DNS, or no name server responds.": (
        "DNS 账户 {account} 在 {names} 写入 TXT 值时配置的是另一个服务商。这些值仍在 DNS 中，或没有域名服务器应答。"
    ),
    "The DNS account {account}, which wrote TXT values at {names}, is no longer in the configuration. The values "
    "are listed in {paths}.": ("曾在 {names} 写入 TXT 值的 DNS 账户 {account} 已不在配置中。这些值记录在 {paths}。"),
    "The DNS host of the account {account} did not remove the TXT values at {names} in time.": (
        "账户 {account} 的 DNS 服务商没有及时删除 {names} 处的 TXT 值。"
    ),
    "The TXT record {record} has to be set by hand (account {account}), and this run is scheduled or has no "
    "terminal.": ("TXT 记录 {record} 须手动设置（账户 {account}），但此次运行是计划任务，或没有终端。"),
    "The challenge dns-01 cannot validate an IP address: {identifiers}.": (
        "dns-01 质询不能验证 IP 地址：{identifiers}。"
    ),
    "The challenge http-01 cannot validate a wildcard: {identifiers}.": (
        "http-01 质询不能验证通配符域名：{identifiers}。"
    ),
    "The challenge tls-alpn-01 cannot validate a wildcard: {identifiers}.": (
        "tls-alpn-01 质询不能验证通配符域名：{identifiers}。"
    ),
    "The http-01 route with app = true works only inside the server whose app is wrapped by served.http01_app(app).": (
        "设置了 app = true 的 http-01 途径只能在用 served.http01_app(app) 包装应用的服务器中使用。"
    ),
    "The systemd unit that runs dnsrenew does not allow it to write files in {path}: {reason}.": (
        "运行 dnsrenew 的 systemd 单元不允许在 {path} 中写入文件：{reason}。"
    ),
    "The user that runs dnsrenew cannot write files in {path}: {reason}.": (
        "运行 dnsrenew 的用户无法在 {path} 中写入文件：{reason}。"
    ),
    "The user that runs dnsrenew is not allowed to listen on port {port}, which http-01 needs.": (
        "运行 dnsrenew 的用户没有权限监听 http-01 所需的端口 {port}。"
    ),
    "The user that runs dnsrenew is not allowed to listen on port {port}, which tls-alpn-01 needs.": (
        "运行 dnsrenew 的用户没有权限监听 tls-alpn-01 所需的端口 {port}。"
    ),
    "The webroot {webroot} is not a folder.": "网站根目录 {webroot} 不是目录。",
    "They are harmless. Delete the files in .well-known/acme-challenge when convenient.": (
        "它们没有害处。请在方便时删除 .well-known/acme-challenge 中的文件。"
    ),
    "They do no harm. The next run, or dnsrenew cleanup, tries to remove them again.": (
        "它们没有害处。下次运行或 dnsrenew cleanup 会再次尝试删除。"
    ),
    "This host does not get the challenge certificate for {identifier} at {listen}: {cause}.": (
        "本机在 {listen} 得不到 {identifier} 的质询证书：{cause}。"
    ),
    "This host does not get the challenge response for {identifier} at {where}: {cause}.": (
        "本机在 {where} 得不到 {identifier} 的质询响应：{cause}。"
    ),
    'This host has no address for listen = "{listen}".': '本机没有 listen = "{listen}" 所指的地址。',
    "Try again later, or use another CA.": "请稍后重试，或换用其他 CA。",
    "its file cannot be read ({reason})": "无法读取其文件（{reason}）",
    "its file has other content": "其文件内容不同",
    "no time was left": "没有剩余时间",
    "the listener does not respond ({reason})": "监听程序没有响应（{reason}）",
    "{address} presents another certificate": "{address} 出示的是另一个证书",
    "{address} responds with something else": "{address} 的应答内容不同",
    "{ca_message} {likely}": "{ca_message}{likely}",
}

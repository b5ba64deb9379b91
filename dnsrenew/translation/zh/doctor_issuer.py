"""The doctor: the CA, its account and limits, CAA records, the clock."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A CAA record does not allow the CA {ca} to issue for {names}: {record}": (
        "一条 CAA 记录不允许 CA {ca} 为 {names} 签发证书：{record}"
    ),
    "A CAA record forbids every CA to issue for {names}: {record}": (
        "一条 CAA 记录禁止所有 CA 为 {names} 签发证书：{record}"
    ),
    "A CAA record allows the CA {ca} to issue for {names}, but not by {challenge}: {record}": (
        "一条 CAA 记录允许 CA {ca} 为 {names} 签发证书，但不允许用 {challenge}：{record}"
    ),
    "A CAA record allows the CA {ca} to issue for {names}, but only for another account than this one: {record}": (
        "一条 CAA 记录允许 CA {ca} 为 {names} 签发证书，但只允许另一个账户：{record}"
    ),
    "A critical CAA record with a tag unknown to CAs forbids all of them to issue for {names}: {record}": (
        "一条标记为 critical 且 CA 不认识其标签的 CAA 记录禁止所有 CA 为 {names} 签发证书：{record}"
    ),
    "Allow connections from this host to {host} port {port}, or correct `directory` of the CA {ca}.": (
        "请允许本机连接 {host} 的 {port} 端口，或更正 CA {ca} 的 `directory`。"
    ),
    "Allow connections from this host to {host} port {port}; if they are allowed, wait, or add a second CA.": (
        "请允许本机连接 {host} 的 {port} 端口；如果已允许，请等待，或添加第二个 CA。"
    ),
    "Compare it with a watch, and set the clock of this host if it is wrong: sudo timedatectl set-ntp true (on "
    "Windows: w32tm /resync)": (
        "请对照手表核对本机时间；如果本机时钟不准，请校准：sudo timedatectl set-ntp true（Windows 上：w32tm /resync）"
    ),
    "Compare it with a watch.": "请对照手表核对本机时间。",
    "Correct HTTPS_PROXY in the environment of dnsrenew, or have the proxy repaired.": (
        "请更正 dnsrenew 环境中的 HTTPS_PROXY，或请人修复该代理。"
    ),
    "Correct HTTPS_PROXY in the environment of dnsrenew, or remove it.": (
        "请更正 dnsrenew 环境中的 HTTPS_PROXY，或将其删除。"
    ),
    "Correct `directory` of the CA {ca} if it is misspelt, otherwise the DNS settings of this host: nslookup {host}": (
        "如果 CA {ca} 的 `directory` 拼写有误，请更正；否则请更正本机的 DNS 设置：nslookup {host}"
    ),
    "Correct the DNS settings of this host, or HTTPS_PROXY in the environment of dnsrenew.": (
        "请更正本机的 DNS 设置，或 dnsrenew 环境中的 HTTPS_PROXY。"
    ),
    "Correct the DNS settings of this host, or wait until its DNS server answers again: nslookup {host}": (
        "请更正本机的 DNS 设置，或等待其 DNS 服务器恢复应答：nslookup {host}"
    ),
    "Correct the DNS settings of this host: nslookup {host}": ("请更正本机的 DNS 设置：nslookup {host}"),
    "Correct the network of this host first: its gateway, its route to the internet, its firewall.": (
        "请先修复本机的网络：网关、通往互联网的路由和防火墙。"
    ),
    "Exempt {host} from TLS inspection, or update the root certificates of this host.": (
        "请让 TLS 检查排除 {host}，或更新本机的根证书。"
    ),
    "Exempt {host} from the firewall's TLS inspection, or correct `directory` of the CA {ca}.": (
        "请让防火墙的 TLS 检查排除 {host}，或更正 CA {ca} 的 `directory`。"
    ),
    'Get a key for external account binding (EAB) from the CA, and set it: [ca.{ca}] eab = {{ kid = "…", hmac = '
    '"file:…" }}': ('请从 CA 获取外部账户绑定（EAB）的密钥，并设置：[ca.{ca}] eab = {{ kid = "…", hmac = "file:…" }}'),
    "Have the proxy allow {host} port {port}, or correct user and password in HTTPS_PROXY.": (
        "请让代理允许连接 {host} 的 {port} 端口，或更正 HTTPS_PROXY 中的用户和密码。"
    ),
    "Make the name servers of the domain answer queries for CAA records; a CA refuses to issue if they do not.": (
        "请让该域名的域名服务器应答 CAA 记录的查询；如果不应答，CA 会拒绝签发。"
    ),
    "Log in to the network if it asks for that, or correct `directory` of the CA {ca}.": (
        "如果网络要求登录，请登录；否则请更正 CA {ca} 的 `directory`。"
    ),
    "Log in to the network if it asks for that; otherwise exempt {host} from its TLS inspection.": (
        "如果网络要求登录，请登录；否则请让它的 TLS 检查排除 {host}。"
    ),
    "Log in to the network if it asks for that; otherwise wait until the CA {ca} works again.": (
        "如果网络要求登录，请登录；否则请等待 CA {ca} 恢复工作。"
    ),
    "No CA reported the time, so the clock of this host, which shows {now}, could not be compared.": (
        "没有 CA 给出时间，因此无法核对本机时钟（显示 {now}）。"
    ),
    "No CAA record restricts which CA may issue.": "没有 CAA 记录限制由哪些 CA 签发。",
    "No TLS connection to the CA {ca} at {host} port {port} can be made ({error}): something else answers there, "
    "or a firewall ends the connection.": (
        "无法与 CA {ca} 在 {host} 的 {port} 端口建立 TLS 连接（{error}）：在那里应答的是其他程序，或防火墙中断了连接。"
    ),
    "No limit of the CA {ca} is known to stop an order for these names.": (
        "就目前所知，CA {ca} 的限制不会阻止为这些名称下单。"
    ),
    "Nothing is missing for an account at the CA {ca}; the first renewal creates it.": (
        "CA {ca} 的账户所需的内容齐全；首次续期时会创建账户。"
    ),
    "One connection to the CA {ca} at {host} port {port} failed, and the next one worked.": (
        "与 CA {ca}（{host} 的 {port} 端口）的一次连接失败，下一次成功。"
    ),
    "Read {terms}, and set agree_terms = true in the configuration.": (
        "请阅读 {terms}，并在配置中设置 agree_terms = true。"
    ),
    "Remove the cause, then run: dnsrenew renew {certificate} --now": (
        "请消除原因，然后运行：dnsrenew renew {certificate} --now"
    ),
    "Replace this record by one that names the CA {ca}, or remove it, at the DNS host of {owner}: {record}": (
        "请在 {owner} 的 DNS 服务商处，把此记录换成指定 CA {ca} 的记录，或将其删除：{record}"
    ),
    "Run dnsrenew doctor again when the CA {ca} answers.": "请在 CA {ca} 恢复应答后重新运行 dnsrenew doctor。",
    "Run dnsrenew doctor again; if it differs each time, look for packet loss on the way to {host}.": (
        "请重新运行 dnsrenew doctor；如果每次结果不同，请检查通往 {host} 的线路是否丢包。"
    ),
    "Set `directory` of the CA {ca} to the ACME address that it publishes.": (
        "请把 CA {ca} 的 `directory` 设为它公布的 ACME 地址。"
    ),
    "Set `directory` of the CA {ca} to the ACME address that it publishes; a login page of the network may answer "
    "too.": ("请把 CA {ca} 的 `directory` 设为它公布的 ACME 地址；应答的也可能是网络的登录页面。"),
    "Set `trust` if the CA {ca} is your own; otherwise exempt {host} from TLS inspection, or update the root "
    "certificates of this host.": (
        "如果 CA {ca} 是您自己的，请设置 `trust`；否则请让 TLS 检查排除 {host}，或更新本机的根证书。"
    ),
    "Set `trust` of the CA {ca} to a file with its root certificates in PEM format.": (
        "请把 CA {ca} 的 `trust` 设为含有其 PEM 格式根证书的文件。"
    ),
    "Set the clock of this host (with NTP) if it is wrong; otherwise the CA must renew its certificate.": (
        "如果本机时钟不准，请校准（用 NTP）；否则须由 CA 续期其证书。"
    ),
    "Set the clock of this host, for example: sudo timedatectl set-ntp true (on Windows: w32tm /resync)": (
        "请校准本机时钟，例如：sudo timedatectl set-ntp true（Windows 上：w32tm /resync）"
    ),
    "Something answers at {directory}, but not with the ACME directory of the CA {ca}.": (
        "{directory} 有应答，但不是 CA {ca} 的 ACME 目录。"
    ),
    "Something else than the CA {ca} answers at {host} port {port}: its certificate, issued by {issuer}, is for "
    "another name.": ("在 {host} 的 {port} 端口应答的不是 CA {ca}：其证书由 {issuer} 签发，用于另一个名称。"),
    "The CA {ca} answers.": "CA {ca} 有应答。",
    "The CA {ca} can be connected to, but did not send its directory in time.": (
        "可以连接 CA {ca}，但它没有及时发送目录。"
    ),
    "The CA {ca} cannot be found: its name {host} does not exist in the DNS that this host uses.": (
        "找不到 CA {ca}：本机所用的 DNS 中不存在名称 {host}。"
    ),
    "The CA {ca} cannot be found: the DNS server that this host uses does not answer for {host}.": (
        "找不到 CA {ca}：本机所用的 DNS 服务器没有应答对 {host} 的查询。"
    ),
    "The CA {ca} does not answer at {host} port {port}: it is down, or a firewall drops the connections.": (
        "CA {ca} 在 {host} 的 {port} 端口没有应答：它已停机，或防火墙丢弃了连接。"
    ),
    "The CA {ca} does not work now: it answers with HTTP status {status}.": (
        "CA {ca} 目前无法使用：它应答的 HTTP 状态为 {status}。"
    ),
    "The CA {ca} ends the connection at {host} port {port} without an answer.": (
        "CA {ca} 在 {host} 的 {port} 端口没有应答就结束了连接。"
    ),
    "The CA {ca} has no ACME directory at {directory}: the answer is HTTP status {status}.": (
        "CA {ca} 在 {directory} 没有 ACME 目录：应答的 HTTP 状态为 {status}。"
    ),
    "The CA {ca} issues certificates only after agreement to its terms of service.": (
        "CA {ca} 只在同意其服务条款后才签发证书。"
    ),
    "The CA {ca} creates accounts only for its customers: the configuration has no key (external account binding).": (
        "CA {ca} 只为其客户创建账户：配置中没有密钥（外部账户绑定）。"
    ),
    "The CA {ca} refuses connections: nothing listens at {host} port {port}, or a firewall rejects them.": (
        "CA {ca} 拒绝连接：{host} 的 {port} 端口没有程序监听，或防火墙拒绝了连接。"
    ),
    "The CA {ca} takes connections at {host} port {port}, but does not answer them.": (
        "CA {ca} 在 {host} 的 {port} 端口接受连接，但没有应答。"
    ),
    "The CAA records at {found_at} allow the CA {ca} to issue.": "{found_at} 处的 CAA 记录允许 CA {ca} 签发。",
    "The certificate at {host} port {port} is not trusted here: it was issued by {issuer}. If that is not the CA "
    "{ca}, something in between intercepts the connection.": (
        "本机不信任 {host} 的 {port} 端口的证书：它由 {issuer} 签发。如果那不是 CA {ca}，则有中间设备拦截了连接。"
    ),
    "The certificate of the CA {ca}, issued by {issuer}, is not valid by the clock of this host, which shows {now}.": (
        "按本机时钟（显示 {now}），CA {ca} 的证书（由 {issuer} 签发）无效。"
    ),
    "The certificate of {source} is not valid by the clock of this host, which shows {now}: one of both is wrong.": (
        "按本机时钟（显示 {now}），{source} 的证书无效：两者中有一个不正确。"
    ),
    "The clock of this host is right, by that of {source}.": "与 {source} 的时钟相比，本机时钟准确。",
    "The clock of this host shows {now}, and that of {source} {date}: a new certificate would not be valid here.": (
        "本机时钟显示 {now}，{source} 的时钟显示 {date}：新证书在本机上会无效。"
    ),
    "The clock of this host shows {now}, and that of {source} {date}: certificates are renewed too early.": (
        "本机时钟显示 {now}，{source} 的时钟显示 {date}：证书会过早续期。"
    ),
    "The file {path}, which `trust` of the CA {ca} names, has no root certificate that can be read.": (
        "CA {ca} 的 `trust` 所指的文件 {path} 中没有可读取的根证书。"
    ),
    "The key `eab.hmac` of the CA {ca} ({reference}) is not one: it must be base64url.": (
        "CA {ca} 的 `eab.hmac`（{reference}）不是密钥：它必须是 base64url。"
    ),
    "The key `eab.hmac` of the CA {ca} can be read.": "可以读取 CA {ca} 的密钥 `eab.hmac`。",
    "The proxy that the environment sets for the CA {ca} has no valid address.": (
        "环境变量为 CA {ca} 设置的代理没有有效的地址。"
    ),
    "The proxy {proxy} does not connect to the CA {ca} at {host} port {port} (its answer: {error}).": (
        "代理 {proxy} 没有连接到 CA {ca} 在 {host} 的 {port} 端口（其应答：{error}）。"
    ),
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be connected to ({error}).": (
        "无法连接环境变量为 CA {ca} 设置的代理 {proxy}（{error}）。"
    ),
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be found: its name does not exist in DNS.": (
        "找不到环境变量为 CA {ca} 设置的代理 {proxy}：DNS 中不存在其名称。"
    ),
    "The proxy {proxy}, which the environment sets for the CA {ca}, cannot be found: the DNS server that this host "
    "uses does not answer.": ("找不到环境变量为 CA {ca} 设置的代理 {proxy}：本机所用的 DNS 服务器没有应答。"),
    "The proxy {proxy}, which the environment sets for the CA {ca}, does not answer.": (
        "环境变量为 CA {ca} 设置的代理 {proxy} 没有应答。"
    ),
    "There are CAA records at {found_at}; whether they name the CA {ca} is unknown, because it did not answer.": (
        "{found_at} 处有 CAA 记录；无法得知其中是否写明 CA {ca}，因为它没有应答。"
    ),
    "There is an account at the CA {ca}.": "在 CA {ca} 有账户。",
    "This host has no way to the CA {ca} at {host} port {port} ({error}).": (
        "本机没有通往 CA {ca}（{host} 的 {port} 端口）的路径（{error}）。"
    ),
    "Try it: dnsrenew renew --dry-run": "请试运行：dnsrenew renew --dry-run",
    "Wait until the CA {ca} answers again, or add a second CA to the routes.": (
        "请等待 CA {ca} 恢复应答，或在途径中添加第二个 CA。"
    ),
    "Wait until the CA {ca} works again, or add a second CA to the routes.": (
        "请等待 CA {ca} 恢复正常，或在途径中添加第二个 CA。"
    ),
    "The requirements of the CA {ca} for an account are unknown, because it did not answer.": (
        "无法得知 CA {ca} 对账户的要求，因为它没有应答。"
    ),
    "It is unknown whether CAA records allow the CA {ca} to issue for {names}: name servers do not answer the query.": (
        "无法得知 CAA 记录是否允许 CA {ca} 为 {names} 签发证书：域名服务器没有应答该查询。"
    ),
    "Only the CA {ca} can tell whether the CAA records at {found_at} allow it to issue for {names}.": (
        "{found_at} 处的 CAA 记录是否允许 CA {ca} 为 {names} 签发证书，只有该 CA 能判断。"
    ),
    "{count} orders at the CA {ca} have failed within {window}, so a run by hand waits until {until}; scheduled runs "
    "continue.": ("{window} 内 CA {ca} 处有 {count} 个订单失败，因此手动运行会等到 {until}；自动续期照常进行。"),
}

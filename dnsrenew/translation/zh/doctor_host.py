"""The doctor: the network, the ports and the firewall of this host."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A program listens on port {port} ({served}).": "有程序监听 {port} 端口（{served}）。",
    "Allow it as administrator: netsh advfirewall firewall add rule name=dnsrenew dir=in action=allow protocol=TCP "
    "localport={port}": (
        "请以管理员身份放行它：netsh advfirewall firewall add rule name=dnsrenew dir=in action=allow protocol=TCP "
        "localport={port}"
    ),
    "Allow {protocol} port {port} from this host to the Internet, or set `doh` under [resolver].": (
        "请允许本机访问互联网的 {protocol} {port} 端口，或在 [resolver] 下设置 `doh`。"
    ),
    "Check from this host whether a browser or curl can open any web page; if not, check the router first.": (
        "请在本机上检查浏览器或 curl 能否打开任意网页；如果不能，请先检查路由器。"
    ),
    'Check that a proxy on this host passes requests on to {listen}, or use listen = ":80".': (
        '请确认本机的代理会把请求转发到 {listen}，或使用 listen = ":80"。'
    ),
    "Check that these servers run, and that this host may query them at port {port} (UDP and TCP); where it may "
    "not, set `doh` under [resolver].": (
        "请确认这些服务器正在运行，并且本机可以查询其 {port} 端口（UDP 和 TCP）；如果不允许查询，请在 [resolver] "
        "下设置 `doh`。"
    ),
    "Check that this rule allows every sender to connect to TCP port {port}: a CA may connect from any address.": (
        "请检查此规则是否让任何来源访问 TCP {port} 端口：CA 可能来自任何地址。"
    ),
    "Check that {before} opens TCP port {port} in the firewall.": (
        "请检查 {before} 是否在防火墙中开放 TCP {port} 端口。"
    ),
    "Check the DNS servers of this host, or set `nameservers` under [resolver] to some that answer.": (
        "请检查本机的 DNS 服务器，或在 [resolver] 下把 `nameservers` 设为有应答的服务器。"
    ),
    "Check the spelling of {domains}; if DNS elsewhere knows the zone, set `nameservers` under [resolver] to "
    "servers that know it.": (
        "请检查 {domains} 的拼写；如果其他地方的 DNS 知道该区域，请把 [resolver] 下的 `nameservers` "
        "设为知道它的服务器。"
    ),
    "Check where the router leads port {port}; if it is this host and this port, start the web server.": (
        "请检查路由器把 {port} 端口转发到哪里；如果是本机的此端口，请启动网站服务器。"
    ),
    "Connect this host to the Internet first, then run dnsrenew doctor again.": (
        "请先把本机接入互联网，然后重新运行 dnsrenew doctor。"
    ),
    "Connect this host to the network, and check that it has a default route (`ip route`; on Windows: `route "
    "print`).": ("请把本机接入网络，并检查是否有默认路由（`ip route`；Windows 上：`route print`）。"),
    "DNS queries leave this network, but none of the name servers of the domains answers: {servers}.": (
        "DNS 查询可以离开本网络，但各域名的域名服务器都没有应答：{servers}。"
    ),
    "Exclude this host from the VPN on {interfaces} if people, or the CA, are to reach it from the Internet.": (
        "如果要让用户或 CA 从互联网访问本机，请让本机不使用 {interfaces} 上的 VPN。"
    ),
    "Find the program with `netstat -abno` as administrator, and the reserved ports with `netsh interface ipv4 "
    "show excludedportrange protocol=tcp`.": (
        "请以管理员身份用 `netstat -abno` 查找该程序，并用 `netsh interface ipv4 show excludedportrange protocol=tcp` "
        "查看保留的端口。"
    ),
    "Find the program with `sudo ss -ltnp 'sport = :{port}'`, then stop it with `before`, or use a dns-01 route, "
    "which needs no port.": (
        "请用 `sudo ss -ltnp 'sport = :{port}'` 查找该程序，然后用 `before` 停止它，或使用不需要端口的 dns-01 途径。"
    ),
    "IPv6 does not work here: hosts that answer by IPv4 do not answer by IPv6 ({addresses}).": (
        "IPv6 在此不可用：能通过 IPv4 应答的主机不通过 IPv6 应答（{addresses}）。"
    ),
    "IPv6 works: a CA answers this host by it.": "IPv6 可用：有 CA 通过它应答本机。",
    "In a container, check the firewall of its host; elsewhere, see what `nft list ruleset` says.": (
        "在容器中，请查看其宿主机的防火墙；在其他环境中，请查看 `nft list ruleset` 的输出。"
    ),
    "Install nftables and run dnsrenew doctor again; in a container, check the firewall of its host.": (
        "请安装 nftables 并重新运行 dnsrenew doctor；在容器中，请查看其宿主机的防火墙。"
    ),
    'Make a web server pass requests on to {listen}, or use listen = ":80".': (
        '请让网站服务器把请求转发到 {listen}，或使用 listen = ":80"。'
    ),
    "Make the web server listen on all addresses, in nginx with `listen {port};` and `listen [::]:{port};`.": (
        "请让网站服务器监听所有地址，在 nginx 中用 `listen {port};` 和 `listen [::]:{port};`。"
    ),
    "Make the web server listen over {missing} too, or remove the DNS record with that address.": (
        "请让网站服务器也通过 {missing} 监听，或删除带有该地址的 DNS 记录。"
    ),
    'Listen on all addresses with listen = ":{port}", or remove the DNS record with the address of {missing}.': (
        '请用 listen = ":{port}" 监听所有地址，或删除带有 {missing} 地址的 DNS 记录。'
    ),
    "Check the route (`ip route get 198.41.0.4`); through a VPN, others see its address instead of yours.": (
        "请查看路由（`ip route get 198.41.0.4`）；经过 VPN 时，其他主机看到的是 VPN 的地址而不是您的地址。"
    ),
    "Check what {interfaces} is (`ip -d link show`); if it is a VPN, others see its address instead of yours.": (
        "请查看 {interfaces} 是什么（`ip -d link show`）；如果是 VPN，其他主机看到的是 VPN 的地址而不是您的地址。"
    ),
    "Look in the firewall settings of this system whether incoming connections to TCP port {port} are allowed.": (
        "请在本系统的防火墙设置中查看是否允许传入连接访问 TCP {port} 端口。"
    ),
    "No DNS server answers this host, so it cannot find any other.": (
        "没有 DNS 服务器应答本机，因此本机找不到任何其他主机。"
    ),
    "No name server can be queried from here at port {port}; the DNS-over-HTTPS servers of the configuration are "
    "used instead.": ("从这里无法查询任何域名服务器的 {port} 端口；因此改用配置中的 DNS-over-HTTPS 服务器。"),
    "No name server of the domains answers this host at port {port}: {servers}. They are down, or a firewall stops "
    "the queries.": (
        "这些域名的域名服务器都没有在 {port} 端口应答本机：{servers}。它们没有运行，或者防火墙阻止了查询。"
    ),
    "No name server was queried: the DNS servers that this host uses know no zone of {domains}.": (
        "没有查询任何域名服务器：本机使用的 DNS 服务器不知道 {domains} 所在的区域。"
    ),
    "No rule of the firewall of Windows names port {port}; a rule for a program may still allow it.": (
        "Windows 防火墙没有针对 {port} 端口的规则；针对某个程序的规则仍可能放行。"
    ),
    "Nothing listens on port {port} itself; a rule of the firewall passes it on.": (
        "没有程序直接监听 {port} 端口；防火墙的一条规则会转发它。"
    ),
    "Nothing listens on port {port} of this host; that is right only if the router leads port {port} to another "
    "port or host.": ("本机没有程序监听 {port} 端口；只有当路由器把 {port} 端口转发到其他端口或主机时，这才没有问题。"),
    "Nothing listens on port {port}, so no CA gets the answer to http-01.": (
        "没有程序监听 {port} 端口，因此 CA 得不到 http-01 的应答。"
    ),
    "Nothing listens on port {port}, unless a rule of the firewall passes it on, which could not be seen.": (
        "没有程序监听 {port} 端口，除非防火墙有规则转发它，但这一点无法看到。"
    ),
    'Only this host itself can reach listen = "{listen}", and nothing passes port 80 on to it.': (
        '只有本机自己能访问 listen = "{listen}"，而且没有任何程序把 80 端口转发给它。'
    ),
    'Only this host itself can reach listen = "{listen}", so a CA gets an answer only if a program on this host '
    "passes port 80 on to it.": (
        '只有本机自己能访问 listen = "{listen}"，因此只有本机的某个程序把 80 端口转发给它，CA 才能得到应答。'
    ),
    "Open http://{host}/ in a browser on this network and sign in, or ask its administrator to allow this host.": (
        "请在本网络的浏览器中打开 http://{host}/ 并登录，或请网络管理员放行本机。"
    ),
    "Open wf.msc and check which addresses the rule {rules} blocks; a CA may connect from any address.": (
        "请打开 wf.msc 并检查规则 {rules} 阻止哪些来源；CA 可能来自任何地址。"
    ),
    "Port {port} can be opened.": "可以打开 {port} 端口。",
    "Port {port} can be reached from this host alone: a program listens on {addresses} only.": (
        "只有本机能访问 {port} 端口：有程序只监听 {addresses}。"
    ),
    "Port {port} cannot be opened ({error}).": "无法打开 {port} 端口（{error}）。",
    "Port {port} is in use by another program, or reserved by Windows.": (
        "{port} 端口已被其他程序占用，或被 Windows 保留。"
    ),
    "Port {port} is in use by another program.": "{port} 端口已被其他程序占用。",
    "Port {port} is in use by {owner} (process {pid}), which can serve http-01 by a webroot.": (
        "{port} 端口已被 {owner} 占用（进程 {pid}），它可以通过网站根目录提供 http-01 应答。"
    ),
    "Port {port} is in use by {owner} (process {pid}).": "{port} 端口已被 {owner} 占用（进程 {pid}）。",
    "Port {port} is in use now; {before} is run before a renewal and is to free it.": (
        "{port} 端口目前被占用；{before} 会在续期前运行，应当释放它。"
    ),
    "Port {port} is in use, by a program that can serve http-01 by a webroot.": (
        "{port} 端口已被一个可以通过网站根目录提供 http-01 应答的程序占用。"
    ),
    "Port {port} is served over {served} only, but {names} has an address of {missing} too.": (
        "{port} 端口只通过 {served} 提供服务，但 {names} 还有 {missing} 地址。"
    ),
    "Remove the AAAA record of {names}, unless the machine with that address passes requests on to this host.": (
        "请删除 {names} 的 AAAA 记录，除非拥有该地址的机器会把请求转发到本机。"
    ),
    "Repair IPv6 on this host or its router, or turn it off and remove the AAAA records that lead to this host.": (
        "请修复本机或其路由器的 IPv6，或关闭 IPv6 并删除指向本机的 AAAA 记录。"
    ),
    "Repair the IPv6 route (`ip -6 route` shows no default route), or remove the AAAA records that lead to this "
    "host.": ("请修复 IPv6 路由（`ip -6 route` 没有显示默认路由），或删除指向本机的 AAAA 记录。"),
    "Fix the cause of {error}, or use a dns-01 route, which needs no port.": (
        "请解决错误 {error}，或使用不需要端口的 dns-01 途径。"
    ),
    "Run `sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload`.": (
        "请运行 `sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload`。"
    ),
    "Run `sudo nft insert rule {family} {table} {chain} tcp dport {port} accept`, and add that rule to "
    "/etc/nftables.conf so that it stays.": (
        "请运行 `sudo nft insert rule {family} {table} {chain} tcp dport {port} accept`，并把该规则加入 "
        "/etc/nftables.conf 以长期生效。"
    ),
    "Run `sudo ufw allow {port}/tcp`.": "请运行 `sudo ufw allow {port}/tcp`。",
    "Run `sudo {command} -t {table} -I {chain} -p tcp --dport {port} -j ACCEPT`, and save the rules so that it "
    "stays.": ("请运行 `sudo {command} -t {table} -I {chain} -p tcp --dport {port} -j ACCEPT`，并保存规则以长期生效。"),
    "Run as root, so that the rules can be read: sudo dnsrenew doctor": (
        "请以 root 运行以便读取规则：sudo dnsrenew doctor"
    ),
    "Run as root: sudo dnsrenew doctor": "请以 root 运行：sudo dnsrenew doctor",
    "Run dnsrenew as root, or allow every user of this host to open it: sudo sysctl "
    "net.ipv4.ip_unprivileged_port_start={port}": (
        "请以 root 运行 dnsrenew，或允许本机的所有用户打开它：sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
    ),
    'Set `doh` under [resolver] to DNS-over-HTTPS servers, such as ["https://dns.google/dns-query", '
    '"https://cloudflare-dns.com/dns-query"].': (
        '请把 [resolver] 下的 `doh` 设为 DNS-over-HTTPS 服务器，例如 ["https://dns.google/dns-query", '
        '"https://cloudflare-dns.com/dns-query"]。'
    ),
    "Set `webroot` to the folder that this program serves, stop it with `before`, or use a dns-01 route, which "
    "needs no port.": ("请把 `webroot` 设为该程序所提供的目录，或用 `before` 停止它，或使用不需要端口的 dns-01 途径。"),
    "Something on the way answers DNS queries in place of the name servers {servers}: no answer is authoritative.": (
        "有中间设备代替域名服务器 {servers} 应答 DNS 查询：没有权威应答。"
    ),
    "Start the web server that serves the webroot on port {port}, or set `listen` instead of `webroot`.": (
        "请启动在 {port} 端口提供网站根目录的网站服务器，或设置 `listen` 来代替 `webroot`。"
    ),
    "Stop {owner} with `before` and start it again with `after`, or use a dns-01 route, which needs no port.": (
        "请用 `before` 停止 {owner} 并用 `after` 重新启动它，或使用不需要端口的 dns-01 途径。"
    ),
    "The DNS servers that this host uses do not answer in time, so the name servers of the domains cannot be found.": (
        "本机使用的 DNS 服务器没有及时应答，因此无法找到这些域名的域名服务器。"
    ),
    "The firewall of Windows has a rule that blocks port {port}: {rules}.": (
        "Windows 防火墙有阻止 {port} 端口的规则：{rules}。"
    ),
    "The firewall of Windows is off, so it does not close port {port}.": (
        "Windows 防火墙已关闭，因此不会阻止 {port} 端口。"
    ),
    "The firewall of Windows allows port {port}, by the rule {rules}.": (
        "Windows 防火墙通过规则 {rules} 放行 {port} 端口。"
    ),
    "The firewall of this host closes port {port} ({families}) now, unless {before}, which is run before a "
    "renewal, opens it.": ("本机的防火墙目前阻止 {port} 端口（{families}），除非在续期前运行的 {before} 会开放它。"),
    "The firewall of this host closes port {port} ({families}), by {rule} in the table {table}, chain {chain}.": (
        "本机的防火墙阻止 {port} 端口（{families}），依据表 {table}、链 {chain} 中的 {rule}。"
    ),
    "The firewall of this host allows port {port} ({families}).": "本机的防火墙放行 {port} 端口（{families}）。",
    "The firewall of this host passes port {port} on to another port or host, by {rule}.": (
        "本机的防火墙把 {port} 端口转发到其他端口或主机，依据 {rule}。"
    ),
    "The name servers can be queried directly, by UDP and by TCP.": "可以直接查询域名服务器，UDP 和 TCP 均可。",
    "The network works: {host} answers.": "网络可用：{host} 有应答。",
    "The network works: {host} accepts connections, although its answer is not usable.": (
        "网络正常：{host} 接受连接，但它的应答无法使用。"
    ),
    "The rules of the firewall cannot be read here, not even by root, so it is unknown whether port {port} is open.": (
        "防火墙的规则在此无法读取，root 也不能，因此无法得知 {port} 端口是否开放。"
    ),
    "The user {user} may not open port {port}.": "用户 {user} 无权打开 {port} 端口。",
    "The user {user} may not read the rules of the firewall, so it is unknown whether port {port} is open.": (
        "用户 {user} 无权读取防火墙的规则，因此无法得知 {port} 端口是否开放。"
    ),
    "The user {user} may not see which programs listen on port {port}.": (
        "用户 {user} 无权查看哪些程序监听 {port} 端口。"
    ),
    "There is no name server to which this host has a route, so it is unknown whether DNS queries leave this "
    "network.": ("本机没有通往任何域名服务器的路由，因此无法得知 DNS 查询能否离开本网络。"),
    "There is no program here that shows the rules of the firewall, so it is unknown whether port {port} is open.": (
        "本机没有能显示防火墙规则的程序，因此无法得知 {port} 端口是否开放。"
    ),
    "This host has a public IPv6 address and a route for it ({addresses}).": (
        "本机有公网 IPv6 地址及其路由（{addresses}）。"
    ),
    "This host has a route to the Internet, but none of these answers: {hosts}.": (
        "本机有通往互联网的路由，但这些主机都没有应答：{hosts}。"
    ),
    "This host has no public IPv6 address, and needs none.": "本机没有公网 IPv6 地址，也不需要。",
    "This host has the IPv6 address {addresses}, but no route for it, so no answer gets out by IPv6.": (
        "本机有 IPv6 地址 {addresses}，但没有其路由，因此应答无法通过 IPv6 发出。"
    ),
    "This host is not connected: it has no route to the Internet, neither for IPv4 nor for IPv6.": (
        "本机没有联网：没有通往互联网的路由，IPv4 和 IPv6 都没有。"
    ),
    "This host reaches the Internet from {addresses}, and it is not clear through which interface.": (
        "本机从 {addresses} 访问互联网，但无法确定经过哪个接口。"
    ),
    "This host reaches the Internet through the VPN {interfaces} ({families}), so others see the VPN's address "
    "instead of yours.": (
        "本机经过 VPN {interfaces}（{families}）访问互联网，因此其他主机看到的是 VPN 的地址而不是您的地址。"
    ),
    "This host reaches the Internet through {interfaces} ({families}), which may be a VPN or your provider's line.": (
        "本机经过 {interfaces}（{families}）访问互联网，它可能是 VPN，也可能是网络运营商的线路。"
    ),
    "This host reaches the Internet through {interfaces}, which is no VPN.": (
        "本机经过 {interfaces} 访问互联网，它不是 VPN。"
    ),
    "This network blocks DNS queries by {protocol}.": ("本网络阻止通过 {protocol} 的 DNS 查询。"),
    "This network blocks DNS queries to port {port} by UDP and by TCP: {servers} cannot be queried.": (
        "本网络不允许 DNS 查询发往 {port} 端口，UDP 和 TCP 均不允许：无法查询 {servers}。"
    ),
    "This network requires a sign-in: it answers in place of {host}, and redirects to {portal}.": (
        "本网络要求先登录：它代替 {host} 应答，并引导到 {portal}。"
    ),
    "Rule {rule} (table {table}, chain {chain}) of the firewall decides by more than the port whether a CA reaches "
    "port {port}.": ("防火墙的规则 {rule}（表 {table}，链 {chain}）不只根据端口决定 CA 能否访问 {port} 端口。"),
    "dnsrenew cannot read the firewall of this system, so it is unknown whether port {port} is open.": (
        "dnsrenew 无法读取本系统的防火墙，因此无法得知 {port} 端口是否开放。"
    ),
    "dnsrenew itself listens at {listen} during a validation.": ("验证期间，dnsrenew 自己监听 {listen}。"),
    'listen = "{listen}" takes {served} only, but {names} has an address of {missing} too.': (
        'listen = "{listen}" 只接受 {served}，但 {names} 还有 {missing} 地址。'
    ),
    "{names} has an IPv6 address in DNS, but this host has none: a CA that connects by IPv6 does not reach it.": (
        "{names} 在 DNS 中有 IPv6 地址，但本机没有：通过 IPv6 连接的 CA 无法到达本机。"
    ),
}

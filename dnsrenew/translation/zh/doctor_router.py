"""The doctor: the router, and what is seen from outside."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Check on the page of your router that TCP port 80 is forwarded to this host.": (
        "请在路由器的页面上检查 TCP 80 端口是否已转发到本机。"
    ),
    "Check on the router's page (http://{gateway}/) that TCP port 80 is forwarded to {host}.": (
        "请在路由器的页面（http://{gateway}/）上检查 TCP 80 端口是否已转发到 {host}。"
    ),
    "Check on the router's page that port {port} is forwarded to this host, not used by the router or another "
    "device.": ("请在路由器的页面上检查 {port} 端口是否转发到本机，而没有被路由器自身或其他设备占用。"),
    "Check probe_url in [doctor], and that the helper runs.": (
        "请检查 [doctor] 中的 probe_url，以及辅助服务是否在运行。"
    ),
    "Check that probe_url in [doctor] leads to a helper for dnsrenew.": (
        "请检查 [doctor] 中的 probe_url 是否指向 dnsrenew 的辅助服务。"
    ),
    "Check whether a VPN or a second line carries the traffic of this host, or whether another router is in front of "
    "this one.": ("请检查本机的流量是否经过 VPN 或另一条线路，或此路由器之前是否还有路由器。"),
    "Choose a free port and an address of this host; ports below 1024 need root.": (
        "请选择空闲的端口和本机的地址；1024 以下的端口需要 root 权限。"
    ),
    "Connect this host to a network.": "请把本机接入网络。",
    "Forward port 80 to port {port} on the router's page ({gateway}), or set listen to {target_port} in the route.": (
        "请在路由器的页面（{gateway}）上把 80 端口转发到 {port} 端口，或在途径中把 listen 设为 {target_port}。"
    ),
    "Forward port 80 to {host} on the router's page ({gateway}), and reserve this address for this host in its "
    "DHCP settings.": ("请在路由器的页面（{gateway}）上把 80 端口转发到 {host}，并在其 DHCP 设置中为本机保留此地址。"),
    "Forward port {port} to this host in the router and allow it in every firewall, or use a dns-01 route, which "
    "needs no open port.": (
        "请在路由器上把 {port} 端口转发到本机，并在各个防火墙中放行，或使用不需要开放端口的 dns-01 途径。"
    ),
    "Forward port {port} to this host in the router and allow it in every firewall, or use a helper that has IPv6.": (
        "请在路由器上把 {port} 端口转发到本机，并在各个防火墙中放行，或使用支持 IPv6 的辅助服务。"
    ),
    "Forward the port in both routers, first to {wan} and then to this host, or set one of them to bridge mode.": (
        "请在两台路由器上都转发该端口，先转发到 {wan}，再转发到本机；或把其中一台设为桥接模式。"
    ),
    "Give HOST:PORT, such as :8090 for all addresses.": "请给出 HOST:PORT，例如 :8090 表示所有地址。",
    "It is unknown whether port 80 is forwarded to this host, because its router cannot be determined.": (
        "无法得知 80 端口是否转发到本机，因为无法确定本机的路由器。"
    ),
    "Look up the WAN address on the page of your router.": "请在路由器的页面上查看 WAN 地址。",
    "Look up the WAN address on the router's own page, and compare it with the one that a website shows you.": (
        "请在路由器自己的页面上查看 WAN 地址，并与网站显示的您的地址比较。"
    ),
    "Look up the WAN address on the router's own page: http://{gateway}/": (
        "请在路由器自己的页面上查看 WAN 地址：http://{gateway}/"
    ),
    "Only from outside can be seen whether port {port} is open, and no helper outside is configured.": (
        "{port} 端口是否开放只能从外部看到，而没有配置外部辅助服务。"
    ),
    "Open {scheme}:// and the name of this host on a phone with mobile data instead of Wi-Fi: any answer, even an "
    "error page, means that port {port} is open.": (
        "请用手机的移动数据（不用 Wi-Fi）打开 {scheme}:// 加本机的名称：只要有应答，即使是错误页面，也说明 {port} 端口"
        "已开放。"
    ),
    "Open {scheme}://{name}/ on a phone with mobile data instead of Wi-Fi: any answer, even an error page, means "
    "that port {port} is open.": (
        "请用手机的移动数据（不用 Wi-Fi）打开 {scheme}://{name}/：只要有应答，即使是错误页面，也说明 {port} 端口已开"
        "放。"
    ),
    "Port {port} of {address} is closed from outside, although the router forwards it to this host and port "
    "{other_port} is open: the Internet provider is likely to block it.": (
        "从外部看，{address} 的 {port} 端口未开放，尽管路由器把它转发到本机，而且 {other_port} 端口是开放的：很可能被网"
        "络运营商封锁。"
    ),
    "Port {port} of {address} is closed from outside.": "从外部看，{address} 的 {port} 端口未开放。",
    "Port {port} of {address} is closed from outside: connections are refused.": (
        "从外部看，{address} 的 {port} 端口未开放：连接被拒绝。"
    ),
    "Port {port} of {address} is closed from outside: connections time out.": (
        "从外部看，{address} 的 {port} 端口未开放：连接超时。"
    ),
    "Port {port} of {address} is closed from outside: no route leads there, or a firewall rejects connections.": (
        "从外部看，{address} 的 {port} 端口未开放：没有通往那里的路由，或防火墙拒绝了连接。"
    ),
    "Port {port} of {address} is closed from outside; it is unknown whether it is open by IPv6, because the helper "
    "was not reached by IPv6.": (
        "从外部看，{address} 的 {port} 端口未开放；无法得知它通过 IPv6 是否开放，因为无法通过 IPv6 连接辅助服务。"
    ),
    "Port {port} of {address} is open from outside, but the answer did not come from this host.": (
        "从外部看，{address} 的 {port} 端口已开放，但应答不是来自本机。"
    ),
    "Port {port} of {address} is open from outside.": "从外部看，{address} 的 {port} 端口已开放。",
    "Publish an AAAA record with {ipv6} and no A record, or use a dns-01 route, which needs no open port.": (
        "请发布指向 {ipv6} 的 AAAA 记录而不发布 A 记录，或使用不需要开放端口的 dns-01 途径。"
    ),
    "Run dnsrenew doctor again in a minute.": "请在一分钟后重新运行 dnsrenew doctor。",
    "Run dnsrenew doctor as a user that may open port {port}, such as root.": (
        "请以能够打开 {port} 端口的用户（例如 root）运行 dnsrenew doctor。"
    ),
    "Run the helper without a proxy before it.": "请不经代理运行辅助服务。",
    "The address {wan} belongs to DS-Lite, so no connection from the Internet reaches this host by IPv4; its IPv6 "
    "address {ipv6} is public.": (
        "地址 {wan} 属于 DS-Lite，因此来自互联网的 IPv4 连接无法到达本机；本机的 IPv6 地址 {ipv6} 是公网地址。"
    ),
    "The address {wan} belongs to DS-Lite: the provider carries IPv4 inside IPv6, so no connection from the "
    "Internet reaches this host by IPv4.": (
        "地址 {wan} 属于 DS-Lite：网络运营商在 IPv6 中承载 IPv4，因此来自互联网的 IPv4 连接无法到达本机。"
    ),
    "The address {wan} belongs to carrier-grade NAT, so no connection from the Internet reaches this host by IPv4; "
    "its IPv6 address {ipv6} is public.": (
        "地址 {wan} 属于运营商级 NAT，因此来自互联网的 IPv4 连接无法到达本机；本机的 IPv6 地址 {ipv6} 是公网地址。"
    ),
    "The address {wan} belongs to carrier-grade NAT: the provider shares one public IPv4 address among its "
    "customers, so no connection from the Internet reaches this host by IPv4.": (
        "地址 {wan} 属于运营商级 NAT：网络运营商让多个客户共用一个公网 IPv4 地址，因此来自互联网的 IPv4 连接无法到达本"
        "机。"
    ),
    "The helper cannot listen on {value} ({cause}).": "辅助服务无法监听 {value}（{cause}）。",
    "The helper ({helper}) does not answer, so it is unknown whether port {port} is open.": (
        "外部辅助服务（{helper}）没有应答，因此无法得知 {port} 端口是否开放。"
    ),
    "The helper ({helper}) sent an invalid answer, so it is unknown whether port {port} is open.": (
        "外部辅助服务（{helper}）发来的应答无效，因此无法得知 {port} 端口是否开放。"
    ),
    "The helper ({helper}) is queried too often, so it is unknown whether port {port} is open.": (
        "对外部辅助服务（{helper}）的查询过于频繁，因此无法得知 {port} 端口是否开放。"
    ),
    "The helper ({helper}) sees a proxy instead of this host, so it is unknown whether port {port} is open.": (
        "外部辅助服务（{helper}）看到的是代理而不是本机，因此无法得知 {port} 端口是否开放。"
    ),
    "The helper outside got no answer from port {port} of {address}, but nothing listened on it here either.": (
        "外部辅助服务没有从 {address} 的 {port} 端口得到应答，但本机也没有程序监听该端口。"
    ),
    "The helper outside reached this host through port 80 of {address}.": (
        "外部辅助服务通过 {address} 的 80 端口连接到了本机。"
    ),
    "The router forwards port 80 to port {target_port} of this host, but http-01 listens on port {port}.": (
        "路由器把 80 端口转发到本机的 {target_port} 端口，但 http-01 监听的是 {port} 端口。"
    ),
    "The router forwards port 80 to this host ({target}, port {target_port}).": (
        "路由器把 80 端口转发到本机（{target} 的 {target_port} 端口）。"
    ),
    "The router forwards port 80 to {target}, but this host has the address {host}.": (
        "路由器把 80 端口转发到 {target}，但本机的地址是 {host}。"
    ),
    "The router reports no public IPv4 address: it is offline, or behind another network.": (
        "路由器没有可告知的公网 IPv4 地址：它处于离线状态，或位于另一个网络之后。"
    ),
    "The router has the address {wan}, but the helper outside sees this host at {seen}.": (
        "路由器的地址是 {wan}，但外部辅助服务看到的本机地址是 {seen}。"
    ),
    "The router has the public address {wan}.": "路由器的公网地址是 {wan}。",
    "The router itself is behind another router: on its other side it has the private address {wan}.": (
        "路由器自身位于另一台路由器之后：其外侧地址是私有地址 {wan}。"
    ),
    "The router shows no mapping for port 80; mappings that were set up on its own page are often not shown.": (
        "路由器没有显示 80 端口的映射；在其页面上设置的映射往往不会显示。"
    ),
    "The router {gateway} does not report its public address: it supports neither UPnP nor NAT-PMP.": (
        "路由器 {gateway} 不报告其公网地址：它既不支持 UPnP，也不支持 NAT-PMP。"
    ),
    "The router {gateway} does not report which ports it forwards.": "路由器 {gateway} 不报告它转发哪些端口。",
    "This host has no address to reach the Internet.": "本机没有可访问互联网的地址。",
    "This host has only IPv6, so no router has to forward port 80.": ("本机只有 IPv6，因此无需路由器转发 80 端口。"),
    "This host has only IPv6, with the public address {address}.": "本机只有 IPv6，公网地址是 {address}。",
    "This host has the private address {address}, and its router cannot be determined.": (
        "本机的私有地址是 {address}，无法确定其路由器。"
    ),
    "This host itself has the public address {address}, so no router has to forward port 80.": (
        "本机自身有公网地址 {address}，因此无需路由器转发 80 端口。"
    ),
    "This host itself has the public address {address}.": "本机自身有公网地址 {address}。",
    "This is no address to listen on: {value}": "这不是可监听的地址：{value}",
    "Use a dns-01 route, which needs no open port, or ask your provider for a public IPv4 address.": (
        "请使用不需要开放端口的 dns-01 途径，或向网络运营商申请公网 IPv4 地址。"
    ),
    "Use a dns-01 route, which needs no open port, or ask your provider for a public address.": (
        "请使用不需要开放端口的 dns-01 途径，或向网络运营商申请公网地址。"
    ),
    "Use a dns-01 route, which needs no open port, or ask your provider to open port {port}.": (
        "请使用不需要开放端口的 dns-01 途径，或要求网络运营商开放 {port} 端口。"
    ),
}

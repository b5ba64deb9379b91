"""DNS: lookups, zones, CNAME records, propagation, and how servers answer."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    'Add `doh = ["https://…/dns-query"]` under [resolver] in the configuration.': (
        '请在配置的 [resolver] 下添加 `doh = ["https://…/dns-query"]`。'
    ),
    "Allow dnsrenew more open files (ulimit -n; in a systemd unit LimitNOFILE=), or renew fewer certificates "
    "at once (--workers).": (
        "请允许 dnsrenew 打开更多文件（ulimit -n；在 systemd 单元中用 LimitNOFILE=），或减少同时续期的证书数量"
        "（--workers）。"
    ),
    "Change it to: {name}. CNAME {alias}.": "请改为：{name}. CNAME {alias}.",
    "Change the CNAME record at {last} so that it leads to the name that will hold the TXT record.": (
        "请更改 {last} 处的 CNAME 记录，使它指向将要存放 TXT 记录的名称。"
    ),
    "Check that the DNS account writes to these name servers; if it does, DNS can be slow: try again in 10 "
    "minutes, or write propagation = {{ timeout = 600 }} in the certificate.": (
        "请检查该 DNS 账户是否写入这些域名服务器；如果是，则可能是 DNS 生效较慢：请在 10 分钟后重试，或在证书中写"
        "入 propagation = {{ timeout = 600 }}。"
    ),
    "Check that the name servers of {zone} run and that this machine may query them on port 53; where it may "
    "not, set `resolver.doh`.": (
        "请检查 {zone} 的域名服务器是否在运行，以及本机能否查询其 53 端口；如果不能，请设置 `resolver.doh`。"
    ),
    "Check that these servers run and that this machine may query them on port 53 (UDP and TCP); where it "
    "may not, set `resolver.doh`.": (
        "请检查这些服务器是否在运行，以及本机能否查询其 53 端口（UDP 和 TCP）；如果不能，请设置 `resolver.doh`。"
    ),
    "Check that this machine has a network connection and that `resolver.nameservers` is right.": (
        "请检查本机的网络连接，以及 `resolver.nameservers` 是否正确。"
    ),
    "Check that this machine has a network connection and that the system's DNS settings are right.": (
        "请检查本机的网络连接，以及系统的 DNS 设置是否正确。"
    ),
    "Check that {zone} has NS records, and that the DNS server used here answers for them.": (
        "请检查 {zone} 是否有 NS 记录，以及此处所用的 DNS 服务器能否应答对它们的查询。"
    ),
    "Check the NS records of {zone}, and that the servers they name have A or AAAA records.": (
        "请检查 {zone} 的 NS 记录，以及其中的服务器是否有 A 或 AAAA 记录。"
    ),
    "Check the name servers of the zones that these names are in, and that they answer this machine quickly.": (
        "请检查这些名称所在区域的域名服务器，以及它们能否快速应答本机。"
    ),
    "Check the name servers of {names}, and of every zone that a CNAME leads to.": (
        "请检查 {names} 的域名服务器，以及 CNAME 所指各区域的域名服务器。"
    ),
    "Check the spelling of {name}, and that its registration has not expired.": (
        "请检查 {name} 的拼写，以及其注册是否已过期。"
    ),
    "Check the spelling of {name}, and that the domain is registered and has name servers.": (
        "请检查 {name} 的拼写，以及该域名是否已注册并设有域名服务器。"
    ),
    "Check the system's DNS settings: they must name a server that resolves every domain for this machine.": (
        "请检查系统的 DNS 设置：其中的服务器必须能为本机解析所有域名。"
    ),
    "Check these servers, and that this machine may query them on port 53 (UDP and TCP).": (
        "请检查这些服务器，以及本机能否查询其 53 端口（UDP 和 TCP）。"
    ),
    "Check this machine's network connection and the addresses in `resolver.doh`.": (
        "请检查本机的网络连接和 `resolver.doh` 中的地址。"
    ),
    "Correct the CNAME record at {name}, or remove it so that the TXT record is written there.": (
        "请更正 {name} 处的 CNAME 记录；或将其删除，使 TXT 记录写在该处。"
    ),
    "Create this record at the DNS host of {name}: {name}. CNAME {alias}.": (
        "请在 {name} 的 DNS 服务商处创建此记录：{name}. CNAME {alias}."
    ),
    "DNS can be slow: try again in 10 minutes, or write propagation = {{ timeout = 600 }} in the certificate.": (
        "DNS 生效可能较慢：请在 10 分钟后重试，或在证书中写入 propagation = {{ timeout = 600 }}。"
    ),
    "If it has one, set `alias` of the route to the name at which the CNAME ends.": (
        "如果有，请把途径的 `alias` 设为该 CNAME 最终指向的名称。"
    ),
    "No DNS server can be reached from here: none of the configured names has an address.": (
        "从本机无法连接任何 DNS 服务器：所配置的名称都没有地址。"
    ),
    "No DNS server can be reached from here: {answers}.": "从本机无法连接任何 DNS 服务器：{answers}。",
    "No DNS server used here resolves the name: {answers}.": "此处所用的 DNS 服务器都不能解析该名称：{answers}。",
    "No DNS zone was found for {name}: neither it nor a name above it exists in DNS.": (
        "没有找到 {name} 的 DNS 区域：它和它的上级名称在 DNS 中都不存在。"
    ),
    "No DNS-over-HTTPS server can be queried for the new value: {answers}.": (
        "无法向任何 DNS-over-HTTPS 服务器查询新值：{answers}。"
    ),
    "No name server of {zones} can be queried for the new value: {answers}.": (
        "无法向 {zones} 的任何域名服务器查询新值：{answers}。"
    ),
    "No name server of {zone} has an address, so none says whether {name} has CAA records.": (
        "{zone} 的域名服务器都没有地址，因此没有服务器能说明 {name} 是否有 CAA 记录。"
    ),
    "No name server of {zone} has an address.": "{zone} 的域名服务器都没有地址。",
    "No name server updated after {seconds:.0f} s: {answers}.": "{seconds:.0f} 秒后没有域名服务器更新：{answers}。",
    "No recursive DNS server says in time whether {name} has CAA records.": (
        "没有递归 DNS 服务器及时说明 {name} 是否有 CAA 记录。"
    ),
    "No recursive DNS server says whether {name} has CAA records: {answers}.": (
        "没有递归 DNS 服务器说明 {name} 是否有 CAA 记录：{answers}。"
    ),
    "None of the name servers of {zone} answers: {answers}.": "{zone} 的域名服务器都没有给出应答：{answers}。",
    "Not every DNS-over-HTTPS server has the new value after {seconds:.0f} s: {answers}.": (
        "{seconds:.0f} 秒后仍有 DNS-over-HTTPS 服务器没有新值：{answers}。"
    ),
    "Not every name above it could be queried.": "其上级名称未能全部查询。",
    "Raise `propagation.settle`: such a server caches the absence of a value if it is queried too early.": (
        "请调大 `propagation.settle`：如果查询过早，这类服务器会缓存“值不存在”的结果。"
    ),
    "Remove NS records of {zone}, or addresses of its name servers.": (
        "请删除 {zone} 的部分 NS 记录，或其域名服务器的部分地址。"
    ),
    "Remove NS records of {zone}: more than {limit} name servers do not make a zone more reliable.": (
        "请删除 {zone} 的部分 NS 记录：域名服务器超过 {limit} 台并不会使区域更可靠。"
    ),
    "Repair {name}, or remove it from the NS records of {zone}: the CA may query it.": (
        "请修复 {name}，或从 {zone} 的 NS 记录中删除它：CA 可能会查询它。"
    ),
    "Request *.{parent} instead, or give {domain} a record of its own.": (
        "请改为申请 *.{parent}，或为 {domain} 单独添加记录。"
    ),
    'Set `alias = "{leads_to}"`, or remove the CNAME record at {alias}.': (
        '请设置 `alias = "{leads_to}"`，或删除 {alias} 处的 CNAME 记录。'
    ),
    "Set `resolver.nameservers` to a server that resolves every domain for this machine.": (
        "请把 `resolver.nameservers` 设为能为本机解析所有域名的服务器。"
    ),
    "Set `resolver.nameservers` to the IP address of a server.": "请把 `resolver.nameservers` 设为服务器的 IP 地址。",
    "The CNAME record at {name} leads to {leads_to} and not to the alias {alias}.": (
        "{name} 处的 CNAME 记录指向 {leads_to}，而不是别名 {alias}。"
    ),
    "The CNAME record at {name} leads to {target}, which is in no DNS zone.": (
        "{name} 处的 CNAME 记录指向 {target}，而它不属于任何 DNS 区域。"
    ),
    "The CNAME records that start at {name} never end.": "从 {name} 开始的 CNAME 记录形成循环。",
    "The CNAME records that start at {name} never end: {chain}.": "从 {name} 开始的 CNAME 记录形成循环：{chain}。",
    "The DNS lookups for {names} were given up after {seconds:.0f} s: the name servers answer too slowly.": (
        "对 {names} 的 DNS 查询在 {seconds:.0f} 秒后放弃：域名服务器应答过慢。"
    ),
    "The DNS lookups for {names} were given up after {seconds:.0f} s: {answers}.": (
        "对 {names} 的 DNS 查询在 {seconds:.0f} 秒后放弃：{answers}。"
    ),
    "The alias {alias} itself has a CNAME record, which leads to {leads_to}.": (
        "别名 {alias} 自身有 CNAME 记录，指向 {leads_to}。"
    ),
    "The domain {name} is not registered: the name servers of {zone} do not know it.": (
        "域名 {name} 未注册：{zone} 的域名服务器中没有它。"
    ),
    "The name server {server} of {zone} {reason}; all others are updated.": (
        "{zone} 的域名服务器 {server}：{reason}；其他服务器均已更新。"
    ),
    "The name servers did not answer within {seconds:.0f} seconds.": "域名服务器没有在 {seconds:.0f} 秒内应答。",
    "The name servers for {names} could not be found within {seconds:.0f} s.": (
        "未能在 {seconds:.0f} 秒内找到 {names} 的域名服务器。"
    ),
    "The name servers of the zone {zone} could not be found.": "没有找到区域 {zone} 的域名服务器。",
    "The name servers of {zone} do not say whether {name} has CAA records: {answers}.": (
        "{zone} 的域名服务器没有说明 {name} 是否有 CAA 记录：{answers}。"
    ),
    "The name servers of {zone} have {count} addresses; {limit} of them, chosen at random, are queried.": (
        "{zone} 的域名服务器有 {count} 个地址；只查询其中随机选取的 {limit} 个。"
    ),
    'The propagation check is "doh", but no DNS-over-HTTPS server is configured.': (
        '传播检查设为 "doh"，但没有配置 DNS-over-HTTPS 服务器。'
    ),
    "The referrals for {name} never end.": "对 {name} 的转介没有尽头。",
    "The zone {zone} has {count} name servers; {limit} of them, chosen at random, are queried.": (
        "区域 {zone} 有 {count} 台域名服务器；只查询其中随机选取的 {limit} 台。"
    ),
    "The zone's own name servers do not answer this machine.": "该区域自己的域名服务器不应答本机。",
    "The zones' own name servers do not answer this machine, so it is unknown whether {names} has a CNAME record.": (
        "各区域自己的域名服务器不应答本机，因此无法得知 {names} 是否有 CNAME 记录。"
    ),
    "and {count} more": "另有 {count} 台",
    "answers for another name": "应答的是另一个名称",
    "answers with the HTTP status {status}": "应答的 HTTP 状态为 {status}",
    "answers {rcode}": "应答 {rcode}",
    "answers, but not as an authority for {zone}": "有应答，但不是 {zone} 的权威服务器",
    "answers, but not as an authority for {zone} (a device on the path may answer in its place)": (
        "有应答，但不是 {zone} 的权威服务器（可能是路径上的设备代为应答）"
    ),
    "cannot be reached ({kind})": "无法连接（{kind}）",
    "cannot be reached: a router reports no route to it": "无法到达：某台路由器报告没有通往它的路由",
    "cannot be reached: this machine forbids it (a firewall?)": "无法到达：被本机禁止（可能是防火墙）",
    "cannot be reached: this machine has no route to it": "无法到达：本机没有通往它的路由",
    "closed the connection": "关闭了连接",
    "could not be queried: {cause}": "无法查询：{cause}",
    "did not answer": "没有应答",
    "does not accept connections there (connection refused)": "在该处不接受连接（连接被拒绝）",
    "has no known address: {answers}": "没有已知的地址：{answers}",
    "is being queried": "正在查询",
    "is not queried: {reason}": "不查询：{reason}",
    "is not updated yet": "尚未更新",
    "is unreachable: it only answers {rcode}": "不可用：只应答 {rcode}",
    "is updated": "已更新",
    "is updated for all {total} names": "全部 {total} 个名称均已更新",
    "is updated for {updated} of {total} names": "{total} 个名称中 {updated} 个已更新",
    "it has no address": "它没有地址",
    "refers to other servers instead of resolving the name": "转介到其他服务器，没有解析该名称",
    "sent a larger answer than dnsrenew reads (500 records, 65,535 octets, fewer if names are long)": (
        "发送的应答超过 dnsrenew 读取的上限（500 条记录、65,535 字节；名称较长时更少）"
    ),
    "sent something that is not a DNS answer to the question": "发送的不是对该查询的 DNS 应答",
    "sent something that is not a DNS message": "发送的不是 DNS 消息",
    "this machine has no global IPv6 address to query it from": "本机没有可用于查询的全局 IPv6 地址",
    "this machine has no memory left for it": "本机已没有可用的内存",
    "this machine has no {family} route to it": "本机没有通往它的 {family} 路由",
    "this machine has too many open files": "本机打开的文件过多",
    "this process has too many open files": "本进程打开的文件过多",
    "was not queried": "未查询",
    "{domain} exists only through *.{parent}, so it will be absent from DNS while the TXT record for its "
    "certificate exists, and for some time after.": (
        "{domain} 仅通过 *.{parent} 存在，因此在其证书的 TXT 记录存在期间以及之后的一段时间内，DNS 中会没有它。"
    ),
    "{name} has no CNAME record to the alias {alias}, so the CA would not look there.": (
        "{name} 没有指向别名 {alias} 的 CNAME 记录，因此 CA 不会到那里查找。"
    ),
    "{name} is in no DNS zone.": "{name} 不属于任何 DNS 区域。",
    "{updated} of {total} name servers updated after {seconds:.0f} s: {answers}.": (
        "{seconds:.0f} 秒后 {total} 台域名服务器中有 {updated} 台已更新：{answers}。"
    ),
}

"""The doctor: the domains in DNS."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A CNAME record at {start} leads to {target}; the TXT record goes there.": (
        "{start} 处的 CNAME 记录指向 {target}；TXT 记录写在那里。"
    ),
    "A TXT record is at {name}, a name that has the zone {zone} twice: the DNS host adds the zone itself.": (
        "{name} 处有 TXT 记录，该名称中区域 {zone} 出现了两次：DNS 服务商会自行补上区域。"
    ),
    "All {count} name servers of {zone} answer as they should.": "{zone} 的全部 {count} 台域名服务器都应答正常。",
    "Allow this host to connect to TCP port 53, or make the name servers answer there.": (
        "请允许本机连接 TCP 53 端口，或让域名服务器在该端口应答。"
    ),
    "Allow this host to send to UDP port 53, or make the name servers answer there.": (
        "请允许本机向 UDP 53 端口发送，或让域名服务器在该端口应答。"
    ),
    "Check that all name servers of {zone} have the same version of the zone.": (
        "请检查 {zone} 的所有域名服务器上该区域的版本是否相同。"
    ),
    "Check that these servers get each new version of {zone}.": "请检查这些服务器是否能获得 {zone} 的每个新版本。",
    "Check that these servers run, and that this host may query them on port 53 (UDP and TCP).": (
        "请检查这些服务器是否在运行，以及本机能否查询其 53 端口（UDP 和 TCP）。"
    ),
    "Check the clock of this host, and that of the server that signs {zone}.": (
        "请检查本机的时钟，以及为 {zone} 签名的服务器的时钟。"
    ),
    "Check the name servers of {zone} at your registrar, and the DNS server of this host.": (
        "请在注册商处检查 {zone} 的域名服务器，并检查本机的 DNS 服务器。"
    ),
    "Check the signatures of {zone} at its DNS host, or remove its DS record at your registrar.": (
        "请在 DNS 服务商处检查 {zone} 的签名，或在注册商处删除其 DS 记录。"
    ),
    "Check the spelling of {domain}, and that its domain is registered.": (
        "请检查 {domain} 的拼写，以及其域名是否已注册。"
    ),
    "Check the spelling of {registered}, and renew its registration at your registrar.": (
        "请检查 {registered} 的拼写，并在注册商处为其注册续费。"
    ),
    "Create an A record for {domain}; if it is a dynamic DNS name that has lapsed, renew it at its provider.": (
        "请为 {domain} 创建 A 记录；如果它是已失效的动态 DNS 名称，请在其服务商处续期。"
    ),
    "Delete the record at {name}; at this DNS host, write names without {zone}.": (
        "请删除 {name} 处的记录；在此 DNS 服务商处填写名称时不要带 {zone}。"
    ),
    "Every name has an address in DNS.": "每个名称在 DNS 中都有地址。",
    "Give {domain} a record of its own, or request *.{parent} instead.": (
        "请为 {domain} 单独添加记录，或改为申请 *.{parent}。"
    ),
    "Give {domain} an A record with the public address of this host, or use a dns-01 route.": (
        "请为 {domain} 添加指向本机公网地址的 A 记录，或使用 dns-01 途径。"
    ),
    "Have the zone signed again at the DNS host of {zone}, or remove its DS record at your registrar.": (
        "请让 {zone} 的 DNS 服务商重新为该区域签名，或在注册商处删除其 DS 记录。"
    ),
    "In this network {domain} has the address {here}; the CA sees {outside}. This does not affect renewals: dnsrenew "
    "queries the name servers of the zone.": (
        "在本网络中 {domain} 的地址是 {here}；CA 看到的是 {outside}。这不影响续期：dnsrenew 会查询该区域的域名服务器。"
    ),
    "It is unknown where the TXT records of {domains} go, and so whether a name vanishes beside them.": (
        "无法得知 {domains} 的 TXT 记录写在哪里，因此也无法得知是否有名称会因此消失。"
    ),
    "It is unknown where the TXT records of {domains} go, so old values cannot be looked for.": (
        "无法得知 {domains} 的 TXT 记录写在哪里，因此无法查找旧值。"
    ),
    "It is unknown whether a CDN answers for {domain}: its addresses are unknown.": (
        "无法得知是否由 CDN 应答 {domain}：其地址未知。"
    ),
    "It is unknown whether old TXT values are at {name}: no name server of its zone answers.": (
        "无法得知 {name} 处是否有旧的 TXT 值：其区域的域名服务器都没有给出应答。"
    ),
    "It is unknown whether the DNSSEC signatures of {zone} are right: its name servers do not answer.": (
        "无法得知 {zone} 的 DNSSEC 签名是否正确：其域名服务器没有应答。"
    ),
    "It is unknown whether this host sees the same address of {domain} as the CA.": (
        "无法得知本机看到的 {domain} 的地址是否与 CA 看到的相同。"
    ),
    "It is unknown whether {domain} has an address: no name server of its zone answers.": (
        "无法得知 {domain} 是否有地址：其区域的域名服务器都没有给出应答。"
    ),
    "It is unknown whether {domain} is registered: no name server above it answers.": (
        "无法得知 {domain} 是否已注册：其上级的域名服务器都没有给出应答。"
    ),
    "It is unknown whether {names} leads to this host: no name server of its zone answers.": (
        "无法得知 {names} 是否指向本机：其区域的域名服务器都没有给出应答。"
    ),
    "Make {server} answer on TCP port 53: a CA may query by TCP.": (
        "请让 {server} 在 TCP 53 端口应答：CA 可能会通过 TCP 查询。"
    ),
    "Make {server} answer on UDP port 53: a CA queries by UDP first.": (
        "请让 {server} 在 UDP 53 端口应答：CA 会先通过 UDP 查询。"
    ),
    "See the cname check first.": "请先查看检查项 cname 的结果。",
    "See the delegation check first.": "请先查看检查项 delegation 的结果。",
    "See the domain check first.": "请先查看检查项 domain 的结果。",
    "Make both lists the same: at your registrar, and in the NS records of {zone}.": (
        "请使注册商处的列表与 {zone} 的 NS 记录一致。"
    ),
    "No CDN that is known to dnsrenew answers in place of this host.": "没有 dnsrenew 已知的 CDN 代替本机应答。",
    "No DS record of {zone} at the registrar fits a key of the zone, so CAs refuse every answer about {zone}.": (
        "注册商处 {zone} 的 DS 记录与该区域的密钥都不匹配，因此 CA 会拒绝关于 {zone} 的所有应答。"
    ),
    "No name server of {zone} answers this host ({servers}).": "{zone} 的域名服务器都不应答本机（{servers}）。",
    "No name vanishes from DNS while its TXT record exists.": "没有名称会因其 TXT 记录而从 DNS 中消失。",
    "No old TXT values are at the challenge names.": "各质询名称处没有旧的 TXT 值。",
    "No public CA issues a certificate for {domain}: it is no name of the public DNS.": (
        "没有公共 CA 会为 {domain} 签发证书：它不是公共 DNS 中的名称。"
    ),
    "No signed record (NSEC) proves that {record} does not exist, so CAs refuse this answer.": (
        "没有签名的记录（NSEC）证明 {record} 不存在，因此 CA 会拒绝此应答。"
    ),
    "None of the name servers of {zone} knows the zone ({servers}), so no CA can look up a name in it.": (
        "{zone} 的域名服务器都没有该区域（{servers}），因此 CA 无法查询其中的任何名称。"
    ),
    "Old TXT values are at {name}: {values}. They do not stop a renewal, but a DNS host may allow only a few.": (
        "{name} 处有旧的 TXT 值：{values}。它们不会阻止续期，但 DNS 服务商可能只允许少数几个值。"
    ),
    "Remove the DS record of {zone} at your registrar, or replace it by the one of your DNS host.": (
        "请在注册商处删除 {zone} 的 DS 记录，或换成 DNS 服务商提供的 DS 记录。"
    ),
    "Remove {server} from the name servers of {zone} at your registrar and your DNS host, or repair it.": (
        "请在注册商和 DNS 服务商处从 {zone} 的域名服务器中删除 {server}，或修复它。"
    ),
    "Renew the registration of {registered}, or set its name servers to those of your DNS host, at your registrar.": (
        "请在注册商处为 {registered} 的注册续费，或把其域名服务器设为 DNS 服务商的域名服务器。"
    ),
    "Repair {server}, or remove it from the name servers of {zone} at your registrar and your DNS host.": (
        "请修复 {server}，或在注册商和 DNS 服务商处从 {zone} 的域名服务器中删除它。"
    ),
    "Request a certificate for a domain of yours, such as www.{domain}, and not for {domain} itself.": (
        "请为您自己的域名（例如 www.{domain}）申请证书，而不是为 {domain} 本身申请。"
    ),
    "Run dnsrenew cleanup, and delete what is left at {name} at your DNS host.": (
        "请运行 dnsrenew cleanup，并在 DNS 服务商处删除 {name} 下遗留的内容。"
    ),
    "Run this on a network with open DNS, or look up the domain at your registrar.": (
        "请在 DNS 不受限制的网络中运行，或在注册商处查看该域名。"
    ),
    "Set the name servers of {zone} at your registrar to those of your DNS host, or add the zone there.": (
        "请在注册商处把 {zone} 的域名服务器设为 DNS 服务商的域名服务器，或在那里添加该区域。"
    ),
    "Sign {zone} with ECDSA P-256 (algorithm 13), which every resolver can check.": (
        "请用通用的 ECDSA P-256（算法 13）为 {zone} 签名。"
    ),
    "Some name servers of {zone} give answers with wrong or old DNSSEC signatures: {servers}.": (
        "{zone} 的部分域名服务器应答的 DNSSEC 签名错误或过旧：{servers}。"
    ),
    "The DNS server of this host resolves {domain} to {here}, its own name servers to {outside}: the record changed "
    "recently, or the zone answers differently by network.": (
        "本机的 DNS 服务器把 {domain} 解析为 {here}，其权威域名服务器则解析为 {outside}：该记录最近有更改，或该区域对"
        "不同网络给出不同的应答。"
    ),
    "The DNS server of this host finds no address of {domain}, its own name servers have {outside}: the record "
    "changed recently, or the zone answers differently by network.": (
        "本机的 DNS 服务器查不到 {domain} 的地址，其权威域名服务器上则是 {outside}：该记录最近有更改，或该区域对不同网"
        "络给出不同的应答。"
    ),
    "The DNS server of this host hides the address of {domain}, which is {outside} in DNS (routers do this against "
    "DNS rebinding). This does not affect renewals: dnsrenew queries the name servers of the zone.": (
        "本机的 DNS 服务器隐藏了 {domain} 的地址，它在 DNS 中是 {outside}（路由器会这样做以防 DNS 重绑定）。这不影响续"
        "期：dnsrenew 会查询该区域的域名服务器。"
    ),
    "The DNS server of this host refuses {zone} because of its DNSSEC signatures; without checking them it answers.": (
        "本机的 DNS 服务器因 DNSSEC 签名而拒绝 {zone}；不检查签名时它会应答。"
    ),
    "The DNSSEC signature of {record} ended on {when}, so CAs refuse every answer about {zone}.": (
        "{record} 的 DNSSEC 签名已于 {when} 到期，因此 CA 会拒绝关于 {zone} 的所有应答。"
    ),
    "The DNSSEC signature of {record} is not valid before {when}, so CAs refuse every answer about {zone}.": (
        "{record} 的 DNSSEC 签名在 {when} 之前无效，因此 CA 会拒绝关于 {zone} 的所有应答。"
    ),
    "The DNSSEC signature of {record} is wrong, so CAs refuse every answer about {zone}.": (
        "{record} 的 DNSSEC 签名错误，因此 CA 会拒绝关于 {zone} 的所有应答。"
    ),
    "The DNSSEC signatures of {zone} are right, from its DS record down.": (
        "从 {zone} 的 DS 记录起，DNSSEC 签名均正确。"
    ),
    "The TXT records go to {targets}.": "TXT 记录写在 {targets}。",
    "The domain of every name exists: {zones}.": "每个名称的域名都存在：{zones}。",
    "The domain {registered} is not registered, or its registration has ended: the name servers of {parent} do not "
    "know it.": ("域名 {registered} 未注册，或其注册已到期：{parent} 的域名服务器中没有它。"),
    "The name server {server} does not know the zone {zone}; the others do.": (
        "域名服务器 {server} 没有区域 {zone}；其他服务器有。"
    ),
    "The name server {server} of {zone} answers by TCP but not by UDP; the others do both.": (
        "{zone} 的域名服务器 {server} 应答 TCP 但不应答 UDP；其他服务器两者都应答。"
    ),
    "The name server {server} of {zone} answers by UDP but not by TCP; the others do both.": (
        "{zone} 的域名服务器 {server} 应答 UDP 但不应答 TCP；其他服务器两者都应答。"
    ),
    "The name server {server} of {zone} does not answer; the others do.": (
        "{zone} 的域名服务器 {server} 没有应答；其他服务器有应答。"
    ),
    "The name servers of {zone} answer by TCP but not by UDP; a firewall here may be the reason.": (
        "{zone} 的域名服务器应答 TCP 但不应答 UDP；可能是本地的防火墙所致。"
    ),
    "The name servers of {zone} answer by UDP but not by TCP; a firewall here may be the reason.": (
        "{zone} 的域名服务器应答 UDP 但不应答 TCP；可能是本地的防火墙所致。"
    ),
    "The name servers of {zone} could not be found out.": "无法查明 {zone} 的域名服务器。",
    "The name servers of {zone} do not list the same NS records: {server} lists {own}, another one {other}.": (
        "{zone} 的各域名服务器列出的 NS 记录不同：{server} 列出 {own}，另一台列出 {other}。"
    ),
    "The registrar has parked {registered}: its name servers are {servers}. This usually means that its registration "
    "has expired.": ("注册商已停放 {registered}：其域名服务器是 {servers}。这通常表示其注册已到期。"),
    "This host sees the same addresses as the CA.": "本机看到的地址与 CA 看到的相同。",
    "Use a dns-01 route for {domain}, or switch the proxy off for this record.": (
        "请为 {domain} 使用 dns-01 途径，或关闭此记录的代理。"
    ),
    "Use a domain that you have registered, or set ca to a CA of your own.": (
        "请使用您已注册的域名，或把 ca 设为您自己的 CA。"
    ),
    "{domain} does not exist in DNS, although its zone {zone} does, so the CA finds no host to connect to.": (
        "DNS 中没有 {domain}，但有它的区域 {zone}，因此 CA 找不到可连接的主机。"
    ),
    "{domain} does not exist in DNS, and no name above it either.": "DNS 中没有 {domain}，也没有它的任何上级名称。",
    "Neither {domain} nor a domain above it exists in DNS, so the CA cannot find a host to connect to.": (
        "DNS 中既没有 {domain}，也没有其上级域名，因此 CA 找不到可连接的主机。"
    ),
    "{domain} exists only through *.{parent}, so it is absent from DNS while the TXT record for its certificate "
    "exists, and for some time after.": (
        "{domain} 仅通过 *.{parent} 存在，因此在其证书的 TXT 记录存在期间以及之后的一段时间内，DNS 中没有它。"
    ),
    "{domain} has an address only in this network ({here}).": "{domain} 只在本网络中有地址（{here}）。",
    "{domain} has no A or AAAA record, so the CA finds no host to connect to.": (
        "{domain} 没有 A 或 AAAA 记录，因此 CA 找不到可连接的主机。"
    ),
    "{domain} has no address in DNS, and needs none: the certificate is proved by dns-01.": (
        "{domain} 在 DNS 中没有地址，也不需要：该证书用 dns-01 验证。"
    ),
    "{domain} is a public suffix: everybody can register names below it, so no public CA issues a certificate for "
    "it.": ("{domain} 是公共后缀：任何人都可以注册其下的名称，因此没有公共 CA 会为它签发证书。"),
    "{parent} names other name servers for {zone} ({above}) than the zone itself does ({own}).": (
        "{parent} 为 {zone} 列出的域名服务器（{above}）与该区域自己列出的（{own}）不同。"
    ),
    "{provider} answers for {domain} ({seen}), not this host. tls-alpn-01 cannot work through it; http-01 works "
    "only if it passes requests for /.well-known/acme-challenge/ on.": (
        "应答 {domain}（{seen}）的是 {provider} 而不是本机。tls-alpn-01 无法经由它使用；http-01 只有在它转发 "
        "/.well-known/acme-challenge/ 的请求时才能使用。"
    ),
    "{record} has no DNSSEC signature, but {zone} has a DS record, so CAs refuse this answer.": (
        "{record} 没有 DNSSEC 签名，但 {zone} 有 DS 记录，因此 CA 会拒绝此应答。"
    ),
    "{zone} has a DS record at the registrar, but is not signed, so CAs refuse every answer about {zone}.": (
        "{zone} 在注册商处有 DS 记录，但没有签名，因此 CA 会拒绝关于 {zone} 的所有应答。"
    ),
    "{zone} has no DS record in the zone above, so no resolver checks its signatures.": (
        "{zone} 在上级区域中没有 DS 记录，因此不会检查签名。"
    ),
    "{zone} is signed with an algorithm that dnsrenew cannot check; most resolvers treat it as unsigned.": (
        "{zone} 用 dnsrenew 无法检查的算法签名；多数解析器把它视为未签名。"
    ),
}

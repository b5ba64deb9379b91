"""DNS hosts and their drivers."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add {zones} to this account (see {page}), or list the zones of the account in its option `zones`.": (
        "请把 {zones} 加入此账户（参见 {page}），或在账户的选项 `zones` 中列出它的区域。"
    ),
    "Allow the key in the update-policy (or allow-update) of the zone on the server.": (
        "请在服务器上该区域的 update-policy（或 allow-update）中允许此密钥。"
    ),
    "Check in the control panel of the host whether the zone can be changed, then run it again.": (
        "请在服务商的控制面板中检查该区域能否更改，然后重新运行。"
    ),
    "Check the options of the account {account} (see {page}); if they are right, report this to the author of the "
    "driver.": ("请检查账户 {account} 的选项（参见 {page}）；如果正确，请向该驱动的作者报告此问题。"),
    "Check whether a proxy intercepts TLS connections to {where}, and update the root certificates of this machine; "
    "see also {page}.": ("请检查是否有代理拦截到 {where} 的 TLS 连接，并更新本机的根证书；另请参见 {page}。"),
    "Check whether the server is running, and whether `server` has its address and port.": (
        "请检查服务器是否在运行，以及 `server` 是否为其地址和端口。"
    ),
    "Check whether the server is running, and whether a firewall drops TCP to its port.": (
        "请检查服务器是否在运行，以及防火墙是否丢弃发往其端口的 TCP 连接。"
    ),
    "Check whether this machine can reach {where}, and whether a proxy or firewall blocks the connection; see also "
    "{page}.": ("请检查本机能否访问 {where}，以及连接是否被代理或防火墙阻止；另请参见 {page}。"),
    "Check whether this network requires a login first, as in a hotel, and whether the API of {where}, which the "
    "account {account} uses, has another address now; if neither, see {page}, or update dnsrenew and its libraries.": (
        "请检查此网络是否要求先登录（例如在酒店），以及账户 {account} 使用的 {where} 的 API 地址是否已变更；"
        "如果都不是，请查看 {page}，或升级 dnsrenew 及其依赖库。"
    ),
    "Check which program listens at `server`, and whether something in between answers instead of the server.": (
        "请检查监听 `server` 的是哪个程序，以及是否有中间设备代替该服务器应答。"
    ),
    "Check which program listens at `server`.": "请检查监听 `server` 的是哪个程序。",
    "Check {options} of the account {account} (`dnsrenew providers {provider}` lists what the host needs), and "
    "allow them to edit the TXT records of {zones}.": (
        "请检查账户 {account} 的 {options}（`dnsrenew providers {provider}` 会列出该服务商所需的选项），并授权其编辑 "
        "{zones} 的 TXT 记录。"
    ),
    "Check {options} of the account {account}, and allow them to edit the TXT records of {zones}.": (
        "请检查账户 {account} 的 {options}，并授权其编辑 {zones} 的 TXT 记录。"
    ),
    "Compare server, tsig_name, tsig_algorithm and tsig_secret with the configuration of the primary server, and allow "
    "the key to update the zone there.": (
        "请将 server、tsig_name、tsig_algorithm 和 tsig_secret 与主服务器的配置比对，并在那里允许该密钥更新此区域。"
    ),
    "Compare tsig_name, tsig_algorithm and tsig_secret with the key on the server.": (
        "请将 tsig_name、tsig_algorithm 和 tsig_secret 与服务器上的密钥比对。"
    ),
    "Copy the name from the key statement of the server.": "请从服务器的 key 语句中复制该名称。",
    "Copy the secret from the key statement of the server, without the quotes.": (
        "请从服务器的 key 语句中复制该密钥，不带引号。"
    ),
    "Correct [driver_options] in the provider file.": "请更正 provider 文件中的 [driver_options]。",
    "Correct `program` of the account {account}, and make the file executable.": (
        "请更正账户 {account} 的 `program`，并使该文件可以执行。"
    ),
    "Correct `server`, or set it to an IP address.": "请更正 `server`，或把它设为 IP 地址。",
    "Correct what the system reports, and check that {executable} is the Python interpreter of dnsrenew.": (
        "请解决系统报告的问题，并检查 {executable} 是否为 dnsrenew 的 Python 解释器。"
    ),
    "Do what the message of the host asks for (see {page}), then run it again.": (
        "请按服务商消息的要求操作（参见 {page}），然后重新运行。"
    ),
    "DuckDNS (account {account}) answered KO: the token is wrong, or {zone} is not in its account.": (
        "DuckDNS（账户 {account}）应答 KO：令牌有误，或 {zone} 不在该账户中。"
    ),
    "DuckDNS (account {account}) answered neither OK nor KO (HTTP {status}).": (
        "DuckDNS（账户 {account}）的应答既不是 OK 也不是 KO（HTTP {status}）。"
    ),
    "Set `server` to the primary server of the zone, and enable dynamic updates there, or use another provider.": (
        "请把 `server` 设为该区域的主服务器，并在那里启用动态更新，或使用其他 provider。"
    ),
    "Install another version of its package.": "请安装其软件包的其他版本。",
    "Install the package of the driver {driver} into the environment of dnsrenew.": (
        "请把驱动 {driver} 的软件包安装到 dnsrenew 的环境中。"
    ),
    "Check the log of the system for the reason, such as a lack of memory, then run it again.": (
        "请在系统日志中查看原因（例如内存不足），然后重新运行。"
    ),
    "Name the host in [driver_options] of the provider file.": "请在 provider 文件的 [driver_options] 中写明服务商。",
    "Pass a DnsAccount, or an object with both methods.": "请传入 DnsAccount，或具有这两个方法的对象。",
    "Read the server's log for the reason.": "请在服务器的日志中查看原因。",
    "Read the server's log: often its zone file or journal is not writable.": (
        "请查看服务器的日志：常见原因是其区域文件或日志文件（journal）不可写。"
    ),
    "Reinstall or update the package of the driver {driver}.": "请重新安装或升级驱动 {driver} 的软件包。",
    "Run it by hand with the same arguments (`dnsrenew providers hook` lists them), and fix what it reports.": (
        "请用相同的参数手动运行它（`dnsrenew providers hook` 会列出参数），并解决它报告的问题。"
    ),
    "Set `server` to the primary server of the zone, and `zones` to the zone.": (
        "请把 `server` 设为该区域的主服务器，并把 `zones` 设为该区域。"
    ),
    "Set both options, or neither.": "请同时设置这两个选项，或都不设置。",
    "Set it to HOST or HOST:PORT, with an IPv6 address in brackets.": (
        "请把它设为 HOST 或 HOST:PORT，IPv6 地址要加方括号。"
    ),
    "Set it to one of {algorithms}.": "请把它设为以下之一：{algorithms}。",
    "Set the clock of this machine (with NTP) if it is wrong; otherwise check whether a proxy intercepts TLS "
    "connections to {where}; see also {page}.": (
        "如果本机时钟不准，请校准（用 NTP）；否则请检查是否有代理拦截到 {where} 的 TLS 连接；另请参见 {page}。"
    ),
    "Set the clock of this machine and of the server (with NTP).": "请校准本机和服务器的时钟（用 NTP）。",
    "Set the right zone in the option `zones` of the account.": "请在账户的选项 `zones` 中设置正确的区域。",
    "The DNS host of the account {account} did not remove the TXT value at {name} and gave no reason.": (
        "账户 {account} 的 DNS 服务商没有删除 {name} 处的 TXT 值，也没有说明原因。"
    ),
    "The DNS host of the account {account} did not write the TXT value at {name} and gave no reason.": (
        "账户 {account} 的 DNS 服务商没有在 {name} 写入 TXT 值，也没有说明原因。"
    ),
    "The account {account} has the option {given} but not {key}.": "账户 {account} 有选项 {given}，但没有 {key}。",
    "The account {account} sends its credentials unencrypted to {host}: {key} is an http:// address.": (
        "账户 {account} 会把凭据不加密地发送到 {host}：{key} 是 http:// 地址。"
    ),
    "The call for the account {account} was over before all records were written or removed.": (
        "账户 {account} 的调用在写入或删除全部记录之前就已结束。"
    ),
    "The driver of {title} (account {account}) failed with an internal error.": (
        "{title}（账户 {account}）的驱动发生内部错误。"
    ),
    "The driver of {title} (account {account}) failed with an internal error: {answer}.": (
        "{title}（账户 {account}）的驱动发生内部错误：{answer}。"
    ),
    'The driver option provider = "{provider}" cannot be used: it guesses the host from the domain.': (
        '不能使用驱动选项 provider = "{provider}"：它根据域名猜测服务商。'
    ),
    'The driver option provider = "{provider}" cannot be used: it ignores the answer of the server.': (
        '不能使用驱动选项 provider = "{provider}"：它忽略服务器的应答。'
    ),
    'The driver option provider = "{provider}" cannot be used: it removes nothing.': (
        '不能使用驱动选项 provider = "{provider}"：它不会删除任何内容。'
    ),
    'The driver option provider = "{provider}" cannot be used: lexicon has no such provider.': (
        '不能使用驱动选项 provider = "{provider}"：lexicon 没有这个 provider。'
    ),
    "The driver {driver} ({entry_point}) cannot be imported.": "无法导入驱动 {driver}（{entry_point}）。",
    "The driver {driver} does not have the methods add and remove.": "驱动 {driver} 没有 add 和 remove 方法。",
    "The driver {driver} is not installed.": "驱动 {driver} 未安装。",
    "The name server {server} of the account {account} could not write the update of the zone {zone} ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 无法写入区域 {zone} 的更新（{rcode}）。"
    ),
    "The name server {server} of the account {account} does not accept the key for the zone {zone}, or is not its "
    "primary server ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 不接受用于区域 {zone} 的密钥，或不是其主服务器（{rcode}）。"
    ),
    "The name server {server} of the account {account} does not have the zone {zone} ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 没有区域 {zone}（{rcode}）。"
    ),
    "The name server {server} of the account {account} does not allow this key to update the zone {zone} ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 不允许此密钥更新区域 {zone}（{rcode}）。"
    ),
    "The name server {server} of the account {account} does not support dynamic updates of the zone {zone} "
    "({rcode}).": ("账户 {account} 的域名服务器 {server} 不支持动态更新区域 {zone}（{rcode}）。"),
    "The name server {server} of the account {account} refused the update of the zone {zone} ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 拒绝更新区域 {zone}（{rcode}）。"
    ),
    "The name server {server} of the account {account} says that a name is outside the zone {zone} ({rcode}).": (
        "账户 {account} 的域名服务器 {server} 称有名称不在区域 {zone} 内（{rcode}）。"
    ),
    "The object for the DNS account {account} does not have the methods add and remove.": (
        "DNS 账户 {account} 的对象没有 add 和 remove 方法。"
    ),
    "The option server of the account {account} is not an address.": "账户 {account} 的选项 server 不是地址。",
    "The option tsig_algorithm of the account {account} is not a known algorithm.": (
        "账户 {account} 的选项 tsig_algorithm 不是已知的算法。"
    ),
    "The option tsig_name of the account {account} is not a domain name.": "账户 {account} 的选项 tsig_name 不是域名。",
    "The option tsig_secret of the account {account} is not base64.": "账户 {account} 的选项 tsig_secret 不是 base64。",
    "The process that writes through dns-lexicon for the account {account} cannot be started: {cause}.": (
        "无法启动为账户 {account} 通过 dns-lexicon 写入的进程：{cause}。"
    ),
    "The process that writes through dns-lexicon for the account {account} ended unexpectedly: {how}.": (
        "为账户 {account} 通过 dns-lexicon 写入的进程意外结束：{how}。"
    ),
    "The program of the account {account} failed: {answer}.": "账户 {account} 的程序失败：{answer}。",
    "The program of the account {account} is not run for {name}, because it is no host name.": (
        "不会为 {name} 运行账户 {account} 的程序，因为它不是主机名。"
    ),
    "Change the CNAME record that leads to {name}: its target may have letters, digits, hyphens and underscores.": (
        "请修改指向 {name} 的 CNAME 记录：其目标只能包含字母、数字、连字符和下划线。"
    ),
    "The program of the account {account} had not ended in time and was killed: {answer}.": (
        "账户 {account} 的程序没有及时结束，已被终止：{answer}。"
    ),
    "The program of the account {account} had not ended in time, printed nothing and was killed.": (
        "账户 {account} 的程序没有及时结束，也没有任何输出，已被终止。"
    ),
    "The program {program} of the account {account} cannot be run: {reason}.": (
        "无法运行账户 {account} 的程序 {program}：{reason}。"
    ),
    "The provider {provider} needs the Python package {package}, which is not installed.": (
        "provider {provider} 需要 Python 软件包 {package}，但它未安装。"
    ),
    "The update of {zone} failed: the answer of the name server {server} of the account {account} is not signed "
    "with the key.": ("更新 {zone} 失败：账户 {account} 的域名服务器 {server} 的应答没有用该密钥签名。"),
    "The update of {zone} failed: the clocks of this machine and of the name server {server} of the account "
    "{account} differ too much.": ("更新 {zone} 失败：本机与账户 {account} 的域名服务器 {server} 的时钟相差过大。"),
    "The update of {zone} failed: the name server {server} of the account {account} cannot be reached ({reason}).": (
        "更新 {zone} 失败：无法连接账户 {account} 的域名服务器 {server}（{reason}）。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} closed the connection.": (
        "更新 {zone} 失败：账户 {account} 的域名服务器 {server} 关闭了连接。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} did not answer in time.": (
        "更新 {zone} 失败：账户 {account} 的域名服务器 {server} 没有及时应答。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} did not send a DNS response to "
    "it.": ("更新 {zone} 失败：账户 {account} 的域名服务器 {server} 发回的不是对它的 DNS 应答。"),
    "The update of {zone} failed: the name server {server} of the account {account} does not know the key.": (
        "更新 {zone} 失败：账户 {account} 的域名服务器 {server} 不认识该密钥。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} has another secret for the key.": (
        "更新 {zone} 失败：账户 {account} 的域名服务器 {server} 为该密钥保存的密钥值不同。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} sent an invalid signature.": (
        "更新 {zone} 失败：账户 {account} 的域名服务器 {server} 发送的签名无效。"
    ),
    "The update of {zone} failed: the name server {server} of the account {account} was not found in DNS.": (
        "更新 {zone} 失败：在 DNS 中没有找到账户 {account} 的域名服务器 {server}。"
    ),
    "Try again later.": "请稍后重试。",
    "Try again later; if it persists, check whether a firewall or proxy blocks the connection to {where} (see "
    "{page}).": ("请稍后重试；如果问题仍然出现，请检查防火墙或代理是否阻止到 {where} 的连接（参见 {page}）。"),
    "Try again later; if it persists, check whether a firewall or proxy blocks the connection.": (
        "请稍后重试；如果问题仍然出现，请检查防火墙或代理是否阻止连接。"
    ),
    "Try again later; if it persists, see {page}, or update dnsrenew and its libraries.": (
        "请稍后重试；如果问题仍然出现，请查看 {page}，或升级 dnsrenew 及其依赖库。"
    ),
    "Try again later; if it persists, check whether {where} has an outage (see {page}).": (
        "请稍后重试；如果问题仍然出现，请检查 {where} 是否有故障（参见 {page}）。"
    ),
    "Correct `api` of the account {account}, with its path (see {page}).": (
        "请更正账户 {account} 的 `api`，包括其路径（参见 {page}）。"
    ),
    "{title} (account {account}) is not at the address in its option `api`: {answer}.": (
        "{title}（账户 {account}）不在其选项 `api` 中的地址：{answer}。"
    ),
    "Use an https:// address, for example that of a proxy with TLS in front of the API.": (
        "请使用 https:// 地址，例如 API 前面带 TLS 的代理的地址。"
    ),
    "Use the provider duckdns.": "请使用 provider duckdns。",
    "Use the provider rfc2136.": "请使用 provider rfc2136。",
    "Wait a few minutes and run it again; for the limits, see {page}.": "请等待几分钟，然后重新运行；限制参见 {page}。",
    "{error} The option {key} of the account {account} needs it.": "{error} 账户 {account} 的选项 {key} 需要它。",
    "{title} (account {account}) cannot be reached.": "无法连接 {title}（账户 {account}）。",
    "{title} (account {account}) cannot be reached: {answer}.": "无法连接 {title}（账户 {account}）：{answer}。",
    "The credentials of the account {account} contain a character that no HTTP request can carry, such as a curly "
    "quotation mark or a line break.": "账户 {account} 的凭据含有 HTTP 请求无法携带的字符，例如弯引号或换行。",
    "Copy them again from the page of the host, without quotation marks around them.": (
        "请从域名托管商的页面重新复制，首尾不要带引号。"
    ),
    "{title} (account {account}) did not accept the credentials, or they may not edit {zones}.": (
        "{title}（账户 {account}）没有接受凭据，或该凭据无权编辑 {zones}。"
    ),
    "{title} (account {account}) did not accept the credentials, or they may not edit {zones}: {answer}.": (
        "{title}（账户 {account}）没有接受凭据，或该凭据无权编辑 {zones}：{answer}。"
    ),
    "{title} (account {account}) did not answer in time.": "{title}（账户 {account}）没有及时应答。",
    "{title} (account {account}) did not answer in time: {answer}.": (
        "{title}（账户 {account}）没有及时应答：{answer}。"
    ),
    "{title} (account {account}) had not removed the TXT values after {seconds:g} s. It may still remove them.": (
        "{title}（账户 {account}）在 {seconds:g} 秒后仍未删除 TXT 值，之后仍可能会删除。"
    ),
    "{title} (account {account}) had not written the TXT values after {seconds:g} s. It may still write them.": (
        "{title}（账户 {account}）在 {seconds:g} 秒后仍未写入 TXT 值，之后仍可能会写入。"
    ),
    "{title} (account {account}) has a TLS certificate that is not trusted on this machine.": (
        "本机不信任 {title}（账户 {account}）的 TLS 证书。"
    ),
    "{title} (account {account}) has a TLS certificate that is not trusted on this machine: {answer}.": (
        "本机不信任 {title}（账户 {account}）的 TLS 证书：{answer}。"
    ),
    "{title} (account {account}) has a TLS certificate that is not valid at {now}, the time of this machine.": (
        "{title}（账户 {account}）的 TLS 证书在本机时间 {now} 无效。"
    ),
    "{title} (account {account}) has a TLS certificate that is not valid at {now}, the time of this machine: "
    "{answer}.": ("{title}（账户 {account}）的 TLS 证书在本机时间 {now} 无效：{answer}。"),
    "{title} (account {account}) has an internal error.": "{title}（账户 {account}）发生内部错误。",
    "{title} (account {account}) has an internal error: {answer}.": "{title}（账户 {account}）发生内部错误：{answer}。",
    "{title} (account {account}) has no zone {zones} that these credentials can see.": (
        "{title}（账户 {account}）处没有这些凭据可见的区域 {zones}。"
    ),
    "{title} (account {account}) has no zone {zones} that these credentials can see: {answer}.": (
        "{title}（账户 {account}）处没有这些凭据可见的区域 {zones}：{answer}。"
    ),
    "{title} (account {account}) received too many requests.": "{title}（账户 {account}）收到的请求过多。",
    "{title} (account {account}) received too many requests: {answer}.": (
        "{title}（账户 {account}）收到的请求过多：{answer}。"
    ),
    "{title} (account {account}) refused the change.": "{title}（账户 {account}）拒绝了更改。",
    "{title} (account {account}) refused the change: {answer}.": "{title}（账户 {account}）拒绝了更改：{answer}。",
    "{title} (account {account}) sent an answer that its driver cannot read.": (
        "{title}（账户 {account}）发送的应答无法被其驱动读取。"
    ),
    "{title} (account {account}) sent an answer that its driver cannot read: {answer}.": (
        "{title}（账户 {account}）发送的应答无法被其驱动读取：{answer}。"
    ),
    "{title} (account {account}), or something in between, redirects the request.": (
        "{title}（账户 {account}）或中间的某个设备重定向了请求。"
    ),
    "{title} (account {account}), or something in between, redirects the request: {answer}.": (
        "{title}（账户 {account}）或中间的某个设备重定向了请求：{answer}。"
    ),
    "{title} (account {account}): the driver was not ready after {seconds:g} s.": (
        "{title}（账户 {account}）：驱动在 {seconds:g} 秒后仍未就绪。"
    ),
}

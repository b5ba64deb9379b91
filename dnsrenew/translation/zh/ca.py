"""The CA: its refusals, its answers, the account, profiles and chains."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Add this CA to the CAA records of the names, or remove those records.": (
        "请把此 CA 加入这些域名的 CAA 记录，或删除这些记录。"
    ),
    "Ask the CA to revoke the certificate.": "请要求 CA 吊销该证书。",
    "Ask the CA whether it issues under this root, and update the root certificates of this system if they are old.": (
        "请向 CA 确认它是否用此根证书签发；如果本系统的根证书过旧，请更新。"
    ),
    "Check `contact` and `agree_terms`, and whether the CA has closed the account.": (
        "请检查 `contact` 和 `agree_terms`，以及 CA 是否已关闭该账户。"
    ),
    "Check the DNS of the names, including DNSSEC, from outside your network, and run dnsrenew again.": (
        "请从您的网络之外检查这些域名的 DNS（包括 DNSSEC），然后重新运行 dnsrenew。"
    ),
    "Check the address in `contact`, or set `eab` to the `kid` and `hmac` from the website of the CA.": (
        "请检查 `contact` 中的地址，或把 `eab` 设为从 CA 网站获取的 `kid` 和 `hmac`。"
    ),
    "Check whether `eab.hmac` can be read unattended: a keyring may be locked, or a disk may hang.": (
        "请检查 `eab.hmac` 能否在无人值守时读取：密钥环可能被锁定，或磁盘可能没有响应。"
    ),
    "Check whether the name servers of the names can be reached from the internet.": (
        "请检查这些域名的域名服务器能否从互联网访问。"
    ),
    "Check whether this host can be reached from the internet.": "请检查能否从互联网访问本机。",
    "Check whether this host can reach the CA's `directory`: network, DNS, proxy and firewall.": (
        "请检查本机能否访问 CA 的 `directory`：网络、DNS、代理和防火墙。"
    ),
    "Choose another `--reason`, or omit it.": "请换用其他 `--reason`，或省略它。",
    "Choose another `key`, or ask the CA which key types and names it accepts.": (
        "请换用其他 `key`，或向 CA 询问它接受哪些密钥类型和名称。"
    ),
    "Choose another `key`.": "请换用其他 `key`。",
    "Copy `kid` and `hmac` of `eab` again from the CA, unchanged.": "请从 CA 重新原样复制 `eab` 的 `kid` 和 `hmac`。",
    "Correct the name in `domains`, or remove it: no CA can issue for it.": (
        "请在 `domains` 中改正该名称，或将其删除：没有 CA 能为它签发证书。"
    ),
    "Get a key for external account binding from the CA and set it as `eab` of this CA.": (
        "请从 CA 获取外部账户绑定（EAB）的密钥，并设为此 CA 的 `eab`。"
    ),
    "Get a new `eab` from the CA: many are valid for one account only, or for a few days.": (
        "请从 CA 获取新的 `eab`：许多 `eab` 只能用于一个账户，或只在几天内有效。"
    ),
    "Keep the key, or remove this CA's folder under accounts/ in the store to get a new account.": (
        "请保留该密钥；若要改用新账户，请删除存储目录 accounts/ 下此 CA 的目录。"
    ),
    "Open the address in the message and do what the CA asks.": "请打开消息中的地址，并按 CA 的要求操作。",
    "Open the address in the message: the CA refuses these names until you allow it to continue there.": (
        "请打开消息中的地址：在那里允许继续之前，CA 会拒绝这些名称。"
    ),
    "Order other names, or use another CA for these.": "请改为申请其他名称，或用其他 CA 签发这些名称。",
    "Read the CA's explanation in the message, or ask the CA.": "请阅读消息中 CA 的说明，或询问 CA。",
    "Read them, and set agree_terms = true.": "请阅读服务条款，并设置 agree_terms = true。",
    "Remove the file key.pem of this CA under accounts/ in the store; a new account is then created.": (
        "请删除存储目录 accounts/ 下此 CA 的文件 key.pem，之后会创建新账户。"
    ),
    "Renew the certificate to replace it; it is revoked already.": "该证书已被吊销，请续期以替换它。",
    "Revoke it with the certificate's own key, or from the host whose account obtained it.": (
        "请用该证书自己的私钥吊销它，或在获取它的账户所在的主机上吊销。"
    ),
    "Run dnsrenew again later, or raise `timeout` of this CA.": "请稍后重新运行 dnsrenew，或调大此 CA 的 `timeout`。",
    "Run dnsrenew again: the new key is kept beside the old one, and both are tried.": (
        "请重新运行 dnsrenew：新密钥与旧密钥一同保留，两者都会尝试。"
    ),
    "Run dnsrenew again; if the error persists, raise `propagation.settle`.": (
        "请重新运行 dnsrenew；如果错误仍然出现，请调大 `propagation.settle`。"
    ),
    "Set `contact` to an email address that the CA accepts.": "请把 `contact` 设为 CA 接受的电子邮件地址。",
    "Set `contact` to your e-mail address.": "请把 `contact` 设为您的电子邮件地址。",
    "Set `directory` to the ACME address that the CA publishes.": "请把 `directory` 设为 CA 公布的 ACME 地址。",
    "Set `directory` to the address that the redirect leads to.": "请把 `directory` 设为重定向所指的地址。",
    "Set `eab` to the `kid` and `hmac` from the CA.": "请把 `eab` 设为从 CA 获取的 `kid` 和 `hmac`。",
    "Set `preferred_chain` to one of these, or omit it.": "请把 `preferred_chain` 设为其中之一，或省略它。",
    "Set `profile` to one that the CA offers, or omit it.": "请把 `profile` 设为 CA 提供的某一个，或省略它。",
    "Set `trust` to a file with the roots of this CA if it is your own, or find out what intercepts the connection.": (
        "如果这是您自己的 CA，请把 `trust` 设为含有其根证书的文件；否则请查明是什么拦截了连接。"
    ),
    "Set the clock of this host (with NTP) if it is wrong; otherwise the CA must renew its server certificate.": (
        "如果本机时钟不准，请校准（用 NTP）；否则须由 CA 续期其服务器证书。"
    ),
    "Set the clock of this host (with NTP), and run dnsrenew again.": (
        "请校准本机时钟（用 NTP），然后重新运行 dnsrenew。"
    ),
    "Set the clock of this host (with NTP), and run dnsrenew again: it downloads the same certificate.": (
        "请校准本机时钟（用 NTP），然后重新运行 dnsrenew：它会下载同一个证书。"
    ),
    "Set the clock of this host (with NTP).": "请校准本机时钟（用 NTP）。",
    "The CA {ca} answered the request for an external account binding with an unexpected document (status {status}).": (
        "CA {ca} 对外部账户绑定请求的应答不符合预期（状态 {status}）。"
    ),
    "The CA {ca} cannot be given the external account binding. {error}": "无法向 CA {ca} 提供外部账户绑定。{error}",
    "The CA {ca} cannot be given the external account binding: `eab.hmac` is {fault}.": (
        "无法向 CA {ca} 提供外部账户绑定：`eab.hmac` 有误（{fault}）。"
    ),
    "The CA {ca} cannot be given the external account binding: `eab.kid` is empty.": (
        "无法向 CA {ca} 提供外部账户绑定：`eab.kid` 为空。"
    ),
    "The CA {ca} cannot be given the external account binding: {reference} could not be read within {timeout:g} s.": (
        "无法向 CA {ca} 提供外部账户绑定：未能在 {timeout:g} 秒内读取 {reference}。"
    ),
    "The CA {ca} cannot be reached at {address}: {reason}.": "无法连接 CA {ca}（{address}）：{reason}。",
    "The CA {ca} cannot be trusted at {address}: {reason}.": "无法信任 CA {ca}（{address}）：{reason}。",
    "The CA {ca} cannot be trusted at {address}: {reason}. The clock of this host shows {now}.": (
        "无法信任 CA {ca}（{address}）：{reason}。本机时钟显示 {now}。"
    ),
    "The CA {ca} cannot be used at {address}: {reason}.": "无法使用 CA {ca}（{address}）：{reason}。",
    "The CA {ca} could not validate {problems}": "CA {ca} 无法验证 {problems}",
    "The CA {ca} creates accounts only with an external account binding.": "CA {ca} 要求提供外部账户绑定才能创建账户。",
    "The CA {ca} did not confirm the new key of the account. {error}": "CA {ca} 没有确认账户的新密钥。{error}",
    "The CA {ca} did not issue the certificate within {timeout:g} s.": "CA {ca} 没有在 {timeout:g} 秒内签发证书。",
    "The CA {ca} did not send renewal information in time.": "CA {ca} 没有及时发送续期信息。",
    "The CA {ca} did not validate {identifiers} within {timeout:g} s.": (
        "CA {ca} 没有在 {timeout:g} 秒内验证 {identifiers}。"
    ),
    "The CA {ca} does not offer renewal information.": "CA {ca} 不提供续期信息。",
    'The CA {ca} does not offer the profile "{profile}", so its default profile is used; it offers no profiles.': (
        "CA {ca} 不提供 profile“{profile}”，因此使用其默认 profile；它不提供任何 profile。"
    ),
    'The CA {ca} does not offer the profile "{profile}", so its default profile is used; it offers {offered}.': (
        "CA {ca} 不提供 profile“{profile}”，因此使用其默认 profile；它提供 {offered}。"
    ),
    'The CA {ca} does not offer the profile "{profile}"; it offers no profiles.': (
        "CA {ca} 不提供 profile“{profile}”；它不提供任何 profile。"
    ),
    'The CA {ca} does not offer the profile "{profile}"; it offers {offered}.': (
        "CA {ca} 不提供 profile“{profile}”；它提供 {offered}。"
    ),
    "The CA {ca} does not offer to change the key of an account.": "CA {ca} 不支持更换账户密钥。",
    "The CA {ca} does not offer to revoke certificates.": "CA {ca} 不支持吊销证书。",
    "The CA {ca} does not report whether the order of the earlier run still exists. {error}": (
        "CA {ca} 没有说明之前运行的订单是否仍然存在。{error}"
    ),
    "The CA {ca} gave no external account binding for {email}: {reason} (status {status}).": (
        "CA {ca} 没有为 {email} 提供外部账户绑定：{reason}（状态 {status}）。"
    ),
    "The CA {ca} gives an external account binding for an e-mail address, and `contact` has none.": (
        "CA {ca} 凭电子邮件地址提供外部账户绑定，而 `contact` 中没有电子邮件地址。"
    ),
    "The CA {ca} gives no external account binding for an e-mail address.": (
        "CA {ca} 不凭电子邮件地址提供外部账户绑定。"
    ),
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: it answers with status {status}.": (
        "CA {ca} 在 {directory} 没有 ACME 目录（RFC 8555 第 7.1.1 节）：其应答状态为 {status}。"
    ),
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its JSON has no URL for {missing}.": (
        "CA {ca} 在 {directory} 没有 ACME 目录（RFC 8555 第 7.1.1 节）：其 JSON 中没有 {missing} 的 URL。"
    ),
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its JSON is not an object.": (
        "CA {ca} 在 {directory} 没有 ACME 目录（RFC 8555 第 7.1.1 节）：其 JSON 不是对象。"
    ),
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: its answer is not JSON.": (
        "CA {ca} 在 {directory} 没有 ACME 目录（RFC 8555 第 7.1.1 节）：其应答不是 JSON。"
    ),
    "The CA {ca} has no ACME directory (RFC 8555 section 7.1.1) at {directory}: {content_type} is not JSON.": (
        "CA {ca} 在 {directory} 没有 ACME 目录（RFC 8555 第 7.1.1 节）：{content_type} 不是 JSON。"
    ),
    'The CA {ca} has no chain to the root "{root}", so its default chain is used; its chains lead to {offered}.': (
        "CA {ca} 没有通向根证书“{root}”的证书链，因此使用其默认证书链；其证书链通向 {offered}。"
    ),
    "The CA {ca} marked the order invalid without giving a reason.": "CA {ca} 把订单标记为无效，但没有说明原因。",
    'The CA {ca} refused the profile "{profile}", so its default profile is used. {error}': (
        "CA {ca} 拒绝了 profile“{profile}”，因此使用其默认 profile。{error}"
    ),
    "The CA {ca} refused {count} of its own nonces in a row.": "CA {ca} 连续拒绝了 {count} 个由它自己发出的 nonce。",
    "The CA {ca} refused {request} with HTTP status {status} and no explanation ({content}).": (
        "CA {ca} 拒绝了请求（{request}），HTTP 状态为 {status}，没有说明原因（{content}）。"
    ),
    "The CA {ca} refused {request}: {reason}": "CA {ca} 拒绝了请求（{request}）：{reason}",
    "The CA {ca} refused {request}: {reason} See {instance}": (
        "CA {ca} 拒绝了请求（{request}）：{reason} 参见 {instance}"
    ),
    "The CA {ca} refused {request}: {reason} See {url}": "CA {ca} 拒绝了请求（{request}）：{reason} 参见 {url}",
    "The CA {ca} reports the time {date}, and the clock of this host shows {now}: a certificate issued now would "
    "not be valid here.": ("CA {ca} 报告的时间是 {date}，而本机时钟显示 {now}：现在签发的证书在本机上无效。"),
    "The CA {ca} reports the time {date}, and the clock of this host shows {now}: certificates are renewed too "
    "early.": ("CA {ca} 报告的时间是 {date}，而本机时钟显示 {now}：证书会过早续期。"),
    "The CA {ca} reports the time {date}, and the clock of this host shows {now}: the issued certificate is not "
    "valid here.": ("CA {ca} 报告的时间是 {date}，而本机时钟显示 {now}：已签发的证书在本机上无效。"),
    "The CA {ca} requires agreement to its terms of service: {terms}": "CA {ca} 要求同意其服务条款：{terms}",
    "The CA {ca} sent JSON that is not an object as the {resource}.": "CA {ca} 发送的 {resource} 是 JSON，但不是对象。",
    "The CA {ca} sent a valid order without `certificate` (RFC 8555 section 7.1.3).": (
        "CA {ca} 发送的有效订单中没有 `certificate`（RFC 8555 第 7.1.3 节）。"
    ),
    "The CA {ca} sent an answer ({content_type}) that is not the certificate chain.": (
        "CA {ca} 发送的应答（{content_type}）不是证书链。"
    ),
    "The CA {ca} sent an answer that is too large: {reason}.": "CA {ca} 发送的应答过大：{reason}。",
    "The CA {ca} sent an answer without a Content-Type that is not the certificate chain.": (
        "CA {ca} 发送的应答没有 Content-Type，也不是证书链。"
    ),
    "The CA {ca} sent no valid `{field}` in the {resource} (RFC 8555 section 7.1).": (
        "CA {ca} 发送的 {resource} 中没有有效的 `{field}`（RFC 8555 第 7.1 节）。"
    ),
    "The CA {ca} sent no valid nonce (RFC 8555 section 6.5).": "CA {ca} 没有发送有效的 nonce（RFC 8555 第 6.5 节）。",
    "The CA {ca} sent the new {resource} without its URL (Location).": (
        "CA {ca} 发送新的 {resource} 时没有给出其 URL（Location）。"
    ),
    "The CA {ca} sent the {resource} as {content_type} that is not valid JSON.": (
        "CA {ca} 以 {content_type} 发送的 {resource} 不是有效的 JSON。"
    ),
    "The CA {ca} sent the {resource} without a Content-Type and not as JSON.": (
        "CA {ca} 发送的 {resource} 没有 Content-Type，也不是 JSON。"
    ),
    "The CA {ca} sent {count} `{field}` in the {resource}; at most {limit} are accepted.": (
        "CA {ca} 发送的 {resource} 中有 {count} 个 `{field}`，最多接受 {limit} 个。"
    ),
    "The CA {ca} still has the old contact of the account. {error}": "CA {ca} 处仍是账户的旧联系方式。{error}",
    "The CA {ca} validated all names, and the order was not ready within {timeout:g} s.": (
        "CA {ca} 已验证所有名称，但订单在 {timeout:g} 秒内没有就绪。"
    ),
    'The new certificate of the CA {ca} leads to the root "{root}", which neither this system nor the '
    "certificate in force before it knows: clients may refuse it.": (
        "CA {ca} 的新证书通向根证书“{root}”，本系统不认识它，此前使用的证书也不通向它：客户端可能会拒绝新证书。"
    ),
    "The renewal information of the CA {ca} is invalid: {cause}.": "CA {ca} 的续期信息无效：{cause}。",
    "The stored account key is neither an ECDSA key (P-256 or P-384) nor an RSA key in PEM format.": (
        "已保存的账户密钥既不是 PEM 格式的 ECDSA 密钥（P-256 或 P-384），也不是 RSA 密钥。"
    ),
    "Try again later, or set `eab` to the `kid` and `hmac` from the website of the CA.": (
        "请稍后重试，或把 `eab` 设为从 CA 网站获取的 `kid` 和 `hmac`。"
    ),
    "Try again later; if the error persists, ask the CA.": "请稍后重试；如果错误仍然出现，请询问 CA。",
    "Wait as long as the CA asks, and do not retry earlier.": "请等待 CA 要求的时间，不要提前重试。",
    "Wait {wait}, as the CA asks, and do not retry earlier.": "请按 CA 的要求等待（{wait}），不要提前重试。",
    "more than a year": "一年以上",
    "no address": "没有地址",
    "no content": "没有内容",
    "no reason given": "未说明原因",
    "the order": "订单",
    "the request": "请求",
    "the request for a nonce": "获取 nonce 的请求",
    "the request for its directory": "获取目录的请求",
    "the request for renewal information": "获取续期信息的请求",
    "the response to a challenge": "对质询的响应",
    "to change the account key": "更换账户密钥",
    "to create an account": "创建账户",
    "to issue the certificate": "签发证书",
    "to revoke the certificate": "吊销证书",
    "to send the certificate": "发送证书",
    "to show an authorization": "查看授权",
    "to show the account": "查看账户",
    "to update the account": "更新账户",
    "{count} days": "{count} 天",
    "{count} hours": "{count} 小时",
    "{count} minutes": "{count} 分钟",
    "{count} second": "{count} 秒",
    "{count} seconds": "{count} 秒",
    "{duration}, until {until}": "{duration}（到 {until} 为止）",
}

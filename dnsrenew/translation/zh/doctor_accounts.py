"""The doctor: DNS accounts, their secrets, the test value."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A test value at {records} was seen at every name server after {seconds:g} s, and removed again.": (
        "{seconds:g} 秒后所有域名服务器都能看到 {records} 处的测试值，之后已将其删除。"
    ),
    "A test value at {records} was seen at every name server after {seconds:g} s; the next value replaces it.": (
        "{seconds:g} 秒后所有域名服务器都能看到 {records} 处的测试值；下一个值会替换它。"
    ),
    "A test value at {records} was written and removed; it was not looked up, as `propagation.check` says.": (
        "已在 {records} 写入测试值并删除；按 `propagation.check` 的设置，没有查询它。"
    ),
    "A test value at {records} was written and seen, but the DNS host did not remove it.": (
        "已在 {records} 写入测试值并能看到，但 DNS 服务商没有删除它。"
    ),
    "Add an account of the DNS host of the domain: dnsrenew providers": (
        "请添加该域名的 DNS 服务商的账户：dnsrenew providers"
    ),
    "Add the zone to the account that holds it (zones = […]), or add an account for it: dnsrenew providers": (
        "请把该区域加入拥有它的账户（zones = […]），或为它添加一个账户：dnsrenew providers"
    ),
    "Copy the secret again from the DNS host, as {form}.": "请从 DNS 服务商重新复制该凭据，格式为：{form}。",
    "Every secret of the DNS account {dns} can be read.": "DNS 账户 {dns} 的所有凭据均可读取。",
    "Allow the key of the account {dns} to delete TXT records too, then run: dnsrenew cleanup": (
        "请允许账户 {dns} 的密钥也能删除 TXT 记录，然后运行：dnsrenew cleanup"
    ),
    "Log in at {website}, make a new key that may edit {zones}, and set it as {options} of the account {dns}.": (
        "请登录 {website}，新建有权编辑 {zones} 的密钥，并把它设为账户 {dns} 的 {options}。"
    ),
    "First check the DNS of {names}.": "请先查看 {names} 的 DNS 有什么问题。",
    "First check why the test value was not written.": "请先查看为何没有写入测试值。",
    "Make sure that {reference} can be read without a person, as in a scheduled run.": (
        "请确保在无人值守时（例如自动续期时）能读取 {reference}。"
    ),
    "No DNS account may write the TXT records of {names} ({records}); the zones of the accounts are {zones}.": (
        "没有 DNS 账户可写入 {names} 的 TXT 记录（{records}）；各账户的区域是 {zones}。"
    ),
    "No test value was written to {zones}: another run of dnsrenew is using the zone now.": (
        "没有向 {zones} 写入测试值：dnsrenew 的另一个运行正在使用该区域。"
    ),
    "No test value was written to {zones}: the DNS host keeps one value only, and the test would replace that.": (
        "没有向 {zones} 写入测试值：DNS 服务商只保存一个值，测试会替换它。"
    ),
    "Run dnsrenew delegate {domain}: it shows the CNAME record to set, once, and waits for it.": (
        "请运行 dnsrenew delegate {domain}：它会给出只需设置一次的 CNAME 记录，并等待该记录生效。"
    ),
    "Run dnsrenew doctor --probe again when no value is served at {records}, or run: dnsrenew renew --dry-run": (
        "请在 {records} 处不再有值时重新运行 dnsrenew doctor --probe，或运行：dnsrenew renew --dry-run"
    ),
    "Run dnsrenew doctor --probe again when the other run has ended.": (
        "请在另一个运行结束后重新运行 dnsrenew doctor --probe。"
    ),
    "Run dnsrenew renew in a terminal, or set a CNAME record once, and no person is needed: dnsrenew delegate "
    "{domain}": ("请在终端中运行 dnsrenew renew，或设置一次 CNAME 记录，之后便无需人工：dnsrenew delegate {domain}"),
    "The DNS account {delegated} writes only names that a CNAME record leads to, and there is none at {records}.": (
        "DNS 账户 {delegated} 只写入 CNAME 记录所指的名称，而 {records} 处没有 CNAME 记录。"
    ),
    "The DNS host accepts the credentials of the account {dns}.": "DNS 服务商接受账户 {dns} 的凭据。",
    "The TXT record of every name has a DNS account that may write it: {names}.": (
        "每个名称的 TXT 记录都有可写入的 DNS 账户：{names}。"
    ),
    "The TXT records of {names} ({records}) have to be set by a person (account {by_hand}), so only a renewal at a "
    "terminal can use this route.": (
        "{names} 的 TXT 记录（{records}）必须由人手动设置（账户 {by_hand}），因此只有在终端中续期时才能使用此途径。"
    ),
    "The configuration has no DNS account that may write the TXT records of {names} ({records}).": (
        "配置中没有可写入 {names} 的 TXT 记录（{records}）的 DNS 账户。"
    ),
    "The secret `{key}` of the DNS account {dns} ({reference}) cannot be right: its form is not that of the DNS "
    "host.": ("DNS 账户 {dns} 的凭据 `{key}`（{reference}）不正确：其格式与该 DNS 服务商的不符。"),
    "The secret {reference} was not read in time: its program or keyring may be waiting for a person.": (
        "未能及时读取凭据 {reference}：其程序或密钥环可能在等待人工操作。"
    ),
    "Whether the DNS host accepts the credentials of the account {dns} is unknown: no test value was written.": (
        "无法得知 DNS 服务商是否接受账户 {dns} 的凭据：没有写入测试值。"
    ),
    "It is unknown which DNS account writes the TXT records of {names}: DNS does not show their zone.": (
        "无法得知由哪个 DNS 账户写入 {names} 的 TXT 记录：DNS 没有显示它们所属的区域。"
    ),
    "{title} refuses the credentials of the DNS account {dns} (HTTP status {status}): {options} may be wrong, "
    "expired or not allowed to edit {zones}.": (
        "{title} 拒绝了 DNS 账户 {dns} 的凭据（HTTP 状态 {status}）：{options} 可能有误、已过期或无权编辑 {zones}。"
    ),
}

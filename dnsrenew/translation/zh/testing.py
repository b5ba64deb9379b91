"""The conformance test of drivers."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A driver MUST be created without error": "驱动必须能无错误地创建",
    "A person writes the records of the account {account}, so there is nothing to test.": (
        "账户 {account} 的记录由人手动写入，因此没有可测试的内容。"
    ),
    "Correct the driver, or the provider file that describes the host.": (
        "请改正该驱动，或描述该服务商的 provider 文件。"
    ),
    "Give an account of a DNS host with an API.": "请给出有 API 的 DNS 服务商的账户。",
    'Give the account zones = ["…"] with a zone for tests.': '请为该账户设置 zones = ["…"]，其中写明用于测试的区域。',
    "Parallel calls were not asked for.": "没有要求测试并行调用。",
    "Run dnsrenew delegate NAME: it registers, and shows the CNAME record to set.": (
        "请运行 dnsrenew delegate NAME：它会注册，并给出要设置的 CNAME 记录。"
    ),
    "Run dnsrenew doctor --probe, which tests it with the certificates that use it.": (
        "请运行 dnsrenew doctor --probe，它会用使用该账户的证书来测试。"
    ),
    "Several calls in a row MUST succeed, or raise provider-rate-limited": (
        "连续多次调用必须成功，或报告 provider-rate-limited"
    ),
    "The TTL cannot be read.": "无法读取 TTL。",
    "The account has no secret to replace.": "该账户没有可以替换的凭据。",
    "The account writes one name.": "该账户只写入一个名称。",
    "The account {account} names no zone, and no certificate uses it, so there is no zone to write test values to.": (
        "账户 {account} 没有写明区域，也没有证书使用它，因此没有可写入测试值的区域。"
    ),
    "The account {account} writes only names that a CNAME record leads to, and its configuration does not have them.": (
        "账户 {account} 只写入 CNAME 记录所指的名称，而其配置中没有这些名称。"
    ),
    "The account {account} writes only the name of its registration, and has none yet.": (
        "账户 {account} 只写入其注册的名称，而它尚未注册。"
    ),
    "The first write failed in a way that every other one would.": "第一次写入失败，其他写入也会同样失败。",
    "None of the values of the first write was seen, so no other one would be.": (
        "没有看到第一次写入的任何值，其他值也同样不会看到。"
    ),
    "The host keeps one value at a name.": "该服务商在每个名称处只保存一个值。",
    "The host keeps one value for the whole zone.": "该服务商对整个区域只保存一个值。",
    "The host keeps the two newest values of a name.": "该服务商只保存每个名称最新的两个值。",
    "The provider file says that one writer at a time changes a zone.": (
        "provider 文件规定，同一时间只能有一个写入者更改区域。"
    ),
    "The server sets the TTL.": "TTL 由服务器设置。",
    "The values that it needs could not be written: {error}": "无法写入它所需的值：{error}",
    "There is no driver with wrong credentials.": "没有使用错误凭据的驱动。",
    "Two drivers MUST be able to write at one name at the same time": "两个驱动必须能同时写入同一个名称",
    "Two drivers MUST be able to write at two names at the same time": "两个驱动必须能同时写入两个名称",
    "Use another zone for the test, or run dnsrenew cleanup if the value is an old one.": (
        "请用其他区域测试；如果该值是遗留的旧值，请运行 dnsrenew cleanup。"
    ),
    "Values at this host need no removal.": "此服务商处的值无需删除。",
    "With wrong credentials, add MUST raise provider-unauthorized and write nothing": (
        "使用错误凭据时，add 必须报告 provider-unauthorized，并且不写入任何内容"
    ),
    "add MUST keep the other values at the name": "add 必须保留该名称处的其他值",
    "add MUST succeed for a value that already exists, and keep the others": (
        "对于已存在的值，add 必须成功，并保留其他值"
    ),
    "add MUST write all values of one call at one name, exactly as given": (
        "add 必须把一次调用中的所有值原样写入同一个名称"
    ),
    "add MUST write the values with the TTL as given": "add 必须按给定的 TTL 写入各个值",
    "add MUST write values at several names in one call": "add 必须能在一次调用中写入多个名称",
    "remove MUST remove the last value of a name": "remove 必须能删除名称的最后一个值",
    "remove MUST remove the value, and only it": "remove 必须删除该值，且只删除该值",
    "remove MUST remove those values of a call that exist": "remove 必须删除一次调用中存在的那些值",
    "remove MUST succeed at a name that does not exist": "对于不存在的名称，remove 必须成功",
    "remove MUST succeed for a value that never existed, and keep the others": (
        "对于从未存在的值，remove 必须成功，并保留其他值"
    ),
    "remove MUST succeed for a value that was removed already, and keep the others": (
        "对于已删除的值，remove 必须成功，并保留其他值"
    ),
    "{must}, but at {name} {difference}.": "{must}，但在 {name} 处{difference}。",
    "{must}, but it raised nothing.": "{must}，但没有报告任何错误。",
    "{must}, but it raised {error}": "{must}，但它报告了 {error}",
    "{must}, but it raised {found} ({error})": "{must}，但它报告了 {found}（{error}）",
    "{must}, but the TTL at {name} is {found} instead of {expected} seconds.": (
        "{must}，但 {name} 处的 TTL 是 {found} 秒，而不是 {expected} 秒。"
    ),
    "{zone} has a TXT value, and its DNS host keeps one value only, so a test would replace it.": (
        "{zone} 已有一个 TXT 值，而其 DNS 服务商只保存一个值，因此测试会替换它。"
    ),
}

"""A renewal."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A dry run does not test your account at {ca}. Check the rest.": "试运行不会测试您在 {ca} 的账户，请检查其余部分。",
    "`renew_before` is not shorter than the life of the certificate ({begin} to {end}), so it is not used.": (
        "`renew_before` 不短于证书的有效期（{begin} 至 {end}），因此不采用。"
    ),
    'Write a shorter time, or a part of the lifetime such as "1/3".': (
        '请写更短的时间，或有效期的一部分，例如 "1/3"。'
    ),
    "Ask the CA why it suggests windows in the past for new certificates.": (
        "请询问 CA 为什么对新证书建议已过去的时间窗口。"
    ),
    "Check that the server runs again, and correct after in the certificate: {command}": (
        "请确认服务器已重新运行，并改正证书配置中的 after：{command}"
    ),
    "Correct before in the certificate, or use dns-01, which needs no port.": (
        "请改正证书配置中的 before，或使用不需要端口的 dns-01。"
    ),
    'Name one with staging = "…" in [ca.{ca}].': '请在 [ca.{ca}] 中用 staging = "…" 指定一个。',
    "Publish the new key where the old one is pinned, as in TLSA records.": (
        "请在固定了旧密钥的地方（例如 TLSA 记录）发布新密钥。"
    ),
    "Read the explanation.": "请阅读该说明。",
    "Restore {path} from a backup; without one, delete these TXT records (of a CAA record only accounturi), run "
    "dnsrenew renew, and set records for the new account.": (
        "请从备份恢复 {path}；如果没有备份，请删除这些 TXT 记录（对于 CAA 记录只删除 accounturi），运行 dnsrenew "
        "renew，再为新账户设置记录。"
    ),
    "Restore {path} from a backup; without one, remove accounturi from these records, run dnsrenew renew, and pin "
    "the new account.": (
        "请从备份恢复 {path}；如果没有备份，请从这些记录中删除 accounturi，运行 dnsrenew renew，再把新账户写入记录。"
    ),
    "Run dnsrenew renew --now (in Python: now=True) to try again at once.": (
        "若要立即重试，请运行 dnsrenew renew --now（在 Python 中：now=True）。"
    ),
    "The CA explains the suggested renewal window at {url}": "CA 对所建议的续期时间窗口的说明：{url}",
    "The CA {ca} asks to validate a name that was not ordered: {identifier}.": (
        "CA {ca} 要求验证一个没有申请的名称：{identifier}。"
    ),
    "The CA {ca} does not offer {challenge} for {identifier}. It offers {offered}.": (
        "CA {ca} 不为 {identifier} 提供 {challenge}。它提供 {offered}。"
    ),
    "The CA {ca} has no staging CA for a dry run.": "CA {ca} 没有可供试运行的测试 CA（staging）。",
    "The CA {ca} has no staging CA. The dry run uses {staging} instead.": (
        "CA {ca} 没有测试 CA（staging）。试运行改用 {staging}。"
    ),
    "The CA {ca} offers no challenge for {identifier}.": "CA {ca} 不为 {identifier} 提供任何质询。",
    "The key of the account {account_url} at the CA {ca} is damaged or missing. No new account is created, because "
    "CAA records allow only this one for {identifiers}: {records}.": (
        "账户 {account_url}（CA {ca}）的密钥已损坏或缺失。没有创建新账户，因为 CAA 记录只允许此账户为 {identifiers} 获"
        "取证书：{records}。"
    ),
    "The key of the account {account_url} at the CA {ca} is damaged or missing. No new account is created, because "
    "records in DNS allow only this one for {identifiers}: {records}.": (
        "账户 {account_url}（CA {ca}）的密钥已损坏或缺失。没有创建新账户，因为 DNS 中的记录只允许此账户为 "
        "{identifiers} 获取证书：{records}。"
    ),
    "The last attempt failed.": "上次尝试失败。",
    "The program {program}, which should free the port before a renewal, failed: {cause}.": (
        "续期前应释放端口的程序 {program} 失败：{cause}。"
    ),
    "The program {program}, which should run after a renewal has used the port, failed: {cause}.": (
        "续期用完端口后应运行的程序 {program} 失败：{cause}。"
    ),
    "The renewal window that the CA suggests is past, as it was for the certificate that this one replaced. A "
    "certificate is renewed for that once a day at most, so this one not before {until}.": (
        "CA 建议的续期时间窗口已经过去，此证书所替换的证书当时也是如此。因这种窗口而续期每天最多一次，因此此证书在 "
        "{until} 之前不会续期。"
    ),
    "Use another CA.": "请使用其他 CA。",
    "Use another route or another CA for this name.": "请对此名称使用其他途径或其他 CA。",
    "it holds no private key": "其中没有私钥",
    "{cause} The next attempt is made after {until}; dnsrenew renew --now (in Python: now=True) makes it at once.": (
        "{cause} 下次尝试在 {until} 之后；运行 dnsrenew renew --now（在 Python 中：now=True）可立即重试。"
    ),
    "{path} cannot be reused ({cause}). A new key is made, although reuse_key is set.": (
        "{path} 无法重复使用（{cause}）。虽然设置了 reuse_key，仍会生成新密钥。"
    ),
}

"""The program: what it prints besides errors and warnings."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    " ": "",
    "  (choose any name after dns.)": "  （dns. 后面的名称可任意选取）",
    "  before that: ": "  在此之前：",
    " and ": " 和 ",
    "* The CA suggested this renewal time.": "* 续期时间由 CA 建议。",
    ", ": "、",
    "--all cannot be combined with certificate names": "--all 不能与证书名称同时使用",
    "--certificate is missing: the file with the certificate": "缺少 --certificate：证书文件",
    "--events needs --json": "--events 需要与 --json 一起使用",
    "--force would renew all {count} certificates, due or not, and CAs limit how often that is possible": (
        "--force 会把全部 {count} 个证书都续期，不论是否到期，而 CA 对续期次数有限制"
    ),
    "--redact needs --markdown, --json or --report": "--redact 需要与 --markdown、--json 或 --report 一起使用",
    "-v and -q cannot be combined": "-v 和 -q 不能同时使用",
    "1 check found nothing wrong (-v shows it).": "1 项检查没有发现问题（-v 显示）。",
    "; ": "；",
    "A request of the killed run may still be under way and write {values} again. The next run or cleanup removes "
    "that once more.": ("被中止的运行可能仍有请求在途，会再次写入 {values}。下一次运行或清理会再次将其删除。"),
    "A running dnsrenew run renews automatically.": "正在运行的 dnsrenew run 会自动续期。",
    "A schedule is already installed: {title}.": "自动续期已安装：{title}。",
    "Add --json, or leave --events out.": "请加上 --json，或去掉 --events。",
    "Add --yes if you are sure.": "如果确定，请加上 --yes。",
    "Add one of them, or leave --redact out.": "请加上其中之一，或去掉 --redact。",
    "Answer y, or add --yes.": "请回答 y，或加上 --yes。",
    "Behaviour": "行为",
    "CA": "CA 机构",
    "Close the account at {cas} permanently? Certificates stay valid.": "要永久关闭在 {cas} 的账户吗？证书仍然有效。",
    "Close the accounts at {cas} permanently? Certificates stay valid.": (
        "要永久关闭在 {cas} 的这些账户吗？证书仍然有效。"
    ),
    "Continuing with the previous configuration. Correct the mistake, then reload (SIGHUP).": (
        "继续使用之前的配置。请改正错误，然后重新加载（SIGHUP）。"
    ),
    "Could not read the current certificate.": "无法读取当前证书。",
    "DNS HOST": "DNS 服务商",
    "DNS account": "DNS 账户",
    "DOMAINS": "域名",
    "DUE": "应续期",
    "Delete {certificate} from the store, with its private keys?": "要从存储目录中删除 {certificate} 及其私钥吗？",
    "Did you mean --{nearest}? For help, run: {command} --help": (
        "是否想输入 --{nearest}？查看帮助请运行：{command} --help"
    ),
    "Did you mean {nearest}? For help, run: {command} --help": "是否想输入 {nearest}？查看帮助请运行：{command} --help",
    "EXPIRES": "到期",
    "For dnsrenew.toml": "用于 dnsrenew.toml",
    "For help, run: {command} --help": "查看帮助请运行：{command} --help",
    "Give --report a file in a folder that you can write to.": "请为 --report 指定一个您可以写入的目录中的文件。",
    "Give names or --all, not both.": "请给出名称或 --all，不能同时给出。",
    "Give one of them, not both.": "请只给出其中一个。",
    "Give {option} a file that exists and that you can read.": "请为 {option} 指定一个存在且可读的文件。",
    "Helping others at {address}. To stop, press Ctrl-C.": "正在 {address} 为其他主机提供检测。按 Ctrl-C 停止。",
    "It is not due before {renewal}. To renew it earlier, run: dnsrenew renew {name} --force": (
        "在 {renewal} 之前无需续期。若要提前续期，请运行：dnsrenew renew {name} --force"
    ),
    "It is not in the configuration, so nothing replaces it.": "它不在配置中，因此不会被替换。",
    "It takes {expected}. For help, run: {command} --help": "可用的值：{expected}。查看帮助请运行：{command} --help",
    "Keeps one TXT value for a name: values are validated one after the other.": (
        "每个名称只保存一个 TXT 值：各个值依次验证。"
    ),
    "Keeps one TXT value for the whole zone: names are validated one after the other.": (
        "整个区域只保存一个 TXT 值：各个名称依次验证。"
    ),
    "NAME": "名称",
    "NEEDS": "所需选项",
    "Name the certificates, or add --all.": "请写明证书名称，或加上 --all。",
    "Needs no cleanup.": "无需清理。",
    "Next attempt: {time}.": "下次尝试：{time}。",
    "Next check: {time} (in {distance}), for {name}.": "下次检查：{time}（{distance}后），针对 {name}。",
    "Next check: {time} (in {distance}). Nothing is due until then.": (
        "下次检查：{time}（{distance}后）。在此之前没有需要续期的证书。"
    ),
    "No CA accounts yet. The first order at a CA creates one.": "还没有 CA 账户。首次向 CA 下单时会自动创建。",
    "No DNS host is named '{name}'.": "没有名为“{name}”的 DNS 服务商。",
    "No certificate expires within {time}.": "{time}内没有证书到期。",
    "No certificate needs attention and expires within {time}.": "没有既需要处理又在{time}内到期的证书。",
    "No certificate needs attention.": "没有需要处理的证书。",
    "No certificates are configured.": "配置中没有证书。",
    "No schedule can renew {names}, because a person sets the records: run dnsrenew renew at a terminal "
    "when a renewal is due.": ("{names} 无法自动续期，因为记录须由人设置：请在到期续期时于终端运行 dnsrenew renew。"),
    "No schedule is installed, so nothing was removed.": "未安装自动续期，因此没有可移除的内容。",
    "No schedule is installed. Nothing renews automatically.": "未安装自动续期，不会自动续期。",
    "Nothing renews this yet. Run: dnsrenew schedule install": "目前不会自动续期。请运行：dnsrenew schedule install",
    "Nothing renews this yet. Run: dnsrenew schedule install (it needs systemd or cron, and this machine has "
    "neither), or: dnsrenew run": (
        "目前不会自动续期。请运行：dnsrenew schedule install（需要 systemd 或 cron，本机两者都没有），或运行：dnsrenew "
        "run"
    ),
    "Nothing to clean up.": "没有需要清理的内容。",
    "Nothing to deploy for {names}: {path} has no deploy there.": "{names} 没有可部署的内容：{path} 中没有 deploy。",
    "Nothing was changed, because the answer was not yes.": "未得到确认，因此未作任何更改。",
    "Nothing was saved. {current}": "没有保存任何内容。{current}",
    "Only one run writes to it at a time.": "同一时间只允许一个运行写入。",
    "Options": "选项",
    "RENEWAL": "续期",
    "ROUTE": "途径",
    "Remove old TXT values from the _acme-challenge names of your domains at your DNS host, then delete the file.": (
        "请在 DNS 服务商处删除各域名 _acme-challenge 下的旧 TXT 值，然后删除该文件。"
    ),
    "Removed {values} that an earlier run left in {zones}.": "已删除之前的运行遗留在 {zones} 的 {values}。",
    "Report: {path}": "报告：{path}",
    "Revoke {certificate}? Clients that check revocation reject it at once.": (
        "要吊销 {certificate} 吗？检查吊销状态的客户端会立即拒绝它。"
    ),
    "Run dnsrenew schedule remove first.": "请先运行 dnsrenew schedule remove。",
    "Run dnsrenew schedule show.": "请运行 dnsrenew schedule show。",
    "Run it again.": "请重新运行。",
    "Run it again: it first removes the TXT records that this run may have left in DNS.": (
        "请重新运行：它会先删除本次运行可能遗留在 DNS 中的 TXT 记录。"
    ),
    "Run: dnsrenew schedule install": "请运行：dnsrenew schedule install",
    "Run: {command} NAME --certificate FILE": "请运行：{command} NAME --certificate FILE",
    "Run: {command} {usage}": "请运行：{command} {usage}",
    "STATE": "状态",
    "Send this CSR to the issuer; its private key stays in the store. When you have the certificate, run: dnsrenew "
    "install {name} --certificate FILE": (
        "请把此 CSR 发给签发者，其私钥保留在存储目录中。拿到证书后请运行：dnsrenew install {name} --certificate FILE"
    ),
    "Starting in {delay} (--jitter)": "{delay}后开始（--jitter）",
    "Stopped at once, without cleaning up.": "已立即停止，未作清理。",
    "Stopped before the cleanup was finished.": "在清理完成之前停止。",
    "Stopped.": "已停止。",
    "Stopped. A renewal was interrupted.": "已停止，一次续期被中断。",
    "Stopping. To stop at once, interrupt again.": "正在停止。若要立即停止，请再次中断。",
    "Stopping: ending the deployment. To stop at once, interrupt again.": (
        "正在停止：结束部署。若要立即停止，请再次中断。"
    ),
    "Stopping: removing our TXT records. To stop at once, interrupt again.": (
        "正在停止：删除已写入的 TXT 记录。若要立即停止，请再次中断。"
    ),
    "TXT value": "TXT 值",
    "The Task Scheduler renews automatically.": "任务计划程序会自动续期。",
    "The configuration was read again.": "已重新读取配置。",
    "A Python program used {name} {ago}: it may still need it.": "{ago}有 Python 程序使用过 {name}，可能仍需要它。",
    "The private key of {name} was read {ago}: a server may still use it.": (
        "{name} 的私钥在{ago}被读取过：可能仍有服务器在使用它。"
    ),
    "The result could not be written to standard output: {reason}.": "无法把结果写到标准输出：{reason}。",
    "The stored certificate expired {distance}.": "已保存的证书于{distance}过期。",
    "The stored certificate is revoked: clients that check revocation reject it.": (
        "已保存的证书已被吊销：检查吊销状态的客户端会拒绝它。"
    ),
    "The stored certificate stays in use: valid until {expiry}.": "继续使用已保存的证书：有效期至 {expiry}。",
    "The stored certificate stays in use: valid until {expiry}. It is not due before {renewal}.": (
        "继续使用已保存的证书：有效期至 {expiry}。在 {renewal} 之前无需续期。"
    ),
    "There is no certificate yet.": "还没有证书。",
    "They are {names} and {more} more (-v lists them).": "包括 {names}，另有 {more} 个（-v 列出）。",
    "This is for another machine, because this one has no {kind}; adapt the paths.": (
        "这是给另一台机器用的，因为本机没有 {kind}；请相应修改路径。"
    ),
    "This would be installed: {title}, {times}.": "将要安装：{title}，{times}。",
    "This would be installed: {title}, {times}. No configuration was found; {example} is a placeholder for yours.": (
        "将要安装：{title}，{times}。没有找到配置文件，这里用 {example} 代替。"
    ),
    "To replace it now, run: dnsrenew renew {name}. Otherwise the next run replaces it, unless you remove it from "
    "the configuration.": (
        "若要立即替换，请运行：dnsrenew renew {name}。否则下次运行会替换它，除非您把它从配置中删除。"
    ),
    "To see the options of one and a block to copy, run: dnsrenew providers NAME": (
        "查看某个服务商的选项和可复制的配置块，请运行：dnsrenew providers NAME"
    ),
    "To use that configuration file, run: {command} --config {argument}": (
        "若要使用该配置文件，请运行：{command} --config {argument}"
    ),
    "Update dnsrenew, then run: dnsrenew cleanup": "请升级 dnsrenew，然后运行：dnsrenew cleanup",
    "Use one of these kinds instead: {available}.": "请改用以下类型之一：{available}。",
    "Using {path}": "使用配置 {path}",
    "Waiting until the name servers show the change at {name}, for up to {duration}.": (
        "正在等待域名服务器显示 {name} 处的更改，最长 {duration}。"
    ),
    "Waits up to {timeout} for a new value, then {settle} more.": (
        "最多等待 {timeout} 直到新值可见，然后再等 {settle}。"
    ),
    "Waits up to {timeout} for a new value.": "最多等待 {timeout} 直到新值可见。",
    "Write: {option} {value}": "请写成：{option} {value}",
    "a [[certificate]] with its domains": "带有 domains 的 [[certificate]] 表",
    "a number from 1 to 1000": "1 到 1000 之间的数字",
    "a time from 1m to 24h": "1m 到 24h 之间的时间",
    "a time such as 30 (seconds), 5m, 12h or 14d": "时间，例如 30（秒）、5m、12h 或 14d",
    "account": "账户",
    "all {total} name servers": "全部 {total} 台域名服务器",
    "another certificate of this run": "本次运行的另一个证书",
    "another run": "另一个运行",
    "both name servers": "两台域名服务器",
    "by": "途径为",
    "certificate": "证书",
    "certificate issued, checked and stored": "证书已签发、检查并保存",
    "challenge response": "质询响应",
    "changed in the configuration, renewing": "配置已更改，正在续期",
    "checking DNS and the CA": "正在检查 DNS 和 CA",
    "closed permanently; the next order creates a new account": "已永久关闭；下一个订单会创建新账户",
    "contact": "联系方式",
    "contact updated": "联系方式已更新",
    "creating an order at {ca}": "正在 {ca} 创建订单",
    "cron renews automatically.": "cron 会自动续期。",
    "daily at {times} and {last}, or up to an hour later": "每天 {times} 和 {last}，或最多晚一小时",
    "deferred": "已推迟",
    "deployed": "部署",
    "deployed and served before: {target}": "此前已部署并提供服务：{target}",
    "deployed before: {target}": "此前已部署：{target}",
    "deployed: {target}": "已部署：{target}",
    "deployed: {target}, now served": "已部署：{target}，现已提供服务",
    "dnsrenew renew already runs automatically: {title}": "dnsrenew renew 已在自动运行：{title}",
    "dnsrenew renew now runs automatically: {title}": "dnsrenew renew 现已自动运行：{title}",
    "dnsrenew schedule remove": "请运行 dnsrenew schedule remove",
    "documentation": "文档",
    "domains": "域名",
    "dry run": "试运行",
    "dry run succeeded": "试运行成功",
    "due": "待续期",
    "due (changed)": "待续期（配置已更改）",
    "error": "错误",
    "expired": "已过期",
    "expired, renewing": "已过期，正在续期",
    "expires": "到期",
    "failed": "失败",
    "files": "文件",
    "files: {names} in": "文件：{names}，位于",
    "finishing": "正在收尾",
    "found": "发现",
    "inspect": "查看",
    "interrupted": "已中断",
    "invalid value '{value}' for {option}": "{option} 的值“{value}”无效",
    "issuer": "签发者",
    "key": "私钥",
    "key replaced": "密钥已更换",
    "last failure": "上次失败",
    "launchd renews automatically.": "launchd 会自动续期。",
    "less than a minute": "不到一分钟",
    "locked": "被锁定",
    "locked by another run": "被另一个运行锁定",
    "missing": "缺失",
    "missing argument {argument}": "缺少参数 {argument}",
    "more certificate": "其他证书",
    "next try": "下次尝试",
    "no answer from {servers}": "{servers} 没有应答",
    "no command given": "没有给出命令",
    "none": "无",
    "not deployed: {target} (old certificate restored): {error}": "未部署：{target}（已恢复旧证书）：{error}",
    "not deployed: {target}: {error}": "未部署：{target}：{error}",
    "not due": "无需续期",
    "not known to the CA; the next order registers it again with the same key": (
        "CA 不认识此账户；下一个订单会用同一密钥重新注册"
    ),
    "not updated yet: {servers}": "尚未更新：{servers}",
    "note": "说明",
    "now": "现在",
    "obtained": "已获取",
    "obtaining": "正在获取",
    "options": "选项",
    "order": "订单",
    "order created at {ca}": "已在 {ca} 创建订单",
    "order created at {ca}: all names already validated": "已在 {ca} 创建订单：所有名称均已验证",
    "order created at {ca}: {valid} of {total} names already validated": (
        "已在 {ca} 创建订单：{total} 个名称中 {valid} 个已验证"
    ),
    "order: {url}": "订单：{url}",
    "other route": "其他途径",
    "overdue": "续期逾期",
    "preparing the challenges": "正在准备质询",
    "process {pid} on {host}": "{host} 上的进程 {pid}",
    "querying the name servers": "正在查询域名服务器",
    "reachable from this machine": "可从本机访问",
    "reason": "原因",
    "removed: {title} ({paths})": "已移除：{title}（{paths}）",
    "renewal": "续期",
    "renewed": "已续期",
    "renewing": "正在续期",
    "renewing because of --force": "因 --force 正在续期",
    "requesting the certificate from {ca}": "正在向 {ca} 请求证书",
    "requesting validation by {ca}": "正在请求 {ca} 验证",
    "resumed the order of an interrupted run at {ca}": "已在 {ca} 继续被中断运行的订单",
    "revoked": "已吊销",
    "revoked, replacing": "已吊销，正在替换",
    "route": "途径",
    "runs": "运行时间",
    "see": "参见",
    "see its documentation": "参见其文档",
    "see the documentation of the plug-in": "参见该插件的文档",
    "serial": "序列号",
    "served on {listen}": "在 {listen} 提供",
    "served on {listen} and written to {webroot}": "在 {listen} 提供并写入 {webroot}",
    "skipped": "已跳过",
    "skipped {route}": "已跳过 {route}",
    "skipped {route}: trying the next route": "已跳过 {route}：尝试下一途径",
    "starting": "正在开始",
    "systemd renews automatically.": "systemd 会自动续期。",
    "testing the challenge responses": "正在测试质询响应",
    "the CA": "该 CA 机构",
    "the name server": "域名服务器",
    "the name servers": "各域名服务器",
    "the stored certificate stays in use": "继续使用已保存的证书",
    "the {what} is locked: waiting for {holder}": "{what} 被锁定：正在等待{holder}",
    "then run": "然后运行",
    "to retry now": "立即重试",
    "tried": "已尝试",
    "trying {route}": "正在尝试 {route}",
    "unconfigured": "配置中已无",
    "undo": "撤销",
    "unexpected argument '{argument}'": "多余的参数“{argument}”",
    "unknown": "未知",
    "unknown command '{argument}'": "未知命令“{argument}”",
    "valid": "有效",
    "valid until": "有效期至",
    "valid until {expiry}": "有效期至 {expiry}",
    "valid until {expiry}, due {renewal}": "有效期至 {expiry}，应于 {renewal} 续期",
    "valid until {expiry}, next renewal {renewal}": "有效期至 {expiry}，下次续期 {renewal}",
    "valid, failed": "有效，上次失败",
    "visible on {servers}": "在{servers}上可见",
    "waiting for DNS": "正在等待 DNS",
    "waiting for DNS (at most {timeout})": "正在等待 DNS（最多 {timeout}）",
    "waiting for {ca} to issue the certificate": "正在等待 {ca} 签发证书",
    "waiting for {ca} to validate {names}": "正在等待 {ca} 验证 {names}",
    "waiting for {holder}": "正在等待{holder}",
    "waiting {seconds} for the DNS caches of {ca}": "正在等待 {ca} 的 DNS 缓存（{seconds}）",
    "waiting {seconds}: a resolver of {ca} may still cache the previous value": (
        "正在等待 {seconds}：{ca} 的解析器可能仍缓存着旧值"
    ),
    "website": "网站",
    "what to do": "处理办法",
    "writing {records}": "正在写入 {records}",
    "writing {values} to {zones}": "正在向 {zones} 写入 {values}",
    "writing {values} to {zones} with {accounts}": "正在用 {accounts} 向 {zones} 写入 {values}",
    "written to {webroot}": "写入 {webroot}",
    "{action}: {domains}": "{action}：{domains}",
    "{activity}, {elapsed} so far: {servers}": "{activity}，已用 {elapsed}：{servers}",
    "{ago}: {message}": "{ago}：{message}",
    "{ca} validated {names}": "{ca} 已验证 {names}",
    "{certificates} ({names})": "{certificates}（{names}）",
    "{certificates}: {counts}": "{certificates}：{counts}",
    "{certificates}: {counts}; 1 needs attention": "{certificates}：{counts}；1 个需要处理",
    "{certificates}: {counts}; next renewal {renewal}": "{certificates}：{counts}；下次续期 {renewal}",
    "{certificates}: {counts}; the next is due {renewal}": "{certificates}：{counts}；最近一个应于 {renewal} 续期",
    "{certificates}: {counts}; {failing} need attention": "{certificates}：{counts}；{failing} 个需要处理",
    "{challenges} at {ca}": "{challenges}（由 {ca} 签发）",
    "{challenges} with {accounts}": "{challenges}（账户 {accounts}）",
    "{challenges} with {accounts} at {ca}": "{challenges}（账户 {accounts}，由 {ca} 签发）",
    "{command} (but the CA asked to wait)": "{command}（但 CA 要求等待）",
    "{command} asks before it does this, and there is no terminal to ask at": (
        "{command} 执行前需要确认，但没有可用于询问的终端"
    ),
    "{command} failed. {fix}": "{command} 失败。{fix}",
    "{count} checks found nothing wrong (-v lists them).": "{count} 项检查没有发现问题（-v 列出）。",
    "{count} day": "{count} 天",
    "{count} hour": "{count} 小时",
    "{count} minute": "{count} 分钟",
    "{count} of 1 name server updated": "1 台域名服务器中 {count} 台已更新",
    "{count} of {total} name servers": "{total} 台域名服务器中的 {count} 台",
    "{count} of {total} name servers updated": "{total} 台域名服务器中 {count} 台已更新",
    "{count} {what}": "{count} 个{what}",
    "{date} (suggested by the CA)": "{date}（由 CA 建议）",
    "{done} of {certificates} done": "{certificates}中已完成 {done} 个",
    "{done} of {certificates} done, {failed} failed": "{certificates}中已完成 {done} 个，{failed} 个失败",
    "{expiry}, due for renewal {renewal}": "{expiry}，应于 {renewal} 续期",
    "{expiry}, next renewal {renewal}": "{expiry}，下次续期 {renewal}",
    "{folder}: {names}": "{folder}：{names}",
    "{head}: {text}": "{head}：{text}",
    "{items} and {count} more": "{items} 等，另有 {count} 个",
    "{kind} already runs dnsrenew renew, by a job that dnsrenew did not write. Remove that job.": (
        "{kind} 已在运行 dnsrenew renew，该任务不是 dnsrenew 写入的。请删除该任务。"
    ),
    "{kind} is not available on this machine": "本机没有 {kind}",
    "{message} Install it anyway?": "{message} 仍要安装吗？",
    "{names} are read from the environment, which scheduled runs do not have. Store each in a file that only you "
    "can read, and write file:PATH instead of env:{first} in {path}.": (
        "{names} 从环境变量读取，而自动运行时没有这些变量。请把每个值存入只有您能读取的文件，并在 {path} 中把 "
        "env:{first} 等改为 file:PATH。"
    ),
    "{names} is read from the environment, which scheduled runs do not have. Store it in a file that only you can "
    "read, and write file:PATH instead of env:{first} in {path}.": (
        "{names} 从环境变量读取，而自动运行时没有该变量。请把它存入只有您能读取的文件，并在 {path} 中把 env:{first} 改"
        "为 file:PATH。"
    ),
    "{names}: no longer in {path}, so nothing renews it. Add it there again, or run: dnsrenew remove {names}": (
        "{names}：已不在 {path} 中，因此不会续期。请重新加入，或运行：dnsrenew remove {names}"
    ),
    "{names}: no longer in {path}, so nothing renews them. Add them there again, or run: dnsrenew remove NAME": (
        "{names}：已不在 {path} 中，因此不会续期。请重新加入，或运行：dnsrenew remove NAME"
    ),
    "{names}: to deploy now, run: {command}": "{names}：若要立即部署，请运行：{command}",
    "{names}: to obtain or renew now, run: {command}": "{names}：若要立即获取或续期，请运行：{command}",
    "{names}: to retry now, run: {command}": "{names}：若要立即重试，请运行：{command}",
    "{names}: to retry now, run: {command} (but the CA asked to wait)": (
        "{names}：若要立即重试，请运行：{command}（但 CA 要求等待）"
    ),
    "{name} (account {account})": "{name}（账户 {account}）",
    "{name} ({domains})": "{name}（{domains}）",
    "{name} deferred": "{name} 已推迟",
    "{name} deferred until {time}": "{name} 已推迟到 {time}",
    "{name} deleted from the store": "{name} 已从存储目录删除",
    "{name} dry run at {ca} succeeded": "{name} 在 {ca} 试运行成功",
    "{name} dry run failed": "{name} 试运行失败",
    "{name} dry run succeeded": "{name} 试运行成功",
    "{name} failed": "{name} 失败",
    "{name} failed by {route}: {message}": "{name} 失败，途径 {route}：{message}",
    "{name} failed {ago} by {route}: {message}": "{name} 于{ago}失败，途径 {route}：{message}",
    "{name} failed {ago}: {message}": "{name} 于{ago}失败：{message}",
    "{name} failed: {message}": "{name} 失败：{message}",
    "{name} has this certificate already": "{name} 已经有此证书",
    "{name} installed": "{name} 已安装",
    "{name} installed: {domains}": "{name} 已安装：{domains}",
    "{name} interrupted": "{name} 已中断",
    "{name} locked by another run": "{name} 被另一个运行锁定",
    "{name} not due": "{name} 无需续期",
    "{name} obtained": "{name} 已获取",
    "{name} renewed": "{name} 已续期",
    "{name} revoked at {ca} (reason: {reason}, signed with the account key)": (
        "{name} 已在 {ca} 吊销（原因：{reason}，用账户密钥签名）"
    ),
    "{name} revoked at {ca} (reason: {reason}, signed with the certificate's key)": (
        "{name} 已在 {ca} 吊销（原因：{reason}，用证书私钥签名）"
    ),
    "{name} was already revoked at {ca}. The store now records it.": "{name} 此前已在 {ca} 吊销，现已记录。",
    "{name} was obtained for another configuration, {path}, which may still name it.": (
        "{name} 是为另一个配置 {path} 获取的，该配置可能仍包含它。"
    ),
    "{name} {status} by {route}, but {count} failed: {failures}": (
        "{name} {status}，途径 {route}，但{count}失败：{failures}"
    ),
    "{name}: deploying to {to} {target}": "{name}：正在部署到 {to} {target}",
    "{name}: its CSR was made {ago}. When you have the certificate from the issuer, run: dnsrenew install {name} "
    "--certificate FILE": (
        "{name}：CSR 于{ago}生成。从签发者拿到证书后请运行：dnsrenew install {name} --certificate FILE"
    ),
    "{name}: {message}": "{name}：{message}",
    "{name}: {values} not removed": "{name}：{values}未删除",
    "{name}: {values} removed": "{name}：{values}已删除",
    "{number} {noun}": "{number} 个{noun}",
    "{number} {noun}s": "{number} 个{noun}",
    "{option} (optional)": "{option}（可选）",
    "{option} needs a value": "{option} 需要一个值",
    "{option} takes no value": "{option} 不接受值",
    "{outcome}: {message} {fix}": "{outcome}：{message}{fix}",
    "{outcome}: {message} {fix} {next_attempt}": "{outcome}：{message}{fix}{next_attempt}",
    "{path} cannot be read ({reason})": "无法读取 {path}（{reason}）",
    "{path} cannot be written ({reason})": "无法写入 {path}（{reason}）",
    "{path} is damaged. TXT values that only this file lists may remain in DNS.": (
        "{path} 已损坏。只记录在此文件中的 TXT 值可能会留在 DNS 中。"
    ),
    "{path} is valid: {certificates}, {accounts}, all secrets readable": (
        "{path} 有效：{certificates}，{accounts}，所有凭据均可读取"
    ),
    "{path} was written by a newer dnsrenew. TXT values that only this file lists may remain in DNS.": (
        "{path} 由更新版本的 dnsrenew 写入。只记录在此文件中的 TXT 值可能会留在 DNS 中。"
    ),
    "{renewed_by} It was not installed by dnsrenew schedule install.": (
        "{renewed_by}它不是由 dnsrenew schedule install 安装的。"
    ),
    "{responses} removed": "{responses}已删除",
    "{route} ({orders}, {duration})": "{route}（{orders}，{duration}）",
    "{route} failed": "{route} 失败",
    "{route} failed: trying the next route": "{route} 失败：尝试下一途径",
    "{route}: {reason}": "{route}：{reason}",
    "{span} ago": "{span}前",
    "{state}, failing": "{state}，续期失败",
    "{state}, not deployed": "{state}，未部署",
    "{state}, unreadable": "{state}，无法读取",
    "{time}; to retry now, run: {command}": "{time}；若要立即重试，请运行：{command}",
    "{title}:": "{title}：",
    "{title}: installed": "{title}：已安装",
    "{title}: installed for another configuration": "{title}：已为另一个配置安装",
    "{title}: installed, but not active; nothing renews automatically": "{title}：已安装但未启用，不会自动续期",
    "{title}: installed, but not as it would be installed now": "{title}：已安装，但与现在将要安装的不同",
    "{title}: not installed": "{title}：未安装",
    "{title}: not installed by dnsrenew": "{title}：不是由 dnsrenew 安装",
    "{values} removed": "{values}已删除",
    "{values} written to {zones}": "{values}已写入 {zones}",
    "… and {certificates} in progress": "…另有{certificates}正在进行",
}

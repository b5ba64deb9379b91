"""The Chinese catalogue. Each module has the texts of one folder, by the English template.

One term for one thing:

- account 账户, certificate 证书, chain 证书链, challenge 质询, configuration 配置, domain 域名, driver 驱动
- folder 目录, issue 签发, issuer 签发者, key 密钥 (private key 私钥; of a configuration 键), ledger 限额记录
- name server 域名服务器, order 订单, permission 权限, request (CSR) 证书请求, response 响应, revoke 吊销
- route 途径, run 运行, secret 凭据, staging CA 测试 CA（staging）, store 存储目录, token 令牌, webroot 网站根目录
- wildcard 通配符域名, zone 区域, this host 本机, DNS host 服务商, provider file provider 文件, answer 应答
- renew 续期, due 应续期 or 待续期, overdue 续期逾期, expire 过期 or 到期, deploy 部署, dry run 试运行
- fleet 集群, worker 工作进程, tag 标签, seal `seal` 的密钥 (to seal 加密), database 数据库 (its tables 数据表),
  on demand 按需, name set 域名组合; a store that may be a database 存储位置
- schedule 自动续期, error 错误, fix 处理办法; the reader is 您, and what to do begins with 请

Names of programs, of protocols, of record types and of what is typed stay: CA, DNS, TXT, CNAME, ACME, profile.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

_FOLDERS: Final = (
    "archive",
    "base",
    "ca",
    "challenges",
    "checks",
    "cli",
    "cli_fleet",
    "cli_more",
    "config",
    "config_mistakes",
    "delegate",
    "deploy",
    "dns",
    "dns_persist01",
    "doctor_accounts",
    "doctor_domains",
    "doctor_forms",
    "doctor_host",
    "doctor_issuer",
    "doctor_keeping",
    "doctor_router",
    "drivers",
    "drivers_hosts",
    "drivers_options",
    "errors",
    "fallback",
    "fleet",
    "help",
    "help_fleet",
    "http",
    "importing",
    "init",
    "operations",
    "renewal",
    "schedule",
    "secrets",
    "serving",
    "store",
    "store_database",
    "system",
    "testing",
    "validation",
    "watch",
    "x509",
)

CATALOGUE: Final[dict[str, str]] = {
    english: chinese for folder in _FOLDERS for english, chinese in import_module(f"{__name__}.{folder}").TEXTS.items()
}
"""The translation of each template."""

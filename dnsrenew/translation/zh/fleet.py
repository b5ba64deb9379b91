"""Fleets, and the servers that serve them."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Check that the database runs; the server retries every second.": "请检查数据库是否在运行；服务器每秒都会重试。",
    "Correct the function; it has to return True or False.": "请改正该函数；它必须返回 True 或 False。",
    "Fix the cause, or renew the certificate: dnsrenew renew --force {name}": (
        "请解决其原因，或续期该证书：dnsrenew renew --force {name}"
    ),
    "Fix the cause; the next client that asks for the name starts another attempt.": (
        "请解决其原因；下一个请求该名称的客户端会触发新的尝试。"
    ),
    "Give a folder that is empty or does not exist.": "请指定空目录，或尚不存在的目录。",
    "Give the folder that `store` of a configuration names.": "请指定配置中 `store` 所指的目录。",
    "JSON with the key {key} twice": "键 {key} 出现两次的 JSON",
    "JSON with NaN or Infinity, or with values nested too deeply": "含有 NaN 或 Infinity 的 JSON，或嵌套过深的 JSON",
    "No certificate of the fleet has a name that matches {name}.": "集群中没有名称与 {name} 匹配的证书。",
    "No certificate of the fleet has the tag {tag}.": "集群中没有带标签 {tag} 的证书。",
    "Run `dnsrenew fleet init`, which creates them if there are none. If that does not help, drop all tables whose "
    "names begin with procrastinate_ and run it again: it recreates the jobs.": (
        "请运行 `dnsrenew fleet init`，它会创建缺少的数据表。如果没有帮助，请删除名称以 procrastinate_ 开头的所有数据"
        "表，然后重新运行：它会重新创建任务。"
    ),
    "Run dnsrenew fleet status to count the certificates of the fleet.": (
        "请运行 dnsrenew fleet status 查看集群中的证书数。"
    ),
    "Run dnsrenew remove {name}.": "请运行 dnsrenew remove {name}。",
    "The certificate {name} is stored, and is not in the fleet.": "证书 {name} 已保存在数据库中，但不在集群中。",
    "The server cannot read the database of the fleet, and keeps serving the certificates in memory: {reason}.": (
        "服务器无法读取集群的数据库，继续使用内存中的证书：{reason}。"
    ),
    "The server cannot use version {version} of the certificate {name} from the database: {reason}.": (
        "服务器无法使用数据库中证书 {name} 的版本 {version}：{reason}。"
    ),
    "The store of the configuration is a folder, and this command needs a database.": (
        "配置中的 `store` 是目录，而此命令需要数据库。"
    ),
    "The tables of the queue in the database {database} at {server} cannot be used: {reason}.": (
        "无法使用 {server} 上数据库 {database} 中的队列数据表：{reason}。"
    ),
    "There is no certificate named {name} in the fleet.": "集群中没有名为 {name} 的证书。",
    'Write store = "postgresql://USER@HOST/DATABASE" into the configuration, then run dnsrenew fleet init.': (
        '请在配置中写上 store = "postgresql://USER@HOST/DATABASE"，然后运行 dnsrenew fleet init。'
    ),
    "a line of more than {most:,} bytes": "超过 {most:,} 字节的行",
    "a line that is not UTF-8 text (byte {position})": "不是 UTF-8 文本的行（第 {position} 字节）",
    "an incomplete character (a lone surrogate)": "不完整的字符（单独的代理码位）",
    "another domain: the certificate {name} with other tags ({tags}) has this one, or one that overlaps it": (
        "其他域名（标签不同的证书 {name} 已有此域名或与其重叠的域名，其标签为 {tags}）"
    ),
    "another domain: the certificate {name}, which has no tags, has this one, or one that overlaps it": (
        "其他域名（没有标签的证书 {name} 已有此域名或与其重叠的域名）"
    ),
    "another name, or one of the tags of the existing certificate ({tags})": (
        "其他名称，或写上现有证书的一个标签（{tags}）"
    ),
    "another name: a table of the configuration has this one": "其他名称（配置中的表已使用此名称）",
    "another name: dnsrenew fleet add added this one": "其他名称（此名称已由 dnsrenew fleet add 添加）",
    "another name: dnsrenew fleet sync wrote this one from a configuration": (
        "其他名称（此名称已由 dnsrenew fleet sync 从配置写入）"
    ),
    "each name once: line {line} has it too": "每个名称只写一次（第 {line} 行已有此名称）",
    "line": "此行",
    "no valid JSON (column {column}: {reason})": "不是有效的 JSON（第 {column} 列：{reason}）",
    "on_unknown allowed {name}, but it could not be added to the fleet: {reason}.": (
        "on_unknown 允许了 {name}，但无法把它加入集群：{reason}。"
    ),
    "on_unknown failed, so no certificate was obtained on demand: {reason}.": (
        "on_unknown 出错，因此没有按需获取证书：{reason}。"
    ),
    'one JSON object a line, such as {{"domains": ["shop.example.com"], "tags": ["customer-7"]}}': (
        '每行一个 JSON 对象，例如 {{"domains": ["shop.example.com"], "tags": ["customer-7"]}}'
    ),
    "{folder} is not a store: it has neither an accounts nor a certificates folder.": (
        "{folder} 不是存储目录：其中没有 accounts 和 certificates 目录。"
    ),
    "{folder} is not empty, and a dump never writes over a store.": "{folder} 不是空目录，而 dump 从不覆盖存储目录。",
}

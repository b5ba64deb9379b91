"""Fleets, and the servers that serve them."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Correct the function; it has to return True or False.": "请改正该函数；它必须返回 True 或 False。",
    "Correct the name; dnsrenew status lists the certificates.": "请改正名称；dnsrenew status 会列出证书。",
    "Correct the pattern; dnsrenew status lists the certificates.": "请改正匹配模式；dnsrenew status 会列出证书。",
    "Correct the tag.": "请改正标签。",
    "Give a folder that is empty or does not exist.": "请指定空目录，或尚不存在的目录。",
    "Give the folder that `store` of a configuration names.": "请指定配置中 `store` 所指的目录。",
    "If the reason does not help, renew it again: dnsrenew renew --force {name}.": (
        "如果从原因中看不出问题所在，请再次续期：dnsrenew renew --force {name}。"
    ),
    "It is tried again every second; check that the database runs.": "每秒都会重试；请检查数据库是否在运行。",
    "It is tried again when a client asks for the name; correct what the reason says.": (
        "客户端再次请求该名称时会重试；请解决上述原因所指的问题。"
    ),
    "JSON that cannot be kept: numbers without an end, or thousands of nested values": (
        "无法保存的 JSON：含有无穷大或 NaN，或嵌套数千层的值"
    ),
    "No certificate of the fleet has a name that matches {name}.": "集群中没有名称与 {name} 匹配的证书。",
    "No certificate of the fleet has the tag {tag}.": "集群中没有带标签 {tag} 的证书。",
    "Run `dnsrenew fleet init`, which makes them if there are none. If it changes nothing, drop all whose name "
    "begins with procrastinate_ and run it again: the jobs are made anew from the certificates.": (
        "请运行 `dnsrenew fleet init`，它会创建缺少的数据表。如果仍无法使用，请删除名称以 procrastinate_ 开头的所有数据"
        "表，然后重新运行：任务会根据证书重新生成。"
    ),
    "Run dnsrenew remove {name}.": "请运行 dnsrenew remove {name}。",
    "The certificate {name} is stored, and is not in the fleet.": "证书 {name} 已保存在数据库中，但不在集群中。",
    "The function on_unknown of the program failed, so a name was not obtained on demand: {reason}.": (
        "程序的函数 on_unknown 出错，因此没有按需获取某个名称的证书：{reason}。"
    ),
    "The name {name} was allowed, and could not be added to the fleet: {reason}.": (
        "名称 {name} 已获允许，但无法加入集群：{reason}。"
    ),
    "The server cannot read the database of the fleet, and goes on with the certificates that it knows: {reason}.": (
        "服务器无法读取集群的数据库，继续使用已知的证书：{reason}。"
    ),
    "The server cannot use version {version} of the certificate {name} from the database: {reason}.": (
        "服务器无法使用数据库中证书 {name} 的版本 {version}：{reason}。"
    ),
    "The store of the configuration is a folder, and machines that work together need a database.": (
        "配置中的 `store` 是目录，而多台机器协同工作需要数据库。"
    ),
    "The tables of the queue in the database {database} at {server} cannot be used: {reason}.": (
        "无法使用 {server} 上数据库 {database} 中的队列数据表：{reason}。"
    ),
    "There is no certificate named {name} in the fleet.": "集群中没有名为 {name} 的证书。",
    'Write store = "postgresql://USER@HOST/DATABASE" into the configuration, then run dnsrenew fleet init.': (
        '请在配置中写上 store = "postgresql://USER@HOST/DATABASE"，然后运行 dnsrenew fleet init。'
    ),
    "a domain that is not in the certificate {name} with other tags ({tags})": (
        "未用于证书 {name}（其标签不同：{tags}）的域名"
    ),
    "a domain that is not in the certificate {name}, which has no tags": "未用于证书 {name}（它没有标签）的域名",
    "a line of more than {most:,} bytes": "超过 {most:,} 字节的行",
    "a line that is not UTF-8 text (byte {position})": "不是 UTF-8 文本的行（第 {position} 字节）",
    "another name, or no tags: the fleet has this one without tags": (
        "其他名称，或不写标签（集群中已有此名称的证书，它没有标签）"
    ),
    "another name, or one of its tags: the fleet has this one with the tags {tags}": (
        "其他名称，或写上该证书的一个标签（集群中已有此名称的证书，标签为 {tags}）"
    ),
    "another name: a table of the configuration has this one": "其他名称（配置中的表已使用此名称）",
    "another name: the fleet has this one from elsewhere (dnsrenew fleet add, or the tables of a configuration by "
    "dnsrenew fleet sync)": (
        "其他名称（集群中的此名称来自别处：由 dnsrenew fleet add 添加，或由 dnsrenew fleet sync 从某个配置的表写入）"
    ),
    "each name once: line {line} has it too": "每个名称只写一次（第 {line} 行已有此名称）",
    "half of a character (a lone surrogate)": "半个字符（单独的代理码位）",
    "line": "此行",
    "no valid JSON (column {column}: {reason})": "不是有效的 JSON（第 {column} 列：{reason}）",
    'one JSON object a line, such as {{"domains": ["shop.example.com"], "tags": ["customer-7"]}}': (
        '每行一个 JSON 对象，例如 {{"domains": ["shop.example.com"], "tags": ["customer-7"]}}'
    ),
    "{folder} is not empty, and a dump never writes over a store.": "{folder} 不是空目录，而 dump 从不覆盖存储目录。",
    "{folder} is not the store of a dnsrenew: it has no folder accounts and no folder certificates.": (
        "{folder} 不是 dnsrenew 的存储目录：其中没有 accounts 和 certificates 目录。"
    ),
}

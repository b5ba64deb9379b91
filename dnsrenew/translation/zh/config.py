"""The configuration: its file, its rights and its secrets."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "$DNSRENEW_CONFIG names {searched}, which does not exist.": "$DNSRENEW_CONFIG 指定的 {searched} 不存在。",
    "--config names {searched}, which does not exist.": "--config 指定的 {searched} 不存在。",
    "Add a [[certificate]] with its domains.": "请添加带有 domains 的 [[certificate]] 表。",
    "Check its content and run `{command}`, or allow it with --insist (insist=True).": (
        "请检查其内容并运行 `{command}`，或用 --insist（insist=True）允许。"
    ),
    "Check the path.": "请检查路径。",
    "Correct the name or the zones, unless a CNAME at _acme-challenge of the name leads into one of these zones.": (
        "请改正名称或区域，除非该名称 _acme-challenge 处的 CNAME 指向其中一个区域。"
    ),
    "Correct the path, or create the file.": "请改正路径，或创建该文件。",
    "Correct the pattern, mount the folder if it is missing, or remove the pattern.": (
        "请改正该匹配模式，或挂载缺少的目录，或删除该匹配模式。"
    ),
    "Correct the variable, or create the file.": "请改正该变量，或创建该文件。",
    "Everybody can change {path} (mode {mode}), and so decide what dnsrenew does as {user}.": (
        "所有用户都可以更改 {path}（权限 {mode}），从而决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "Everybody can write to {path} (mode {mode}), where {file} is, and so decide what dnsrenew does as {user}.": (
        "所有用户都可以写入 {file} 所在的 {path}（权限 {mode}），从而决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "Give read access to the user that runs dnsrenew.": "请给运行 dnsrenew 的用户读取权限。",
    "Name the file in `textfile` of [metrics] {suggested}.": (
        "请把 [metrics] 中 `textfile` 的文件命名为 {suggested}。"
    ),
    "Name the file in the folder.": "请指定该目录中的文件。",
    "No DNS account can write the records of {domains}: the accounts are limited to {zones}.": (
        "没有 DNS 账户能写入 {domains} 的记录：这些账户仅限于区域 {zones}。"
    ),
    "No configuration found, but {found} is there.": "没有找到配置，但存在 {found}。",
    "No configuration found. Searched: {searched}.": "没有找到配置。已查找：{searched}。",
    "No file matches {patterns} in include.": "没有文件与 include 中的 {patterns} 匹配。",
    "Other users can read these files with secrets: {files}.": "其他用户可以读取这些含有凭据的文件：{files}。",
    "Private keys are stored in the database unencrypted.": "私钥未加密就存入数据库。",
    "Rename it to {name}.": "请把它重命名为 {name}。",
    "Run `{command}`, move the file to a folder that only {user} can change, or allow it with --insist "
    "(insist=True).": ("请运行 `{command}`，或把文件移到只有 {user} 能更改的目录，或用 --insist（insist=True）允许。"),
    "Run `{command}`, use the path that the link leads to, or allow it with --insist (insist=True).": (
        "请运行 `{command}`，或使用链接所指的路径，或用 --insist（insist=True）允许。"
    ),
    "Run `{command}`.": "请运行 `{command}`。",
    "Run dnsrenew as {owner}, move the file to a folder that only {user} can change, or allow it with --insist "
    "(insist=True).": (
        "请以 {owner} 的身份运行 dnsrenew，或把文件移到只有 {user} 能更改的目录，或用 --insist（insist=True）允许。"
    ),
    "Run dnsrenew init, create {suggested}, or name your file with --config.": (
        "请运行 dnsrenew init，或创建 {suggested}，或用 --config 指定您的文件。"
    ),
    "Save it as UTF-8 text.": "请把它保存为 UTF-8 文本。",
    'Set DNSRENEW_SEAL to 32 random bytes in base64 (openssl rand -base64 32), and write seal = "env:DNSRENEW_SEAL" '
    "into [fleet].": (
        "请把 DNSRENEW_SEAL 设为 base64 形式的 32 个随机字节（openssl rand -base64 32），并在 [fleet] 中写上 seal = "
        '"env:DNSRENEW_SEAL"。'
    ),
    "The access list of {path} lets others change it, and so decide what dnsrenew does as {user}.": (
        "{path} 的访问控制列表允许他人更改它，从而决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "The access list of {path}, where {file} is, lets others write to it, and so decide what dnsrenew does as "
    "{user}.": ("{file} 所在的 {path} 的访问控制列表允许他人写入，从而决定 dnsrenew 以 {user} 的身份做什么。"),
    "The configuration has no certificate.": "配置中没有证书。",
    "The configuration holds secrets in plain text: {keys}.": "配置中有明文凭据：{keys}。",
    "The configuration {file} cannot be read: it is a folder.": "无法读取配置 {file}：它是目录。",
    "The configuration {file} cannot be read: it is not UTF-8 text (byte {position}).": (
        "无法读取配置 {file}：它不是 UTF-8 文本（第 {position} 字节）。"
    ),
    "The configuration {file} cannot be read: it is {kind}.": "无法读取配置 {file}：它是{kind}。",
    "The configuration {file} cannot be read: permission denied.": "无法读取配置 {file}：没有权限。",
    "The configuration {file} cannot be read: this is not a valid path.": "无法读取配置 {file}：这不是有效的路径。",
    "The configuration {file} cannot be read: {cause}.": "无法读取配置 {file}：{cause}。",
    "The configuration {searched} does not exist.": "配置 {searched} 不存在。",
    "The group {group} can change {path} (mode {mode}), and so decide what dnsrenew does as {user}.": (
        "用户组 {group} 可以更改 {path}（权限 {mode}），从而决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "The group {group} can write to {path} (mode {mode}), where {file} is, and so decide what dnsrenew does as "
    "{user}.": (
        "用户组 {group} 可以写入 {file} 所在的 {path}（权限 {mode}），从而决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "The link {path} belongs to {owner}, so {owner} can replace {file} and decide what dnsrenew does as {user}.": (
        "链接 {path} 属于 {owner}，因此 {owner} 可以替换 {file}，并决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "The node exporter does not read {path}, because its name does not end in .prom.": (
        "node exporter 不会读取 {path}，因为其名称不以 .prom 结尾。"
    ),
    "These secrets look like references of an unknown kind: {keys}. Each is used as the secret itself.": (
        "这些凭据看起来像是未知类型的引用：{keys}。它们会原样用作凭据。"
    ),
    'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or {{ command = […] }} instead, or "literal:…" '
    "to keep it.": (
        '请改写为 "env:NAME"、"file:PATH"、"keyring:SERVICE/USER" 或 {{ command = […] }}，或写成 "literal:…" 以保留它。'
    ),
    'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or {{ command = […] }}; or "literal:…" if it is '
    "the secret itself.": (
        '请写成 "env:NAME"、"file:PATH"、"keyring:SERVICE/USER" 或 {{ command = […] }}；如果它就是凭据本身，请写'
        '成 "literal:…"。'
    ),
    'Write "file:{file}" to use the content of the file, or "literal:…" if the name is the secret.': (
        '若要使用该文件的内容，请写成 "file:{file}"；如果该名称就是凭据，请写成 "literal:…"。'
    ),
    "Write it to a file and name that file; dnsrenew reads it more than once.": (
        "请把内容写入文件并指定该文件；dnsrenew 会多次读取它。"
    ),
    "Write {nearest} if you mean that, unless a CNAME at _acme-challenge of the name leads into one of these zones.": (
        "如果您指的是 {nearest}，请改成它，除非该名称 _acme-challenge 处的 CNAME 指向其中一个区域。"
    ),
    "{key} is the name of an existing file in plain text, so the name itself is used as the secret.": (
        "{key} 是以明文写出的现有文件的名称，因此该名称本身会用作凭据。"
    ),
    "{path} belongs to {owner}, so {owner} can replace {file} and decide what dnsrenew does as {user}.": (
        "{path} 属于 {owner}，因此 {owner} 可以替换 {file}，并决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "{path} belongs to {owner}, so {owner} decides what dnsrenew does as {user}.": (
        "{path} 属于 {owner}，因此由 {owner} 决定 dnsrenew 以 {user} 的身份做什么。"
    ),
    "The program {path} of {names} cannot be run on this machine: it does not exist, or is not executable.": (
        "{names} 的程序 {path} 无法在本机运行：它不存在，或不可执行。"
    ),
    "Install it or correct `{key}`, unless the configuration is for another machine.": (
        "请安装它或更正 `{key}`，除非该配置用于另一台机器。"
    ),
    "The folder {path} of {names} does not exist on this machine.": "{names} 的目录 {path} 在本机不存在。",
    "Correct `{key}` or create the folder, unless the configuration is for another machine.": (
        "请更正 `{key}` 或创建该目录，除非该配置用于另一台机器。"
    ),
}

"""Export and restore."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Copy {file} to a folder that only {user} can change, check the copy and restore it, or allow it with --insist.": (
        "请把 {file} 复制到只有 {user} 能更改的目录，检查该副本并恢复它，或用 --insist 允许。"
    ),
    "Give --config a file in a folder that you can write to, on a disk with space.": (
        "请为 --config 指定一个文件，所在的目录可供您写入，且磁盘有空间。"
    ),
    "Give a file in a folder that you can write to, on a disk with space.": (
        "请指定一个文件，所在的目录可供您写入，且磁盘有空间。"
    ),
    "Give a file that dnsrenew export has written.": "请指定由 dnsrenew export 写出的文件。",
    "Give another name, or move {file} elsewhere.": "请使用其他名称，或把 {file} 移到别处。",
    "Give the passphrase with which it was exported.": "请输入导出时所用的口令。",
    "Make it readable for the user that runs dnsrenew.": "请使运行 dnsrenew 的用户可以读取它。",
    "Move it elsewhere, or give --config a file in another folder.": (
        "请把它移到别处，或为 --config 指定另一目录中的文件。"
    ),
    'Put them into files of their own (`"file:NAME"`), or export with --secrets.': (
        '请把它们分别存入单独的文件（`"file:NAME"`），或用 --secrets 导出。'
    ),
    "Others than {user} can change {path}, and so decide what the unsealed {file} restores.": (
        "除 {user} 外的用户可以更改 {path}，从而决定未加密的 {file} 恢复出什么。"
    ),
    "Restore an export of a folder, then run dnsrenew fleet load FOLDER.": (
        "请恢复由目录导出的文件，然后运行 dnsrenew fleet load FOLDER。"
    ),
    "Restore it with that version, or a later one.": "请用该版本或更新的版本恢复。",
    "Send it to a program that reads to the end, or to a file on a disk with space.": (
        "请把它输出到会读到末尾的程序，或输出到文件，且磁盘有空间。"
    ),
    "Standard output cannot be written: {reason}.": "无法写到标准输出：{reason}。",
    "The configuration in {file} has a database as its store. Nothing was restored.": (
        "{file} 中的配置以数据库为存储位置。没有恢复任何内容。"
    ),
    "The passphrase does not open {file}. Nothing was restored.": "该口令无法打开 {file}。没有恢复任何内容。",
    "The store is the database {store}, and export works only with a folder.": (
        "存储位置是数据库 {store}，而导出只适用于目录。"
    ),
    "Use another copy of it.": "请使用它的另一份副本。",
    "Write it to a folder with dnsrenew fleet dump FOLDER, or back up the database with pg_dump.": (
        "请用 dnsrenew fleet dump FOLDER 把它写入目录，或用 pg_dump 备份数据库。"
    ),
    "it belongs to a run that is under way or was killed; the next dnsrenew renew completes it": (
        "它属于正在进行或已被中止的运行；下次 dnsrenew renew 会完成该运行"
    ),
    "it cannot be read: {reason}": "无法读取：{reason}",
    "it holds a secret, or can; add --secrets to export it": "其中有或可能有凭据；若要导出，请加上 --secrets",
    "it is damaged; dnsrenew renew obtains a new one": "已损坏；dnsrenew renew 会获取新的",
    "it is larger than {limit} MiB": "大于 {limit} MiB",
    "it is not in the folder of the configuration": "不在配置所在的目录中",
    "its path is too long for the archive, or not valid Unicode": "其路径对归档文件来说过长，或不是有效的 Unicode",
    "{file} cannot be read: {reason}.": "无法读取 {file}：{reason}。",
    "{file} cannot be written: {reason}.": "无法写入 {file}：{reason}。",
    "{file} exists, and an export never replaces a file.": "{file} 已存在，而导出从不替换文件。",
    "{file} holds files that dnsrenew export does not write. Nothing was restored.": (
        "{file} 中含有 dnsrenew export 不会写出的文件。没有恢复任何内容。"
    ),
    "{file} is cut off or was changed since it was written. Nothing was restored.": (
        "{file} 不完整，或在写出之后被更改。没有恢复任何内容。"
    ),
    "{file} is not a file of dnsrenew export.": "{file} 不是 dnsrenew export 的文件。",
    "{file} was written by a newer version of dnsrenew. Nothing was restored.": (
        "{file} 由更新版本的 dnsrenew 写出。没有恢复任何内容。"
    ),
    "{path} cannot be written: {reason}. Nothing was restored.": "无法写入 {path}：{reason}。没有恢复任何内容。",
    "{path} exists, and a configuration is never overwritten.": "{path} 已存在，而配置从不被覆盖。",
    "{path} has secrets that cannot be taken out of its text.": "{path} 中有无法从其文本中去除的凭据。",
}

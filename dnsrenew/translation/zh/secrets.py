"""Secrets."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Correct the path of the command, and allow the user that runs dnsrenew to execute it.": (
        "请改正该命令的路径，并允许运行 dnsrenew 的用户执行它。"
    ),
    "Install it into the environment of dnsrenew: {command}": "请把它安装到 dnsrenew 的环境中：{command}",
    "Make the Secret in this process, for example with Secret.env or Secret.file.": (
        "请在此进程中创建 Secret，例如用 Secret.env 或 Secret.file。"
    ),
    "Put the secret into {file} as UTF-8 text.": "请把凭据以 UTF-8 文本写入 {file}。",
    "Put the secret into {file}, readable by the user that runs dnsrenew.": (
        "请把凭据写入 {file}，并使运行 dnsrenew 的用户可以读取它。"
    ),
    "Put the secret into {file}.": "请把凭据写入 {file}。",
    "Run the command by hand as the user that runs dnsrenew, and list the environment variables it needs in `env`.": (
        "请以运行 dnsrenew 的用户手动运行该命令，并在 `env` 中列出它需要的环境变量。"
    ),
    "Run the command by hand, as the user that runs dnsrenew, and read its error message.": (
        "请以运行 dnsrenew 的用户手动运行该命令，并阅读其错误消息。"
    ),
    "Run: keyring set {service} {user}.": "请运行：keyring set {service} {user}",
    "Set {variable} in the environment of dnsrenew.": "请在 dnsrenew 的环境中设置 {variable}。",
    "The secret {reference} cannot be read: it comes from a pickle, which has no values of secrets.": (
        "无法读取凭据 {reference}：它来自 pickle，其中没有凭据的值。"
    ),
    "The secret {reference} cannot be read: the command cannot be run ({cause}).": (
        "无法读取凭据 {reference}：无法运行该命令（{cause}）。"
    ),
    "The secret {reference} cannot be read: the command did not print UTF-8 text.": (
        "无法读取凭据 {reference}：该命令输出的不是 UTF-8 文本。"
    ),
    "The secret {reference} cannot be read: the command exited with status {status}.": (
        "无法读取凭据 {reference}：该命令的退出状态为 {status}。"
    ),
    "The secret {reference} cannot be read: the command printed more than {limit} KiB.": (
        "无法读取凭据 {reference}：该命令的输出超过 {limit} KiB。"
    ),
    "The secret {reference} cannot be read: the command printed nothing.": "无法读取凭据 {reference}：该命令没有输出。",
    "The secret {reference} cannot be read: the command was still running after {seconds} s.": (
        "无法读取凭据 {reference}：该命令在 {seconds} 秒后仍在运行。"
    ),
    "The secret {reference} cannot be read: the environment variable is empty.": (
        "无法读取凭据 {reference}：该环境变量为空。"
    ),
    "The secret {reference} cannot be read: the environment variable is not set.": (
        "无法读取凭据 {reference}：没有设置该环境变量。"
    ),
    "The secret {reference} cannot be read: the file is empty.": "无法读取凭据 {reference}：该文件为空。",
    "The secret {reference} cannot be read: the file is not UTF-8 text.": (
        "无法读取凭据 {reference}：该文件不是 UTF-8 文本。"
    ),
    "The secret {reference} cannot be read: the keyring failed ({cause}).": (
        "无法读取凭据 {reference}：密钥环出错（{cause}）。"
    ),
    "The secret {reference} cannot be read: the keyring has no such entry.": (
        "无法读取凭据 {reference}：密钥环中没有此条目。"
    ),
    "The secret {reference} cannot be read: the package keyring is not installed.": (
        "无法读取凭据 {reference}：没有安装 keyring 软件包。"
    ),
    "The secret {reference} cannot be read: {cause}.": "无法读取凭据 {reference}：{cause}。",
    "Unlock the keyring for the user that runs dnsrenew.": "请为运行 dnsrenew 的用户解锁密钥环。",
    "Use a command that exits without asking a question.": "请使用会自行结束且不提问的命令。",
    "Use a command that prints only the secret.": "请使用只输出凭据的命令。",
    'a list of str, the first not empty, such as ["pass", "show", "dns"]': (
        '由 str 组成的列表，第一项不能为空，例如 ["pass", "show", "dns"]'
    ),
    "a list of str, the names of environment variables": "由 str 组成的列表，即环境变量的名称",
    "a str": "一个 str",
    "a text SERVICE/USER": "SERVICE/USER 形式的文本",
    "a text without service and user": "没有服务和用户的文本",
    "the path of a file": "文件的路径",
    "{key}: {found}, expected {expected}.": "{key}：{found}；应为：{expected}。",
}

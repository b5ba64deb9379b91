"""The schedule."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Check the permissions of the file and its folder, or run this as root.": (
        "请检查该文件及其目录的权限，或以 root 身份运行。"
    ),
    "Move it, or choose another kind with --kind.": "请把它移到别处，或用 --kind 选择其他类型。",
    "Rename the file or folder.": "请重命名该文件或目录。",
    "Run dnsrenew schedule remove first. To schedule both, include one configuration in the other.": (
        "请先运行 dnsrenew schedule remove；若要让两者都自动续期，请在一个配置中 include 另一个。"
    ),
    "Run the command yourself for details, choose another kind with --kind, or use dnsrenew run.": (
        "请自行运行该命令查看详情，或用 --kind 选择其他类型，或使用 dnsrenew run。"
    ),
    "The path {path} contains a control character, which a schedule cannot hold.": (
        "路径 {path} 含有控制字符，无法用于自动续期。"
    ),
    "This machine has no systemd and no cron, as in a container.": "本机没有 systemd 也没有 cron，例如在容器中。",
    "Use dnsrenew run: it stays in the foreground and renews certificates when they are due.": (
        "请使用 dnsrenew run：它在前台运行，并在证书应续期时续期。"
    ),
    "{command} failed with exit status {status}.": "{command} 失败，退出状态为 {status}。",
    "{command} failed: {output}.": "{command} 失败：{output}。",
    "{path} cannot be read: {reason}.": "无法读取 {path}：{reason}。",
    "{path} cannot be removed: {reason}.": "无法删除 {path}：{reason}。",
    "{path} cannot be written: {reason}.": "无法写入 {path}：{reason}。",
    "{path} exists and runs dnsrenew for another configuration.": "{path} 已存在，并为另一个配置运行 dnsrenew。",
    "{path} exists and was not written by dnsrenew.": "{path} 已存在，且不是由 dnsrenew 写入的。",
}

"""The schedule."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Check the permissions of the file and its folder, or run this as root.": (
        "请检查该文件及其目录的权限，或以 root 身份运行。"
    ),
    "Cron does not catch up on runs missed while the machine was off, so it also runs after each start.": (
        "cron 不会补上关机期间错过的运行，因此每次开机后也会运行一次。"
    ),
    "It runs only while you are logged in.": "仅在您登录期间运行。",
    "It runs only while you are logged in. To run it always, install it from a terminal opened as administrator.": (
        "仅在您登录期间运行。若要始终运行，请在以管理员身份打开的终端中安装。"
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
    "The service has no sandbox, because that could forbid it a port below 1024.": (
        "该服务没有使用沙箱，因为沙箱可能会禁止它使用 1024 以下的端口。"
    ),
    "The service has no sandbox, because that could stop the programs in your configuration: {settings}.": (
        "该服务没有使用沙箱，因为沙箱可能会妨碍您配置中的程序：{settings}。"
    ),
    "This machine has no systemd and no cron, as in a container.": "本机没有 systemd 也没有 cron，例如在容器中。",
    "Until an administrator runs loginctl enable-linger {user}, it runs only while you are logged in.": (
        "在管理员运行 loginctl enable-linger {user} 之前，仅在您登录期间运行。"
    ),
    "Use dnsrenew run: it stays in the foreground and renews certificates when they are due.": (
        "请使用 dnsrenew run：它在前台运行，并在证书应续期时续期。"
    ),
    "a cron job of user {user}": "用户 {user} 的 cron 任务",
    "a launchd agent of user {user}": "用户 {user} 的 launchd 代理",
    "a launchd daemon": "launchd 守护进程",
    "a system-wide cron job": "系统级 cron 任务",
    "a system-wide systemd timer": "系统级 systemd 定时器",
    "a systemd timer of user {user}": "用户 {user} 的 systemd 定时器",
    "a task of the Task Scheduler, run as {user}": "任务计划程序中以 {user} 身份运行的任务",
    "there is no program {program}": "没有程序 {program}",
    "{command} failed with exit status {status}.": "{command} 失败，退出状态为 {status}。",
    "{command} failed: {output}.": "{command} 失败：{output}。",
    "{path} cannot be read: {reason}.": "无法读取 {path}：{reason}。",
    "{path} cannot be removed: {reason}.": "无法删除 {path}：{reason}。",
    "{path} cannot be written: {reason}.": "无法写入 {path}：{reason}。",
    "{path} exists and runs dnsrenew for another configuration.": "{path} 已存在，并为另一个配置运行 dnsrenew。",
    "{path} exists and was not written by dnsrenew.": "{path} 已存在，且不是由 dnsrenew 写入的。",
}

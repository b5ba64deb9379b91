"""What is no domain name, and what is no file."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "a device": "设备",
    "a folder": "目录",
    "a pipe": "管道",
    "a socket": "套接字",
    "it has an empty label (two dots, or a dot in front)": "有空标签：两个连续的点，或以点开头",
    "it is {kind}": "它是{kind}",
    "longer than {most} characters": "长于 {most} 个字符",
    "not an IP address": "不是 IP 地址",
    "not an internationalized domain name: {error}": "不是国际化域名：{error}",
    "the link {link} belongs to {owner}": "链接 {link} 属于 {owner}",
    "the label {label} is not made of 1 to 63 letters, digits and hyphens": (
        "标签 {label} 不是由 1 到 63 个字母、数字和连字符组成的"
    ),
}

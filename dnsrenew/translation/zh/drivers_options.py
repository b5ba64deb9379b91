"""The mistakes in a provider file, and in the options of an account."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    '"many", "two" or "one"': '"many"、"two" 或 "one"',
    '"name" or "zone"': '"name" 或 "zone"',
    '"name", unless values is "one"': '"name"，除非 values 为 "one"',
    '"text", "list", "program", "file", "url" or "address"': '"text"、"list"、"program"、"file"、"url" 或 "address"',
    "a text that is not a web address": "不是网址的文本",
    "an address with a query or fragment": "带查询或片段的地址",
    "an address with a user name": "带用户名的地址",
    "an http:// or https:// address without user name, query and fragment, such as https://dns.example.net/api": (
        "不带用户名、查询和片段的 http:// 或 https:// 地址，例如 https://dns.example.net/api"
    ),
    "a list of domain names in lower case, without a final dot": "小写且末尾不带点的域名的列表",
    "a list of host names in lower case, with * for any text, such as *.ns.example.net": (
        "小写主机名的列表，其中 * 代表任意文本，例如 *.ns.example.net"
    ),
    "a list of texts in quotes": "由加引号的文本组成的列表",
    "a number of seconds from 0 to 3600": "0 到 3600 之间的秒数",
    "a number of seconds from 1 to 86400": "1 到 86400 之间的秒数",
    "a readable file": "可以读取的文件",
    "a regular expression": "正则表达式",
    "a reserved name": "保留的名称",
    "a table of tables, one for each option": "由表组成的表，每个选项一个",
    "a text in quotes": "加引号的文本",
    "a text, or a reference to a secret": "文本，或对凭据的引用",
    "a value": "值",
    "a whole number of seconds from 1 to 604800": "1 到 604800 之间的整数秒数",
    "an https:// address": "https:// 地址",
    "an invalid name": "无效的名称",
    "an unknown option": "未知的选项",
    "another name: every account has an option of this name": "其他名称（每个账户都有同名的选项）",
    "lower-case letters, digits and underscores": "小写字母、数字和下划线",
    "no option of its own": "没有自己的选项",
    "not UTF-8 text": "不是 UTF-8 文本",
    "the file": "该文件",
    "the name of a driver, such as lexicon or rfc2136": "驱动的名称，例如 lexicon 或 rfc2136",
    "the name of an environment variable": "环境变量的名称",
    "the name of the host, a text": "服务商的名称（文本）",
    "{help} (required by {title})": "{help}（{title} 必需）",
}

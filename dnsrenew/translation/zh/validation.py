"""The list of mistakes, and the phrases that recur in them."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "/ in paths, also on Windows; or the path in single quotes": (
        "路径中使用 /（在 Windows 上也一样），或用单引号括住路径"
    ),
    "Fix these {count} mistakes and call again; nothing was changed.": (
        "请改正这 {count} 处错误，然后重新调用；没有更改任何内容。"
    ),
    "Fix these {count} mistakes and run the command again; nothing was changed.": (
        "请改正这 {count} 处错误，然后重新运行命令；没有更改任何内容。"
    ),
    "Fix these {count} mistakes; what is for all certificates belongs in [fleet.defaults]. Nothing was changed.": (
        "请改正这 {count} 处错误；适用于所有证书的内容应写入 [fleet.defaults]。没有更改任何内容。"
    ),
    "Fix this and call again; nothing was changed.": "请改正此错误，然后重新调用；没有更改任何内容。",
    "Fix this and run the command again; nothing was changed.": "请改正此错误，然后重新运行命令；没有更改任何内容。",
    "Leave it out of the document; what is for all certificates belongs in [fleet.defaults]. Nothing was changed.": (
        "请从该证书的描述中去掉它；适用于所有证书的内容应写入 [fleet.defaults]。没有更改任何内容。"
    ),
    "TOML, see https://toml.io": "TOML 语法，见 https://toml.io",
    "] after its name": "名称后有 ]",
    "]] after its name": "名称后有 ]]",
    "a [[table]] without its two closing brackets": "[[table]] 缺少两个右方括号",
    "a [table] without its closing bracket": "[table] 缺少右方括号",
    "a backslash in a text": "文本中有反斜杠",
    "a closing quote": "结尾的引号",
    "a comma between items, and ] at the end of the list": "各项之间有逗号，且列表以 ] 结尾",
    "a comma between keys, and }} on the same line": "各键之间有逗号，且 }} 在同一行",
    "a key of letters, digits, - and _": "由字母、数字、- 和 _ 组成的键",
    "a key that TOML does not know": "不符合 TOML 语法的键",
    "a key that was set before": "前面已设置过的键",
    "a key without =": "键后没有 =",
    "a line that is neither KEY = VALUE nor a [table]": "既不是 KEY = VALUE 也不是 [table] 的行",
    "a list": "列表",
    "a list that is not closed": "未结束的列表",
    "a number": "数字",
    "a table": "表",
    "a table that is not closed": "未结束的表",
    "a table that was declared before": "前面已声明过的表",
    "a text": "文本",
    "a text that is not base64url": "不是 base64url 的文本",
    "a text that is not closed": "未结束的文本",
    "a text with the + or / of ordinary base64": "含有普通 base64 的 + 或 / 的文本",
    "a text without quotes": "没有加引号的文本",
    "a value after =": "= 之后的值",
    "a value that TOML does not know": "不符合 TOML 语法的值",
    "a value that is nested too deeply or is too long": "嵌套过深或过长的值",
    "a very large number": "过大的数字",
    "a word that TOML does not know": "TOML 中没有的词",
    "a {type}": "类型为 {type} 的值",
    "an empty list": "空列表",
    "an empty text": "空文本",
    "certificate {name}": "证书 {name}",
    "each [table] once": "每个 [table] 只出现一次",
    "each key once in a table": "同一个表中每个键只出现一次",
    "false, in lower case": "小写的 false",
    "more text after a value": "值后面还有其他文本",
    "no value": "没有值",
    "nothing": "空值",
    "one KEY = VALUE a line, and text in quotes": "每行一个 KEY = VALUE，文本放在引号中",
    "one of {count:,} more": "另外 {count:,} 个之一",
    "something else": "其他内容",
    'straight quotes: "…"': '直引号："…"',
    "syntax": "语法",
    "text in quotes, a number, true, false, a list or a table": "加引号的文本、数字、true、false、列表或表",
    'the text in quotes: "…"': '加引号的文本："…"',
    "the {ordinal} [[certificate]]": "{ordinal} 个 [[certificate]]",
    "true or false": "true 或 false",
    "true, in lower case": "小写的 true",
    "typographic quotes": "弯引号",
    "unknown key": "未知的键",
    "{key}: {found}, expected {expected}": "{key}：{found}；应为：{expected}",
    "{key}: {found}. {fix}": "{key}：{found}。{fix}",
    "{key}: {found}; did you mean {nearest}? (expected {expected})": (
        "{key}：{found}；您是不是想写 {nearest}？（应为：{expected}）"
    ),
    "{line}.": "{line}。",
    "{number}nd": "第 {number}",
    "{number}rd": "第 {number}",
    "{number}st": "第 {number}",
    "{number}th": "第 {number}",
    "{ordinal} of {key}": "{key} {ordinal} 项",
    "{outer}, {inner}": "{outer}，{inner}",
    "{words} or {last}": "{words} 或 {last}",
}

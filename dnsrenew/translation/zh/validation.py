"""The list of mistakes."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Fix these {count} mistakes and run the command again; nothing was changed.": (
        "请改正这 {count} 处错误，然后重新运行命令；没有更改任何内容。"
    ),
    "Fix this and run the command again; nothing was changed.": "请改正此错误，然后重新运行命令；没有更改任何内容。",
}

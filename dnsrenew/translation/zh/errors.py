"""Errors that belong to no folder."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "An unexpected error stopped dnsrenew ({type}).": "dnsrenew 因意外错误而停止（{type}）。",
    "Run it again with -vv and report what it prints.": "请加上 -vv 重新运行，并报告其输出。",
    "The run was cancelled before it finished.": "运行在完成之前被取消。",
}

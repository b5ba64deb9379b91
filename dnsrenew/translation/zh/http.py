"""Files of root certificates."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Set `trust` to a file with root certificates in PEM format.": "请把 `trust` 设为含有 PEM 格式根证书的文件。",
    "The file {path} contains no root certificate.": "文件 {path} 中没有根证书。",
    "The root certificates in {path} cannot be read: {cause}.": "无法读取 {path} 中的根证书：{cause}。",
}

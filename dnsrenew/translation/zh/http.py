"""Files of root certificates."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Set `trust` to a file with root certificates in PEM format.": "请把 `trust` 设为含有 PEM 格式根证书的文件。",
    "The file {path} contains no root certificate.": "文件 {path} 中没有根证书。",
    "The root certificates in {path} cannot be read: {cause}.": "无法读取 {path} 中的根证书：{cause}。",
    "it answers {status}": "它应答 {status}",
    "it redirects to an address without TLS, which is not followed": "它重定向到一个没有 TLS 的地址，dnsrenew 不予跟随",
    "it redirects to an invalid address": "它重定向到一个无效的地址",
    "it redirects to {host} itself, port {port}, with TLS, which is not followed": (
        "它重定向到 {host} 自身的 {port} 端口（有 TLS），dnsrenew 不予跟随"
    ),
    "it redirects to {host} itself, port {port}, without TLS, which is not followed": (
        "它重定向到 {host} 自身的 {port} 端口（无 TLS），dnsrenew 不予跟随"
    ),
    "it redirects to {host}, which is not followed": "它重定向到 {host}，dnsrenew 不予跟随",
    "it redirects without saying where to": "它要求重定向，但没有说明去处",
    "its address is not a valid URL": "其地址不是有效的 URL",
    "its answer cannot be decompressed": "无法解压其应答",
    "its answer is longer than {limit} bytes": "其应答超过 {limit} 字节",
    "its answer is not HTTP": "其应答不是 HTTP",
    "its certificate is not trusted ({cause})": "其证书不受信任（{cause}）",
    "its name cannot be resolved": "无法解析其名称",
    "no TLS connection can be made ({cause})": "无法建立 TLS 连接（{cause}）",
    "no complete answer arrived within {seconds:g} s": "{seconds:g} 秒内没有收到完整的应答",
    "no connection can be made ({cause})": "无法建立连接（{cause}）",
    "no connection was made within {seconds:g} s": "{seconds:g} 秒内未能建立连接",
    "the connection ended before the answer was complete": "应答尚未完整，连接就已中断",
    "the connection ended before the answer was complete ({cause})": "应答尚未完整，连接就已中断（{cause}）",
    "the proxy does not work ({cause})": "代理无法工作（{cause}）",
    "the proxy named in the environment is not an HTTP proxy": "环境变量中的代理不是 HTTP 代理",
    "the proxy named in the environment has no valid address": "环境变量中的代理没有有效的地址",
}

"""Writes the pages that come from data or code: one for each DNS host, their list, the floors, and parts of others.

`make docs` runs it; a test compares the result with the files in the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base.translation import Translator
from dnsrenew.cli import texts
from dnsrenew.drivers.catalogue import find_provider, left_out_hosts, provider_names
from dnsrenew.drivers.scripts import other_hosts
from docs import checks, command_line, configuration, deployments, floors, tables
from docs.blocks import filled

if TYPE_CHECKING:
    from dnsrenew.drivers.provider import Provider

HERE = Path(__file__).parent
PARTLY = (
    "reference/configuration.md",
    "reference/configuration.zh.md",
    "reference/errors.md",
    "reference/errors.zh.md",
    "reference/events.md",
    "reference/python.md",
    "how-it-works/fallback.md",
    "how-it-works/fallback.zh.md",
    "how-it-works/limits.md",
    "how-it-works/limits.zh.md",
)
"""Pages written by people, with parts that are generated."""
BLOCKS = {**tables.BLOCKS, **configuration.BLOCKS}


def provider_page(provider: Provider) -> str:
    """Return the page of one DNS host, in Markdown."""
    behaviour = provider.behaviour
    lines = [f"# {provider.title}", "", *([f"<{provider.website}>", ""] if provider.website else [])]
    if behaviour.note:
        lines += [behaviour.note, ""]
    lines += ["## Options", ""]
    lines += [
        "| option | required | secret | what it is, and where to get it |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{key}` | {_yes(spec.required)} | {_yes(spec.secret)} | {spec.help} |"
        for key, spec in provider.options.items()
    ]
    if not provider.options:
        lines = [*lines[:-2], "It has no options."]
    lines += ["", "## Example", "", "```toml", provider.block().rstrip(), "```", ""]
    lines += ["## Behaviour", "", *(f"- {sentence}" for sentence in _behaviour(provider)), ""]
    if provider.docs:
        lines += [f"The host's own documentation: <{provider.docs}>", ""]
    return "\n".join(lines)


def _yes(answer: bool) -> str:  # noqa: FBT001  # a cell of a table
    return "yes" if answer else "no"


def _behaviour(provider: Provider) -> list[str]:
    behaviour = provider.behaviour
    sentences = [
        f"dnsrenew writes TXT records with a TTL of {behaviour.ttl} s.",
        f"It waits up to {behaviour.propagation_timeout:g} s until all name servers have a value"
        + (f", and {behaviour.settle:g} s more after that." if behaviour.settle else "."),
    ]
    if provider.driver == "lexicon" and "A certificate " not in behaviour.note:
        sentences.append(
            "dns-lexicon writes and removes values one by one: a certificate with N names needs 2N to 8N requests "
            "(counted at six hosts, not at this one)."
        )
    if behaviour.values == "one":
        where = "the whole zone" if behaviour.scope == "zone" else "a name"
        sentences.append(
            f"The host keeps one TXT value for {where}: names are validated one after the other, and an existing "
            "value is replaced."
        )
    if behaviour.values == "two":
        sentences.append(
            "A name keeps the two newest values: a domain and its wildcard are validated together, others in turn."
        )
    if behaviour.delegated:
        sentences.append("It writes only names that a CNAME record points to: `dnsrenew delegate` shows the record.")
    if behaviour.by_hand:
        sentences.append("You set the records, so it needs a terminal.")
    if behaviour.exclusive:
        sentences.append("Only one run at a time changes a zone there, so that no change is lost.")
    if not behaviour.removes:
        sentences.append("Values need no removal.")
    if provider.zone_suffixes:
        sentences.append(
            f"The zone is one label longer than {', '.join(f'`{suffix}`' for suffix in provider.zone_suffixes)}."
        )
    return sentences


_LIST: Final = """\
# DNS hosts

[中文](zh/README.md)

{count} hosts and protocols. `dnsrenew providers NAME` shows the same for one host, with a block to copy;
`dnsrenew providers --search WORD` finds it. The last column tells whose driver writes the records.

| host | `provider =` | required options | driver |
|---|---|---|---|
{rows}

Your host is not here? [These are reached in another way](others.md), [these have ended or cannot work](left-out.md),
and [Your DNS host is not listed](../../guides/host-not-listed.md) says which way is yours.
"""
_OTHERS: Final = """\
# Hosts without a driver

Other ACME clients support these {count} hosts. For {scripted} of them acme.sh has a script, which
`provider = "acme.sh"` [runs](acme.sh.md) if acme.sh is on this machine; not every version has every script. All of
them work with `dnsrenew delegate`: you set one CNAME record by hand, once. `dnsrenew providers --search WORD` shows
which scripts are installed.

| host | other names | way |
|---|---|---|
{rows}
"""
_LEFT_OUT: Final = """\
# Hosts that are left out

dnsrenew has no file for these: the service has ended, it has no API for TXT records, or what dns-lexicon would
write is wrong. Each reason has a link to its source.

| host | why | what to do instead |
|---|---|---|
{rows}
"""


def provider_list(providers: list[Provider]) -> str:
    """Return the list of DNS hosts, in Markdown."""
    rows = [
        f"| [{provider.title}]({provider.name}.md) | `{provider.name}` | "
        f"{', '.join(f'`{key}`' for key, spec in provider.options.items() if spec.required) or '-'} | "
        f"{'dns-lexicon' if provider.driver == 'lexicon' else 'dnsrenew'} |"
        for provider in sorted(providers, key=lambda each: each.title.lower())
    ]
    return _LIST.format(count=len(providers), rows="\n".join(rows))


_IN_CHINESE: Final = """\
# DNS 服务商

[English](../README.md)

最常用的 {count} 家服务商：可以复制的配置块，以及每个选项在哪里获取。标有“（可选）”的选项可以不填。\
`dnsrenew providers NAME` 会显示同样的内容。\
其他服务商请用 `dnsrenew providers --search WORD` 查找，例如 `dnsrenew providers --search 西部数码`。

## 国内服务商

| 服务商 | `provider =` |
|---|---|
{at_home}

以下服务商没有驱动。有 acme.sh 脚本的，请使用 [`provider = "acme.sh"`](#acmesh)（本机须已有 acme.sh）；\
其余的请[设置一条 CNAME 记录](../../../guides/no-api.zh.md)：域名仍留在原处，只需设置一次。

| 服务商 | 方式 | 需要的内容 |
|---|---|---|
{elsewhere}

例如西部数码：

```toml
[dns.westcn]
provider = "acme.sh"
script   = "dns_west_cn"
env      = {{ WEST_Username = "my-name", WEST_Key = "file:westcn-key.txt" }}
```

## 国外服务商，以及自建服务器等通用方式

| 服务商 | `provider =` |
|---|---|
{abroad}

{hosts}
"""
_HOSTS_OF_CHINA: Final = ("aliyun", "qcloud", "dnspod", "huaweicloud", "edgeone", "aliesa")
_SCRIPTS_OF_CHINA: Final = {
    "dns_west_cn": "`WEST_Username`：API 用户名；`WEST_Key`：API 密钥，"
    "在 <https://www.west.cn/manager/API/APIconfig.asp> 设置",
    "dns_jd": "`JD_ACCESS_KEY_ID` 和 `JD_ACCESS_KEY_SECRET`：访问密钥（Access Key）；"
    "`JD_REGION`：地域，例如 `cn-north-1`",
    "dns_la": "`LA_Id`：API ID；`LA_Key`：API 密钥",
    "dns_dpi": "`DPI_Id` 和 `DPI_Key`：国际版（dnspod.com）的 API Token，不是国内 DNSPod 的",
}
"""What these scripts of acme.sh need, by their own comments."""


def hosts_in_chinese(providers: list[Provider]) -> str:
    """Return one page of the DNS hosts whose options are translated, those of China first."""
    said = Translator("zh")

    def is_translated(host: Provider) -> bool:
        about = [host.behaviour.note, *(spec.help for spec in host.options.values())]
        return all(said.message(text) != text for text in about if text)

    names = {name: place for place, name in enumerate(_HOSTS_OF_CHINA)}
    chosen = sorted(
        filter(is_translated, providers), key=lambda host: (names.get(host.name, 9), said.message(host.title).lower())
    )
    rows, hosts = [], []
    for host in chosen:
        title, website, page = (said.message(text) for text in (host.title, host.website, host.docs))
        rows.append(f"| [{title}](#{host.name.replace('.', '')}) | `{host.name}` |")
        hosts += [f"## {host.name}", "", f"**{title}**" + (f" <{website}>" if website else ""), ""]
        hosts += ["```toml", host.block(said.message).rstrip(), "```", ""]
        size = host.behaviour.propagation_timeout
        unit, word = next((each for each in ((3600, "小时"), (60, "分钟")) if size % each[0] == 0), (1, "秒"))
        waits = said.template(texts.WAITS).format(timeout=f"{size / unit:g} {word}")
        about = said.message(host.behaviour.note) + ("" if host.behaviour.by_hand else waits)
        hosts += [about + (f"\n\n服务商的文档：<{page}>" if page else ""), ""]
    return _IN_CHINESE.format(
        count=len(chosen),
        at_home="\n".join(rows[: len(names)]),
        abroad="\n".join(rows[len(names) :]),
        elsewhere="\n".join(_elsewhere_in_china(said)),
        hosts="\n".join(hosts).rstrip(),
    )


def _elsewhere_in_china(said: Translator) -> Iterator[str]:
    """Yield a row for each host of China that has no file, those with a script of acme.sh first."""
    for host in sorted(other_hosts(), key=lambda host: not host.script):
        if host.script in _SCRIPTS_OF_CHINA:
            yield f"| {said.message(host.title)} | acme.sh 的脚本 `{host.script}` | {_SCRIPTS_OF_CHINA[host.script]} |"
        elif not host.title.isascii() and "\u4e00" <= max(host.title) <= "\u9fff":
            yield f"| {said.message(host.title)} | `dnsrenew delegate 证书名` | 一条 CNAME 记录 |"


def others() -> str:
    """Return the page of the hosts that have no file, with the way to each."""
    hosts = other_hosts()
    rows = [
        f"| {host.title} | {', '.join(host.names) or '-'} | "
        f"{f'script `{host.script}` of acme.sh' if host.script else '`dnsrenew delegate`'} |"
        for host in hosts
    ]
    scripted = sum(bool(host.script) for host in hosts)
    return _OTHERS.format(count=len(hosts), scripted=scripted, rows="\n".join(rows))


def left_out() -> str:
    """Return the page of the hosts that have no file, and why."""
    hosts = left_out_hosts()
    rows = []
    for name, host in sorted(hosts.items()):
        if name in host.get("names", "").split():  # another spelling
            continue
        since = f" (since {host['since']})" if "since" in host else ""
        why = f"{host['why']}{since} [Source]({host['source']})"
        rows.append(f"| {host['title']} (`{name}`) | {why} | {host['instead']} |")
    return _LEFT_OUT.format(rows="\n".join(rows))


@cache
def pages() -> dict[str, str]:
    """Return every generated page: its path below docs/, and its text."""
    found = [provider for name in provider_names() if (provider := find_provider(name)) and not provider.any_options]
    made = {f"reference/providers/{provider.name}.md": provider_page(provider) for provider in found}
    made["reference/providers/README.md"] = provider_list(found)
    made["reference/providers/zh/README.md"] = hosts_in_chinese(found)
    made["reference/providers/left-out.md"] = left_out()
    made["reference/providers/others.md"] = others()
    made["reference/command-line.md"] = command_line.page()
    made["reference/command-line.zh.md"] = command_line.page("zh")
    made["man/dnsrenew.1"] = command_line.man_page()
    made["reference/deployments.md"] = deployments.page()
    made["reference/deployments.zh.md"] = deployments.page("zh")
    made["internals/floors.md"] = floors.page()
    made["how-it-works/diagnosis.md"] = checks.causes()
    return made | checks.pages() | {page: filled(HERE / page, BLOCKS) for page in PARTLY}


def simulated() -> dict[str, str]:
    """Return the pages that take seconds to make; tests that list the others do not wait for them."""
    from tests.kit import year_page  # loads the CA, DNS and a whole year

    return {"internals/renewal-year.md": year_page.page()}


def main() -> None:
    """Write all pages."""
    for path, text in {**pages(), **simulated()}.items():
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

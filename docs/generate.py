"""Write the pages that come from data: one for each DNS host, their list, and parts of others that come from the code.

Run by `make docs`; a test compares what it returns with what stands in the repository.
"""

from __future__ import annotations

from pathlib import Path

from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.drivers.provider import Provider
from docs import floors
from docs.blocks import filled
from docs.reference import BLOCKS

HERE = Path(__file__).parent
REFERENCE = ("errors.md", "events.md", "fallback.md", "limits.md")
"""Pages that people write, with parts that are made."""


def provider_page(provider: Provider) -> str:
    """Return the page of one DNS host, in Markdown."""
    behaviour = provider.behaviour
    lines = [f"# {provider.title}", "", f"<{provider.website}>", ""]
    if behaviour.note:
        lines += [behaviour.note, ""]
    lines += [
        "## What it needs",
        "",
        "| option | needed | secret | what it is, and where to get it |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{key}` | {_yes(spec.required)} | {_yes(spec.secret)} | {spec.help} |"
        for key, spec in provider.options.items()
    ]
    lines += ["", "## A block to copy", "", "```toml", provider.block().rstrip(), "```", ""]
    lines += ["## How it behaves", "", *(f"- {sentence}" for sentence in _behaviour(provider)), ""]
    if provider.docs:
        lines += [f"The host's own documentation: <{provider.docs}>", ""]
    return "\n".join(lines)


def _yes(answer: bool) -> str:  # noqa: FBT001  # a cell of a table
    return "yes" if answer else "no"


def _behaviour(provider: Provider) -> list[str]:
    behaviour = provider.behaviour
    sentences = [
        f"TXT records are written with a TTL of {behaviour.ttl} s.",
        f"Its name servers are given {behaviour.propagation_timeout:g} s to show a value"
        + (
            f", and {behaviour.settle:g} s more after all agree."
            if behaviour.settle
            else "; we go on when the last one does."
        ),
    ]
    if behaviour.values == "one":
        where = "the whole zone" if behaviour.scope == "zone" else "a name"
        sentences.append(
            f"It keeps one TXT value for {where}: names are proved one after the other, and values of others "
            "at the same place are replaced."
        )
    if behaviour.exclusive:
        sentences.append("It rewrites the whole zone at each change, so only one change is made at a time.")
    if not behaviour.removes:
        sentences.append("There is nothing to remove afterwards.")
    if provider.zone_suffixes:
        sentences.append(
            f"The zone is one label more than {', '.join(f'`{suffix}`' for suffix in provider.zone_suffixes)}."
        )
    return sentences


def provider_list(providers: list[Provider]) -> str:
    """Return the list of DNS hosts, in Markdown."""
    rows = [
        f"| [{provider.title}]({provider.name}.md) | `{provider.name}` | "
        f"{', '.join(f'`{key}`' for key, spec in provider.options.items() if spec.required)} |"
        for provider in providers
    ]
    head = ["# DNS hosts", "", "| host | `provider =` | needs |", "|---|---|---|"]
    more = [
        "",
        (
            "A host that is not here: write a file of your own, `providers/NAME.toml` beside your `dnsrenew.toml`, "
            "when dns-lexicon knows it ([how](../writing-a-driver.md)), or delegate: a CNAME at "
            "`_acme-challenge.your.domain` to a name at a host that is here is followed by itself."
        ),
        "",
    ]
    return "\n".join([*head, *rows, *more])


def pages() -> dict[str, str]:
    """Return every generated page: its path below docs/, and its text."""
    found = [provider for name in provider_names() if (provider := find_provider(name)) and not provider.any_options]
    texts = {f"providers/{provider.name}.md": provider_page(provider) for provider in found}
    reference = {page: filled(HERE / page, BLOCKS) for page in REFERENCE}
    return {"floors.md": floors.page(), "providers/README.md": provider_list(found), **texts, **reference}


def simulated() -> dict[str, str]:
    """Return the pages that take seconds to make, so that tests which only list the others need not wait."""
    from tests.kit import year_page  # loads the CA, DNS and a whole year

    return {"renewal-year.md": year_page.page()}


def main() -> None:
    """Write all pages."""
    for path, text in {**pages(), **simulated()}.items():
        (HERE / path).parent.mkdir(exist_ok=True)
        (HERE / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

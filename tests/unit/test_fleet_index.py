"""The names of a fleet in memory, the contexts in memory, and the threads that load them."""

from __future__ import annotations

import ssl
import threading
import weakref
from collections.abc import Sequence

import pytest

from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.served_certificates import ServedCertificate
from dnsrenew.extensions.fleet.serving import loading
from dnsrenew.extensions.fleet.serving.context import CachedContext, ContextCache
from dnsrenew.extensions.fleet.serving.loading import BackgroundLoader, FoundName, NameIndex, ServerThreads

NOW = 1000.0


def certificate(name: str, *names: str, version: int = 1, begin: int = 0, end: int = 2000) -> ServedCertificate:
    """Return a certificate."""
    return ServedCertificate(name, version, begin, end, names or [name])


@pytest.fixture
def index() -> NameIndex:
    """An empty index."""
    return NameIndex(lambda: NOW)


def found(index: NameIndex, *names: str) -> list[str | None]:
    """Return the certificates of names."""
    return [one.certificate if (one := index.find(name)) else None for name in names]


def test_the_newest_valid_certificate_is_found(index: NameIndex) -> None:
    """An exact name precedes a wildcard, and a valid certificate an expired one."""
    index.put([certificate("old", "a.x", "b.x", begin=1), certificate("new", "a.x", begin=2)])
    index.put([certificate("wild", "*.x", begin=9), certificate("gone", "c.x", begin=3, end=999)])
    index.put([certificate("d.x", begin=3, end=999), certificate("*.y", begin=3, end=999)])
    assert found(index, "a.x", "b.x", "c.x", "d.x", "e.x") == ["new", "old", "wild", "wild", "wild"]
    assert found(index, "z.y", "a.a.x", "x", "") == ["*.y", None, None, None]


def test_a_removed_certificate_leaves_its_names_to_others(index: NameIndex) -> None:
    """The names of a removed certificate are served by others, even a name equal to the certificate's."""
    index.put([certificate("a.x", "a.x", "b.x", begin=5), certificate("other", "a.x"), certificate("c.x")])
    assert found(index, "a.x", "b.x", "c.x") == ["a.x", "a.x", "c.x"]
    index.remove(["a.x", "unknown"])
    assert found(index, "a.x", "b.x", "c.x") == ["other", None, "c.x"]
    assert len(index) == 2


def test_a_new_version_replaces_all_names(index: NameIndex) -> None:
    """A new version removes names that it no longer has. An unchanged certificate is not reported."""
    first, second = certificate("pair", "a.x", "pair"), certificate("pair", "c.x", "pair", version=2)
    assert index.put([first, certificate("b.x")]) == ["pair", "b.x"]
    assert index.put([first, certificate("b.x")]) == []
    assert index.put([second]) == ["pair"]
    assert found(index, "a.x", "c.x", "pair") == [None, "pair", "pair"]
    assert index.find("pair") == FoundName("pair", 2)


def test_all_certificates_are_given_in_pages(index: NameIndex) -> None:
    """All certificates are returned in pages, even if they are removed during the iteration."""
    index.fill([certificate(f"{number}.x") for number in range(25)])
    index.fill([certificate("many", *[f"{number}.y" for number in range(5)])])
    pages = list(index.pages(10))
    assert [len(page) for page in pages] == [10, 10, 10]
    assert {name for page in pages for name in page} == {*(f"{number}.x" for number in range(25)), "many"}
    for page in index.pages(10):
        index.remove(page)
    assert len(index) == 0


def test_a_name_takes_few_bytes(index: NameIndex) -> None:
    """A name takes less than 80 bytes, so that a million fits into any server."""
    index.fill([certificate(f"customer{number:06}.shop.example") for number in range(20_000)])
    assert len(index._table.serialize()) / 20_000 < 80
    index.fill([certificate(f"c{number}", f"other{number:06}.shop.example") for number in range(20_000)])
    assert len(index._table.serialize()) / 40_000 < 120


def test_a_search_during_writes_finds_every_name(index: NameIndex) -> None:
    """During concurrent writes every name has a certificate at every moment."""
    index.put([certificate(f"{number}.x") for number in range(100)])
    done = threading.Event()
    missed: list[str] = []

    def search() -> None:
        while not done.is_set():
            missed.extend(name for name in ("5.x", "50.x") if index.find(name) is None)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for version in range(50):
        index.put([certificate(f"{number}.x", version=version) for number in range(100)])
    done.set()
    for thread in threads:
        thread.join()
    assert missed == []


# ── the cache ───────────────────────────────────────────────────────────────────────────


def context(version: int = 1, end: float = 2000) -> CachedContext:
    """Return a context for the cache."""
    return CachedContext(version, ["a.x"], end, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_what_was_asked_for_the_longest_ago_goes_first() -> None:
    """The least recently used context is removed first, and its memory is freed at once."""
    cache = ContextCache(2)
    first = context()
    freed = weakref.ref(first.context)
    cache.put("a", context())
    cache.put("b", first)
    cache.get("a")
    del first
    cache.put("c", context())
    assert [cache.version(name) for name in "abc"] == [1, None, 1]
    assert freed() is None
    cache.put("a", context(2))
    cache.discard(["c", "unknown"])
    assert (cache.version("a"), len(cache.contexts())) == (2, 1)


def test_an_expired_certificate_goes_unless_it_is_asked_for() -> None:
    """An expired context is removed unless it was used since the last call."""
    cache = ContextCache(9)
    for name, end in {"valid": 2000.0, "asked": 999.0, "idle": 999.0}.items():
        cache.put(name, context(end=end))
    cache.evict_expired(NOW)
    cache.get("asked")
    cache.evict_expired(NOW)
    assert [cache.version(name) for name in ("valid", "asked", "idle")] == [1, 1, None]


def test_a_wildcard_covers_one_label() -> None:
    """A wildcard covers exactly one label."""
    old = CachedContext(1, ["a.x", "*.b.x"], 0, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert [old.covers(name) for name in ("a.x", "1.b.x", "b.x", "1.1.b.x")] == [True, True, False, False]


# ── loading ─────────────────────────────────────────────────────────────────────────────


def test_each_certificate_is_loaded_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent requests share one load. A request that exceeds the queue is refused."""
    monkeypatch.setattr(loading, "QUEUED", 5)
    threads, go_on = ServerThreads(), threading.Event()
    loaded: list[str] = []

    def load(names: Sequence[str]) -> None:
        go_on.wait(20)
        loaded.extend(names)

    loader = BackgroundLoader(threads, load, lambda _error: None)
    requests = [loader.request("a") for _ in range(10)]
    assert len({id(event) for event in requests}) == 1
    many = [loader.request(f"{number}") for number in range(2000)]
    assert None in many
    go_on.set()
    for event in (requests[0], *many):
        assert event is None or event.wait(20)
    assert len(loaded) == len(set(loaded)) == 1 + sum(event is not None for event in many)
    threads.stopping.set()
    threads.join()


def test_a_failed_load_can_be_asked_for_again() -> None:
    """A failed load reports its error, and the next request loads again."""
    threads, errors = ServerThreads(), [StoreError("store-unreachable", "It is gone.", fix="Wait.")]
    told: list[Exception] = []
    loaded: list[str] = []

    def load(names: Sequence[str]) -> None:
        if errors:
            raise errors.pop()
        loaded.extend(names)

    loader = BackgroundLoader(threads, load, told.append)
    for _ in range(2):
        event = loader.request("a")
        assert event is not None
        assert event.wait(20)
    assert [type(error) for error in told] == [StoreError]
    assert loaded == ["a"]
    threads.stopping.set()
    threads.join()

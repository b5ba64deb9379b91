"""What uvicorn and gunicorn call for their TLS context: with any number of workers, and with their own settings."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import pickle
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import dnsrenew
from dnsrenew import renewer
from dnsrenew.testing import AcmeBox, acme_box
from tests.kit import handshakes
from tests.kit.certificates import issuer
from tests.kit.deployments import make_certificate
from tests.kit.handshakes import serial


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A CA and DNS."""
    with acme_box() as running:
        yield running


@pytest.fixture
def config(box: AcmeBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration with two certificates at the box, in the current folder; its servers end with the test."""
    path = tmp_path / "dnsrenew.toml"
    certificates = "".join(
        f'[[certificate]]\nname = "{name}"\ndomains = ["{name}.example.com"]\n' for name in ("one", "two")
    )
    path.write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{certificates}')
    path.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    served: dict[Any, dnsrenew.Served] = {}
    monkeypatch.setattr(renewer, "_SERVED", served)
    yield path
    for each in served.values():
        each.close()


def seen(context: ssl.SSLContext, name: str = "one.example.com", **client: Any) -> ssl.SSLObject:
    """Make a handshake; return the client's side."""
    return handshakes.seen(context, name, **client)


def uvicorn_config(**settings: Any) -> uvicorn.Config:
    """Return the loaded configuration of uvicorn."""
    config = uvicorn.Config("tests.unit.test_server_contexts:app", log_config=None, **settings)
    config.load()
    return config


async def app(scope: object, receive: object, send: object) -> None:
    """An ASGI app."""


class Gunicorn:
    """gunicorn with these settings."""

    def __init__(self, **settings: Any) -> None:
        self.config = importlib.import_module("gunicorn.config").Config()  # it needs fork
        for name, value in settings.items():
            self.config.set(name, value)

    def context(self) -> ssl.SSLContext:
        """Return the context of one connection."""
        context: ssl.SSLContext = importlib.import_module("gunicorn.sock").ssl_context(self.config)
        return context


no_gunicorn = pytest.mark.skipif(importlib.util.find_spec("gunicorn") is None, reason="gunicorn needs fork")


def test_uvicorn_gets_the_live_context(box: AcmeBox, tmp_path: Path) -> None:
    """The server uvicorn gets the one context, with the client CAs, ciphers and ALPN of its own configuration."""
    (tmp_path / "clients.pem").write_text(issuer("Stage CA 1").pem)
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        loaded = uvicorn_config(
            ssl_context_factory=served.ssl_context_factory,
            ssl_cert_reqs=ssl.CERT_REQUIRED,
            ssl_ca_certs=tmp_path / "clients.pem",
            ssl_ciphers="ECDHE+AESGCM",
        )
        assert loaded.ssl is served.ssl_context
        assert served.ssl_context.verify_mode == ssl.CERT_REQUIRED
        assert served.ssl_context.get_ca_certs()
        client = make_certificate(tmp_path)
        with pytest.raises(ssl.SSLError):
            seen(served.ssl_context)
        connection = seen(served.ssl_context, chain=client, maximum_version=ssl.TLSVersion.TLSv1_2)
        cipher = connection.cipher()
        assert cipher is not None
        assert "GCM" in cipher[0]


@no_gunicorn
def test_gunicorn_gets_the_live_context(box: AcmeBox) -> None:
    """The server gunicorn gets the same; its certfile is never read."""
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        gunicorn = Gunicorn(
            ssl_context=served.ssl_context_factory,
            certfile=__file__,
            ca_certs=str(box.trust),
            cert_reqs=ssl.CERT_OPTIONAL,
        )
        assert gunicorn.context() is served.ssl_context
        assert served.ssl_context.verify_mode == ssl.CERT_OPTIONAL
        assert served.ssl_context.get_ca_certs()


@no_gunicorn
def test_gunicorn_announces_http2(box: AcmeBox) -> None:
    """The protocols of gunicorn are those of the context."""
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        Gunicorn(ssl_context=served.ssl_context_factory, certfile=__file__, http_protocols="h2,h1").context()
        assert seen(served.ssl_context, alpn=("h2",)).selected_alpn_protocol() == "h2"


def test_uvicorn_announces_its_protocols(box: AcmeBox) -> None:
    """A class of HTTP that speaks HTTP/2 says so, and the context announces it."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Http2(H11Protocol):
        alpn_protocols = ("h2", "http/1.1")

    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        uvicorn_config(ssl_context_factory=served.ssl_context_factory, http=Http2)
        assert seen(served.ssl_context, alpn=("h2",)).selected_alpn_protocol() == "h2"


def test_what_the_server_leaves_open_is_the_program_s(box: AcmeBox) -> None:
    """A server whose configuration asks for nothing changes nothing that the program has set."""
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        served.ssl_context.verify_mode = ssl.CERT_REQUIRED
        uvicorn_config(ssl_context_factory=served.ssl_context_factory)
        assert served.ssl_context.verify_mode == ssl.CERT_REQUIRED


def test_many_calls_make_the_settings_once(box: AcmeBox) -> None:
    """The sync workers of gunicorn call for every connection: after the first call nothing is set or kept."""
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        loaded = uvicorn_config(ssl_context_factory=served.ssl_context_factory, ssl_ciphers="ECDHE+AESGCM")
        made = len(served.ssl_context._settings)  # type: ignore[attr-defined]  # our own class
        for _ in range(1000):
            served.ssl_context_factory(loaded, None)
        assert len(served.ssl_context._settings) == made  # type: ignore[attr-defined]  # as above


def test_a_file_of_cas_that_is_not_there_is_an_error_each_time(box: AcmeBox) -> None:
    """A setting that cannot be made is never taken for made."""
    with dnsrenew.serve(["one.example.com"], **box.arguments) as served:
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                uvicorn_config(ssl_context_factory=served.ssl_context_factory, ssl_ca_certs="/nowhere.pem")


def test_the_first_call_enters(box: AcmeBox) -> None:
    """A program that has not entered is served all the same; one that has left is not started again."""
    served = dnsrenew.serve(["one.example.com"], **box.arguments)
    context = served.ssl_context_factory()
    assert serial(seen(context)) == served.certificate.serial
    served.close()
    served.ssl_context_factory()
    with pytest.raises(RuntimeError, match="with served"):
        served.check_now()


def test_served_does_not_go_to_another_process(box: AcmeBox) -> None:
    """A pickle, as uvicorn makes one for its workers, says what to use in its place."""
    served = dnsrenew.serve(["one.example.com"], **box.arguments)
    with pytest.raises(TypeError, match="ssl_context_factory"):
        pickle.dumps(served.ssl_context_factory)


# ── dnsrenew.ssl_context_factory ─────────────────────────────────────────────────────────


def test_a_factory_needs_no_object(config: Path) -> None:
    """The first call reads the configuration and obtains the certificate; further calls give the same context."""
    factory = pickle.loads(pickle.dumps(dnsrenew.ssl_context_factory("one")))
    loaded = uvicorn_config(ssl_context_factory=factory)
    assert loaded.ssl is not None
    assert serial(seen(loaded.ssl)) == dnsrenew.Renewer(dnsrenew.Config.load(config)).certificate("one").serial
    assert dnsrenew.ssl_context_factory("one")(None, None) is loaded.ssl


@no_gunicorn
def test_gunicorn_takes_a_factory(config: Path) -> None:
    """The server accepts it as the setting that it is."""
    assert config.exists()
    context = Gunicorn(ssl_context=dnsrenew.ssl_context_factory("one"), certfile=__file__).context()
    assert serial(seen(context))


def test_without_a_name_all_are_served(config: Path) -> None:
    """Several certificates are told apart by the name that the client sends."""
    context = dnsrenew.ssl_context_factory()(None, None)
    store = dnsrenew.Renewer(dnsrenew.Config.load(config))
    found = [serial(seen(context, f"{name}.example.com")) for name in ("one", "two")]
    assert found == [store.certificate(name).serial for name in ("one", "two")]


def test_a_relative_path_is_that_of_the_call(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that changes its folder later finds the configuration all the same."""
    factory = dnsrenew.ssl_context_factory("one", config=config.name)
    (config.parent / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert serial(seen(factory(None, None)))


def test_without_a_configuration_it_is_an_error_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where a configuration was looked for; an unknown name is one too."""
    monkeypatch.setenv("DNSRENEW_CONFIG", str(tmp_path / "missing.toml"))
    factory = dnsrenew.ssl_context_factory("one")
    for _ in range(2):
        with pytest.raises(dnsrenew.ConfigError) as caught:
            factory(None, None)
        assert caught.value.code == "config-missing"


def test_an_unknown_name_is_an_error(config: Path) -> None:
    """A name that the configuration does not have is an error of the call."""
    assert config.exists()
    with pytest.raises(dnsrenew.ConfigError) as caught:
        dnsrenew.ssl_context_factory("three")(None, None)
    assert caught.value.code == "certificate-unknown"


def test_threads_that_call_first_start_it_once(config: Path) -> None:
    """The first connections of a worker may come at the same time, in threads."""
    assert config.exists()
    factory, contexts = dnsrenew.ssl_context_factory("one"), []
    callers = [threading.Thread(target=lambda: contexts.append(factory(None, None))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len({id(context) for context in contexts}) == 1
    assert [thread.name for thread in threading.enumerate()].count("dnsrenew-serve") == 1


def _context(method: str) -> Any:
    return multiprocessing.get_context(method)


def _worker(factory: Any, answers: Any) -> None:
    answers.put(serial(seen(factory(None, None))))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_worker_processes_share_one_order(config: Path, box: AcmeBox, method: str) -> None:
    """Four processes that start together have one certificate, by one order."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork")
    factory, context = dnsrenew.ssl_context_factory("one", config=config), _context(method)
    answers: Any = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: this process has threads
        workers = [context.Process(target=_worker, args=(factory, answers)) for _ in range(4)]
        for worker in workers:
            worker.start()
    found = {answers.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(found) == len(box.issued) == 1

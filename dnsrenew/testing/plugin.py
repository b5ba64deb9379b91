"""The pytest plug-in: fixtures for tests of drivers and of programs that use dnsrenew.

pytest loads it at every start, even for projects that do not use it, so it imports no other module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnsrenew.testing.box.acme_box import AcmeBox

_CHECK = "driver_check"


@pytest.fixture(name="acme_box")
def _acme_box() -> Iterator[AcmeBox]:
    """A CA and DNS in a box: :func:`dnsrenew.testing.acme_box`."""
    from dnsrenew.testing.box.acme_box import acme_box

    with acme_box() as box:
        yield box


@pytest.fixture(name=_CHECK)
def _driver_check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function with the arguments of :func:`dnsrenew.testing.check_driver`; each MUST is a separate test."""
    from dnsrenew.testing.driver_check import DriverCheck

    def check(make: Any, zone: str, **how: Any) -> None:
        (result,) = DriverCheck(make, zone, only=request.param, **how).run()
        if result.result == "not-tested":
            pytest.skip(result.reason)

    return check


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each MUST of a test that uses ``driver_check``."""
    if _CHECK in metafunc.fixturenames:
        from dnsrenew.testing.texts import MUSTS

        metafunc.parametrize(_CHECK, list(MUSTS), indirect=True)

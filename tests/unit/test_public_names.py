"""The public names: the list is kept, each resolves and explains itself, and the import costs next to nothing."""

import inspect
import subprocess
import sys

import pytest

import dnsrenew

# Taking one away or renaming it breaks somebody's program: it goes into the changelog.
PUBLIC = [
    "CA",
    "Attempt",
    "AttemptError",
    "CAError",
    "Cancelled",
    "Certificate",
    "ChallengeError",
    "Config",
    "ConfigError",
    "DeployError",
    "DnsAccount",
    "DnsError",
    "DnsRenewError",
    "Driver",
    "DriverContext",
    "Event",
    "LockedError",
    "Outcome",
    "PropagationError",
    "ProviderError",
    "RenewalFailed",
    "Renewer",
    "Route",
    "Secret",
    "SecretError",
    "StoreError",
    "TxtRecord",
    "__version__",
    "obtain",
]


def test_the_list_is_kept() -> None:
    """`__all__` is exactly the published list, and `dir()` shows it before anything is loaded."""
    assert sorted(dnsrenew.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(dnsrenew))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_resolves(name: str) -> None:
    """Every public name is there, and a class or a function has a docstring of its own."""
    thing = getattr(dnsrenew, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert thing.__name__ == name
        text = (thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__) or ""
        # A dataclass without a docstring is given its signature, and that explains nothing.
        assert text, f"{name} has no docstring"
        assert not text.startswith(f"{name}("), f"{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo gets Python's own error, with the name in it."""
    with pytest.raises(AttributeError, match="obtian"):
        getattr(dnsrenew, "obtian")  # noqa: B009 - mypy knows that it is not there


def test_an_import_loads_no_library() -> None:
    """`import dnsrenew` and its version load none of the libraries and no module of our own: start-up is a feature."""
    program = """if True:
        import sys
        before = set(sys.modules)
        import dnsrenew
        dnsrenew.__version__, dnsrenew.__all__
        loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
        heavy = {"acme", "boto3", "cryptography", "dns", "josepy", "lexicon", "requests", "tenacity", "urllib3"}
        own = {name for name in sys.modules if name.startswith("dnsrenew.")}
        print(sorted(loaded & heavy | own))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

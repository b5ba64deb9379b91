"""``--redact``: masks what is private in diagnoses, the same thing by the same mask everywhere.

Two sources say what is private: strings that are known to be (names in the configuration, evidence under keys such as
``user``), and patterns for everything that looks like an address, a name, a path or a key. Built-in CAs, codes,
challenges and the words of dnsrenew itself stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import Change, Check, Diagnosis, RouteTaken
from dnsrenew.base.values import replace
from dnsrenew.errors import Message
from dnsrenew.extensions.doctor import private
from dnsrenew.extensions.doctor.masks import Masks

if TYPE_CHECKING:
    from dnsrenew.operations.status import CertificateStatus


def redact(diagnoses: Sequence[Diagnosis], known: Iterable[private.Private] = ()) -> list[Diagnosis]:
    """Return the diagnoses with what is private masked.

    :param known: what is known to be private: ``[*private.of_host(), *private.of_config(config)]``.
    """
    redaction = Redaction(diagnoses, known)
    return [redaction.diagnosis(each) for each in diagnoses]


class Redaction:
    """Masks what belongs together: diagnoses, and the certificates of the same report.

    :param diagnoses: what they tell to be private is masked everywhere.
    :param known: as for :func:`redact`.
    """

    def __init__(self, diagnoses: Iterable[Diagnosis], known: Iterable[private.Private] = ()) -> None:
        masks = Masks()
        for kind, text in (*known, *(each for diagnosis in diagnoses for each in private.of_diagnosis(diagnosis))):
            masks.know(kind, text)
        self._mask: Callable[[str], str] = masks.masked

    def status(self, status: CertificateStatus) -> CertificateStatus:
        """Return the certificate with a mask for its name; of the rest only the times and the state are kept."""
        return replace(
            status,
            name=self._mask(status.name),
            domains=tuple(map(self._mask, status.domains)),
            ca=self._mask(status.ca),
            **dict.fromkeys(("serial", "route", "last_failure", "path")),
            deployed=(),
        )

    def diagnosis(self, diagnosis: Diagnosis) -> Diagnosis:
        """Return the diagnosis with what is private masked."""
        return replace(
            diagnosis,
            name=None if diagnosis.name is None else self._mask(diagnosis.name),
            route=None if diagnosis.route is None else self._route(diagnosis.route),
            next_action=None if diagnosis.next_action is None else self._text(diagnosis.next_action),
            checks=tuple(map(self._check, diagnosis.checks)),
            changes=tuple(map(self._change, diagnosis.changes)),
        )

    def _route(self, route: RouteTaken) -> RouteTaken:
        names = None if route.names is None else self._value(route.names)
        return replace(route, ca=self._mask(route.ca), dns=tuple(map(self._mask, route.dns)), names=names)

    def _check(self, check: Check) -> Check:
        evidence = self._value(check.evidence)
        return replace(check, summary=self._text(check.summary), fix=self._text(check.fix), evidence=evidence)

    def _change(self, change: Change) -> Change:
        return replace(change, was=self._mask(change.was), now=self._mask(change.now))

    def _text(self, text: str) -> str:
        """Mask a sentence. Of one that keeps its template only the fields are masked: the rest is by dnsrenew."""
        if isinstance(text, Message):
            return Message.filled(text.template, {name: self._value(each) for name, each in text.values.items()})
        return self._mask(text)

    def _value(self, value: Any) -> Any:  # JSON values
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._mask(str(key)): self._value(each) for key, each in value.items()}
        return [self._value(each) for each in value] if isinstance(value, (list, tuple)) else value

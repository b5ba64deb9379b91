"""XML answers of hosts. A document type is refused, so that no entity is expanded or fetched."""

from __future__ import annotations

from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from dnsrenew.drivers.host_error import malformed


def document(body: bytes) -> ElementTree.Element:
    """Return the root of a document; the names of its elements have no namespaces.

    :raises HostError: the body is not XML, or it has a document type.
    """
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = lambda name, attributes: builder.start(_local(name), attributes)
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):  # the latter two: an encoding that Python does not know
        raise malformed("it is not XML") from None
    return builder.close()


def _refuse(*_: object) -> NoReturn:
    raise ValueError("a document type")


def _local(name: str) -> str:
    return name.rpartition("}")[2]

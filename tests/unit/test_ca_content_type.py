"""The Content-Type of a CA's answer in messages: one line without control characters."""

from __future__ import annotations

import pytest

from tests.kit.scripted_ca import Visit

ODD = "text/\x1b[31mhtml\x9b\x07; charset=utf-8"


@pytest.mark.parametrize(
    ("place", "status", "code"), [("directory", 200, "ca-not-acme"), ("newAccount", 503, "ca-server-error")]
)
def test_a_content_type_is_shown_without_control_characters(place: str, status: int, code: str) -> None:
    """Errors show the content type of a CA's response without its control characters."""
    visited = Visit({place: (status, {"Content-Type": ODD}, b"<html>")})
    visited.do(lambda: visited.ca.open(visited.context))
    (error,) = visited.errors
    assert error.code == code
    assert "text/[31mhtml" in error.message
    assert error.message.isprintable()

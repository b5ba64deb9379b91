"""What a CA says its answer is stands in messages: on one line, and it steers no terminal."""

from __future__ import annotations

import pytest

from tests.unit.scripted_ca import Visit

ODD = "text/\x1b[31mhtml\x9b\x07; charset=utf-8"


@pytest.mark.parametrize(
    ("place", "status", "code"), [("GET /dir", 200, "ca-not-acme"), ("POST /acct", 503, "ca-server-error")]
)
def test_a_content_type_is_told_without_control_characters(place: str, status: int, code: str) -> None:
    """Of an answer that is no directory, and of a refusal without an explanation."""
    visited = Visit({place: (status, {"Content-Type": ODD}, b"<html>")})
    visited.do(lambda: visited.ca.open(visited.context))
    (error,) = visited.errors
    assert error.code == code
    assert "text/[31mhtml" in error.message
    assert error.message.isprintable()

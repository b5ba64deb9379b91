"""The terminal on paper, which draws the picture of the README."""

import pytest

from docs.screen import Frame, Screen, drawing, lines_of


def test_a_live_display_is_drawn_over() -> None:
    """Redrawn lines replace the old ones and keep their colours."""
    screen = Screen(20)
    screen.write("one\r\n\x1b[?25l\x1b[2mwaiting\x1b[0m 1 s\r\nmore\r\n")
    screen.write("\x1b[2A\r\x1b[J\x1b[32m✓\x1b[0m done\r\n")
    assert screen.rows() == ((("", "one"),), (("green", "✓"), ("", " done")), ())


def test_a_long_line_goes_on_in_the_next() -> None:
    """A line longer than the screen continues in the next row."""
    screen = Screen(4)
    screen.write("abcdef")
    assert screen.rows() == ((("", "abcd"),), (("", "ef"),))


def test_what_the_screen_does_not_know_is_an_error() -> None:
    """An unknown escape sequence raises ValueError, so that it cannot spoil the picture."""
    with pytest.raises(ValueError, match="5n"):
        Screen(80).write("\x1b[5n")


def test_a_line_is_shown_while_it_stands() -> None:
    """A line is visible during its frames. Without animation only the final lines are shown."""
    first, second = (("", "$ a & b"),), (("dim", "wait"),)
    third = (("green", "done"),)
    picture = drawing([Frame(0, (first,)), Frame(1, (first, second)), Frame(3, (first, third))], 10, "A title", 1)
    assert lines_of(picture) == ["$ a & b", "done"]
    assert picture.count('class="past"') == 1
    assert "25.00% { visibility: visible } 75.00% { visibility: hidden }" in picture

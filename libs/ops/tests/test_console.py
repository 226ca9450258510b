"""What a person sees, on a terminal and in a file."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from ops.console import Screen


def screen_on(output: io.StringIO, *, terminal: bool = False) -> Screen:
    return Screen(Console(file=output, force_terminal=terminal, width=100, highlight=False))


def test_steps_show_their_time_when_done() -> None:
    output = io.StringIO()
    screen = screen_on(output)
    with screen.step("First [bold]"), screen.step("Second"):
        pass
    lines = output.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["Second", "First"]
    assert all(line.endswith(" s") for line in lines)
    assert "[bold]" in lines[1]


def test_a_step_that_fails_is_not_called_done() -> None:
    output = io.StringIO()
    with pytest.raises(ValueError, match="no"), screen_on(output).step("Never"):
        raise ValueError("no")
    assert output.getvalue() == ""


def test_a_terminal_shows_what_is_going_on() -> None:
    output = io.StringIO()
    screen = screen_on(output, terminal=True)
    with screen.step("First"), screen.step("Second"):
        pass
    shown = output.getvalue()
    hides, shows = shown.index("\x1b[?25l"), shown.index("\x1b[?25h")
    assert hides < shows, "a spinner hides the cursor while it turns"


def test_tables_and_events_keep_text_as_it_is() -> None:
    output = io.StringIO()
    screen = screen_on(output)
    screen.table(["Name"], [["[red]x"]])
    screen.event("[red]y")
    screen.say("[red]z")
    assert output.getvalue().count("[red]") == 3


def test_a_terminal_that_went_away_is_no_reason_to_stop() -> None:
    class Gone(io.StringIO):
        def write(self, s: str, /) -> int:
            raise OSError(5, "Input/output error")

    screen = screen_on(Gone(), terminal=True)
    with screen.step("Going on"):
        screen.say("x")
        screen.table(["x"], [])


def test_a_reader_that_went_away_ends_nothing() -> None:
    program = (
        "import sys; from ops.console import Screen; screen = Screen()\n"
        "for _ in range(20_000): screen.say('x' * 80)\n"
        "sys.exit(7)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:  # noqa: S603 - of this test
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 7

import io
import logging

import pytest
from rich.console import Console

from node_cli.training.report_lines import packed
from node_cli.training.terminal import Terminal

VALUES = {"loss/train": 1.35e13, "accuracy/train": 1.0, "nfe/forward": 1e4, "nfe/backward": 1e4}


@pytest.fixture
def screen(monkeypatch):
    """A console of some width, and what was written to it."""

    def screen(width, is_terminal):
        written = io.StringIO()
        console = Console(
            file=written, width=width, height=30, force_terminal=is_terminal, soft_wrap=True,
            color_system=None, legacy_windows=False,
        )  # fmt: skip
        monkeypatch.setattr("node_cli.training.terminal.line_console", lambda: console)
        return written

    return screen


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("label", ["", "[3/12] model=hypernetwork tolerance.rtol=0.0001 seed=17 "])
@pytest.mark.parametrize("total", [None, 10_000_000])
def test_the_bar_stays_in_one_line(screen, width, label, total):
    screen(width, True)
    terminal = Terminal("bar", label)
    terminal.expect(total, 0)
    for act in (
        lambda: terminal.step(9999, 9_999_999, VALUES, 1e-3),
        lambda: terminal.phase("drawing the animation"),
    ):
        act()
        (line,) = terminal.console.render_lines(terminal._bar.get_renderable(), pad=False)
        assert sum(segment.cell_length for segment in line) <= width


def test_a_bar_with_room_shows_all_of_a_step(screen):
    screen(100, True)
    terminal = Terminal("bar")
    terminal.expect(20, 0)
    terminal.step(0, 3, VALUES, 0.5)
    shown = terminal._bar.tasks[0]
    assert shown.description == "epoch 1"
    assert shown.fields["facts"] == (
        "3/20  loss 1.350e+13  accuracy 100.00%  NFE-F 10000.0  NFE-B 10000.0"
    )


def test_what_takes_a_while_is_a_line_only_where_there_is_no_bar(screen):
    written = screen(80, False)
    Terminal("auto").announce("testing")
    assert written.getvalue() == "testing ...\n"
    written = screen(80, False)
    Terminal("off").announce("testing")
    assert written.getvalue() == ""
    written = screen(80, True)
    Terminal("auto").announce("testing")
    assert "..." not in written.getvalue()


def test_parts_are_one_line_of_the_log_and_as_many_as_they_need_on_the_terminal(screen, caplog):
    written = screen(40, False)
    parts = ["a" * 18, "b" * 18, "c" * 30]
    with caplog.at_level(logging.INFO):
        Terminal("lines").parts(parts, " · ")
    assert written.getvalue().splitlines() == [f"{parts[0]} · {parts[1]}", parts[2]]
    assert caplog.messages == [" · ".join(parts)]


def test_a_part_that_is_longer_than_a_line_is_not_broken():
    assert packed(["a", "b" * 9, "c"], " ", 5) == ["a", "b" * 9, "c"]
    assert packed([], " ", 5) == []

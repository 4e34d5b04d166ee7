import pytest
from commands import run_here

from node_cli.cli import node_train
from node_cli.command import run_command
from node_cli.errors import ConfigError, DataError, Interrupted
from node_cli.flow_cli import node_flow
from node_cli.new_cli import node_new
from node_cli.predict_cli import node_predict
from node_cli.report_cli import node_report

WRONG = {
    node_train: ["tolerance.rtol=-1"],
    node_flow: ["sample", "gone", "-n", "1", "-o", "out.csv"],
    node_predict: ["gone", "rows.csv", "-o", "out.csv"],
    node_report: ["gone"],
    node_new: ["no name"],
}


@pytest.mark.parametrize("command", WRONG)
def test_every_command_tells_a_mistake_in_one_sentence_and_shows_it_on_demand(tmp_path, command):
    done = run_here(command, WRONG[command], tmp_path)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{command.__name__.replace('_', '-')}: ")
    shown = run_here(command, [*WRONG[command], "--debug"], tmp_path)
    assert shown.returncode == done.returncode
    assert "Traceback (most recent call last)" in shown.stderr
    assert shown.stderr.endswith(done.stderr)
    assert "--debug" in run_here(command, [*WRONG[command][:1], "--help"], tmp_path).stdout


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("not possible."), 2, "x: not possible.\n"),
        (DataError("one.\ntwo."), 1, "x: one.\nx: two.\n"),
        (FileNotFoundError(2, "No such file or directory", "f"), 1, "x: f: no such file"),
        (
            LookupError("nothing"),
            1,
            "x: unexpected LookupError: nothing. Run again with --debug for the traceback.\n",
        ),
        (Interrupted("stopped", 15), 143, "x: stopped\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_command_ends(capsys, error, code, told):
    def carry_out(_):
        raise error

    assert run_command("x", carry_out, []) == code
    assert capsys.readouterr().err.startswith(told)


def test_what_a_command_returns_is_its_exit_code():
    assert run_command("x", lambda _: None, []) == 0
    assert run_command("x", lambda _: 3, []) == 3

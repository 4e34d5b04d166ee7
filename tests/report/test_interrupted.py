"""A report that was ended while it was written is made again by the same command."""

import pytest

from node_cli import report_cli
from node_cli.report_cli import node_report


@pytest.mark.parametrize("whole_files", [0, 1, 2])
def test_an_interrupted_report_of_a_run_is_made_again(a_run, monkeypatch, whole_files):
    run = a_run(curve=(0.5, 0.9))
    written = []

    def write(write_file, path, content):
        if len(written) == whole_files:
            raise KeyboardInterrupt
        written.append(path)
        write_file(path, content)

    with monkeypatch.context() as patch:
        for name in ("write_text", "write_whole"):
            write_file = getattr(report_cli, name)
            patch.setattr(report_cli, name, lambda *a, write_file=write_file: write(write_file, *a))
        assert node_report([str(run)]) == 130
    assert len(written) == whole_files

    assert node_report([str(run)]) == 0
    assert (run / "report" / "groups.csv").exists()


def test_what_a_killed_report_left_is_not_taken_for_a_part_of_a_run(a_run):
    run = a_run(curve=(0.5, 0.9))
    (run / "report").mkdir()
    (run / "report" / ".report.html.0123abcd.tmp").write_text("<html>")
    assert node_report([str(run)]) == 0
    assert (run / "report" / "report.html").exists()


def test_another_folder_of_a_run_is_still_refused(a_run, capsys):
    run = a_run()
    (run / "report").mkdir()
    (run / "report" / "notes.txt").write_text("my own")
    assert node_report([str(run)]) == 2
    assert "is a part of a run" in capsys.readouterr().err

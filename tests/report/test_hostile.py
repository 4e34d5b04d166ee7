"""Folders that no run has left: they are told in the report and stop nothing."""

import csv
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from node_cli.report.comparison import Comparison
from node_cli.report.learning_curves import curve
from node_cli.report.markdown import markdown
from node_cli.report.page import page
from node_cli.report.record import read_record, run_folders
from node_cli.report.spreadsheet import csv_text
from node_cli.report.table import group_table, run_table
from node_cli.report_cli import node_report

GOOD = "the_good_run"
SOUND = {
    "status": "finished",
    "command": f"node-train seed={GOOD}",
    "seconds": 1.5,
    "step_seconds_mean": 0.1,
    "final": {"accuracy/test": 0.9, "loss/test": 0.5},
    "best": {"metric": "accuracy", "goal": "max"},
    "nfe": {"forward_mean": 20.0, "backward_mean": 10.0},
    "memory": {"saved_bytes_peak": 1e6},
    "settings": {"seed": 0, "solver": {"name": "dopri5"}, "tolerance": {"rtol": 0.1}},
}


def report_of(folder, *words):
    """The rows of runs.csv by the name of the run's folder; the report is beside the runs."""
    assert node_report([str(folder / "runs"), "--output", str(folder / "out"), *words]) == 0
    with (folder / "out" / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["folder"]).name: row for row in csv.DictReader(file)}
    assert rows[GOOD]["status"] == "finished"
    assert float(rows[GOOD]["error"]) == pytest.approx(0.1)
    return rows


def with_runs(folder, **summaries):
    """Writes the good run, and others by name with what their summary.json holds."""
    for name, content in {GOOD: SOUND, **summaries}.items():
        run = folder / "runs" / name
        run.mkdir(parents=True, exist_ok=True)
        content = content if isinstance(content, str | bytes) else json.dumps(content)
        data = content if isinstance(content, bytes) else content.encode()
        (run / "summary.json").write_bytes(data)
    return folder


def changed(**parts):
    return {**SOUND, **parts}


DAMAGED = {
    "empty": "",
    "list": [],
    "number": 7,
    "string": "finished",
    "cut": '{"status": "fini',
    "deep": "[" * 100_000,
    "deep_inside": '{"status": "finished", "settings": {"a": ' + '{"a": ' * 900 + "1" + "}" * 902,
    "not_utf8": b'{"status": "finished\xff"}',
    "nul": b"\x00" * 64,
    "digits": '{"status": "finished", "seconds": ' + "9" * 5000 + "}",
    "huge_integer": changed(seconds=10**400),
    "huge_setting": changed(settings={"seed": 10**400}),
    "huge_float": changed(final={"accuracy/test": 1e308}),
    "surrogate": changed(settings={"data.path": "\ud800"}),
    "status": changed(status=["finished"]),
    "odd_status": changed(status="\x1b[31mfinished"),
    "settings": changed(settings=[1]),
    "final_text": changed(final={"accuracy/test": "0.9"}),
    "final_null": changed(final={"accuracy/test": None}),
    "final_bool": changed(final={"accuracy/test": True}),
    "final_nested": changed(final={"accuracy/test": {"a": 1}}),
    "nfe": changed(nfe=3),
    "best": changed(best=[]),
    "metric": changed(best={"metric": "$\\foo$", "goal": "max"}),
    "goal": changed(best={"metric": "accuracy", "goal": 1}),
    "empty_key": changed(settings={"": 1}),
    "long_key": changed(settings={"a" * 100_000: 1}),
    "long_value": changed(settings={"data.path": "a" * 1_000_000}),
    "many_keys": changed(settings={f"a{i}": i for i in range(5000)}),
    **{
        f"key_{name}": changed(settings={name: 1})
        for name in ("folder", "status", "command", "cause", "error", "runs", "finished", "nfe")
    },
    "key_spread": changed(final={"±loss/test": 1.0}),
    "key_folder_measured": changed(final={"folder": 1.0}),
    "key_seed_measured": changed(final={"seed": 1.0}),
    "large": b" " * (5 * 2**20),
}


def test_a_damaged_summary_is_unreadable_in_its_row_and_the_rest_is_reported(tmp_path, capsys):
    rows = report_of(with_runs(tmp_path, **DAMAGED))
    assert {name: rows[name]["status"] for name in DAMAGED} == dict.fromkeys(DAMAGED, "unreadable")
    assert all(len(rows[name]["cause"]) > 10 for name in DAMAGED)
    assert f"{len(DAMAGED)} unreadable" in capsys.readouterr().out


def test_numbers_that_are_not_finite_are_results_and_not_drawn(tmp_path):
    runs = {
        "infinite": changed(final={"accuracy/test": float("inf")}),
        "none": changed(final={"accuracy/test": float("nan")}, settings={"seed": 1}),
        "overflow": json.dumps(SOUND).replace("0.9", "1e999"),
    }
    rows = report_of(with_runs(tmp_path, **runs))
    assert [rows[name]["accuracy/test"] for name in runs] == ["inf", "", "inf"]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    folder = with_runs(tmp_path)
    for name in ("pipe", "directory", "device", "loop", "nowhere", "pipe_of_metrics", "yaml"):
        (folder / "runs" / name / ".hydra").mkdir(parents=True)
    os.mkfifo(folder / "runs" / "pipe" / "summary.json")
    os.mkfifo(folder / "runs" / "pipe_of_metrics" / "metrics.jsonl")
    os.mkfifo(folder / "runs" / "yaml" / ".hydra" / "overrides.yaml")
    (folder / "runs" / "directory" / "summary.json").mkdir()
    (folder / "runs" / "device" / "summary.json").symlink_to("/dev/zero")
    (folder / "runs" / "loop" / "summary.json").symlink_to("summary.json")
    (folder / "runs" / "nowhere" / "summary.json").symlink_to("missing")
    (folder / "runs" / GOOD / "metrics.jsonl").unlink(missing_ok=True)
    os.mkfifo(folder / "runs" / GOOD / "metrics.jsonl")
    rows = report_of(folder)
    assert {row["status"] for name, row in rows.items() if name != GOOD} == {"unreadable"}
    assert len(rows) == 8


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path, monkeypatch):
    folder = with_runs(tmp_path)
    (folder / "runs" / "closed").mkdir()
    look = Path.iterdir

    def refused(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert report_of(folder)["closed"]["status"] == "unreadable"


@pytest.mark.parametrize("file", ["overrides.yaml", "config.yaml"])
def test_damaged_settings_of_unfinished_runs_are_told(tmp_path, file):
    damaged = {
        "flow": "{",
        "text": "seed=1",
        "numbers": "[1, 2]",
        "lists": "[[a]]",
        "deep": "[" * 5000,
        "itself": "&a [*a, *a]",
        "nul": "\x00",
        "code": "!!python/object:os.x {}",
    }
    folder = with_runs(tmp_path)
    for name, text in damaged.items():
        (folder / "runs" / name / ".hydra").mkdir(parents=True)
        (folder / "runs" / name / ".hydra" / file).write_text(text)
    rows = report_of(folder)
    assert {name: rows[name]["status"] for name in damaged} == dict.fromkeys(damaged, "unreadable")


def test_lines_of_metrics_that_no_run_wrote_are_left_out(tmp_path):
    folder = with_runs(tmp_path)
    lines = ["[1]", "3", "null", '{"step": 3', "{" * 5000, "[" * 100_000, '{"epoch": "x"}', "\x00"]
    lines += ['{"epoch": 2.0, "accuracy/val": 0.7}', '{"epoch": 1.0, "accuracy/val": 0.5}']
    lines += ['{"epoch": 1.0, "accuracy/val": 0.6}', '{"epoch": 3.0, "accuracy/val": 1e999}']
    (folder / "runs" / GOOD / "metrics.jsonl").write_text("\n".join(lines))
    report_of(folder)
    assert curve(folder / "runs" / GOOD, "accuracy/val") == [(1.0, 0.6), (2.0, 0.7)]


ODD = "a<b>|`[x](http://y)$\\foo$\x1b[31m\x9b31m\u202e\n=2_*"


def test_text_of_runs_is_shown_as_text_everywhere(tmp_path, capfd):
    settings = {"task": {"name": ODD}, "model": {"name": ODD}, "adjoint": {"mode": ODD}}
    other = {"task": {"name": "b"}, "model": {"name": "b"}, "adjoint": {"mode": "b"}}
    folder = with_runs(
        tmp_path,
        odd=changed(settings=settings, cause=ODD, command=f"``` {ODD}"),
        failed=changed(settings=other, status="failed", cause=f"<img src=x>{ODD}", command=ODD),
    )
    for name in ("new\nline", "\x1b]0;title\x07", "[red]x", "--by", "<i>"):
        with_runs(folder, **{name: changed(settings={"seed": 3})})
    Path(os.fsdecode(os.fsencode(folder / "runs") + b"/\xff/.hydra")).mkdir(parents=True)
    rows = report_of(folder)
    assert len(rows) == 9
    shown = "".join(capfd.readouterr())
    pages = {path.name: path.read_text() for path in (folder / "out").glob("report.*")}
    for text in (shown, *pages.values(), *(str(row) for row in rows.values())):
        assert not set("\x1b\x9b\u202e\x07") & set(text)
    for harm in ("<b>", "<i>", "<img src=x"):
        assert harm not in pages["report.html"]
    html = MarkdownIt("commonmark").enable("table").render(pages["report.md"])
    for harm in ("<b>", "<i>", "<img src=x", "<a "):
        assert harm not in html
    # The table has as many cells in each row, and the commands stay inside of their block.
    assert len({row.count("<td") for row in html.split("<tr>")[2:]}) == 1
    assert html.count("<pre>") == 1
    assert html.rstrip().endswith("</pre>")


def test_a_cell_is_no_formula_of_a_spreadsheet(tmp_path):
    runs = {}
    for number, start in enumerate(("=", "+", "-", "@", "\t=", "\r=")):
        text = f"{start}cmd|' /C calc'!A0"
        settings = {"solver": {"name": text}, "data": {"path": text}, "model": {"gain": -0.5}}
        runs[f"odd_{number}"] = changed(settings=settings, cause=text, command=text)
    rows = report_of(with_runs(tmp_path, **runs))
    for name in runs:
        for column in ("data.path", "cause", "command"):
            assert rows[name][column][0] in "'\\"
        assert rows[name]["model.gain"] == "-0.5"
    groups = (tmp_path / "out" / "groups.csv").read_text()
    assert groups.count("calc") >= len(runs)
    assert not re.search(r"(^|,)\"?[=+@\t\r-][^0-9]", groups, re.M)


@pytest.mark.parametrize("name", ["/abs/x", "../x", "a/b", ".", "..", "CON", "x" * 5000, "", "\0"])
def test_figures_stay_in_the_folder_of_the_report(tmp_path, name):
    tasks = {"one": name, "two": f"{name} ", "three": "other"}
    runs = {
        key: changed(settings={"task": {"name": task}, "seed": 1}) for key, task in tasks.items()
    }
    with_runs(tmp_path, **runs)
    report_of(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "out"}
    figures = tmp_path / "out" / "figures"
    drawn = list(figures.glob("*comparison*.png"))
    named = (tmp_path / "out" / "report.md").read_text().count("comparison")
    assert len(drawn) == named
    assert all(path.parent == figures for path in tmp_path.rglob("*.png"))


def test_tasks_whose_file_names_are_alike_have_figures_of_their_own(tmp_path):
    runs = {key: changed(settings={"task": {"name": key}}) for key in ("a b", "a/b", "A_b")}
    report_of(with_runs(tmp_path, **runs))
    names = [path.name.lower() for path in (tmp_path / "out" / "figures").glob("*comparison*.png")]
    assert len(set(names)) == 4  # with the good run's


def test_links_in_the_folder_of_the_report_are_not_followed(tmp_path, capsys):
    folder = with_runs(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine")
    (folder / "out").mkdir()
    (folder / "out" / "report.html").symlink_to(elsewhere / "file")
    report_of(folder)
    assert (elsewhere / "file").read_text() == "mine"
    (folder / "runs" / "report").symlink_to(elsewhere)
    assert node_report([str(folder / "runs")]) == 2
    assert "is a link to elsewhere" in capsys.readouterr().err
    (folder / "linked").mkdir()
    (folder / "linked" / "figures").symlink_to(elsewhere)
    assert node_report([str(folder / "runs"), "--output", str(folder / "linked")]) != 0
    assert "is a link" in capsys.readouterr().err
    assert {path.name for path in elsewhere.iterdir()} == {"file"}


def test_a_report_is_not_written_over_other_things(tmp_path, capsys):
    folder = with_runs(tmp_path)
    run = folder / "runs" / GOOD
    (run / "figures").mkdir()
    (run / "figures" / "comparison.png").write_text("mine")
    for output in (run, run / "figures", run / "summary.json", run / "summary.json" / "x"):
        assert node_report([str(run), "--output", str(output)]) in (1, 2)
        (line,) = capsys.readouterr().err.splitlines()
        assert str(output) in line
    assert node_report([str(run)]) == 0
    assert node_report([str(run)]) == 0
    assert (run / "figures" / "comparison.png").read_text() == "mine"


names = st.sampled_from(
    ["folder", "status", "command", "error", "seed", "±x", "", "loss/test", "accuracy/test"]
) | st.text(max_size=20)
numbers = st.floats() | st.integers() | st.sampled_from([10**400, 1e308, -1e308, 5e-324, 1e150])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
measured = st.dictionaries(st.sampled_from(["accuracy/test", "loss/test"]) | names, numbers)
summaries = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["finished", "failed"]) | values,
        "final": measured | values,
        "seconds": numbers,
        "nfe": st.fixed_dictionaries({}, optional={"forward_mean": numbers}) | values,
        "memory": st.fixed_dictionaries({}, optional={"saved_bytes_peak": numbers}) | values,
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "tolerance": st.fixed_dictionaries({"rtol": numbers}),
                "solver": st.fixed_dictionaries({"name": st.text(max_size=30)}),
                "adjoint": st.fixed_dictionaries({"mode": st.text(max_size=30)}),
                "task": st.fixed_dictionaries({"name": st.text(max_size=30)}),
            },
        )
        | values,
        "command": st.text() | values,
        "best": values,
    },
)


def written(folder, others, line):
    runs = {f"{i}_odd": {**SOUND, **other} for i, other in enumerate(others)}
    with_runs(folder, **runs)
    (folder / "runs" / "0_odd" / "metrics.jsonl").write_text(json.dumps(line))
    return len(runs) + 1


several = st.lists(summaries, min_size=1, max_size=4)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(others=several, line=values)
def test_no_folder_stops_the_tables(tmp_path_factory, others, line):
    folder = tmp_path_factory.mktemp("fuzz")
    count = written(folder, others, line)
    comparison = Comparison([read_record(run) for run in run_folders(folder / "runs")])
    groups, runs = group_table(comparison, "error"), run_table(comparison)
    text = markdown("title", comparison, groups, []) + page("title", comparison, groups, runs, [])
    text += csv_text(comparison.runs) + csv_text(comparison.groups())
    assert text.encode("utf-8")
    assert len(runs.rows) == count
    assert comparison.runs["command"].tolist().count(SOUND["command"]) >= 1


@pytest.mark.slow
@settings(max_examples=15, deadline=None, derandomize=True)
@given(others=several, line=values)
def test_no_folder_stops_the_figures(tmp_path_factory, others, line):
    folder = tmp_path_factory.mktemp("fuzz")
    count = written(folder, others, line)
    assert len(report_of(folder)) == count

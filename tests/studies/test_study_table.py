import csv

from node_cli.studies.study_table import shown, write_table


def test_a_table_is_written_in_full_and_for_readers(tmp_path):
    rows = [{"mode": "direct", "error": 1 / 3, "bytes": 1234567}, {"mode": "full", "error": 1.0}]
    rows[1]["bytes"] = None
    write_table(tmp_path, "study", rows)
    with (tmp_path / "study.csv").open() as file:
        read = list(csv.DictReader(file))
    assert float(read[0]["error"]) == 1 / 3
    assert read[1]["bytes"] == ""
    assert (tmp_path / "study.md").read_text() == (
        "| mode | error | bytes |\n| --- | --- | --- |\n"
        "| direct | 0.333 | 1234567 |\n| full | 1 | - |\n"
    )


def test_numbers_are_shown_in_few_digits():
    assert [shown(v) for v in (1e-7, 0.25, 12345, None, "full")] == [
        "1e-07", "0.25", "12345", "-", "full",
    ]  # fmt: skip

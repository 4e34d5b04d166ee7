"""Tables as people have them."""

import os

import numpy as np
import pytest

from node_cli.data.number_table import read_table
from node_cli.data.text_table import read_text_table
from node_cli.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def numbers(separator, count=20, comma=False):
    """Lines of numbers around 0, 5 and 10 that are not whole."""
    rows = np.random.default_rng(0).normal((0, 5, 10), 1, (count, 3))
    lines = [separator.join(f"{value:.3f}" for value in row) for row in rows]
    return [line.replace(".", ",") for line in lines] if comma else lines


@pytest.mark.parametrize(
    ("separator", "name"),
    [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("  ", "blanks")],
)
@pytest.mark.parametrize("header", [True, False])
def test_the_separator_is_found(write, separator, name, header):
    lines = [separator.join("abc"), *numbers(separator)] if header else numbers(separator)
    found = read_text_table(write("\n".join(lines)), "here")
    assert found.separator.name == name
    assert found.columns == (["a", "b", "c"] if header else None)
    assert len(found.rows) == 20
    assert found.width == 3
    assert (name in found.read_as()) == (name != "commas")


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas_are_numbers(write, separator):
    plain = read_table(write("\n".join(numbers(separator)), "plain.csv"))
    comma = read_table(write("\n".join(numbers(separator, comma=True)), "comma.csv"))
    np.testing.assert_array_equal(comma.values, plain.values)
    assert "decimal commas" in comma.read_as


def test_commas_of_two_meanings_are_refused(write):
    with pytest.raises(DataError, match=r"line 2 has 1,5 and line 3 2\.5"):
        read_table(write("a;b\n1,5;2\n2.5;3\n"))


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        ("0,1,2", ["0", "1", "2"]),
        ("1,2,3", ["1", "2", "3"]),
        ("2019,2020,2021", ["2019", "2020", "2021"]),
        ("1990,2000,2010", ["1990", "2000", "2010"]),
        ("a,b,c", ["a", "b", "c"]),
        ("0.1,5,10", None),
        ("0,5,11", None),
        ("1.0,2.0,3.0", None),
    ],
)
def test_headers_of_numbers_are_told_from_numbers(write, first, columns):
    found = read_text_table(write("\n".join([first, *numbers(",")])), "here")
    assert found.columns == columns
    assert len(found.rows) == (21 if columns is None else 20)


def test_whole_numbers_that_count_may_be_data(write):
    path = write("0,1,2\n3,1,2\n5,1,9\n2,2,2\n7,6,5\n")
    found = read_table(path)
    assert not found.named
    assert "no header" in found.read_as
    assert read_table(path, header=True).columns == ["0", "1", "2"]
    assert len(read_table(path, header=False).values) == 5


def test_a_column_of_row_numbers_without_a_name_is_left_out(write):
    for name in ("", "Unnamed: 0", '""'):
        lines = [f"{i},{line}" for i, line in enumerate(numbers(","))]
        found = read_text_table(write("\n".join([f"{name},a,b,c", *lines])), "here")
        assert found.columns == ["a", "b", "c"]
        assert found.width == 3
        assert "row numbers left out" in found.read_as()
    # What pandas writes of columns without names has both.
    found = read_text_table(write("\n".join([",0,1,2", *lines])), "here")
    assert found.columns == ["0", "1", "2"]
    with pytest.raises(DataError, match="column 1 has no name"):
        read_table(write(",a\n0.5,1\n0.7,2\n"))


def test_an_empty_last_column_is_left_out(write):
    found = read_table(write("a;b;\n1;2;\n3;4;\n"))
    assert found.columns == ["a", "b"]
    assert "empty last column" in found.read_as


def test_what_savetxt_writes_is_read(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 2))
    np.savetxt(tmp_path / "a.txt", values, header="height weight")
    found = read_table(tmp_path / "a.txt")
    assert found.columns == ["height", "weight"]
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    ("text", "encoding", "fragment"),
    [
        ("a,b\n1,2\n", "utf-16", "this is no UTF-8 text but UTF-16; save it as UTF-8"),
        ("größe,b\n1,2\n", "latin-1", "this is no UTF-8 text"),
        ('a,b\n"1,2\n3,4\n', "utf-8", "a quotation mark is not closed"),
        ('a,b\n"' + "1" * 140_000 + "\n", "utf-8", "a value of more than 131,072 characters"),
        ("a;b\n1;2\n3\n", "utf-8", "line 3: 1 values where the first line has 2"),
        ("\n \n", "utf-8", "the file is empty"),
        ("a,1\n2,3\n", "utf-8", "data.header=true"),
    ],
)
def test_what_is_no_table_is_told(write, text, encoding, fragment):
    with pytest.raises(DataError) as told:
        read_table(write(text, encoding=encoding))
    assert fragment in str(told.value)
    assert len(str(told.value)) < 400


def test_folders_and_pipes_are_told(tmp_path):
    with pytest.raises(DataError, match="this is a folder"):
        read_table(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "pipe.npy"):
        if not (tmp_path / name).exists():
            os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match="a pipe or a device"):
            read_table(tmp_path / name)


def test_long_names_and_control_characters_are_shown_harmlessly(write):
    with pytest.raises(DataError) as told:
        read_table(write("a,a\x1b[2J\n1,x" + "y" * 5000 + "\n"))
    assert "\x1b" not in str(told.value)
    assert len(str(told.value)) < 400

import numpy as np
import pytest
import torch

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.data.number_table import read_table
from node_cli.errors import DataError
from node_cli.tasks.densities.rows import split_table


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_csv_with_a_header(write):
    table = read_table(write("height, weight\n1,2.5\n\n-3e2, 4\n"))
    assert table.columns == ["height", "weight"]
    assert table.named
    assert table.values.tolist() == [[1, 2.5], [-300, 4]]


def test_a_csv_without_a_header_and_with_a_byte_order_mark(write):
    table = read_table(write("\ufeff1,2\n3,4\n"))
    assert table.columns == ["x1", "x2"]
    assert not table.named
    assert table.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_numpy_file(tmp_path, dtype):
    values = np.arange(6).reshape(3, 2).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    table = read_table(tmp_path / "a.npy")
    assert table.values.dtype == np.float64
    assert np.array_equal(table.values, values)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["the file is empty"]),
        ("a,b\n", ["no row below"]),
        ("a,b\n1,2\n3\n", ["line 3", "1 values where the first line has 2"]),
        ("a,b\n1,2\n3,x\n", ["line 3", "'x' in column b"]),
        ("a,b\n1,2\n3,\n", ["line 3", "nothing in column b"]),
        ("a,b\n1,nan\n", ["line 2", "'nan' in column b", "finite number"]),
        ("1,2\n3,inf\n", ["line 2", "'inf' in column x2"]),
    ],
)
def test_a_bad_csv_is_told_with_its_line(write, text, fragments):
    with pytest.raises(DataError) as raised:
        read_table(write(text))
    for fragment in ("table.csv", *fragments):
        assert fragment in str(raised.value)


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        (np.zeros(3), "shape is [3]"),
        (np.zeros((0, 3)), "shape is [0, 3]"),
        (np.array([["a", "b"]]), "must hold real numbers"),
        (np.array([[1.0, np.inf]]), "row 0, column 1"),
    ],
)
def test_a_bad_numpy_file_is_told(tmp_path, values, fragment):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError) as raised:
        read_table(tmp_path / "a.npy")
    assert fragment in str(raised.value)


def test_numpy_files_that_are_cut_or_hold_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((50, 4)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="no whole"):
        read_table(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(DataError, match="no whole"):
        read_table(tmp_path / "b.npy")
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "c.csv")


def table_of(rows, columns=3):
    from node_cli.data.number_table import Table

    values = np.random.default_rng(0).normal(3, 2, (rows, columns))
    return Table(values, [f"c{i}" for i in range(columns)], True)


def test_a_split_keeps_every_row_once_and_measures_the_training_rows():
    table = table_of(100)
    split = split_table(table, 0.2, 0.1, seed=0)
    parts = (split.train, split.validation, split.test)
    assert [len(part) for part in parts] == [70, 20, 10]
    everything = torch.cat(parts)
    assert sorted(everything[:, 0].tolist()) == sorted(table.values[:, 0].tolist())
    torch.testing.assert_close(split.mean, split.train.mean(0))
    torch.testing.assert_close(split.std, split.train.std(0, correction=0))
    again, other = split_table(table, 0.2, 0.1, 0), split_table(table, 0.2, 0.1, 1)
    assert torch.equal(again.train, split.train)
    assert not torch.equal(other.train, split.train)


def test_a_split_that_cannot_be_is_refused():
    with pytest.raises(DataError, match="too few are left"):
        split_table(table_of(3), 0.4, 0.4, 0)
    constant = table_of(10)
    constant.values[:, 1] = 1e6
    with pytest.raises(DataError, match="column c1 is constant"):
        split_table(constant, 0.1, 0.1, 0)


def test_batches_of_a_table_are_shuffled_anew_and_a_function_of_their_place():
    rows = torch.arange(10.0).reshape(10, 1)
    data = ShuffledBatches(rows, 3, 0, torch.device("cpu"))
    epochs = [torch.cat([data.batch(e, i) for i in range(3)]).flatten().tolist() for e in (0, 1)]
    assert len(data) == 3
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1]
    again = ShuffledBatches(rows, 3, 0, torch.device("cpu"))
    assert again.batch(1, 1).flatten().tolist() == epochs[1][3:6]
    with pytest.raises(DataError, match="at most 10"):
        ShuffledBatches(rows, 11, 0, torch.device("cpu"))


def test_evaluation_sees_each_point_once_in_order():
    points = torch.randn(7, 2)
    batches = list(OrderedBatches(points, 3, torch.device("cpu")))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert torch.equal(torch.cat(batches), points)


def test_a_column_that_varies_little_around_a_large_number_keeps_its_digits():
    from node_cli.data.number_table import Table

    values = 2458000.5 + 0.3 * np.random.default_rng(0).normal(size=(1000, 1))
    split = split_table(Table(values, ["julian_date"], True), 0.1, 0.1, 0)
    assert len(split.train.unique()) == len(split.train)
    assert float(split.std) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("bytes_", [b"", b"PK\x03\x04junk", b"\x93NUMPY"])
def test_what_is_no_numpy_file_is_refused(tmp_path, bytes_):
    (tmp_path / "a.npy").write_bytes(bytes_)
    with pytest.raises(DataError, match="no whole"):
        read_table(tmp_path / "a.npy")


def test_columns_need_names_of_their_own(write):
    with pytest.raises(DataError, match="a name of its own"):
        read_table(write("a,a\n1,2\n"))
    with pytest.raises(DataError, match="'1_000' in column b"):
        read_table(write("a,b\n1,1_000\n"))


def test_numbers_too_large_for_a_variance_are_refused():
    from node_cli.data.number_table import Table

    values = np.array([[1e300], [-1e300], [3e300], [2.0], [1.0]])
    with pytest.raises(DataError, match="too large"):
        split_table(Table(values, ["c"], True), 0.2, 0.2, 0)

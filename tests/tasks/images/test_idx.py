import gzip
import hashlib
import struct

import pytest
import torch

from node_cli.errors import DataError
from node_cli.tasks.images.idx import read_idx, write_idx

VALUES = torch.arange(2 * 3 * 4, dtype=torch.uint8).reshape(2, 3, 4)
# Written out by hand from the format's description, so that reader and writer are not only
# checked against each other.
CONTENT = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])


@pytest.mark.parametrize("name", ["values-idx3-ubyte", "values-idx3-ubyte.gz"])
@pytest.mark.parametrize("shape", [(5,), (1, 1), (2, 3, 4), (0, 28, 28)])
def test_what_is_written_is_read_back(tmp_path, name, shape):
    values = torch.randint(256, shape, dtype=torch.uint8)
    checksum = write_idx(tmp_path / name, values)
    read = read_idx(tmp_path / name, checksum)
    assert read.dtype == torch.uint8
    assert read.shape == values.shape
    assert read.equal(values)


def test_raw_bytes_are_those_of_the_format(tmp_path):
    checksum = write_idx(tmp_path / "raw", VALUES)
    assert (tmp_path / "raw").read_bytes() == CONTENT
    assert checksum == hashlib.sha256(CONTENT).hexdigest()


def test_values_in_any_memory_order_are_written_in_row_order(tmp_path):
    write_idx(tmp_path / "raw", VALUES.transpose(0, 2))
    assert read_idx(tmp_path / "raw").equal(VALUES.transpose(0, 2))


def test_gzip_header_has_no_time_and_no_name(tmp_path):
    write_idx(tmp_path / "one.gz", VALUES)
    write_idx(tmp_path / "two.gz", VALUES)
    packed = (tmp_path / "one.gz").read_bytes()
    assert packed == (tmp_path / "two.gz").read_bytes()
    flags, time = packed[3], packed[4:8]
    assert flags == 0
    assert time == bytes(4)


def test_values_read_can_be_changed_without_harm_to_a_second_reading(tmp_path):
    (tmp_path / "raw").write_bytes(CONTENT)
    read_idx(tmp_path / "raw").zero_()
    assert read_idx(tmp_path / "raw").equal(VALUES)


@pytest.mark.parametrize("values", [torch.zeros(3), torch.tensor(1, dtype=torch.uint8)])
def test_only_arrays_of_bytes_are_written(tmp_path, values):
    with pytest.raises(TypeError, match="uint8"):
        write_idx(tmp_path / "raw", values)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "it has 0 bytes, too few for an IDX header"),
        (CONTENT[:3], "it has 3 bytes, too few for an IDX header"),
        (CONTENT[:4], "3 dimensions needs 16 bytes, and the file ends after 4"),
        (CONTENT[:15], "3 dimensions needs 16 bytes, and the file ends after 15"),
        (CONTENT[:16], "is cut: its header tells of 2 x 3 x 4 values, 40 bytes in all.* are 16"),
        (CONTENT[:-1], "is cut: its header tells of 2 x 3 x 4 values, 40 bytes in all.* are 39"),
        (CONTENT + b"\0", "has bytes left over: .* 40 bytes in all, and there are 41"),
        (b"\x01" + CONTENT[1:], "begins with 01000803"),
        (b"\0\x01" + CONTENT[2:], "begins with 00010803"),
        (b"\0\0\x0d" + CONTENT[3:], "begins with 00000d03"),
        (b"\0\0\x08\0" + CONTENT[4:], "begins with 00000800"),
        (gzip.compress(CONTENT, mtime=0), "begins with 1f8b"),
        (b"<html>Not Found</html>", "begins with 3c68746d"),
        (struct.pack(">2xBB3I", 8, 3, *[2**32 - 1] * 3), "is cut"),
    ],
    ids=[
        "nothing",
        "three bytes",
        "no shape",
        "cut shape",
        "no values",
        "cut values",
        "byte left over",
        "first byte",
        "second byte",
        "floats",
        "no dimensions",
        "gzip",
        "a page",
        "huge shape",
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gz"])
def test_damaged_content_is_named_and_not_read(tmp_path, content, finding, packed):
    path = tmp_path / ("images.gz" if packed else "images")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=finding) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "download it again" in str(caught.value)
    assert "checksum" in str(caught.value)


def broken_crc(packed: bytes) -> bytes:
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: CONTENT,
        lambda packed: packed[:5],
        lambda packed: packed[:-10],
        lambda packed: packed[:-1],
        lambda packed: packed[:12] + b"\xff\xff\xff\xff" + packed[16:],
        lambda packed: packed + b"more",
        broken_crc,
    ],
    ids=["no gzip", "cut header", "cut body", "cut end", "bad stream", "junk after", "wrong CRC"],
)
def test_broken_gzip_is_named_and_not_read(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(CONTENT, mtime=0)))
    with pytest.raises(DataError, match="cannot be unpacked") as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "download it again" in str(caught.value)


def test_wrong_checksum_is_named_with_both(tmp_path):
    path = tmp_path / "images.gz"
    right = write_idx(path, VALUES)
    wrong = write_idx(path, VALUES + 1)
    with pytest.raises(DataError, match=f"{right} and have {wrong}"):
        read_idx(path, right)


@pytest.mark.parametrize("name", ["absent", "absent.gz"])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(DataError, match=rf"{name}: there is no such file\. Download it again"):
        read_idx(tmp_path / name)


def test_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "images.gz").mkdir()
    with pytest.raises(DataError, match=r"images\.gz: cannot be read: Is a directory"):
        read_idx(tmp_path / "images.gz")

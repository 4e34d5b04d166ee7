import errno
import os
import random
import stat
import struct
import zipfile

import pytest
import torch
from training.states import Named, equal, trained

from node_cli.errors import CheckpointError
from node_cli.training import checkpoint
from node_cli.training.archive import load_archive
from node_cli.training.checkpoint import (
    check_same_experiment,
    read_checkpoint,
    write_checkpoint,
)
from node_cli.training.progress import RunProgress
from node_cli.training.restoration import restore_model
from node_cli.training.seeds import random_states


@pytest.fixture(scope="module")
def content():
    model, optimizer = trained()
    progress = RunProgress(step=1, epoch=1, validated_step=1, history=[{"loss/train": 1.5}])
    progress.run_sums.add({"nfe/forward": 3})
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        "random": random_states(),
        "progress": progress.state(),
        "data_digest": None,
    }


@pytest.fixture(scope="module")
def config(config_of):
    return config_of("task=cnf-2d")


@pytest.fixture
def written(tmp_path, content, config):
    path = tmp_path / "checkpoints" / "last.pt"
    write_checkpoint(path, content, config)
    return path


def refused(path):
    """The one line with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def changed(path, **parts):
    """The same checkpoint with other parts; None stands for none."""
    whole = {**torch.load(path, weights_only=True), **parts}
    torch.save({name: part for name, part in whole.items() if part is not None}, path)
    return path


def test_a_checkpoint_is_read_as_it_was_written(written, content):
    assert equal({name: read_checkpoint(written)[name] for name in content}, content)
    assert stat.S_IMODE(written.stat().st_mode) == 0o666 & ~_umask()
    assert [path.name for path in written.parent.iterdir()] == ["last.pt"]


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_a_checkpoint_of_before_is_read(written, content):
    """Written by ``torch.save`` alone, as node-cli 0.1.0 did."""
    whole = torch.load(written, weights_only=True)
    torch.save(whole, written)
    assert equal(read_checkpoint(written), whole)


def test_torch_writes_a_checksum_of_each_part(written):
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None
        assert all(part.CRC for part in archive.infolist())


def test_a_flipped_bit_is_found_or_changes_nothing(written):
    """Every bit that no CRC-32 covers, and some of those that one covers: it finds each."""
    whole, original = written.read_bytes(), read_checkpoint(written)
    covered = set()
    with zipfile.ZipFile(written) as archive:
        for part in archive.infolist():
            lengths = whole[part.header_offset + 26 : part.header_offset + 30]
            start = part.header_offset + 30 + sum(struct.unpack("<HH", lengths))
            covered |= set(range(start, start + part.file_size))
    with zipfile.ZipFile(written) as archive:
        listed = range(archive.start_dir, len(whole))
    numbers = random.Random(0)
    bits = [8 * place + numbers.randrange(8) for place in listed]
    bits += [8 * (listed[0] + 38) + bit for bit in range(8)]  # of these, one marks a folder
    bits += [8 * place + numbers.randrange(8) for place in numbers.sample(sorted(covered), 200)]
    for bit in bits:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        written.write_bytes(flipped)
        try:
            read = read_checkpoint(written)
        except CheckpointError:
            continue
        assert bit // 8 not in covered
        assert equal(read, original)


def test_a_shortened_file_is_damaged(written):
    whole = written.read_bytes()
    for length in [*range(0, len(whole), 499), *range(len(whole) - 30, len(whole))]:
        written.write_bytes(whole[:length])
        assert "is damaged" in refused(written)


@pytest.mark.parametrize(
    "bytes_of_it", [b"", b"PK", b"{}", b"\x80\x02}q\x00.", b"\x00" * 5000], ids=range(5)
)
def test_a_foreign_file_is_damaged(tmp_path, bytes_of_it):
    path = tmp_path / "last.pt"
    path.write_bytes(bytes_of_it)
    assert "is damaged" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_foreign_archive_is_damaged(tmp_path, method):
    path = tmp_path / "last.pt"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00." + b"\x00" * 10**6)
    assert "is damaged" in refused(path)


class Malicious:
    def __reduce__(self):
        return os.system, ("exit 1",)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def doubled(times):
    value = [0]
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "foreign",
    [[], 3, {}, {"format": None}, {"format": True}, {"format": torch.ones(2)}, Malicious(),
     {"format": 1}, nested(100), {"format": 1, "config": doubled(60)}],
    ids=range(10),
)  # fmt: skip
def test_foreign_content_is_damaged(tmp_path, foreign):
    path = tmp_path / "last.pt"
    torch.save(foreign, path)
    assert "is damaged" in refused(path)


STATES = random_states()


@pytest.mark.parametrize(
    ("part", "value", "told_as"),
    [
        ("node_cli", 5, "node_cli: input should be a valid string"),
        ("config", [], "config: "),
        ("config", {"model": torch.ones(2)}, "config.model"),
        ("config", {"model": {1: 2}}, "config.model"),
        ("config", None, "config: field required"),
        ("model", None, "model: field required"),
        ("model", {}, "model: "),
        ("model", {"w": 1.0}, "model.w: "),
        ("model", {1: torch.ones(1)}, "model.1"),
        ("model", {"w": torch.ones(1).expand(10**12)}, "larger than what is stored"),
        ("model", {"w": torch.empty(10**12, device="meta")}, "not a plain tensor"),
        ("model", {"w": torch.ones(2, 2).to_sparse()}, "not a plain tensor"),
        ("optimizer", {}, "optimizer.state: field required"),
        ("optimizer", {"state": {}, "param_groups": []}, "optimizer.param_groups: "),
        ("optimizer", {"state": {0: 1}, "param_groups": [{"params": [0]}]}, "optimizer.state.0"),
        ("optimizer", {"state": {}, "param_groups": [{}]}, "optimizer.param_groups.0.params"),
        ("scaler", {"scale": "x"}, "scaler.scale"),
        ("random", {}, "random: no state of the python generator"),
        ("random", {**STATES, "python": [3, [1] * 624 + [9999], None]}, "the python generator"),
        ("random", {**STATES, "python": [3, [1] * 625, "x"]}, "the python generator"),
        ("random", {**STATES, "numpy": ["MT19937", [1] * 624, 10**6, 0, 0.0]}, "numpy generator"),
        ("random", {**STATES, "numpy": ["MT19937", [1], 0, 0, 0.0]}, "the numpy generator"),
        ("random", {**STATES, "torch": torch.zeros(9, dtype=torch.uint8)}, "torch generator"),
        ("random", {**STATES, "cuda": [torch.zeros(2)]}, "the cuda generator"),
        ("progress", {}, "progress: there is no batch"),
        ("progress", 7, "progress: it is no dictionary"),
        ("data_digest", 7, "data_digest: input should be a valid string"),
    ],
)  # fmt: skip
def test_a_part_that_is_not_as_it_should_be_is_named(written, part, value, told_as):
    message = refused(changed(written, **{part: value}))
    assert "is damaged" in message
    assert told_as in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", -1), ("step", 1.5), ("step", True), ("step", "1"), ("step", 2**63),
        ("epoch", None), ("batch", []), ("best", "x"), ("seconds", float("nan")),
        ("history", {}), ("history", [1]), ("history", [{"a": "b"}]), ("history", []),
        ("run_sums", {"a": (1.0, 0)}), ("run_sums", {"a": 1.0}), ("unknown", 1),
    ],
)  # fmt: skip
def test_progress_that_cannot_be_is_named(written, content, name, value):
    progress = {**content["progress"], name: value}
    message = refused(changed(written, progress=progress))
    assert f"progress.{name}" in message or "validated and has no history" in message


def test_progress_of_an_older_version_is_taken(written, content):
    older = {k: v for k, v in content["progress"].items() if k != "saved_bytes_peak"}
    assert read_checkpoint(changed(written, progress=older))["progress"] == older


def test_another_format_is_told(written):
    message = refused(changed(written, format=999, node_cli="9\x1b[31m" + "x" * 1000))
    assert "has format 999" in message
    assert len(message) < 600


def test_a_missing_checkpoint_is_told(tmp_path):
    assert "there is no checkpoint" in refused(tmp_path / "checkpoints" / "last.pt")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_damaged(tmp_path, make):
    path = tmp_path / "last.pt"
    make(path)
    assert "it is not a file" in refused(path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read_is_not_called_damaged(written, monkeypatch, number):
    def fails(file):
        raise OSError(number, os.strerror(number), str(written))

    monkeypatch.setattr("node_cli.training.checkpoint.load_archive", fails)
    message = refused(written)
    assert message.startswith(
        f"cannot read the checkpoint {written}: {os.strerror(number).lower()}"
    )
    assert "damaged" not in message


def test_a_disk_that_fails_while_reading_is_not_called_damaged(written, monkeypatch):
    def fails(archive):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("zipfile.ZipFile.testzip", fails)
    with written.open("rb") as file, pytest.raises(OSError, match="Input/output error"):
        load_archive(file)


def test_settings_that_this_version_does_not_take_are_told(written, config):
    content = read_checkpoint(written)
    assert checkpoint.config_of(written, content) == config
    content["config"]["model"]["nope"] = 1
    with pytest.raises(CheckpointError, match=r"last\.pt has settings .*nope"):
        checkpoint.config_of(written, content)


def test_another_experiment_is_told_whatever_its_config_holds(written, config):
    content = read_checkpoint(changed(written, config={"model": [1], "seed": "x" * 1000}))
    with pytest.raises(CheckpointError, match="belongs to a run with seed=xxx") as caught:
        check_same_experiment(written, content, config)
    assert "\n" not in str(caught.value)


def test_settings_that_a_checkpoint_is_older_than_are_at_their_defaults(
    tmp_path, content, config_of
):
    path = tmp_path / "checkpoints" / "last.pt"
    write_checkpoint(path, content, config_of())
    older = read_checkpoint(path)
    del older["config"]["model"]["augment_dim"]
    check_same_experiment(path, older, config_of())
    with pytest.raises(CheckpointError, match=r"model\.augment_dim=0 \(now 5\)"):
        check_same_experiment(path, older, config_of("model.augment_dim=5"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("after", [0, 1000, 10_000, 18_000])
def test_a_write_that_fails_says_why_and_keeps_the_old(
    written, content, config, monkeypatch, number, after
):
    before = written.read_bytes()
    monkeypatch.setattr("node_cli.run_folder.writing._NamedFile.write", failing(number, after))
    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(written, content, config)
    message = str(caught.value)
    assert message.startswith(
        f"cannot write the checkpoint {written}: {os.strerror(number).lower()}."
    )
    assert message.endswith("The checkpoint before it is intact.")
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["last.pt"]


def failing(number, after):
    """A write that fails as a full disk does, after so many bytes."""
    done = 0

    def write(file, content):
        nonlocal done
        done += len(content)
        if done > after:
            raise OSError(number, os.strerror(number))
        return os.write(file.fileno(), content)

    return write


def test_a_deleted_run_folder_is_told_and_not_made_again(tmp_path, content, config):
    path = tmp_path / "run" / "checkpoints" / "last.pt"
    with pytest.raises(CheckpointError, match="its folder is not there; it may have been deleted"):
        write_checkpoint(path, content, config)
    assert list(tmp_path.iterdir()) == []


def test_what_a_module_keeps_beside_tensors_comes_back(written):
    model = Named(3, 2)
    saved = {**model.state_dict(), "_extra_state": {"columns": ["a", "b", "c"]}}
    restore_model("last.pt", model, read_checkpoint(changed(written, model=saved))["model"])
    assert model.columns == ("a", "b", "c")

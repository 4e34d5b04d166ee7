import gzip
import hashlib
import socket
import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer
from types import SimpleNamespace
from urllib.error import URLError

import pytest
from torchvision import datasets

from node_cli.errors import DataError
from node_cli.tasks.images import download as download_module
from node_cli.tasks.images.download import download
from node_cli.tasks.images.mnist import FILES, load

from .conftest import QuietHandler, write_small_set


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A local server in the place of torchvision's mirrors; yields the folder it publishes."""
    folder = tmp_path / "published"
    write_small_set(folder)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        sums = [
            (f"{name}.gz", hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest())
            for name in FILES
        ]
        for dataset in (datasets.MNIST, datasets.FashionMNIST):
            monkeypatch.setattr(dataset, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
            monkeypatch.setattr(dataset, "resources", sums)
        yield folder
        server.shutdown()
        thread.join()


def names_in(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "dataset"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_missing_files_are_downloaded_then_read_without_the_network(
    publisher, tmp_path, monkeypatch, name, dataset
):
    config = SimpleNamespace(
        name=name, root=str(tmp_path / "new" / "root"), validation=10, download=True
    )
    first = load(config)
    monkeypatch.setattr(getattr(datasets, dataset), "mirrors", [])
    second = load(config)
    assert (len(first.train), len(first.validation), len(first.test)) == (30, 10, 20)
    assert first.train.pixels.equal(second.train.pixels)
    assert names_in(tmp_path / "new" / "root") == sorted(f"{dataset}/raw/{f}.gz" for f in FILES)


def test_files_that_are_there_are_left_alone(publisher, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / f"{FILES[0]}.gz").write_bytes(b"the user's own")
    download("MNIST", tmp_path, FILES[1:])
    assert (raw / f"{FILES[0]}.gz").read_bytes() == b"the user's own"
    assert all((raw / f"{name}.gz").exists() for name in FILES)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(gzip.compress(b"another file")),
    ],
    ids=["not published", "cut", "wrong checksum"],
)
def test_failed_download_leaves_nothing_behind_and_can_be_repeated(publisher, tmp_path, damage):
    last = publisher / f"{FILES[-1]}.gz"
    whole = last.read_bytes()
    damage(last)
    root = tmp_path / "root"
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        download("MNIST", root, FILES)
    assert names_in(root) == []
    text = str(caught.value)
    assert str(root / "MNIST" / "raw") in text
    assert all(name in text for name in FILES)
    assert "data.root=PATH" in text
    assert "data=mnist-mini" in text
    assert "\n" not in text
    last.write_bytes(whole)
    download("MNIST", root, FILES)
    assert len(names_in(root)) == 4


def test_interrupted_download_leaves_nothing_behind(publisher, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.MNIST, "_load_data", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download("MNIST", tmp_path / "root", FILES)
    assert names_in(tmp_path / "root") == []


def test_without_a_network_the_failure_is_quick_and_plain(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise URLError(OSError("Temporary failure in name resolution"))

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    start = time.monotonic()
    with pytest.raises(DataError, match="Temporary failure in name resolution"):
        download("MNIST", tmp_path, FILES)
    assert time.monotonic() - start < 10


def test_silent_server_does_not_hold_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download_module, "_SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        start = time.monotonic()
        with pytest.raises(DataError, match="timed out"):
            download("MNIST", tmp_path, FILES)
    assert time.monotonic() - start < 10


def test_the_limit_on_silence_ends_with_the_download(publisher, tmp_path):
    assert socket.getdefaulttimeout() is None
    download("MNIST", tmp_path / "root", FILES)
    assert socket.getdefaulttimeout() is None


def test_root_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"could not be downloaded to .*file.*Not a directory"):
        download("MNIST", tmp_path / "file", FILES)

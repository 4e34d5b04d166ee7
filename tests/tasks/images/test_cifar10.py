import hashlib
import pickle
import tarfile
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from node_cli.errors import DataError
from node_cli.tasks.images.cifar10 import read_cifar10

from .conftest import QuietHandler

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def config(root, download=False, validation=10):
    return SimpleNamespace(name="cifar10", root=str(root), validation=validation, download=download)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Small files in the layout of CIFAR-10, whose checksums torchvision is told."""
    folder = tmp_path / "root" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(name, count):
        pixels = rng.integers(256, size=(count, 3072), dtype=np.uint8)
        return [name, write(name, {"data": pixels, "labels": [i % 10 for i in range(count)]})]

    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{i}", 20) for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch", 20)])
    meta = CIFAR10.meta | {"md5": write("batches.meta", {"label_names": NAMES})}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return tmp_path / "root"


def test_pixels_are_in_planes_as_stored(root):
    sets = read_cifar10(config(root))
    assert sets.classes == tuple(NAMES)
    assert [len(part) for part in (sets.train, sets.validation, sets.test)] == [90, 10, 20]
    stored = pickle.loads((root / CIFAR10.base_folder / "test_batch").read_bytes())
    assert sets.test.pixels.shape == (20, 3, 32, 32)
    assert np.array_equal(sets.test.pixels.flatten(1).numpy(), stored["data"])
    assert sets.test.labels.tolist() == stored["labels"]


def test_a_missing_file_is_named(root):
    (root / CIFAR10.base_folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3 missing, and data.download=false"):
        read_cifar10(config(root))


def test_another_file_is_not_unpickled(root):
    path = root / CIFAR10.base_folder / "data_batch_3"
    path.write_bytes(b"cos\nsystem\n(S'touch broken'\ntR.")
    with pytest.raises(DataError, match=r"data_batch_3: its checksum is not that of CIFAR-10"):
        read_cifar10(config(root))


def test_missing_files_are_fetched(root, tmp_path, monkeypatch):
    archive = tmp_path / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(root / CIFAR10.base_folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/{archive.name}"
        monkeypatch.setattr(CIFAR10, "url", url)
        sets = read_cifar10(config(tmp_path / "new", download=True))
        server.shutdown()
        thread.join()
    assert len(sets.train) == 90
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [CIFAR10.base_folder]


def test_without_a_network_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", (tmp_path / "nowhere").as_uri())
    with pytest.raises(DataError, match=r"CIFAR10 could not be downloaded .*data.root=PATH"):
        read_cifar10(config(tmp_path, download=True))

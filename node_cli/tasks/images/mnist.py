"""MNIST, its sample mnist-mini and Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from torch import Tensor

from node_cli.errors import DataError
from node_cli.run_folder.own_files import absolute
from node_cli.tasks.images.download import download
from node_cli.tasks.images.idx import read_idx
from node_cli.tasks.images.labelled_images import Images, ImageSets, held_out

if TYPE_CHECKING:
    from node_cli.tasks.images.schema import ImagesConfig

MINI_FOLDER = Path(__file__).parent / "mnist_mini"
CHECKSUMS = "SHA256SUMS"
HEIGHT = WIDTH = 28

Part = Literal["train", "t10k"]
PARTS: tuple[Part, ...] = get_args(Part)
DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def image_file(part: Part) -> str:
    """Name of the file of a part's images, unpacked."""
    return f"{part}-images-idx3-ubyte"


def label_file(part: Part) -> str:
    """Name of the file of a part's labels, unpacked."""
    return f"{part}-labels-idx1-ubyte"


FILES = tuple(name for part in PARTS for name in (image_file(part), label_file(part)))


def load(config: ImagesConfig) -> ImageSets:
    """Read the data set that ``config`` names, and hold out its validation.

    ``mnist`` and ``fashion-mnist`` lie as torchvision lays them out, in ``<root>/MNIST/raw`` or
    ``<root>/FashionMNIST/raw``, gzipped or not; the gzipped file is taken where both exist,
    because it carries a checksum.

    Raises:
        DataError: a file is missing (or could not be downloaded), damaged, or does not hold what
            its name says; or no training image would be left.
    """
    if config.name == "mnist-mini":
        return load_mini(config.validation)
    if config.root is None:
        raise DataError(f"{config.name} needs data.root=PATH, the folder of its files.")
    root = absolute(Path(config.root))
    dataset: Literal["MNIST", "FashionMNIST"]
    dataset = "FashionMNIST" if config.name == "fashion-mnist" else "MNIST"
    _complete(dataset, root, config.download)
    folder = root / dataset / "raw"
    train, test = read_part(folder, "train"), read_part(folder, "t10k")
    return held_out(config.name, classes_of(config), train, test, config.validation)


def classes_of(config: ImagesConfig) -> tuple[str, ...]:
    """The name of each label, whether the data are there or not."""
    return GARMENTS if config.name == "fashion-mnist" else DIGITS


def load_mini(validation: int) -> ImageSets:
    """Read mnist-mini, 6,000 + 1,000 MNIST images inside the package, comparing checksums.

    Raises:
        DataError: the installed files are not what was shipped, or ``validation`` leaves no
            training image.
    """
    try:
        sums = read_checksums(MINI_FOLDER / CHECKSUMS)
        train, test = (read_part(MINI_FOLDER, part, sums) for part in PARTS)
    except DataError as error:
        raise DataError(f"{error} mnist-mini is a part of node-cli: install it again.") from error
    return held_out("mnist-mini", DIGITS, train, test, validation)


def read_part(folder: Path, part: Part, sha256: Mapping[str, str] | None = None) -> Images:
    """Read the images and labels of a part, and see that they belong together.

    Args:
        folder: of the IDX files.
        part: ``train`` or ``t10k``, the test images.
        sha256: checksums of the unpacked files by name; one that is not there is not checked.

    Raises:
        DataError: a file is missing or damaged, is not of 28x28 images or of labels from 0 to 9,
            or the two differ in number.
    """
    images, labels = _stored(folder, image_file(part)), _stored(folder, label_file(part))
    sums = sha256 or {}
    pixels = read_idx(images, sums.get(image_file(part)))
    classes = read_idx(labels, sums.get(label_file(part)))
    if pixels.dim() != 3 or pixels.shape[1:] != (HEIGHT, WIDTH):
        raise _wrong(images, f"images of {HEIGHT}x{WIDTH} pixels", _shape(pixels))
    if classes.dim() != 1:
        raise _wrong(labels, "one label an image", _shape(classes))
    if len(pixels) != len(classes):
        raise _wrong(labels, f"{len(pixels)} labels, as {images} has images", f"{len(classes)}")
    if len(classes) == 0:
        raise _wrong(labels, "at least one label", "none")
    if int(classes.max()) > 9:
        raise _wrong(labels, "labels from 0 to 9", f"a label {int(classes.max())}")
    return Images(pixels.unsqueeze(1), classes.long())


def read_checksums(path: Path) -> dict[str, str]:
    """Read a file of ``sha256sum`` lines: the checksums of the four IDX files by their names.

    Raises:
        DataError: the file is missing, a line is not a checksum and a name, or one of the four
            names is missing.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        sums = {name: checksum for checksum, name in (line.split() for line in lines)}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as lines of checksum and file name.") from error
    if missing := [name for name in FILES if name not in sums]:
        raise DataError(f"{path}: has no line for {', '.join(missing)}.")
    return sums


def _complete(dataset: Literal["MNIST", "FashionMNIST"], root: Path, may_download: bool) -> None:
    folder = root / dataset / "raw"
    missing = [name for name in FILES if not _stored(folder, name).exists()]
    if missing and not may_download:
        raise DataError(
            f"{folder}: {', '.join(missing)} missing, gzipped or not, and data.download=false."
            " Name a folder that holds the files with data.root=PATH, allow the download with"
            " data.download=true, or use the sample in the package with data=mnist-mini."
        )
    if missing:
        download(dataset, root, missing)


def _stored(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.gz"
    return packed if packed.exists() or not (folder / name).exists() else folder / name


def _shape(values: Tensor) -> str:
    return " x ".join(map(str, values.shape))


def _wrong(path: Path, expected: str, found: str) -> DataError:
    return DataError(
        f"{path}: expected {expected}, found {found}. Delete it and download it again."
    )

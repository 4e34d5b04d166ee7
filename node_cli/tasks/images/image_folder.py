"""Images of the user's own, in a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.free_memory import free_bytes, readable
from node_cli.tasks.images.batches import unit_floats
from node_cli.tasks.images.image_file import Form, form_of, read_pixels
from node_cli.tasks.images.labelled_images import Images, ImageSets
from node_cli.tasks.images.own_images import Shape
from node_cli.tasks.images.schema import SMALLEST_SIDE
from node_cli.tasks.images.stream import Stream

if TYPE_CHECKING:
    from node_cli.tasks.images.schema import ImageFolderConfig

_PARTS = ("train", "val", "test")
_SPLIT_OFF = {"val": "validation", "test": "test"}
_READ = (".png", ".jpg", ".jpeg")
_OTHER_IMAGES = (".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif", ".ppm", ".svg")

# The files of each class.
Classes = dict[str, list[Path]]


def read_image_folder(config: ImageFolderConfig, seed: int) -> ImageSets:
    """Read the images of all classes, which are in the order of their names.

    Where there is a folder ``train`` with folders in it, the folders ``train``, ``val`` and
    ``test`` hold those of the classes. What of ``val`` and ``test`` is not there is split off the
    training images: of each class its share, at least one image, at random by ``seed``.

    Raises:
        DataError: there is no such folder, it has not two classes or too few images of one, or an
            image cannot be read or is not like the others; says which.
    """
    folder = config.own_file
    assert folder is not None
    where = f"data.path={config.path}"
    parts = _parts(folder, where)
    names = sorted(parts["train"])
    if len(names) < 2:
        raise DataError(
            f"{where}: there is only one class, {names[0]}; a classifier needs at least two, each"
            " in a folder of its own."
        )
    parts |= _split_off(parts, config, seed, where)
    files = sorted(file for part in parts.values() for file in _files(part))
    form = _common_form(files, config)
    sets = {part: _images(classes, names, form) for part, classes in parts.items()}
    return ImageSets(config.name, tuple(names), sets["train"], sets["val"], sets["test"])


def holds_pictures(path: Path) -> bool:
    """Whether it is a folder, or a file with a name as of an image that is read here."""
    return path.is_dir() or path.suffix.lower() in _READ


def read_like(path: Path, config: ImageFolderConfig, shape: Shape) -> tuple[Tensor, list[str]]:
    """Images to be classified, converted as ``config`` says.

    Args:
        path: of a file, or of a folder with files in it and in the folders in it.
        config: of the run.
        shape: of the images of the run.

    Returns:
        float32 ``[N, C, H, W]`` from 0 to 1, and the name of each.

    Raises:
        DataError: there is no image, or one cannot be read or is unlike those of the run.
    """
    if not path.exists():
        raise DataError(f"INPUT {path}: there is no such file or folder.")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _read(file))
    if not files:
        raise DataError(f"INPUT {path}: there is no PNG or JPEG image in this folder.")
    pixels = []
    for file in files:
        form = form_of(file, config.mode, config.size)
        if Shape(form.channels, form.height, form.width) != shape:
            raise DataError(
                f"INPUT {file}: this image is {form.colours}, of {form.size} pixels; the run was"
                f" trained on {shape}. Convert it first."
            )
        pixels.append(_planes(file, form))
    names = [str(file.relative_to(path)) if file != path else file.name for file in files]
    return unit_floats(torch.stack(pixels)), names


def _parts(folder: Path, where: str) -> dict[str, Classes]:
    """The files of each class, in those of the three parts that are there."""
    if not folder.is_dir():
        what = "this is a file" if folder.exists() else "there is no such folder"
        raise DataError(f"{where}: {what}; give a folder that holds a folder for each class.")
    train = folder / "train"
    if not train.is_dir() or not any(path.is_dir() for path in _entries(train)):
        return {"train": _classes(folder, where)}
    for entry in _entries(folder):
        if entry.name not in _PARTS and (entry.is_dir() or _is_image(entry)):
            raise DataError(
                f"{where}: {entry.name} lies beside the folder train; only the folders"
                f" {', '.join(_PARTS)} can."
            )
    parts = {
        part: _classes(folder / part, f"{where}/{part}")
        for part in _PARTS
        if (folder / part).is_dir()
    }
    for part, classes in parts.items():
        if unknown := sorted(classes.keys() - parts["train"].keys()):
            raise DataError(
                f"{where}/{part}: the class {unknown[0]} has no folder in train, so that it cannot"
                " be learned."
            )
    return parts


def _classes(folder: Path, where: str) -> Classes:
    classes: Classes = {}
    for entry in _entries(folder):
        if entry.is_dir():
            classes[entry.name] = _images_in(entry, f"{where}/{entry.name}")
        elif _is_image(entry):
            raise DataError(
                f"{where}: the image {entry.name} lies in no folder; each class needs a folder of"
                " its own, whose name is that of the class."
            )
    if not classes:
        raise DataError(f"{where}: it is empty; it must hold a folder of images for each class.")
    return classes


def _images_in(folder: Path, where: str) -> list[Path]:
    """The images of one class, in the order of their names."""
    files = []
    for entry in _entries(folder):
        if entry.is_dir():
            raise DataError(
                f"{where}/{entry.name}: this folder lies inside that of a class; put its images"
                f" into {folder.name}, or beside it if they are a class of their own."
            )
        if entry.suffix.lower() in _OTHER_IMAGES:
            raise DataError(f"{where}/{entry.name}: only PNG and JPEG are read; convert it.")
        if _is_image(entry):
            files.append(entry)
    if not files:
        raise DataError(f"{where}: there is no PNG or JPEG image in the folder of this class.")
    return files


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; not what file managers hide there."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read(path: Path) -> bool:
    return path.suffix.lower() in _READ and not path.name.startswith(".")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (*_READ, *_OTHER_IMAGES)


def _files(classes: Classes) -> list[Path]:
    return [file for files in classes.values() for file in files]


def _split_off(
    parts: Mapping[str, Classes], config: ImageFolderConfig, seed: int, where: str
) -> dict[str, Classes]:
    """The training images, and those of the parts that have no folder of their own."""
    shares = {
        part: getattr(config, option) for part, option in _SPLIT_OFF.items() if part not in parts
    }
    if not shares:
        return {}
    needed = 1 + len(shares)  # an image for each part
    found: dict[str, Classes] = {part: {} for part in ("train", *shares)}
    for number, name in enumerate(sorted(parts["train"])):
        files = parts["train"][name]
        count = len(files)
        if count < needed:
            raise DataError(
                f"{where}: the class {name} has {count} image{'s' * (count > 1)}; it needs at least"
                f" {needed}, for training and {' and '.join(_SPLIT_OFF[part] for part in shares)}."
            )
        order = torch.randperm(count, generator=random_stream(seed, Stream.SPLIT, number)).tolist()
        for done, (part, share) in enumerate(shares.items(), 1):
            size = min(max(1, round(share * count)), len(order) - (needed - done))
            found[part][name] = sorted(files[place] for place in order[:size])
            order = order[size:]
        found["train"][name] = sorted(files[place] for place in order)
    return found


def _common_form(files: Sequence[Path], config: ImageFolderConfig) -> Form:
    """What all images have, or are brought to; seen in their headers, before any is read."""
    first: tuple[Path, Form] | None = None
    for file in files:
        form = form_of(file, config.mode, config.size)
        if first is None:
            first = file, form
        elif form != first[1]:
            raise _unlike(first, (file, form))
    assert first is not None
    form = first[1]
    if min(form.height, form.width) < SMALLEST_SIDE:
        raise DataError(
            f"data.size=null: the images have {form.size} pixels; each side must be at least"
            f" {SMALLEST_SIDE}, because the stem brings it down to less than a quarter. Give"
            " data.size=28, for example, to enlarge them."
        )
    needed = len(files) * form.values
    free = free_bytes(torch.device("cpu"))
    if free is not None and needed > free:
        raise DataError(
            f"data.path={config.path}: its {len(files)} images of {form.size} pixels need"
            f" {readable(needed)} of memory, and {readable(free)} are free; bring them to a smaller"
            " size with data.size=64, for example."
        )
    return form


def _unlike(first: tuple[Path, Form], other: tuple[Path, Form]) -> DataError:
    (one, form), (two, another) = first, other
    if form.mode != another.mode:
        return DataError(
            f"data.mode=null: {one} is {form.colours} and {two} {another.colours}; give"
            " data.mode=rgb or data.mode=grey to have them alike."
        )
    return DataError(
        f"data.size=null: {one} has {form.size} pixels and {two} {another.size} (height x width);"
        f" give data.size=[{form.height},{form.width}], for example, to bring all to one size."
    )


def _images(classes: Classes, names: Sequence[str], form: Form) -> Images:
    pixels = torch.empty(
        sum(map(len, classes.values())), form.channels, form.height, form.width, dtype=torch.uint8
    )
    labels: list[int] = []
    for label, name in enumerate(names):
        for file in classes.get(name, ()):
            pixels[len(labels)] = _planes(file, form)
            labels.append(label)
    return Images(pixels, torch.tensor(labels))


def _planes(file: Path, form: Form) -> Tensor:
    """uint8 [C, H, W]."""
    return torch.from_numpy(read_pixels(file, form)).permute(2, 0, 1)

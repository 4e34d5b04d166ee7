import numpy as np
import pytest
import torch
from PIL import Image

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.tasks.densities.picture import read_image


def test_any_picture_can_be_read_bright_or_dark(tmp_path):
    grey = np.zeros((4, 6), dtype=np.uint8)
    grey[0, 0] = 255
    path = tmp_path / "dot.png"
    Image.fromarray(grey).save(path)
    bright = read_image(path, invert=False).sample(100, random_stream(0))
    assert bool((bright[:, 0] < -2 / 3).all())
    assert bool((bright[:, 1] > 1 / 3).all())
    dark = read_image(path, invert=True).sample(2000, random_stream(0))
    assert not bool(((dark[:, 0] < -2 / 3 - 1e-3) & (dark[:, 1] > 1 / 3 + 1e-3)).any())
    Image.fromarray(grey).convert("RGB").save(tmp_path / "dot.jpg")
    read_image(tmp_path / "dot.jpg", invert=False)


def test_pictures_of_sixteen_bits_and_of_floats_keep_their_shades(tmp_path):
    shades = np.tile(np.array([0, 1000, 2000, 3000]), (4, 1))
    Image.fromarray(shades.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray((shades / 3000).astype(np.float32)).save(tmp_path / "float.tiff")
    for name in ("deep.png", "float.tiff"):
        points = read_image(tmp_path / name, False).sample(12_000, random_stream(0))
        column = ((points[:, 0] + 1) * 2).floor().long()
        seen = torch.bincount(column, minlength=4) / 12_000
        torch.testing.assert_close(seen, torch.tensor([0, 1, 2, 3]) / 6, atol=0.02, rtol=0)


def test_transparent_counts_as_white_paper(tmp_path):
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (0, 0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "ink.png")
    ink = read_image(tmp_path / "ink.png", invert=True).sample(100, random_stream(0))
    assert bool((ink[:, 0] < 0).all())
    assert bool((ink[:, 1] > 0).all())


def test_a_large_picture_is_made_smaller(tmp_path):
    Image.fromarray(np.full((300, 3000), 200, dtype=np.uint8)).save(tmp_path / "large.png")
    density = read_image(tmp_path / "large.png", invert=False)
    points = torch.tensor([[0.0, 0.0], [0.9, 0.09], [0.0, 0.2]])
    assert torch.isfinite(density.log_density(points)).tolist() == [True, True, False]


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "none.png", False)
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match="no picture"):
        read_image(tmp_path / "text.png", False)
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(DataError, match=r"all black.*data\.invert=true"):
        read_image(tmp_path / "black.png", False)
    whole = (tmp_path / "black.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no picture"):
        read_image(tmp_path / "cut.png", False)
    with pytest.raises(DataError, match="no picture"):
        read_image(tmp_path, False)

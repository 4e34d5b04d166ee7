import errno
import os

import numpy as np
import pytest
import torch

from node_cli.errors import ConfigError, reason, told

ADVISED = (
    "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE", "EFBIG", "ENAMETOOLONG",
    "ELOOP", "ENOTDIR", "EISDIR", "EMFILE", "ENFILE",
)  # fmt: skip


def failed(number, name="/run/metrics.jsonl"):
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize("name", ADVISED)
def test_an_error_of_the_system_is_told_with_what_to_do(tmp_path, name):
    number = getattr(errno, name)
    text = told(failed(number, str(tmp_path / "file")))
    start = f"{tmp_path / 'file'}: {os.strerror(number).lower()}. "
    assert text.startswith(start)
    assert text.removeprefix(start)[0].isupper()
    assert text.endswith(".")
    assert "\n" not in text


def test_a_full_disk_is_told_as_such():
    assert told(failed(errno.ENOSPC)) == (
        "/run/metrics.jsonl: no space left on device. Make room there, or choose another place"
        " (hydra.run.dir=PATH for a run)."
    )


def test_a_deleted_folder_is_told_from_a_missing_file(tmp_path):
    missing, deleted = str(tmp_path / "file"), str(tmp_path / "run" / "file")
    assert told(failed(errno.ENOENT, missing)) == f"{missing}: no such file or directory."
    assert told(failed(errno.ENOENT, deleted)) == (
        f"{deleted}: its folder is not there; it may have been deleted or moved meanwhile."
    )


@pytest.mark.parametrize("name", [None, 3, b"/run/x", "/\0"])
def test_any_name_of_a_file_can_be_told(name):
    assert "no such file" in told(failed(errno.ENOENT, name))


def test_an_error_without_a_number_is_told():
    assert reason(OSError("half a header")) == "half a header."
    assert told(OSError("half a header")) == "unexpected OSError: half a header."
    assert told(KeyError()) == "unexpected KeyError."


def test_control_characters_are_shown_and_not_sent_on():
    assert told(ConfigError("a\x1b[31mb\x07\r\x9b\ncafé ünï 数")) == (
        "a\\x1b[31mb\\x07\\r\\x9b\ncafé ünï 数"
    )


def test_an_error_that_a_library_wrapped_is_told():
    wrapped = ValueError("Unable to configure handler 'file'")
    wrapped.__cause__ = ConfigError("the log is a link.")
    assert told(wrapped) == "the log is a link."


@pytest.mark.parametrize(
    "too_large",
    [
        lambda: torch.empty(10**9, 10**9, 3, 3),
        lambda: torch.ones(1).expand(10**9, 10**9, 10**5),
        lambda: np.empty(10**15),
        lambda: np.empty((10**9, 10**10)),
        lambda: np.arange(10**19),
    ],
)
def test_what_fits_into_no_memory_is_told_as_such(too_large):
    with pytest.raises((MemoryError, RuntimeError, ValueError)) as caught:
        too_large()
    assert told(caught.value).startswith("there is not enough memory.")

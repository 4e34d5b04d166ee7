"""What the tests of compiled steps share."""

import pytest

from node_cli.solving import compilation


@pytest.fixture
def traced_only(monkeypatch, tmp_path):
    """Graphs are traced and not compiled, and nothing is known of fields or kept anywhere."""
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    monkeypatch.setattr(compilation.done, "refused", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def told():
    """The lines that stay of what is told of compilations."""
    lines = []
    with compilation.told(lambda text, stays: lines.append(text) if stays else None):
        yield lines

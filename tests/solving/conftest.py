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


@pytest.fixture(scope="session")
def code_cache(tmp_path_factory):
    """Where code that is generated is kept: headers are compiled once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def generated(traced_only, code_cache, monkeypatch):
    """Code is generated and compiled, as in a run."""
    monkeypatch.setattr(compilation, "BACKEND", "inductor")
    monkeypatch.setenv("XDG_CACHE_HOME", str(code_cache))

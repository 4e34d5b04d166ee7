"""The workers of pytest-xdist collect in processes of their own, and must find the same tests."""

import json
import os
import subprocess
import sys

# Collects paths as on another day, and writes what it found into the file that is named first.
ANOTHER_DAY = """
import json, pathlib, sys, time
now = time.time
time.time = lambda: now() + 100_000
time.time_ns = lambda: int(time.time() * 1e9)
import pytest

class Found:
    def pytest_collection_finish(self, session):
        names = [item.nodeid for item in session.items]
        pathlib.Path(sys.argv[1]).write_text(json.dumps(names))

options = ["-n0", "--collect-only", "-q", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*options, *sys.argv[2:]], plugins=[Found()]))
"""


def test_another_process_on_another_day_finds_the_same_tests(request, tmp_path):
    """Names that hold a time, an address, or the order of a set would differ."""
    here = [item.nodeid for item in request.session.items]
    found = tmp_path / "found.json"
    paths = dict.fromkeys(str(item.path) for item in request.session.items)
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_DAY, found, *paths],
        cwd=request.config.rootpath,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    there = json.loads(found.read_text())
    assert len(set(here)) == len(here)
    chosen = set(here)  # with -k and -m not all that is there
    assert [name for name in there if name in chosen] == here

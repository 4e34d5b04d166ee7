"""A headless Chromium of the system, for tests that look at pages."""

import shutil
from contextlib import contextmanager

import pytest


@contextmanager
def chromium_page(width=1200, height=900):
    """A page in a window of that size; the test is skipped where there is no Chromium.

    Yields:
        The page, and a list to which errors of its scripts are appended.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
    )
    if not path:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page, errors
        finally:
            browser.close()

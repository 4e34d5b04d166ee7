import re
from html.parser import HTMLParser

import pytest
from browser import chromium_page

from node_cli.report.charts import charts, default_axes
from node_cli.report.comparison import Comparison
from node_cli.report.markdown import markdown
from node_cli.report.page import page
from node_cli.report.record import read_record
from node_cli.report.table import group_table, run_table

ODD = "node-train data.path='<script>alert(1)</script>&|'"


@pytest.fixture
def html(a_run, tmp_path):
    folders = [
        a_run({"tolerance.rtol": 10.0**-k, "solver.name": solver}, 0.9 + 0.01 * k, command=ODD)
        for solver in ("rk4", "dopri5")
        for k in (1, 2, 3)
    ]
    folders.append(a_run({"tolerance.rtol": 1.0}, status="failed", cause="<b>diverged</b>"))
    comparison = Comparison([read_record(folder) for folder in folders])
    drawn = list(charts(comparison, default_axes(comparison, None, None, None)))
    text = page(
        "a <title>", comparison, group_table(comparison, "error"), run_table(comparison), drawn
    )
    path = tmp_path / "report.html"
    path.write_text(text)
    return path


class Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [v for name, v in attributes if name in ("src", "href", "srcset", "action")]
        if tag == "link":
            self.found.append("link")


def test_the_page_needs_nothing_from_elsewhere(html):
    parser = Addresses()
    parser.feed(html.read_text())
    assert parser.found
    assert all(v.startswith(("#", "data:image/svg+xml;base64,")) for v in parser.found)
    assert not re.search(r"@import|url\(", html.read_text())


def test_text_of_runs_is_shown_and_never_run(html):
    text = html.read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "<b>diverged" not in text
    assert text.count("<script>") == 1


def column(page, table, number):
    cells = page.locator(f"[aria-labelledby={table}] tbody tr:not([hidden])")
    return [row.locator("td").nth(number).inner_text() for row in cells.all()]


@pytest.mark.browser
def test_columns_sort_and_filter(html):
    with chromium_page() as (page, errors):
        page.goto(html.as_uri())
        groups = page.locator("[aria-labelledby=groups]")
        groups.get_by_role("button", name="rtol").click()
        shown = [float(text) for text in column(page, "groups", 1)]
        assert shown == sorted(shown)
        groups.get_by_role("button", name="rtol").click()
        assert [float(text) for text in column(page, "groups", 1)] == shown[::-1]
        groups.get_by_role("button", name="test error").click()
        errors_shown = column(page, "groups", 3)
        assert errors_shown[-1] == "-"
        assert errors_shown[:-1] == sorted(errors_shown[:-1])
        groups.get_by_label("Filter rtol").fill("<0.05")
        assert all(float(text) < 0.05 for text in column(page, "groups", 1))
        groups.get_by_label("Filter solver").fill("rk4")
        assert column(page, "groups", 0) == ["rk4", "rk4"]
        assert page.locator(".count").first.inner_text() == "2"
        groups.get_by_label("Filter solver").fill("")
        groups.get_by_label("Filter rtol").fill("")
        assert len(column(page, "groups", 0)) == 7
        assert not errors


@pytest.mark.browser
def test_on_a_phone_only_tables_and_figures_scroll_sideways(html):
    with chromium_page(390, 844) as (page, errors):
        page.goto(html.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("figure img").count() >= 4
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        page.wait_for_function(loaded)
        assert not errors


def test_tables_show_standard_errors_beside_deviations(a_run):
    folders = [a_run({"tolerance.rtol": 0.1}, accuracy=value) for value in (0.8, 0.9, 0.7)]
    folders.append(a_run({"tolerance.rtol": 0.01}, accuracy=0.75))
    comparison = Comparison([read_record(folder) for folder in folders])
    table = group_table(comparison, "error")
    shown = [row[table.titles.index("test error")].text for row in table.rows]
    assert shown == ["0.25", "0.2 ± 0.1 (0.058)"]
    text = markdown("title", comparison, table, [])
    assert "0.2 ± 0.1 (0.058)" in text
    assert "standard error" in text
    assert "standard error" in page("title", comparison, table, run_table(comparison), [])


def test_markdown_tables_hold_together(a_run):
    folders = [a_run({"model.hidden": text}, command=ODD) for text in ("[64|64]", "[32]")]
    folders.append(a_run(status="failed", cause="two\nlines"))
    comparison = Comparison([read_record(folder) for folder in folders])
    text = markdown("title", comparison, group_table(comparison, "error"), [])
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "two lines" in text
    assert ODD in text

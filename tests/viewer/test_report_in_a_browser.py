"""The page in headless Chromium, where there is one."""

import json

import pytest

from aucli.sinks.tables.analysis import Analysis
from aucli.viewer.report import write_report
from tests.viewer.chromium import browser


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("downloads"), network=True) as opened:
        opened.set_window_size(1000, 900)
        yield opened


def test_it_shows_without_errors_asks_for_nothing_and_copies(session, made):
    page = write_report(Analysis(made), made.with_suffix(".html"))
    session.get(page.as_uri())
    assert session.find_element("css selector", "h1").text == "out.parquet"
    line = session.find_element("css selector", "svg .curve").rect
    assert line["width"] > 200
    assert line["height"] > 10
    button = session.find_element("css selector", "[data-of=bibtex-text]")
    button.click()
    assert session.execute_script("return String(getSelection())").startswith("@misc{aucli")
    assert session.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    grounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        session.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        grounds.append(session.find_element("css selector", "body").value_of_css_property("background-color"))
    assert grounds[0] != grounds[1]
    assert session.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in session.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked == [page.as_uri()]

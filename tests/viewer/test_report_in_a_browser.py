"""The page in headless Chromium, where there is one."""

import json
import shutil

import pytest

from aucli.sinks.tables.analysis import Analysis
from aucli.viewer.report import write_report
from tests.viewer.test_report import made, videos  # noqa: F401 # fixtures

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here")


@pytest.fixture(scope="module")
def browser():
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def test_it_shows_without_errors_asks_for_nothing_and_copies(browser, made):  # noqa: F811
    page = write_report(Analysis(made), made.with_suffix(".html"))
    browser.get(page.as_uri())
    assert browser.find_element("css selector", "h1").text == "out.parquet"
    line = browser.find_element("css selector", "svg .curve").rect
    assert line["width"] > 200
    assert line["height"] > 10
    button = browser.find_element("css selector", "[data-of=bibtex-text]")
    button.click()
    assert browser.execute_script("return String(getSelection())").startswith("@misc{aucli")
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    grounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        grounds.append(browser.find_element("css selector", "body").value_of_css_property("background-color"))
    assert grounds[0] != grounds[1]
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked == [page.as_uri()]

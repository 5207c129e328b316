"""A headless Chromium, where there is one."""

import json
import shutil
import time
from contextlib import contextmanager

import pytest

PATIENCE_SECONDS = 60  # on a busy machine a browser needs long for its first page


def programs():
    """Chromium and its driver; skips where one is missing. Selenium is to fetch neither."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "chromium" if chromium is None else "chromedriver"
        pytest.skip(f"no {missing} here: apt install chromium chromium-driver")
    return chromium, driver


@contextmanager
def browser(downloads, *, network=False):
    """The driver of a browser that saves files in `downloads`; network: its requests are logged too."""
    chromium, driver = programs()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
        "--force-device-scale-factor=1",
        "--autoplay-policy=no-user-gesture-required",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    logs = {"browser": "ALL"} | ({"performance": "ALL"} if network else {})
    options.set_capability("goog:loggingPrefs", logs)
    session = webdriver.Chrome(options=options, service=Service(driver))
    try:
        session.set_script_timeout(PATIENCE_SECONDS)
        session.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1400, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        session.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
        )
        yield session
    finally:
        session.quit()


class Page:
    """The page in the browser."""

    def __init__(self, session, address):
        self.session = session
        session.get_log("browser")  # what an earlier page said
        session.get(address)

    def js(self, expression, *values):
        return self.session.execute_script(f"return {expression}", *values)

    def module(self, name, expression, *values):
        """An expression with `m`, a module of the page, and `v`, the values."""
        return self.session.execute_async_script(
            f"const v = [...arguments]; const done = v.pop();"
            f"import('./static/{name}').then(async (m) => done(await ({expression})), (e) => done('' + e))",
            *values,
        )

    def until(self, expression, *values):
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            found = self.js(expression, *values)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}")

    def drawn(self):
        """Wait for the time lines and the rows of the first frame."""
        self.until(
            "document.querySelector('.row canvas') && /\\d/.test(document.querySelector('.now').textContent)"
        )

    def open(self, name):
        """Another video of the list."""
        self.js(
            "[...document.querySelectorAll('#video-list button')]"
            ".find((each) => each.querySelector('.name').textContent === arguments[0]).click()",
            name,
        )
        self.until(
            "document.querySelector('#video-list [aria-current=true] .name')?.textContent === arguments[0]",
            name,
        )
        self.drawn()

    def playing(self):
        """Wait until the video can be played."""
        self.until(
            "document.getElementById('video').readyState >= 2 && !document.getElementById('play').disabled"
        )

    def press(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        self.js("document.activeElement.blur()")
        for key in keys:
            ActionChains(self.session).send_keys(key).perform()

    def mouse(self, au, start, end=None):
        """Click, or drag, on the line of an AU at parts of its width."""
        from selenium.webdriver.common.action_chains import ActionChains

        plot = self.session.find_element("css selector", f".row[data-au={au}] .plot")
        self.js("arguments[0].scrollIntoView({block: 'center'})", plot)
        width = plot.size["width"]

        def at(part):
            return round((part - 0.5) * width)

        chain = ActionChains(self.session).move_to_element_with_offset(plot, at(start), 0).click_and_hold()
        if end is not None:
            chain = chain.move_by_offset(at(end) - at(start), 0)
        chain.release().perform()

    def pixel(self, selector, x, y):
        """Red, green, blue, opacity of a canvas, x and y in parts of its size."""
        return self.js(
            "((canvas, x, y) => [...canvas.getContext('2d').getImageData("
            "Math.round(x * (canvas.width - 1)), Math.round(y * (canvas.height - 1)), 1, 1).data])"
            "(document.querySelector(arguments[0]), arguments[1], arguments[2])",
            selector,
            x,
            y,
        )

    def complaints(self):
        """What the console says, but for a warning about how these tests read pixels."""
        said = [json.dumps(entry) for entry in self.session.get_log("browser")]
        return [entry for entry in said if "getImageData" not in entry]

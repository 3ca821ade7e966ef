"""A real browser for tests of pages: Chromium without a window, driven by selenium, which downloads nothing."""

import json
import shutil
import time
from contextlib import contextmanager

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-unsafe-swiftshader",  # 3-D pictures need WebGL, and a machine without a screen has no other
    "--window-size=1280,900",
)
LOCAL = ("file:", "data:", "blob:", "about:")
# As on a machine without WebGL, which software has to stand in for here: a page opens in a third of the time.
FLAT = """
const own = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.includes("webgl") ? null : own.call(this, kind, ...more);
};
"""
# On the console: how fast the drawing was, and that a flat one cannot be drawn.
NOISE = ("GL Driver Message", "willReadFrequently", "error creating static canvas")


class Browser:
    """A window and what happened in it.

    `driver` is selenium's; `open` shows a page; `requests` and `complaints` say what it asked for and what it wrote on
    the console since it was opened.
    """

    def __init__(self, driver):
        self.driver, self._flat = driver, None

    @property
    def flat(self):
        """Whether 3-D pictures are not drawn."""
        return self._flat is not None

    def open(self, page, *, flat=False):
        if flat and not self.flat:
            added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FLAT})
            self._flat = added["identifier"]
        elif self.flat and not flat:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": self._flat})
            self._flat = None
        self.driver.get("about:blank")
        for log in ("performance", "browser"):
            self.driver.get_log(log)
        self.driver.get(page if isinstance(page, str) else page.as_uri())

    def requests(self):
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [
            m["params"] for m in messages if m["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]
        return [params["request"]["url"] if "request" in params else params["url"] for params in sent]

    def foreign(self):
        """Return the requests that leave the machine's files."""
        return [url for url in self.requests() if not url.startswith(LOCAL)]

    def complaints(self):
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if not any(noise in message for noise in NOISE)]

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, seconds=30):
        """Wait until a script returns something true, and return that."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"still not true after {seconds} s: {script}"
            time.sleep(0.05)
        return found

    def choose(self, select, value):
        """Choose an option of a select, as a person would."""
        self.run(
            "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('change', {bubbles: true}))",
            select,
            str(value),
        )

    def screenshot(self, selector="body"):
        """Return a PNG of the first element that fits, in view."""
        from selenium.webdriver.common.by import By

        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        return element.screenshot_as_png


@contextmanager
def chromium(profile):
    """Start Chromium with an empty profile folder; skips, saying why, where there is none."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    selenium = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = selenium.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One window for all tests of a module; closed then, as a page with 3-D pictures keeps a core busy."""
    with chromium(tmp_path_factory.mktemp("chromium")) as window:
        yield window

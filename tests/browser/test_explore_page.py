"""The explorer as a page: sliders moved in a browser choose what Python chooses for the same limits."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from moo_infer import Scenario
from moo_infer.report.answer import running

ROWS = """
return [...document.querySelectorAll('.widget-html-content table tbody tr')]
  .map(row => [...row.children].map(cell => cell.textContent));
"""
SLIDERS = """
return Object.fromEntries([...document.querySelectorAll('.widget-hslider')]
  .filter(slider => /^(max|min) /.test(slider.querySelector('.widget-label').textContent))
  .map(slider => [slider.querySelector('.widget-label').textContent, slider.querySelector('.widget-readout').textContent]));
"""


# A server as far as signals are concerned: it has a process that works for it, and ends that one before itself.
STAND_IN = """
import signal, subprocess, sys
kernel = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
def end(number, frame):
    kernel.terminate()
    kernel.wait()
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("it is running at", sys.argv, flush=True)
while True:
    signal.pause()
"""


@contextmanager
def served(folder, **variables):
    """The server process of the command, once it runs, and its address; stopped at the end, if it is not already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home, log = str(folder), folder / "voila.txt"
    environment = os.environ | {"HOME": home, "JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": home} | variables
    code = "from moo_infer.cli import main; main()"
    command = [sys.executable, "-c", code, "explore", "--no-browser", "--port", str(port)]
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        try:
            for _ in range(300):
                time.sleep(0.2)
                if "is running at" in log.read_text():
                    break
                assert server.poll() is None, log.read_text()
            yield server, f"http://127.0.0.1:{port}/"
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGINT)
            server.wait(30)


def opened(browser, address):
    browser.open(address)
    browser.wait("return document.querySelector('.widget-html-content table')", seconds=120)
    return browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A server for all tests, which the last one ends: its process, address and folder."""
    folder = tmp_path_factory.mktemp("home")
    with served(folder) as (server, address):
        yield server, address, folder


@pytest.fixture(scope="module")
def page(browser, shared):
    """The served page, opened in the browser."""
    return opened(browser, shared[1])


def belonging_to(folder):
    """Processes that have the folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" "))
    return found


def limits(page):
    """The scenario that the readouts of the sliders show."""
    sides = {"max": {}, "min": {}}
    for label, readout in page.run(SLIDERS).items():
        side, name, *_ = label.split()
        if readout != "none":
            sides[side][name] = float(readout.split()[0])
    return Scenario("custom", sides["max"], sides["min"])


def expected(pipeline, models, scenario):
    """The rows of the table that Python makes of the same limits."""
    report = pipeline.run(models, scenario)
    return [list(row) for row in running(report, report.outcomes)[0].rows]


def test_moving_a_slider_changes_the_selected_k_to_what_python_computes(page, pipeline):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    rng = random.Random(4)
    handles = page.driver.find_elements(By.CSS_SELECTOR, ".widget-hslider .noUi-handle")
    named = {
        h.find_element(By.XPATH, "ancestor::*[contains(@class,'widget-hslider')]").text.split("\n")[0]: h
        for h in handles
    }
    assert {"max cost (USD)", "max latency (s)", "min accuracy"} <= set(named)
    seen = set()
    for _ in range(12):
        handle = named[rng.choice(["max cost (USD)", "max latency (s)", "min accuracy"])]
        handle.send_keys(rng.choice([Keys.ARROW_LEFT, Keys.ARROW_RIGHT]) * rng.randint(1, 25))
        end = time.monotonic() + 30
        while page.run(ROWS) != expected(pipeline, None, limits(page)):
            assert time.monotonic() < end, (limits(page), page.run(ROWS), expected(pipeline, None, limits(page)))
            time.sleep(0.1)
        seen.add(str(page.run(ROWS)))
    assert len(seen) >= 4, "the moves must move something"


def test_the_picture_is_drawn_and_the_page_complains_of_nothing(page):
    drawn = page.wait("const image = document.querySelector('img.widget-image'); return image && image.naturalWidth")
    assert drawn > 500
    page.wait("return document.querySelector('img.widget-image').clientHeight > 300")
    assert len(page.screenshot("img.widget-image")) > 20_000
    assert not [c for c in page.complaints() if re.search(r"moo_infer|widget|Error", c)]


def assert_ends(server, number, folder):
    """A signal ends the command with its number, and all that it started."""
    assert len(belonging_to(folder)) >= 3  # the command, the server, a kernel
    server.send_signal(number)
    assert server.wait(30) == 128 + number
    assert belonging_to(folder) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="lists processes as Linux does")
def test_no_request_leaves_the_machine_and_no_process_is_left_behind(page, shared):
    server, address, folder = shared
    own = (address, address.replace("http", "ws"), "data:", "blob:", "about:")
    assert [url for url in page.requests() if not url.startswith(own)] == []
    page.open("about:blank")
    assert_ends(server, signal.SIGINT, folder)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="lists processes as Linux does")
def test_no_process_is_left_behind_by_who_is_told_to_end(tmp_path):
    """The command treats both signals alike, and its server cannot tell; so a lighter one stands in for it."""
    (tmp_path / "voila").mkdir()
    (tmp_path / "voila" / "__init__.py").touch()
    (tmp_path / "voila" / "__main__.py").write_text(STAND_IN)
    with served(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path])) as (server, _):
        assert str(tmp_path / "voila") in (tmp_path / "voila.txt").read_text()
        assert_ends(server, signal.SIGTERM, tmp_path)

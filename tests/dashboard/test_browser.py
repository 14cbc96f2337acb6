"""The pages in a real browser: loaded, clicked through, without an error in its console."""

import shutil
import time
from pathlib import Path

import pytest

from benchmarks.pictures import browser, dashboard, lacking, sized

pytestmark = [
    pytest.mark.skipif(
        bool(lacking()), reason=f"no browser: {lacking()} (Debian: chromium, chromium-driver)"
    ),
    pytest.mark.slow,
]  # fmt: skip
TABLE = Path(__file__).parents[2] / "configs" / "own_table.csv"


def until(driver, condition, seconds=20):
    """Returns what a condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = driver.execute_script(f"return {condition}")
        if found:
            return found
        time.sleep(0.1)
    shown = driver.execute_script("return document.querySelector('main').innerText")
    raise AssertionError(f"{condition} did not come true; the page shows: {shown[:1500]}")


def check(driver):
    """Fails on errors in the console, and on a page that is wider than its window."""
    assert driver.get_log("browser") == []
    wide = "document.documentElement.scrollWidth > window.innerWidth + 1"
    assert not driver.execute_script(f"return {wide}"), driver.current_url


def css(driver, selector):
    from selenium.webdriver.common.by import By

    return driver.find_element(By.CSS_SELECTOR, selector)


@pytest.fixture(scope="module")
def folder(made_runs, tmp_path_factory):
    return shutil.copytree(made_runs, tmp_path_factory.mktemp("browsed") / "runs")


@pytest.fixture(scope="module")
def address(folder):
    with dashboard(folder, "--write") as found:
        yield found


@pytest.fixture(scope="module")
def driver(address):
    with browser() as found:
        found.get(address)
        yield found


def test_runs_are_filtered_picked_and_compared(driver, address):
    driver.get(address.partition("?")[0])
    until(driver, "document.querySelectorAll('#runs tbody tr').length === 3")
    css(driver, "#text").send_keys("ones-001")
    until(driver, "document.querySelectorAll('#runs tbody tr').length === 1")
    css(driver, "#text").clear()
    css(driver, "#text").send_keys("nothing")
    until(driver, "document.querySelector('#none').innerText.includes('No run matches')")
    css(driver, "#text").clear()
    css(driver, "#text").send_keys("ones")
    until(driver, "document.querySelectorAll('#runs tbody tr').length === 3")
    check(driver)
    for box in ("compare ones-001", "compare day/ones-003"):
        css(driver, f"[aria-label='{box}']").click()
    css(driver, "#compare").click()
    until(driver, "document.querySelectorAll('#chart .scatterlayer .js-line').length === 2")
    assert (
        "seed" in css(driver, "#settings").text and "search fitness" in css(driver, "#figures").text
    )
    check(driver)


@pytest.mark.parametrize(("width", "name"), [(1280, "day/ones-003"), (390, "ones-001")])
def test_a_run_is_shown_wide_and_on_a_phone(driver, address, width, name):
    sized(driver, width, 900)
    driver.get(f"{address.partition('?')[0]}run/{name}")
    until(driver, "document.querySelectorAll('#chart .scatterlayer .js-line').length >= 1")
    assert css(driver, "#state").text == "ended"
    assert set(css(driver, "#best pre").text) <= {"0", "1"}
    assert "archive.h5" in css(driver, "#files").text
    check(driver)
    sized(driver, 1280, 900)


def test_a_run_that_is_not_here_is_said(driver, address):
    driver.get(f"{address.partition('?')[0]}run/nothing")
    assert "There is no run nothing" in css(driver, "main").text
    driver.get_log("browser")  # Chromium logs the status 404


@pytest.mark.timeout(290)
def test_the_button(driver, address, folder, tmp_path):
    driver.get(f"{address.partition('?')[0]}learn")
    css(driver, "#table").send_keys(str(TABLE))
    until(driver, "!document.querySelector('#understood').hidden")
    assert "569 rows, 11 columns" in css(driver, "#summary").text
    check(driver)
    css(driver, "#target").send_keys("diagnosis")
    until(driver, "!document.querySelector('#learn').disabled")
    assert "two classes: benign (357), malignant (212)" in css(driver, "#target-told").text
    assert css(driver, "#metric").get_property("value") == "roc_auc"
    css(driver, "#minutes").clear()
    css(driver, "#minutes").send_keys("0.1")
    css(driver, "#learn").click()
    until(driver, "location.pathname === '/run/own_table-001'")
    until(driver, "document.querySelector('#state').innerText === 'ended'", 90)
    until(driver, "document.querySelectorAll('#board tbody tr').length > 2")
    until(driver, "document.querySelector('#row')")
    check(driver)
    css(driver, "[name='radius']").send_keys("20")
    css(driver, "#try").click()
    until(driver, "/malignant|benign/.test(document.querySelector('#said').innerText)", 90)
    css(driver, "#predict-file").send_keys(str(TABLE))
    until(driver, "document.querySelector('#predictions')", 90)
    css(driver, "#predictions").click()
    css(driver, "#export").click()
    got = driver.downloads
    until(driver, "true")
    for name in ("predictions.csv", "own_table-001.py"):
        deadline = time.monotonic() + 90
        while not (got / name).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    assert len((got / "predictions.csv").read_text().splitlines()) == 570
    assert "def make_pipeline" in (got / "own_table-001.py").read_text()
    check(driver)
    css(driver, "#report").click()
    until(driver, "document.body.innerText.includes('diagnosis')")
    check(driver)
    assert (folder / "own_table-001" / "archive.h5").exists()

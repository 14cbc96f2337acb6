"""The README's pictures of the report and the dashboard, taken of a small run in a real browser.

    python benchmarks/pictures.py

starts a run over the table that ships with zero, its report, a dashboard and a headless Chromium (Debian:
`apt-get install chromium chromium-driver`; `pip install selenium`), and writes docs/images/report.png and
docs/images/dashboard.png. Takes two minutes or so. Pictures are of 64 colours, so that each stays small.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ZERO = [sys.executable, "-m", "zero"]
MOST_BYTES = 200_000  # of a picture
CHROMIUM, DRIVER = "chromium", "chromedriver"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip


def lacking() -> str:
    """Returns what of the browser is not there, in words; "" if all is."""
    from importlib.util import find_spec

    found = [name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None]
    found += [] if find_spec("selenium") else ["selenium"]
    return f"no {', no '.join(found)}" if found else ""


@contextmanager
def browser(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Any]:
    """Gives a headless Chromium with a new profile, as a driver of selenium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(prefix="zero-browser-") as profile:
        options = Options()
        options.binary_location = str(shutil.which(CHROMIUM))
        for flag in (*FLAGS, f"--user-data-dir={profile}/data"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(str(shutil.which(DRIVER))))
        try:
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            kept = {"behavior": "allow", "downloadPath": f"{profile}/got"}  # .py files, too
            driver.execute_cdp_cmd("Browser.setDownloadBehavior", kept)
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            sized(driver, width, height)
            driver.downloads = Path(profile) / "got"
            yield driver
        finally:
            driver.quit()


def sized(driver: Any, width: int, height: int) -> None:
    """Gives a browser's window that size; below 500 it is a phone's."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@contextmanager
def dashboard(folder: Path, *options: str) -> Iterator[str]:
    """Gives the address of a dashboard over a folder of runs."""
    command = [*ZERO, "dashboard", str(folder), "--port", "0", *options]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert serving.stdout is not None
    try:
        line = serving.stdout.readline()
        if "http" not in line:
            raise SystemExit(f"the dashboard did not begin: {line}")
        yield line.split()[-1]
    finally:
        serving.terminate()
        serving.wait(20)


def without(driver: Any, *texts: str) -> None:
    """Takes texts out of a page: the folders of this machine."""
    driver.execute_script(
        """
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode())
          for (const text of arguments[0])
            walker.currentNode.data = walker.currentNode.data.replaceAll(text, "");
        """,
        texts,
    )


def save(driver: Any, file: Path) -> None:
    """Writes what a browser shows as a small PNG."""
    from PIL import Image

    picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    for colours in (64, 32, 16):
        written = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(written, "png", optimize=True)
        if written.tell() < MOST_BYTES:
            break
    else:
        raise SystemExit(f"{file} would have {written.tell():,} bytes")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(written.getvalue())
    print(f"wrote {file} ({written.tell():,} bytes)")


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    out = reading.parse_args().out
    if lacking():
        raise SystemExit(f"pictures need a browser: {lacking()}; see the first lines of this file")
    with tempfile.TemporaryDirectory(prefix="zero-pictures-") as place:
        runs = Path(place) / "runs"
        command = [*ZERO, "run", "own_csv", "--out", str(runs / "own_csv-001"), "--quiet"]
        subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL)
        page = Path(place) / "report.html"
        report = [*ZERO, "report", str(runs / "own_csv-001"), "-o", str(page)]
        reported = subprocess.run(report, cwd=place).returncode == 0
        if not reported:  # reports on programs are younger than this script
            print("no report on this run: only the dashboard's picture is taken")
        with browser(1280, 900) as driver, dashboard(runs) as address:
            driver.get(f"{address}run/own_csv-001")
            time.sleep(3)
            without(driver, f"{place}/", f"{ROOT}/")
            save(driver, out / "dashboard.png")
            if reported:
                sized(driver, 980, 1100)
                driver.get(page.as_uri())
                time.sleep(1)
                without(driver, f"{place}/", f"{ROOT}/")
                save(driver, out / "report.png")


if __name__ == "__main__":
    main()

"""Nothing outside the folder is reached, and only who may sees it."""

import os
import shutil
import threading
import time
from urllib.parse import unquote

import pytest

from zero.dashboard.app import make_app
from zero.dashboard.guard import Guard, is_loopback
from zero.dashboard.root import Missing, Root

SECRET = "the secret of another folder"


def client_of(folder, base="http://localhost:8421", **options):
    from starlette.testclient import TestClient

    return TestClient(make_app(Root(folder), **options), base_url=base, follow_redirects=False)


@pytest.fixture
def outside(runs, tmp_path):
    """A run beside the folder, with a secret."""
    run = shutil.copytree(runs / "ones-001", tmp_path / "outside")
    for file in ("best.txt", "config.yaml", "report.html"):
        (run / file).write_text(SECRET)
    return run


NAMES = [
    "../outside", "..%2foutside", "%2e%2e/outside", "%2e%2e%2foutside", "ones-001/../../outside",
    "ones-001/..%2f..%2foutside", "/etc", "%2fetc", "//etc", "ones-001%00", "ones-001/checkpoints",
    ".", "..", "", "%00", "ones-001/", "./ones-001", "day/../ones-001", "..\\outside", "~root",
    "a/" * 500 + "b", "x" * 5000, "%ff%fe", "link", "day", "day/link", "uploads", "ones-001/best.txt",
]  # fmt: skip


@pytest.fixture
def tempting(runs, outside):
    """The folder, with a link out of it and things that are no runs."""
    (runs / "link").symlink_to(outside)
    (runs / "day" / "link").symlink_to(outside)
    shutil.copytree(outside, runs / "uploads")
    return runs


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out(tempting, name):
    plain = unquote(name, errors="surrogateescape")
    with pytest.raises(Missing):
        Root(tempting).open(plain, "best.txt")
    with pytest.raises(Missing):
        Root(tempting).files(plain)


@pytest.mark.parametrize("name", NAMES)
def test_no_address_leads_out(tempting, name):
    client = client_of(tempting)
    for page in ("api/run", "run", "report", "drawing"):
        got = client.get(f"/{page}/{name}")  # the client may leave out . and .. by itself
        assert SECRET not in got.text and got.status_code < 500, page
    assert SECRET not in client.get(f"/file/{name}?file=best.txt").text
    assert client.get("/api/compare", params={"run": [name, "ones-001"]}).status_code == 200


@pytest.mark.parametrize(
    "file", ["config.yaml", "run.json", "log.jsonl", "best.txt", "report.html", "archive.h5"]
)
def test_links_in_a_run_lead_nowhere(runs, outside, file):
    inside = runs / "ones-001" / file
    inside.unlink(missing_ok=True)
    inside.symlink_to(outside / file)
    client = client_of(runs)
    for address in (
        "/api/runs",
        "/api/run/ones-001",
        "/report/ones-001",
        f"/file/ones-001?file={file}",
    ):
        assert SECRET not in client.get(address).text
    assert client.get(f"/file/ones-001?file={file}").status_code == 404


def test_what_is_no_plain_file_is_not_opened(runs):
    (runs / "ones-001" / "best.txt").unlink()
    os.mkfifo(runs / "ones-001" / "best.txt")  # opening one waits for a writer
    with pytest.raises(Missing):
        Root(runs).open("ones-001", "best.txt")
    assert client_of(runs).get("/api/run/ones-001").status_code == 200


def test_links_that_come_and_go_never_lead_out(runs, outside):
    """A folder is swapped for a link, over and over, while it is asked for."""
    place, kept = runs / "ones-001", runs / "kept"
    root, client = Root(runs), client_of(runs)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(place, kept)
            os.symlink(outside, place)
            os.unlink(place)
            os.rename(kept, place)
            time.sleep(0.0005)  # so that it is found now and then

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = 0
    try:
        for turn in range(4000):
            try:
                with root.open("ones-001", "best.txt") as file:
                    assert SECRET.encode() not in file.read()
                seen += 1
            except Missing:
                pass
            if turn % 100 == 0:
                assert SECRET not in client.get("/report/ones-001").text
    finally:
        stop.set()
        swapping.join()
    assert seen > 0


def test_a_reading_page_of_another_site_is_told_apart_by_its_host(runs):
    for host in ("localhost:8421", "127.0.0.1:8421", "[::1]:8421", "localhost"):
        assert client_of(runs).get("/api/runs", headers={"Host": host}).status_code == 200
    for host in ("evil.example:8421", "127.0.0.1.evil.example", "", "localhost.evil.example"):
        assert client_of(runs).get("/api/runs", headers={"Host": host}).status_code == 403


def test_beyond_loopback_a_token_is_needed(runs):
    client = client_of(runs, "http://10.0.0.5:8421", token="right", loopback=False)
    for address in ("/", "/api/runs", "/static/style.css", "/?token=wrong", "/api/runs?token="):
        got = client.get(address)
        assert got.status_code in (401, 403) and "ones" not in got.text
    got = client.get("/run/ones-001?token=right&x=1")
    assert got.status_code == 303 and got.headers["location"] == "/run/ones-001?x=1"
    cookie = got.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client.get("/api/runs").status_code == 200  # the client keeps the cookie


def test_nothing_is_changed_by_reading_dashboards(runs):
    client = client_of(runs)
    mark = {"X-Zero": "1"}
    for address in ("/api/upload", "/api/begin", "/api/stop/ones-001", "/learn", "/api/runs"):
        assert client.post(address, headers=mark).status_code in (404, 405)


def test_the_way_on_stays_here():
    guard = Guard(None, "right", False)
    scope = {"path": "//evil.example/a", "raw_path": b"//evil.example/a"}
    _, _, headers = guard._admitted(scope, [("token", "right"), ("x", "1")], "10.0.0.5:8421")
    assert dict(headers)[b"location"] == b"/evil.example/a?x=1"


def test_hosts():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "::", "example.com", "")))

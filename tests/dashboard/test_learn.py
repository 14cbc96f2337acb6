"""The button without a browser: what is taken, understood, begun, stopped and asked."""

import errno
import io
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest

from zero.dashboard import commands
from zero.dashboard.app import make_app
from zero.dashboard.learn import Learning
from zero.dashboard.root import Root

TABLE = Path(__file__).parents[2] / "configs" / "own_table.csv"
MARK = {"X-Zero": "1"}


class Pages:
    """A dashboard that may begin runs, and how its pages ask."""

    def __init__(self, folder, most_bytes=10_000_000, **options):
        from starlette.testclient import TestClient

        root = Root(folder)
        self.folder, self.learning = folder, Learning(root, most_bytes)
        app = make_app(root, learning=self.learning, **options)
        self.client = TestClient(app, base_url="http://localhost:8421")

    def upload(self, name, content, to="", headers=MARK):
        query = {"name": name, **({"to": to} if to else {})}
        return self.client.post("/api/upload", params=query, content=content, headers=headers)

    def given(self, name, content):
        got = self.upload(name, content)
        assert got.status_code == 200, got.text
        return got.json()["upload"]

    def ask(self, address, headers=MARK, **asked):
        return self.client.post(address, json=asked, headers=headers)

    def refused(self, address, **asked):
        got = self.ask(address, **asked)
        assert got.status_code == 400, got.text
        error = got.json()["error"]
        assert "\n" not in error and "Traceback" not in error
        return error


@pytest.fixture
def pages(tmp_path):
    (tmp_path / "runs").mkdir()
    return Pages(tmp_path / "runs")


@pytest.fixture
def table(pages):
    return pages.given("own_table.csv", TABLE.read_bytes())


def png(value=0):
    from PIL import Image

    written = io.BytesIO()
    Image.new("RGB", (6, 5), (value, value, value)).save(written, "png")
    return written.getvalue()


def packed(files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# --- what is taken --------------------------------------------------------------------------------


def test_a_table_is_understood(pages, table):
    found = pages.ask("/api/look", upload=table).json()
    assert (found["what"], found["rows"], len(found["columns"])) == ("table", 569, 11)
    radius, diagnosis = found["columns"][0], found["columns"][-1]
    assert (radius["name"], radius["kind"], radius["empty"]) == ("radius", "number", 0)
    assert (diagnosis["kind"], diagnosis["different"]) == ("text", 2)
    chosen = pages.ask("/api/look", upload=table, target="diagnosis").json()
    assert chosen["problem"] == "binary" and chosen["classes"][0] == ["benign", 357]
    assert chosen["usual"] == "roc_auc" and "r2" not in chosen["metrics"]
    number = pages.ask("/api/look", upload=table, target="radius").json()
    assert number["problem"] == "regression" and "r2" in number["metrics"]


def test_images_in_folders_are_understood(pages):
    upload = pages.given("a/1.png", png())
    for k, name in enumerate(("a/2.png", "a/3.png", "b/1.png", "b/2.png", "b/3.png")):
        assert pages.upload(name, png(k), to=upload).status_code == 200
    found = pages.ask("/api/look", upload=upload).json()
    assert (found["what"], found["images"], found["classes"]) == ("images", 6, [["a", 3], ["b", 3]])
    assert found["sizes"] == [["6x5", 6]]


def test_a_zip_of_images_is_unpacked_and_nothing_else_of_it(pages):
    files = {f"set/{c}/{k}.png": png(k) for c in "ab" for k in range(3)}
    bad = {"../out.png": png(), "/abs/x.png": png(), "set/a/run.sh": b"x", "set/a/../../../up.png": png(),
           "set/__MACOSX/a/1.png": png()}  # fmt: skip
    link = zipfile.ZipInfo("set/a/link.png")
    link.external_attr = 0o120777 << 16
    content = io.BytesIO(packed(files | bad))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    upload = pages.given("images.zip", content.getvalue())
    kept = everything(pages.folder)
    assert all(name.startswith(f"uploads/{upload}/data/") for name in kept)
    assert not any(p.is_symlink() for p in pages.folder.rglob("*"))
    assert not list(pages.folder.parent.rglob("up.png")) and not list(
        pages.folder.parent.rglob("*.sh")
    )


@pytest.mark.parametrize(
    "name",
    ["../../x.csv", "/etc/x.csv", "..\\..\\x.csv", ".hidden.csv", "a\0b.csv", "x" * 400 + ".csv", "-rf.csv",
     "$(x).csv", "a/b/../../../x.png", "\u202egnp.csv"],
)  # fmt: skip
def test_names_stay_in_the_upload_s_folder(pages, name):
    upload = pages.given(name, png() if name.endswith("png") else b"a,b\n1,2\n")
    (kept,) = everything(pages.folder)
    assert kept.startswith(f"uploads/{upload}/") and "/." not in kept
    assert everything(pages.folder.parent) == [f"runs/{kept}"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.exe", b"1", "is no table or image"),
        ("", b"1", "without a name"),
        ("x.csv", b"", "is empty"),
        ("x.png", png(), "a folder for each class"),
        ("x.zip", b"no zip", "is no ZIP file"),
        ("x.zip", packed({"a.txt": "x"}), "holds no images in folders"),
        ("x.csv", b"1" * 10_000_001, "more than 10 MB"),
        ("x.zip", packed({"a/x.png": b"\0" * 11_000_000}), "more than 10 MB"),
    ],
)
def test_what_is_not_taken_is_said_in_a_line(pages, name, content, said):
    got = pages.upload(name, content)
    assert got.status_code == 400 and said in got.json()["error"]
    assert everything(pages.folder) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3,4\n", "has 2 rows"),
        (b"\0\xff\xfe\x01" * 50, "bad.csv"),
        (b"a,b\n" + b"1,2\n" * 20, "no feature|constant|same"),
    ],
)
def test_tables_that_cannot_be_used_are_said(pages, content, said):
    import re

    upload = pages.given("bad.csv", content)
    got = pages.ask("/api/look", upload=upload)
    if got.status_code == 200:
        got = pages.ask("/api/look", upload=upload, target="b")
    assert got.status_code == 400 and re.search(said, got.json()["error"]), got.text
    assert "Traceback" not in got.text and "\n" not in got.json()["error"]


def test_a_full_disk_is_said(pages, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("builtins.open", full)
    got = pages.upload("x.csv", b"a,b\n1,2\n")
    monkeypatch.undo()
    assert got.status_code == 400 and "the disk is full" in got.json()["error"]


def test_too_few_images_are_said(pages):
    upload = pages.given("a/1.png", png())
    assert "only class a" in pages.refused("/api/look", upload=upload)
    pages.upload("b/1.png", png(), to=upload)
    assert "at least 3" in pages.refused("/api/look", upload=upload)


# --- what is begun --------------------------------------------------------------------------------


class Begun:
    """Stands for a process; keeps how it was begun."""

    made: list = []  # noqa: RUF012

    def __init__(self, command, folder, said):
        self.command, self.folder = command, folder
        self.process = self
        Begun.made.append(self)

    def poll(self):
        return None

    def about(self):
        return {"ended": False, "stopping": False, "said": ""}


@pytest.fixture
def begun(monkeypatch):
    Begun.made = []
    monkeypatch.setattr("zero.dashboard.learn.Begun", Begun)
    return Begun.made


def test_what_is_chosen_is_what_is_begun(pages, table, begun):
    asked = {"upload": table, "target": "diagnosis", "minutes": 2}
    name = pages.ask("/api/begin", **asked, what="table", metric="f1").json()["run"]
    assert name == "own_table-001"
    command = begun[0].command
    given = pages.folder / "uploads" / table / "own_table.csv"
    assert command[3:5] == ["fit", str(given)] and "--target=diagnosis" in command
    assert "--seconds=120.0" in command and "--metric=f1" in command
    assert command[command.index("--out") + 1] == str(pages.folder / name)
    assert pages.ask("/api/begin", **asked, what="program").json()["run"] == "own_table-002"
    assert begun[1].command[3] == "run" and "budget.seconds=120.0" in begun[1].command


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"target": ""}, "choose what to predict"),
        ({"target": None}, "choose what to predict"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": "many"}, "minutes"),
        ({"minutes": float("1e300")}, "minutes"),
        ({"upload": "../../etc"}, "not here any more"),
        ({"upload": "000000000000"}, "not here any more"),
    ],
)
def test_what_is_missing_is_said(pages, table, begun, asked, said):
    good = {"upload": table, "target": "diagnosis", "minutes": 1, "what": "table"}
    assert said in pages.refused("/api/begin", **{**good, **asked})
    assert begun == []


def test_a_few_runs_at_a_time(pages, table, begun):
    for _ in range(4):
        pages.ask("/api/begin", upload=table, target="diagnosis", minutes=1, what="table")
    error = pages.refused("/api/begin", upload=table, target="diagnosis", minutes=1, what="table")
    assert "4 runs" in error and len(begun) == 4


def test_other_sites_cannot_ask(pages, table, begun):
    asked = {"upload": table, "target": "diagnosis", "minutes": 1, "what": "table"}
    wrong = [
        {}, {"Origin": "http://evil.example", **MARK}, {"Origin": "null", **MARK},
        {"Sec-Fetch-Site": "cross-site", **MARK}, {"Sec-Fetch-Site": "same-site", **MARK},
        {"Host": "evil.example", **MARK}, {"Origin": "http://localhost:9999", **MARK},
    ]  # fmt: skip
    for headers in wrong:
        for address in ("/api/begin", "/api/look", "/api/stop/x", "/api/predict/x"):
            assert pages.ask(address, headers=headers, **asked).status_code == 403, headers
        assert pages.upload("x.csv", b"a\n1\n", headers=headers).status_code == 403
    assert begun == []
    good = {"Origin": "http://localhost:8421", "Sec-Fetch-Site": "same-origin", **MARK}
    assert pages.ask("/api/begin", headers=good, **asked).status_code == 200


def test_what_is_no_json_is_said(pages):
    for body in (b"", b"[1]", b"{", b"[" * 100_000, b"x" * 2_000_000):
        got = pages.client.post("/api/begin", content=body, headers=MARK)
        assert got.status_code == 400 and "error" in got.json()


def test_a_run_that_cannot_begin_says_why(pages):
    upload = pages.given("same.csv", b"a,b\n" + b"1,2\n" * 20)
    name = pages.ask("/api/begin", upload=upload, target="b", minutes=1, what="table").json()["run"]
    assert pages.client.get(f"/run/{name}").status_code == 200
    deadline = time.monotonic() + 60
    while not (found := pages.client.get(f"/api/run/{name}").json())["begun"]["ended"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["state"] == "starting" and found["begun"]["said"].startswith("same.csv")
    assert not (pages.folder / name).exists()


def test_only_what_was_begun_here_is_stopped(pages, tmp_path):
    assert "not begun here" in pages.refused("/api/stop/other")
    code = "import signal, time; print('up', flush=True); time.sleep(60)"
    running = commands.Begun(["python3", "-c", code], tmp_path, tmp_path / "said.txt")
    pages.learning._begun["mine"] = running
    while b"up" not in (tmp_path / "said.txt").read_bytes():
        time.sleep(0.01)
    assert os.getsid(running.process.pid) == running.process.pid  # outlives the dashboard
    assert pages.ask("/api/stop/mine").json()["stopping"]
    assert running.process.wait(20) in (1, 130, -signal.SIGTERM)


def test_no_token_no_learning(tmp_path):
    (tmp_path / "runs").mkdir()
    pages = Pages(tmp_path / "runs", token="right")
    assert pages.upload("x.csv", b"a\n1\n").status_code == 401
    pages.client.get("/?token=right")
    assert pages.upload("x.csv", b"a,b\n1,2\n").status_code == 200


def test_a_model_is_asked_only_of_runs_in_the_folder(pages):
    for address in ("/api/predict/../x", "/api/predict/none", "/api/predict/%2e%2e%2fx"):
        assert pages.ask(address, radius="1").status_code in (404, 405)
    assert pages.client.get("/api/fields/none").status_code == 404
    assert pages.client.get("/export/none").status_code == 404


def test_an_answer_that_takes_too_long_is_ended():
    from zero.errors import ConfigError

    with pytest.raises(ConfigError, match="more than 0 seconds"):
        commands.answer(["python3", "-c", "import time; time.sleep(60)"], 0.3)

"""What the dashboard shows of runs, in whatever state they are, and that it changes nothing in them."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from boards import digest, edit_info
from small_tables import pipelines_config

from zero.dashboard.app import make_app
from zero.dashboard.look import harmless
from zero.dashboard.root import Root
from zero.runs.archive import ARCHIVE_VERSION
from zero.runs.lock import RunLock
from zero.system.trees import read_tree, write_tree

TABLE = Path(__file__).parents[2] / "configs" / "own_table.csv"


def client_of(folder, **options):
    from starlette.testclient import TestClient

    app = make_app(Root(folder), **options)
    return TestClient(app, base_url="http://localhost:8421", raise_server_exceptions=True)


@pytest.fixture
def client(runs):
    return client_of(runs)


def row(client, name):
    return next(r for r in client.get("/api/runs").json()["runs"] if r["id"] == name)


def test_runs_are_listed_with_what_they_reached(client, runs):
    found = client.get("/api/runs").json()
    assert found["folder"] == str(runs)
    assert [r["id"] for r in found["runs"]] == ["day/ones-003", "ones-001", "ones-002"]
    first = row(client, "ones-001")
    assert (first["kind"], first["state"], first["individuals"]) == ("bits", "ended", 300)
    assert 0 < first["fitness"] <= 1 and first["told"] == "all individuals of the budget were made"


def test_a_run_has_curve_best_lineage_files_and_settings(client):
    found = client.get("/api/run/day/ones-003").json()
    curve = found["best_curve"]
    assert len(curve["individuals"]) == len(curve["fitness"]) > 1
    assert curve["fitness"][-1] == max(curve["fitness"]) == row(client, "day/ones-003")["fitness"]
    assert set(found["best"].strip()) <= {"0", "1"}
    lineage = found["lineage"]
    assert lineage[-1]["fitness"] == pytest.approx(curve["fitness"][-1])
    made = [step["individuals"] for step in lineage]
    assert made == sorted(made)
    assert {"config.yaml", "archive.h5", "log.jsonl"} <= {f["name"] for f in found["files"]}
    assert found["settings"]["seed"] == 3
    assert ["seed", "3"] in found["figures"]


def test_the_best_of_an_ended_run_is_what_was_chosen(client, runs):
    """Which need not be the last improvement: another one may do better on further tasks."""
    log = runs / "ones-001" / "log.jsonl"
    outcome = client.get("/api/run/ones-001").json()["best"]
    finish = json.loads(log.read_text().splitlines()[-1])
    other = {
        "event": "improvement",
        "individual": 299,
        "fitness": 2.0,
        "id": -5,
        "program": "the other",
    }
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:-1]) + json.dumps(other) + "\n" + json.dumps(finish) + "\n")
    found = client_of(runs).get("/api/run/ones-001").json()
    assert found["best"] == outcome and found["improvements"][0]["text"] == "the other"
    assert found["best_curve"]["fitness"][-1] == 2.0


def test_files_are_downloaded_as_they_are(client, runs):
    got = client.get("/file/ones-001?file=archive.h5")
    assert got.content == (runs / "ones-001" / "archive.h5").read_bytes()
    assert got.headers["content-disposition"].startswith("attachment")
    for name in (".lock", "checkpoints", "../ones-002/config.yaml", "none", ""):
        assert client.get("/file/ones-001", params={"file": name}).status_code == 404


def test_runs_are_compared_by_the_settings_that_differ(client):
    found = client.get("/api/compare?run=ones-001&run=ones-002&run=gone").json()
    assert [r["id"] for r in found["runs"]] == ["ones-001", "ones-002"] and found["missing"] == [
        "gone"
    ]
    assert found["settings"] == [["seed", ["1", "2"]]]


def test_what_has_not_changed_is_not_sent_again(client, runs):
    for address in ("/api/runs", "/api/run/ones-001"):
        tag = client.get(address).headers["etag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        with open(runs / "ones-001" / "log.jsonl", "a") as log:
            log.write(json.dumps({"event": "message", "text": "more"}) + "\n")
            log.write(
                json.dumps({"event": "finish", "reason": "patience", "individuals": 999}) + "\n"
            )
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def test_pages_are_whole_and_fetch_nothing_from_elsewhere(client):
    for address in ("/", "/run/ones-001", "/run/day/ones-003", "/compare?run=a"):
        got = client.get(address)
        assert got.status_code == 200 and "</html>" in got.text
        policy = got.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "script-src" not in policy
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|https?://", got.text)
        for source in re.findall(r'(?:src|href)="(/static/[^"]+)"', got.text):
            assert client.get(source).status_code == 200


def test_a_running_run_is_live_and_ends(client, runs):
    run = runs / "ones-001"
    whole = (run / "log.jsonl").read_text().splitlines(keepends=True)
    (run / "log.jsonl").write_text("".join(whole[:4]) + whole[4][:7])
    with RunLock(run):
        found = client.get("/api/run/ones-001").json()
        assert found["state"] == "running" and row(client, "ones-001")["state"] == "running"
        with open(run / "log.jsonl", "a") as log:
            log.write(whole[4][7:] + "".join(whole[5:]))
        more = client.get("/api/run/ones-001").json()
        assert len(more["best_curve"]["fitness"]) > len(found["best_curve"]["fitness"])
    assert client.get("/api/run/ones-001").json()["state"] == "ended"


def test_damaged_newer_and_killed_runs_have_a_row_and_a_page_that_say_so(client, runs):
    archive = runs / "ones-001" / "archive.h5"
    tree = read_tree(archive, "archive", ARCHIVE_VERSION)
    write_tree(archive, tree, "archive", ARCHIVE_VERSION + 1)
    (runs / "ones-002" / "run.json").write_text("{")
    killed = runs / "day" / "ones-003"
    (killed / "log.jsonl").write_text(
        "".join((killed / "log.jsonl").read_text().splitlines(True)[:-1])
    )
    rows = {r["id"]: r for r in client.get("/api/runs").json()["runs"]}
    assert rows["ones-001"]["state"] == "newer" and "use a newer zero" in rows["ones-001"]["told"]
    assert rows["ones-002"]["state"] == "damaged" and "not JSON" in rows["ones-002"]["told"]
    assert (
        str(runs.parent) not in rows["ones-002"]["told"] and "/tmp" not in rows["ones-002"]["told"]
    )
    assert (
        rows["day/ones-003"]["state"] == "stopped" and "zero resume" in rows["day/ones-003"]["told"]
    )
    for name, found in rows.items():
        assert client.get(f"/run/{name}").status_code == 200
        assert client.get(f"/api/run/{name}").json()["state"] == found["state"]
        assert client.get(f"/report/{name}").status_code in (200, 404)


@pytest.mark.parametrize("file", ["archive.h5", "run.json", "log.jsonl", "config.yaml"])
@pytest.mark.parametrize(
    "content", [b"", b"\0\xff" * 400, b'{"seed": []}\n[1]\n{"event": {}}\n"x"\n']
)
def test_no_content_of_a_file_is_an_error_of_the_server(client, runs, file, content):
    (runs / "ones-001" / file).write_bytes(content)
    assert client.get("/api/runs").status_code == 200
    for page in ("api/run", "run"):
        assert client.get(f"/{page}/ones-001").status_code == 200
    assert client.get("/report/ones-001").status_code == 404
    assert client.get("/api/compare?run=ones-001&run=ones-002").status_code == 200


def test_a_run_that_is_deleted_while_it_is_shown_is_gone(client, runs):
    assert client.get("/api/run/ones-001").status_code == 200
    shutil.rmtree(runs / "ones-001")
    got = client.get("/api/run/ones-001")
    assert got.status_code == 404 and "error" in got.json()
    assert "There is no run ones-001" in client.get("/run/ones-001").text
    assert len(client.get("/api/runs").json()["runs"]) == 2
    shutil.rmtree(runs)
    assert client.get("/api/runs").json()["runs"] == []


def test_a_report_is_that_of_the_folder(client, runs):
    (runs / "ones-001" / "report.html").write_text("<h1>mine</h1><script>alert(1)</script>")
    got = client.get("/report/ones-001")
    assert "<h1>mine</h1>" in got.text
    policy = got.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy


def test_a_report_that_cannot_be_made_is_said(client):
    got = client.get("/report/ones-001")  # in the process that makes it, nobody knows such genomes
    assert got.status_code == 404
    assert "No report on ones-001 yet: its kind of genome, bits, is not known here" in got.text


def test_a_report_is_made_without_the_run_s_data_and_imports(tmp_path):
    """What a run names outside of its folder is neither read nor executed."""
    from zero.runs import run as begin

    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    table = Path(shutil.copy(TABLE, tmp_path / "secret_table.csv"))
    folder = tmp_path / "runs" / "tried-001"
    config = pipelines_config(table, target="diagnosis", budget={"individuals": 3})
    begin.start(config, folder)
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text + f"\nimports: [{tmp_path}/evil.py]\n")
    (folder / "report.html").unlink(missing_ok=True)
    before = digest(tmp_path / "runs")
    table.write_text("a,b\nthe new secret,2\n")
    got = client_of(tmp_path / "runs").get("/report/tried-001")
    assert got.status_code == 200 and "diagnosis" in got.text and "Leaderboard" in got.text
    assert "the new secret" not in got.text and not (tmp_path / "executed").exists()
    assert digest(tmp_path / "runs") == before


def test_settings_are_made_harmless():
    given = {"imports": ["x.py"], "name": "a", "tasks": {"path": "/etc/x.csv", "seed": 3},
             "list": ["~/x", {"initial": "../run"}], "size": 1.5}  # fmt: skip
    made = harmless(given)
    assert made == {"name": "a", "tasks": {"path": "left-out.csv", "seed": 3},
                    "list": ["left-out", {"initial": "left-out"}], "size": 1.5}  # fmt: skip


def test_looking_changes_nothing(client, runs):
    before = digest(runs)
    for name in ("ones-001", "day/ones-003"):
        for page in ("run", "api/run", "report"):
            client.get(f"/{page}/{name}")
        client.get(f"/file/{name}?file=archive.h5")
    client.get("/")
    client.get("/api/runs")
    client.get("/api/compare?run=ones-001&run=ones-002")
    assert digest(runs) == before
    with RunLock(runs / "ones-001"):
        pass  # nobody holds it


def test_a_folder_without_runs_and_one_run_alone(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    assert client_of(tmp_path / "empty").get("/api/runs").json()["runs"] == []
    alone = client_of(runs / "ones-002")
    assert [r["id"] for r in alone.get("/api/runs").json()["runs"]] == ["ones-002"]
    assert alone.get("/api/run/ones-002").status_code == 200
    assert alone.get("/api/run/ones-001").status_code == 404


def test_long_logs_are_thinned_and_keep_their_ends(client, runs):
    run = runs / "ones-001"
    with open(run / "log.jsonl", "w") as log:
        for k in range(100_000):
            event = {
                "event": "progress",
                "individuals": k,
                "best_fitness": k / 1e5,
                "mean_fitness": 0.5,
            }
            log.write(json.dumps(event) + "\n")
    found = client.get("/api/run/ones-001").json()
    curve = found["best_curve"]
    assert len(curve["fitness"]) < 1000
    assert (curve["individuals"][0], curve["individuals"][-1]) == (0, 99_999)


def test_names_of_files_need_not_be_text(client, runs):
    os.rename(runs / "ones-001", os.fsencode(runs) + b"/ones-\xff <b>")
    edit_info(runs / "ones-002", settings={"name": "<script>alert(1)</script>"})
    assert client.get("/api/runs").status_code == 200
    assert "<b>" not in client.get("/run/ones-%FF%20%3Cb%3E").text.replace("&lt;b&gt;", "")


def test_many_runs_are_soon_listed(runs, tmp_path):
    for k in range(60):
        shutil.copytree(runs / "ones-001", tmp_path / "many" / f"r{k:03d}")
    client = client_of(tmp_path / "many")
    assert len(client.get("/api/runs").json()["runs"]) == 60

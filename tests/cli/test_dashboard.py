"""`zero dashboard`: what it says when it cannot begin."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from commands import zero_


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    _, error = zero_("dashboard", tmp_path / "none", code=1)
    assert error.startswith("error: there is no folder") and error.count("\n") == 1


def test_a_port_in_use_is_one_line(tmp_path):
    pytest.importorskip("uvicorn")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _, error = zero_("dashboard", tmp_path, "--port", port, code=1)
    assert f"port {port} of 127.0.0.1 is in use" in error and "--port N" in error
    assert error.count("\n") == 1


def test_a_host_that_is_not_there_is_one_line(tmp_path):
    pytest.importorskip("uvicorn")
    _, error = zero_("dashboard", tmp_path, "--host", "nowhere.invalid", "--port", 0, code=1)
    assert "there is no host nowhere.invalid" in error and error.count("\n") == 1


def test_without_the_extra_the_command_to_install_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    _, error = zero_("dashboard", tmp_path, code=1)
    assert "pip install 'zero-discovery[dashboard]'" in error and error.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_dashboard_that_is_stopped_leaves_nothing(tmp_path, number):
    pytest.importorskip("uvicorn")
    (tmp_path / "runs").mkdir()
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "zero", "dashboard", str(tmp_path / "runs"), "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    line = serving.stdout.readline()
    with urllib.request.urlopen(line.split()[-1] + "api/runs", timeout=20) as got:
        assert json.load(got) == {"folder": str(tmp_path / "runs"), "runs": []}
    serving.send_signal(number)
    assert serving.wait(20) == 0
    assert list((tmp_path / "temporary").iterdir()) == []

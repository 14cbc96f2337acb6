"""`zero dashboard`: what it says when it cannot begin."""

import socket
import sys

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

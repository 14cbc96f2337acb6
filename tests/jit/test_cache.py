"""The folder of compiled code, which is executed, is one's own and nobody else can write to it."""

import os
import stat
import tempfile

import pytest

from zero.errors import ConfigError
from zero.jit.cache import cache_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folders for caches and for temporary files of a user who has neither yet."""
    tmp_path.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.delenv("ZERO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def no_cache(home):
    """Makes a file where the cache would be, so that a temporary folder is needed."""
    (home / "cache").write_text("")
    return home / "temporary" / f"zero-cache-{os.getuid()}"


def is_private(folder):
    found = folder.lstat()
    mine = found.st_uid == os.stat(folder.parent).st_uid
    return stat.S_ISDIR(found.st_mode) and mine and not found.st_mode & 0o022


def test_the_usual_folder_is_made_private(home):
    assert cache_folder() == home / "cache" / "zero"
    assert is_private(cache_folder()) and is_private(cache_folder() / "__pycache__")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_that_others_may_write_to_is_not_used(home, mode, capsys):
    folder = home / "cache" / "zero"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    found = cache_folder()
    assert found.parent == home / "temporary" and is_private(found)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder) in line and "chmod go-w" in line


def test_machine_code_that_others_may_write_is_not_used(home):
    folder = home / "cache" / "zero" / "__pycache__"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o777)
    assert cache_folder().parent == home / "temporary"


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_given_folder_that_others_may_write_to_is_refused(home, mode, monkeypatch):
    (home / "given").mkdir()
    (home / "given").chmod(mode)
    monkeypatch.setenv("ZERO_CACHE", str(home / "given"))
    with pytest.raises(ConfigError, match=r"ZERO_CACHE: .*given.*chmod go-w") as caught:
        cache_folder()
    assert "\n" not in str(caught.value)
    (home / "given").chmod(0o755)
    assert cache_folder() == home / "given"


def test_a_given_folder_of_another_user_is_refused(home, monkeypatch):
    (home / "given").mkdir(mode=0o755)
    monkeypatch.setenv("ZERO_CACHE", str(home / "given"))
    monkeypatch.setattr(os, "getuid", lambda: os.stat(home).st_uid + 1)
    with pytest.raises(ConfigError, match="given belongs to another user"):
        cache_folder()


def test_a_temporary_folder_of_known_name_is_used_where_it_is_ones_own(home):
    folder = no_cache(home)
    assert cache_folder() == folder
    assert is_private(folder)


@pytest.mark.parametrize("planted", ["writable", "link", "another user's", "file"])
def test_a_planted_temporary_folder_is_not_used(home, planted, monkeypatch):
    if planted == "another user's":
        monkeypatch.setattr(os, "getuid", lambda: os.stat(home).st_uid + 1)
    folder = no_cache(home)
    if planted == "link":
        (home / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(home / "elsewhere")
    elif planted == "file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777 if planted == "writable" else 0o755)
    found = cache_folder()
    assert found not in (folder, home / "elsewhere")
    assert found.parent == home / "temporary" and is_private(found)
    assert cache_folder() == found  # made once, not for each module

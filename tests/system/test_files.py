"""Files that are written in one step."""

import os
import signal

from on_disk import hidden_files, killed_child

from zero.system.files import write_bytes


def test_only_temporary_files_of_dead_writers_are_removed(tmp_path):
    read_end, write_end = os.pipe()

    def stop_before_the_rename():
        def wait(*_):
            os.write(write_end, b"x")
            signal.pause()

        os.replace = wait
        write_bytes(tmp_path / "a", b"from the child")

    with killed_child(stop_before_the_rename):
        os.read(read_end, 1)
        write_bytes(tmp_path / "b", b"other")
        assert len(hidden_files(tmp_path)) == 1  # its writer lives
    (tmp_path / ".not_ours.tmp").write_text("keep")
    write_bytes(tmp_path / "b", b"other")
    assert hidden_files(tmp_path) == [".not_ours.tmp"]
    assert not (tmp_path / "a").exists()

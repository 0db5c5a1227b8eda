"""What labs need of the machine's kernel."""

from __future__ import annotations

from pathlib import Path

from upgrader.lab.machine import limits


def test_too_few_inotify_instances_are_raised_once(tmp_path: Path) -> None:
    path = tmp_path / "max_user_instances"
    path.write_text("128\n")
    assert limits.raised(path) == 128
    assert path.read_text() == "1024\n"
    assert limits.raised(path) == 0


def test_more_than_enough_and_a_kernel_without_are_left(tmp_path: Path) -> None:
    path = tmp_path / "max_user_instances"
    path.write_text("8192\n")
    assert limits.raised(path) == 0
    assert path.read_text() == "8192\n"
    assert limits.raised(tmp_path / "none") == 0

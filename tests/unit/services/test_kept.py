"""Configuration kept under an id and put back: nothing is lost, whatever was there and wherever it was interrupted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service import kept
from upgrader_node.service.kept import Kept


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc" / "nova"
    (folder / "policy.d").mkdir(parents=True)
    (folder / "nova.conf").write_text("[DEFAULT]\n")
    (folder / "nova.conf").chmod(0o600)
    (folder / "policy.d" / "a.json").write_text("{}")
    (folder / "link").symlink_to("nova.conf")
    (folder / "dangling").symlink_to("/nowhere")
    return folder


def keep(etc: Path, identity: str = "run1", *more: str) -> Kept:
    return kept.keep("nova", identity, [str(etc), *more], root=str(etc.parents[1] / "kept"))


def test_what_was_kept_is_put_back_with_modes_and_links(etc: Path) -> None:
    held, before = keep(etc), kept.listing(str(etc))
    assert kept.differing(held) == [] and kept.put_back(held, "run1") == []
    (etc / "nova.conf").write_text("spoilt")
    (etc / "nova.conf").chmod(0o644)
    (etc / "link").unlink()
    (etc / "more").touch()
    assert kept.differing(held) == [str(etc)]
    assert kept.put_back(held, "run1") == [str(etc)]
    assert kept.listing(str(etc)) == before
    assert (etc / "nova.conf").stat().st_mode & 0o777 == 0o600 and os.readlink(etc / "dangling") == "/nowhere"
    assert kept.put_back(held, "run1") == []


def test_what_is_there_is_moved_aside_and_never_over_another(etc: Path) -> None:
    held = keep(etc)
    for text in ("first", "second"):
        (etc / "nova.conf").write_text(text)
        kept.put_back(held, "run1")
    aside = sorted(etc.parent.glob("nova.before-run1*"))
    assert [(one / "nova.conf").read_text() for one in aside] == ["first", "second"]


@pytest.mark.parametrize("change", ["mode", "content", "gone", "link", "folder"])
def test_every_kind_of_difference_is_seen(etc: Path, change: str) -> None:
    held = keep(etc)
    {
        "mode": lambda: (etc / "nova.conf").chmod(0o640),
        "content": lambda: (etc / "nova.conf").write_text("x"),
        "gone": lambda: (etc / "policy.d" / "a.json").unlink(),
        "link": lambda: ((etc / "link").unlink(), (etc / "link").symlink_to("other")),
        "folder": lambda: (etc / "policy.d").chmod(0o700),
    }[change]()
    assert kept.differing(held) == [str(etc)]


def test_a_folder_that_is_gone_comes_back(etc: Path) -> None:
    held = keep(etc)
    etc.rename(etc.with_name("elsewhere"))
    assert kept.put_back(held, "run1") == [str(etc)]
    assert (etc / "policy.d" / "a.json").read_text() == "{}"


def test_single_files_links_and_a_trailing_slash(etc: Path) -> None:
    one, link = etc / "nova.conf", etc / "link"
    held = kept.keep("nova", "a", [str(one), str(link), f"{etc}/policy.d/"], root=str(etc.parents[1] / "kept"))
    assert set(held.paths) == {str(one), str(link), str(etc / "policy.d")}
    one.write_text("spoilt")
    link.unlink()
    (etc / "policy.d" / "a.json").unlink()
    assert len(kept.put_back(held, "a")) == 3
    assert one.read_text() == "[DEFAULT]\n" and os.readlink(link) == "nova.conf"


def test_archive_and_manifest_are_for_root_alone_and_read_back(etc: Path) -> None:
    held, root = keep(etc), etc.parents[1] / "kept"
    assert {path.stat().st_mode & 0o777 for path in (root / "nova").iterdir()} == {0o600}
    assert root.stat().st_mode & 0o777 == 0o700 and not list(root.rglob("*.new"))
    assert kept.read("nova", "run1", str(root)) == held
    assert kept.read("nova", "run2", str(root)) is None


def test_an_archive_that_was_changed_is_refused_and_nothing_is_touched(etc: Path) -> None:
    held = keep(etc)
    with open(held.archive, "ab") as opened:
        opened.write(b"x")
    (etc / "nova.conf").write_text("spoilt")
    with pytest.raises(StepError, match="is not what was kept"):
        kept.put_back(held, "run1")
    assert (etc / "nova.conf").read_text() == "spoilt" and not list(etc.parent.glob("*.before-*"))


def test_what_an_interrupted_attempt_left_is_written_over(etc: Path) -> None:
    folder = etc.parents[1] / "kept" / "nova"
    folder.mkdir(parents=True)
    for name in ("run1.tar.gz.new", "run1.json.new", "run1.tar.gz"):
        (folder / name).write_text("half")
    assert kept.read("nova", "run1", str(folder.parent)) is None, "without a manifest nothing is kept"
    held = keep(etc)
    (etc / "nova.conf").write_text("spoilt")
    kept.put_back(held, "run1")
    assert (etc / "nova.conf").read_text() == "[DEFAULT]\n"


def test_a_way_back_that_was_interrupted_after_moving_aside_is_taken_up(etc: Path) -> None:
    held = keep(etc)
    etc.rename(etc.with_name("nova.before-run1"))
    kept.put_back(held, "run1")
    assert (etc / "nova.conf").exists() and (etc.with_name("nova.before-run1") / "nova.conf").exists()


@pytest.mark.parametrize("word", ["../x", "a/b", "", ".hidden", "..", "a b", "a\n"])
def test_ids_that_lead_elsewhere_are_refused(etc: Path, word: str) -> None:
    with pytest.raises(StepError, match="is no name to keep things under"):
        keep(etc, word)
    with pytest.raises(StepError):
        kept.read(word, "run1", str(etc))


def test_nothing_to_keep_is_said_and_what_is_absent_is_left_out(etc: Path) -> None:
    assert list(keep(etc, "run1", "/no/such/thing").paths) == [str(etc)]
    with pytest.raises(StepError, match="nothing to keep of nova: none of /no/such/thing is there"):
        kept.keep("nova", "run2", ["/no/such/thing"], root=str(etc.parents[1] / "kept"))


@pytest.mark.parametrize("text", ["", "[]", '{"archive": 1}'])
def test_a_manifest_that_is_none_is_told(etc: Path, text: str) -> None:
    keep(etc)
    root = etc.parents[1] / "kept"
    (root / "nova" / "run1.json").write_text(text)
    with pytest.raises(StepError, match="is no manifest of upgrader's"):
        kept.read("nova", "run1", str(root))


def test_a_pipe_in_a_folder_is_not_waited_for(etc: Path) -> None:
    os.mkfifo(etc / "pipe")
    assert "special" in kept.listing(str(etc))["pipe"]

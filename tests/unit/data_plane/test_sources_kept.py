"""Package sources that were kept go back as they were, and what somebody else has mended meanwhile stays mended."""

from __future__ import annotations

from pathlib import Path

import pytest
from upgrader_node.package import repositories


class Sources:
    """apt's files in a folder, and what is kept of them."""

    def __init__(self, folder: Path) -> None:
        self.lists, self.main = folder / "sources.list.d", folder / "sources.list"
        self.lists.mkdir()
        self.main.write_text("deb http://debian stable main\n")
        for name in ("openstack", "broken", "mended"):
            (self.lists / f"{name}.list").write_text(f"deb http://{name} mitaka main\n")
        self.paths = (str(self.main), str(self.lists), str(folder / "preferences"))
        self.root = str(folder / "kept")

    def changed(self) -> None:
        """As a run does it: kept, changed, noted."""
        repositories.record("r1", self.paths, self.root)
        (self.lists / "openstack.list").write_text("deb http://openstack ocata main\n")
        (self.lists / "new.list").write_text("deb http://new ocata main\n")
        repositories.note("r1", self.paths, self.root)

    def back(self) -> list[str]:
        return repositories.put_back("r1", self.paths, self.root)

    def held(self) -> dict[str, str]:
        return {path.name: path.read_text().split()[1:3][-1] for path in sorted(self.lists.glob("*.list"))}


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_all_goes_back_where_nobody_else_was_at_work(sources: Sources) -> None:
    before = sources.held()
    sources.changed()
    assert sources.back() == [str(sources.lists)]
    assert sources.held() == before and sources.back() == []


def test_source_that_an_operator_took_away_or_mended_since_stays_so(sources: Sources) -> None:
    sources.changed()
    (sources.lists / "broken.list").unlink()
    (sources.lists / "mended.list").write_text("deb http://other mitaka main\n")
    (sources.lists / "own.list").write_text("deb http://own mitaka main\n")
    done = sources.back()
    assert sources.held() == {"mended.list": "mitaka", "openstack.list": "mitaka", "own.list": "mitaka"}
    assert "other" in (sources.lists / "mended.list").read_text()
    assert sorted(Path(path).name for path in done) == ["new.list", "openstack.list"]
    assert (sources.lists / "new.list.before-r1").exists() and (sources.lists / "openstack.list.before-r1").exists()
    assert sources.back() == [], "a second time there is nothing to do"


def test_what_the_run_changed_goes_back_though_somebody_changed_it_again(sources: Sources) -> None:
    sources.changed()
    (sources.lists / "openstack.list").write_text("deb http://openstack pike main\n")
    sources.back()
    assert "mitaka" in (sources.lists / "openstack.list").read_text()


def test_what_was_noted_once_is_not_noted_again(sources: Sources) -> None:
    sources.changed()
    (sources.lists / "broken.list").unlink()
    repositories.note("r1", sources.paths, sources.root)
    sources.back()
    assert not (sources.lists / "broken.list").exists()


def test_run_without_a_note_goes_back_as_a_whole(sources: Sources) -> None:
    before = sources.held()
    repositories.record("r1", sources.paths, sources.root)
    (sources.lists / "broken.list").unlink()
    assert sources.back() == [str(sources.lists)]
    assert sources.held() == before


def test_what_was_not_there_before_goes_aside_whatever_was_mended_beside_it(sources: Sources) -> None:
    """The list's name is the beginning of its folder's."""
    sources.main.unlink()
    preferences = Path(sources.paths[2])
    repositories.record("r1", sources.paths, sources.root)
    sources.main.write_text("deb http://debian ocata main\n")
    preferences.mkdir()
    (preferences / "ours").write_text("Package: *\n")
    repositories.note("r1", sources.paths, sources.root)
    (sources.lists / "broken.list").unlink()
    (preferences / "theirs").write_text("Package: x\n")
    sources.back()
    assert not sources.main.exists() and not (preferences / "ours").exists() and (preferences / "theirs").exists()
    assert not (sources.lists / "broken.list").exists()

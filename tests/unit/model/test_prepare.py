"""`upgrader model prepare`: a diff and nothing else without --write; with it, every byte beside the includes stays."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.models import inventory, mcp
from tests.unit.model.test_check import Command, command  # noqa: F401  the fixture
from upgrader.errors import Refused, UpgradeError
from upgrader.reclass import writing
from upgrader.reclass.survey import survey
from upgrader.report.model import diff

NODES = ("cfg01", "ctl01", "cmp001")


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*.yml")
        if "ocata" not in path.relative_to(root).parts
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return mcp(tmp_path, defined=True, only=NODES)


def test_without_write_nothing_is_touched_and_with_it_every_other_byte_is_kept(root: Path, command: Command) -> None:  # noqa: F811
    before = contents(root)
    ran = command("prepare", "--inventory", str(root))
    assert ran.code == 0 and "nothing was written; --write does it" in ran.out
    assert "+  - 'ocata.nova.control.upgrade_levels'" in ran.out
    assert contents(root) == before and not (root.parent / "state").exists()
    (root / "classes/cluster/mcp/openstack/control.yml").chmod(0o640)
    ran = command("prepare", "--inventory", str(root), "--write", "-o", "json")
    document = json.loads(ran.out)
    after = contents(root)
    changed = {name for name in after if after[name] != before.get(name)}
    assert ran.code == 0 and document["written"]
    assert {str(root / name) for name in changed} == {file["path"] for file in document["files"]}
    control = "classes/cluster/mcp/openstack/control.yml"
    added = b"".join(
        b"  - 'ocata.%s'\n" % name
        for name in (
            b"haproxy.proxy.listen.openstack.glare",
            b"haproxy.proxy.listen.openstack.nova-placement",
            b"nova.control.upgrade_levels",
            b"upgrader.production",
        )
    )
    place = before[control].index(b"\nparameters:")
    assert after[control] == before[control][:place] + added + before[control][place:]
    assert (root / control).stat().st_mode & 0o777 == 0o640
    compute = "classes/cluster/mcp/openstack/compute.yml"
    assert after[compute] == before[compute].replace(b"openstack]", b"openstack, ocata.nova.compute.upgrade_levels]", 1)
    kept = Path(document["originals"])
    assert {path.read_bytes() for path in kept.rglob("*.yml")} == {before[name] for name in changed if name in before}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (kept, *kept.rglob("*.yml")))
    again = command("prepare", "--inventory", str(root))
    assert again.code == 0 and "nothing to add" in again.out


def test_nothing_is_written_as_long_as_a_node_would_lose_its_pillar(tmp_path: Path, command: Command) -> None:  # noqa: F811
    root = mcp(tmp_path, only=("cfg01",))
    before = contents(root)
    ran = command("prepare", "--inventory", str(root), "--write")
    assert ran.code == 3 and "first define _param:" in ran.err and ran.err.count("\n") == 1
    assert contents(root) == before and not (root.parent / "state").exists()


def test_prepare_is_refused_with_the_command_that_links_the_classes(tmp_path: Path, command: Command) -> None:  # noqa: F811
    ran = command("prepare", "--inventory", str(mcp(tmp_path, linked=False, only=("cfg01",))))
    assert ran.code == 3 and "ln -s" in ran.err


def test_model_without_upgrade_node_gets_its_file(tmp_path: Path) -> None:
    root = mcp(tmp_path, defined=True, only=("cfg01",))
    config = root / "classes/cluster/mcp/infra/config.yml"
    config.write_text(config.read_text().split("  reclass:\n")[0])
    found = survey(inventory(root), ("test-upgrade",))
    old, new = found.edits[root / "nodes/upg01.mcp.local.yml"]
    assert old is None and new.endswith("- ocata.openstack.upgrade.single\n")
    assert [one.name for one in found.findings if one.kind == "parameter"] == ["_param:single_address"]


def edit(folder: Path, name: str, old: str | None, new: str) -> dict[Path, tuple[str | None, str]]:
    if old is not None:
        (folder / name).write_text(old)
    return {folder / name: (old, new)}


def test_everything_is_put_back_when_the_result_is_judged_bad(tmp_path: Path) -> None:
    edits = {**edit(tmp_path, "a.yml", "a: 1\n", "a: 2\n"), **edit(tmp_path, "new.yml", None, "b: 1\n")}
    with pytest.raises(Refused, match="node x does not render; everything was put back"):
        writing.write(edits, tmp_path / "keep" / "run", lambda: "node x does not render")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yml", "keep"]
    assert (tmp_path / "a.yml").read_text() == "a: 1\n"


def test_everything_is_put_back_when_a_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edits = {**edit(tmp_path, "a.yml", "a: 1\n", "a: 2\n"), **edit(tmp_path, "b.yml", "b: 1\n", "b: 2\n")}
    replace = writing._replace

    def full(path: Path, text: str, run: str) -> None:
        if text == "b: 2\n":
            raise OSError(28, "No space left on device", str(path))
        replace(path, text, run)

    monkeypatch.setattr(writing, "_replace", full)
    with pytest.raises(
        UpgradeError, match=r"b\.yml cannot be written: No space left on device; everything was put back"
    ):
        writing.write(edits, tmp_path / "keep" / "run", lambda: "")
    assert [(tmp_path / name).read_text() for name in ("a.yml", "b.yml")] == ["a: 1\n", "b: 1\n"]


def test_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    edits = edit(tmp_path, "a.yml", "a: 1\n", "a: 2\n")
    (tmp_path / "a.yml").write_text("a: somebody else\n")
    with pytest.raises(Refused, match="was changed meanwhile; nothing was written"):
        writing.write(edits, tmp_path / "keep" / "run", lambda: "")
    assert not (tmp_path / "keep").exists()


def test_symbolic_link_stays_and_its_file_is_edited(tmp_path: Path) -> None:
    (tmp_path / "real.yml").write_text("a: 1\n")
    (tmp_path / "link.yml").symlink_to("real.yml")
    writing.write({tmp_path / "link.yml": ("a: 1\n", "a: 2\n")}, tmp_path / "keep" / "run", lambda: "")
    assert os.readlink(tmp_path / "link.yml") == "real.yml"
    assert (tmp_path / "real.yml").read_text() == "a: 2\n"


def test_diff_shows_no_value_of_the_operators_file() -> None:
    old = "classes:\n- a.b\nparameters:\n  _param:\n    mysql_password: hunter2\n    key: |\n      c2VjcmV0+\n"
    shown = diff({Path("f.yml"): (old, old.replace("- a.b\n", "- a.b\n- c.d\n"))})
    assert "+- c.d" in shown and " - a.b" in shown and "hunter2" not in shown and "c2VjcmV0" not in shown
    inline = '{"classes": ["a.b"], "parameters": {"password": "hunter2"}}\n'
    assert "hunter2" not in diff({Path("f.yml"): (inline, inline.replace('"a.b"', '"a.b", "c.d"'))})

"""Two hundred and more damages of a valid model: each ends in a sentence with file and key, or is none for reclass itself."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from reclass.core import Core
from reclass.settings import Settings
from reclass.storage.yaml_fs import ExternalNodeStorage

from tests.support.command import Ran
from tests.support.damage import keys, places, texts  # noqa: F401  what they define is in KINDS
from tests.support.damage.damage import KINDS, NAMED, SAME, Damage, held
from tests.support.models import PARAMETERS, inventory, mcp
from upgrader.cli.main import entry
from upgrader.reclass.survey import survey, worse
from upgrader.reclass.writing import write

NODES = ("cfg01", "dbs01", "dbs02", "dbs03", "ctl01", "kvm01", "cmp001")
EVERY_DAY = {
    "wrong-scalar", "deep-parameters", "alias-of-itself", "multiplying-aliases", "looks", "tab", "class-gone", "node-gone", "link-to-itself",
    "pipe", "folders-in-a-circle", "options-file", "parameter-of-another-type", "reference-to-itself", "classes-in-a-circle",
    "class-list-of-another-type", "text-over-mapping", "wrong-word", "key-twice", "key-twice-with-one-value",
}  # fmt: skip
"""One of each way in which a model goes wrong."""
CHANCES = 5
"""Of each kind, so many damages; of which one is tried every day, of the kinds above."""
WAY_OUT = ("correct", "write", "define", "take", "must be", "name", "put", "bring", "make", "include", "let")
"""Every sentence holds one of these: what to do."""
Pillars = dict[str, Any]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MCP-like model after ``prepare --write``, complete, with the node file that state reclass writes."""
    folder = tmp_path_factory.mktemp("valid")
    root = mcp(folder, defined=True, only=NODES)
    (root / "classes/cluster/mcp/openstack/proxy.yml").unlink()
    held = inventory(root)
    found = survey(held)
    write(found.edits, folder / "keep" / "run", lambda: worse(held.place, found.unsound_before))
    made = "classes: [cluster.mcp.openstack.upgrade]\nparameters: {_param: {single_address: 10.20.1.19}}\n"
    (root / "nodes" / "_generated" / "upg01.mcp.local.yml").write_text(made)
    return root


@pytest.fixture(scope="module")
def before(valid: Path) -> Pillars:
    return by_reclass(valid)


@pytest.fixture
def root(valid: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(valid, tmp_path / "model", symlinks=True))


def by_reclass(root: Path) -> Pillars:
    """The other door: reclass as it is, with its own storage. A node that it cannot make is its error's name."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            storage = ExternalNodeStorage(str(root / "nodes"), str(root / "classes"), False)
        except Exception as error:  # noqa: BLE001  reclass lets all kinds through; that is what is told better
            return {"*": f"!{type(error).__name__}"}
        return {node: _one(storage, node) for node in storage.enumerate_nodes()}


def _one(storage: ExternalNodeStorage, node: str) -> Any:
    try:
        return Core(storage, [], Settings({})).nodeinfo(node)["parameters"]
    except Exception as error:  # noqa: BLE001
        return f"!{type(error).__name__}"


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Ran:
    monkeypatch.setattr(sys, "argv", ["upgrader", *words])
    with pytest.raises(SystemExit) as ended:
        entry()
    shown = capsys.readouterr()
    return Ran(int(ended.value.code or 0), shown.out, shown.err)


def damages(chances: int) -> Iterator[Any]:
    for name in KINDS:
        for chance in range(chances):
            today = chance == 0 and name in EVERY_DAY
            yield pytest.param(name, chance, id=f"{name}-{chance}", marks=[] if today else [pytest.mark.soak])


@pytest.mark.parametrize(("name", "chance"), list(damages(CHANCES)))
def test_damage_is_named_with_file_and_key_or_is_none_for_reclass(
    name: str,
    chance: int,
    root: Path,
    before: Pillars,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage = KINDS[name](root, random.Random(f"{name}-{chance}"))
    ran = run(monkeypatch, capsys, "model", "check", "--inventory", str(root))
    said = " ".join((ran.out + ran.err).split())
    assert ran.code in (0, 2, 3) and "internal error" not in said and "Traceback" not in said and "hunter2" not in said
    after = by_reclass(root) if damage.asked else None
    if damage.outcome == SAME or after == before:
        assert ran.code == 0 and "nothing is missing" in said
        assert after in (None, before)
    elif damage.outcome == NAMED:
        assert ran.code in (2, 3), said
        _named(damage, said)


def _named(damage: Damage, said: str) -> None:
    assert (damage.lands or damage.file) in said
    assert damage.key in said
    assert any(word in said for word in WAY_OUT)


def test_there_are_two_hundred_of_them() -> None:
    assert len(KINDS) * CHANCES >= 200 and set(KINDS) >= EVERY_DAY


@pytest.mark.parametrize("value", ["true", "2017-01-01", "1.10"])
def test_key_of_a_controller_in_another_form_is_told_where_it_was_written(value: str, root: Path) -> None:
    """The site's own class of the upgrade node says it, over ours."""
    path = root / "classes/cluster/mcp/openstack/upgrade.yml"
    path.write_text(
        f"{path.read_text().rstrip()}\nparameters: {{glance: {{server: {{bind: {{address: {value}}}}}}}}}\n"
    )
    [one] = [one for one in survey(inventory(root)).findings if one.kind == "value"]
    assert (one.name, one.file) == ("glance:server:bind:address", str(path)) and "must be text" in one.what


@pytest.mark.soak
@pytest.mark.parametrize("value", keys.NO_TEXT, ids=str)
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_every_parameter_in_every_other_form_is_told(parameter: str, value: Any, root: Path) -> None:
    path = root / keys.INIT
    said = held(path)
    said["parameters"]["_param"][parameter] = value
    path.write_text(yaml.safe_dump(said))
    found = survey(inventory(root)).findings
    assert any(f"_param:{parameter}" in one.what + one.remedy + one.name for one in found), found
    assert any(one.file.endswith(keys.INIT) for one in found), found


PLANNED = sorted(set(KINDS) - {"multiplying-aliases", "options-file", "folders-in-a-circle", "pipe"})
"""Salt's own reclass would not come to an end of the first, and reads no file of options."""
TODAY = ("parameter-of-another-type", "wrong-word", "looks")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[] if one in TODAY else [pytest.mark.soak]) for one in PLANNED]
)
def test_model_that_is_found_complete_is_one_that_a_plan_is_made_of(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], salt: Callable[..., Ran]
) -> None:
    """Salt compiles the pillar that the plan is made of, with reclass, from the damaged files."""
    KINDS[name](root, random.Random(f"{name} planned"))
    checked = run(monkeypatch, capsys, "model", "check", "--inventory", str(root), "--stage", "test-upgrade")
    planned = salt("plan", "control-plane", "--stage", "test-upgrade")
    assert planned.code in (0, 2, 3) and "internal error" not in planned.err and planned.err.count("\n") <= 1
    assert planned.code == 0 or checked.code, planned.err


@pytest.fixture
def salt(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """The command on a Salt master whose pillar comes from this model."""
    etc = tmp_path / "etc"
    etc.mkdir()
    reclass = {"storage_type": "yaml_fs", "inventory_base_uri": str(root)}
    (etc / "master").write_text(json.dumps({"root_dir": str(etc), "ext_pillar": [{"reclass": reclass}]}))
    (etc / "minion").write_text(json.dumps({"root_dir": str(etc), "id": "cfg01.mcp.local"}))

    def command(*words: str) -> Ran:
        where = ("--salt-config", str(etc / "master"), "--state-dir", str(tmp_path / "state"))
        return run(monkeypatch, capsys, *where, *words)

    return command


def test_preflight_and_plan_refuse_a_wrong_model_with_its_node_and_key(root: Path, salt: Callable[..., Ran]) -> None:
    init = root / "classes/cluster/mcp/init.yml"
    init.write_text(init.read_text().replace("upgrader_backup_node: cfg01.mcp.local", "upgrader_backup_node: [a, b]"))
    for words in (("preflight",), ("plan", "control-plane", "--stage", "test-upgrade")):
        ran = salt(*words)
        assert ran.code == 3
        assert "pillar key upgrader:nodes:backup of cfg01.mcp.local must be a list of minion ids" in ran.err
    assert ran.out == ""
    told = " ".join(salt("preflight").out.split())
    assert "BLOCKER model (model-value)" in told and "_param:upgrader_backup_node" in told and f"({init})" in told
    assert json.loads(salt("preflight", "-o", "json").out)["refused"] is True


@pytest.mark.parametrize("value", ["hunter2${", "${hunter2", "a${b}${hunter2"])
def test_password_that_reclass_cannot_read_is_not_repeated(value: str, root: Path, salt: Callable[..., Ran]) -> None:
    init = root / "classes/cluster/mcp/init.yml"
    init.write_text(init.read_text().replace("value-of-mysql_upgrade_admin_password", f'"{value}"'))
    ran = salt("plan", "control-plane", "--stage", "test-upgrade")
    assert ran.code == 3 and "_param:mysql_upgrade_admin_password" in ran.err and "hunter2" not in ran.err, ran.err


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pipe", 3),
        ("looks", 0),
        pytest.param("multiplying-aliases", 3, marks=pytest.mark.soak),
        pytest.param("name-that-is-no-text", 0, marks=pytest.mark.soak),
        pytest.param("deep-nesting", 3, marks=pytest.mark.soak),
    ],
)
def test_command_itself_ends_with_a_sentence_and_its_exit_code(name: str, code: int, root: Path) -> None:
    damage = KINDS[name](root, random.Random(f"{name}-0"))
    words = [sys.executable, "-m", "upgrader", "model", "check", "--inventory", str(root), "-o", "json"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == code and "Traceback" not in ran.stderr
    found = json.loads(ran.stdout)["findings"]
    assert any(one["file"].endswith(damage.file) for one in found) if code else found == []

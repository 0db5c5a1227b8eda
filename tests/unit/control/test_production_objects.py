"""What production held, what a way back would lose, and that nothing differs: by id, at Mitaka's schema and at Ocata's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from upgrader_node.clone.clones import Admin
from upgrader_node.database import connection
from upgrader_node.errors import StepError
from upgrader_node.production import objects

from tests.support.lite import Server
from upgrader.cloud.release import release_path

NAMES = {"nova": "nova", "keystone": "keystone", "neutron": "neutron"}
PATH = release_path("mitaka", "ocata")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(
        nova=(
            "CREATE TABLE nova.instances (uuid TEXT, display_name TEXT, host TEXT, deleted INT)",
            "CREATE TABLE nova.migrate_version (repository_id TEXT, version INT)",
            "INSERT INTO nova.migrate_version VALUES ('nova', 319)",
            "INSERT INTO nova.instances VALUES ('i-1', 'web', 'cmp001', 0), ('i-2', 'old', 'cmp001', 1)",
        ),
        nova_api=(
            "CREATE TABLE nova_api.migrate_version (repository_id TEXT, version INT)",
            "INSERT INTO nova_api.migrate_version VALUES ('nova_api', 7)",
        ),
        keystone=(
            "CREATE TABLE keystone.user (id TEXT)",
            "CREATE TABLE keystone.local_user (user_id TEXT, name TEXT)",
            "CREATE TABLE keystone.project (id TEXT, name TEXT, is_domain INT)",
            "INSERT INTO keystone.user VALUES ('u-1'), ('u-2')",
            "INSERT INTO keystone.local_user VALUES ('u-1', 'admin')",
            "INSERT INTO keystone.project VALUES ('p-1', 'admin', 0), ('default', 'Default', 1)",
            "CREATE TABLE keystone.migrate_version (repository_id TEXT, version INT)",
            "INSERT INTO keystone.migrate_version VALUES ('keystone', 97)",
        ),
        neutron=(
            "CREATE TABLE neutron.networks (id TEXT, name TEXT)",
            "CREATE TABLE neutron.ports (id TEXT, name TEXT)",
            "INSERT INTO neutron.ports VALUES ('port-1', '')",
            "CREATE TABLE neutron.alembic_version (version_num TEXT)",
            "INSERT INTO neutron.alembic_version VALUES ('4ffceebfcdc')",
        ),
    )
    monkeypatch.setattr(connection, "admin", lambda driver, account: made)
    monkeypatch.setattr(connection, "errors", lambda driver: ())
    return made


def take(folder: Path) -> objects.Answer:
    return objects.take(Admin(None, {}), "run-1", NAMES, str(folder))


def loss(folder: Path) -> objects.Answer:
    return objects.loss(Admin(None, {}), "run-1", str(folder))


def same(folder: Path) -> objects.Answer:
    return objects.same(Admin(None, {}), "run-1", PATH, str(folder))


def test_what_is_not_deleted_is_written_down_once_and_read_by_root_alone(server: Server, tmp_path: Path) -> None:
    answer = take(tmp_path)
    assert answer["counts"] == {"instances": 1, "networks": 0, "ports": 1, "users": 2, "projects": 1}
    file = tmp_path / "run-1.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["objects"]["users"] == {"u-1": ["admin", None], "u-2": [None, None]}
    server.base.execute("INSERT INTO neutron.networks VALUES ('n-1', 'later')")
    again = take(tmp_path)
    assert not again["changed"] and again["counts"]["networks"] == 0


def test_what_changed_before_the_last_moment_is_kept_is_written_down_anew(server: Server, tmp_path: Path) -> None:
    take(tmp_path)
    server.base.execute("INSERT INTO neutron.networks VALUES ('n-1', 'later')")
    again = objects.take(Admin(None, {}), "run-1", NAMES, str(tmp_path), again=True)
    assert again["changed"] and again["counts"]["networks"] == 1
    assert loss(tmp_path)["created"] == {}


def test_the_loss_names_what_was_made_and_deleted_and_the_compute_that_keeps_an_instance(
    server: Server, tmp_path: Path
) -> None:
    take(tmp_path)
    server.base.execute("INSERT INTO nova.instances VALUES ('i-3', 'new', 'cmp002', 0), ('i-4', 'nowhere', NULL, 0)")
    server.base.execute("UPDATE nova.instances SET deleted = 1 WHERE uuid = 'i-1'")
    answer = loss(tmp_path)
    assert answer["created"] == {
        "instances": ["i-3 new, stays on compute cmp002 without a record", "i-4 nowhere, is on no compute"]
    }
    assert answer["deleted"] == {"instances": ["i-1 web on cmp001"]}
    assert answer["comment"].endswith("created: 2 instances; deleted: 1 instances")
    assert set(json.loads(Path(answer["file"]).read_text())["created"]["instances"]) == {"i-3", "i-4"}


def test_an_instance_that_found_no_host_is_in_cell0_once_there_is_one(server: Server, tmp_path: Path) -> None:
    take(tmp_path)
    server.create("nova_cell0")
    assert loss(tmp_path)["created"] == {}
    server.base.execute("CREATE TABLE nova_cell0.instances (uuid TEXT, display_name TEXT, host TEXT, deleted INT)")
    server.base.execute("INSERT INTO nova_cell0.instances VALUES ('i-9', 'error', NULL, 0)")
    assert loss(tmp_path)["created"] == {"instances": ["i-9 error, is on no compute"]}


def test_an_answer_names_the_first_fifty_and_the_file_has_all(server: Server, tmp_path: Path) -> None:
    take(tmp_path)
    for number in range(60):
        server.base.execute("INSERT INTO neutron.ports VALUES (?, '')", (f"q-{number:02}",))
    answer = loss(tmp_path)
    assert len(answer["created"]["ports"]) == 50 and answer["counts"]["created"] == {"ports": 60}
    assert answer["created"]["ports"][0] == "q-00 without a name"
    assert len(json.loads(Path(answer["file"]).read_text())["created"]["ports"]) == 60


def test_nothing_differs_after_a_way_back(server: Server, tmp_path: Path) -> None:
    take(tmp_path)
    assert same(tmp_path)["comment"].startswith("all is as it was at ")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("INSERT INTO keystone.user VALUES ('u-3')", "created: 1 users; deleted: nothing"),
        ("DELETE FROM keystone.project WHERE id = 'p-1'", "created: nothing; deleted: 1 projects"),
        ("UPDATE nova_api.migrate_version SET version = 31", "database nova_api is at 31 instead of 7"),
        ("UPDATE neutron.alembic_version SET version_num = 'x'", "database neutron is at x instead of 4ffceebfcdc"),
        ("DROP TABLE keystone.migrate_version", "database keystone is at none instead of 97"),
    ],
)
def test_whatever_differs_is_found(server: Server, tmp_path: Path, statement: str, words: str) -> None:
    take(tmp_path)
    server.base.execute(statement)
    with pytest.raises(StepError, match="production is not what it was before run run-1") as caught:
        same(tmp_path)
    assert words in str(caught.value)


def test_a_database_of_the_target_that_is_left_is_a_difference(server: Server, tmp_path: Path) -> None:
    take(tmp_path)
    server.create("nova_cell0")
    assert same(tmp_path)
    server.base.execute("CREATE TABLE nova_cell0.migrate_version (repository_id TEXT, version INT)")
    with pytest.raises(StepError, match="database nova_cell0 has tables, and Mitaka has no such database"):
        same(tmp_path)


def test_without_what_was_written_down_nobody_can_say(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="wrote down nothing on this node"):
        loss(tmp_path)
    with pytest.raises(StepError, match="is not a plain name"):
        objects.take(Admin(None, {}), "../x", NAMES, str(tmp_path))


def test_a_service_whose_database_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="database heat of heat is not there"):
        objects.take(Admin(None, {}), "run-1", {**NAMES, "heat": "heat"}, str(tmp_path))
    with pytest.raises(StepError, match="no objects are known of swift"):
        objects.take(Admin(None, {}), "run-1", {"swift": "swift"}, str(tmp_path))
    assert not (tmp_path / "run-1.json").exists()

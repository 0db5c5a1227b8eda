"""Phases fit the code that is installed, and remove rows by id: heat's tool in Ocata's shape, cinder's services of all kinds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from salt.exceptions import CommandExecutionError

from tests.functional import ocata_heat
from tests.functional.bench import REPOSITORY
from tests.functional.copies import Copies

pytestmark = pytest.mark.heavy
RELEASE = REPOSITORY / "formulas" / "upgrader" / "releases" / "mitaka-ocata.yaml"


@pytest.fixture(autouse=True)
def usual_roles(copies: Copies) -> Iterator[None]:
    copies.usual()
    yield
    copies.usual()


@pytest.fixture(scope="module")
def ocatas(copies: Copies) -> Path:
    return ocata_heat.installed(copies.root)


def held(copies: Copies, database: str) -> list[Any]:
    return copies.query(f"SELECT id, properties_data FROM {database}.resource ORDER BY id")


def test_the_stand_in_refuses_as_ocatas_own_parser_would(copies: Copies, ocatas: Path) -> None:
    argv = [str(ocatas / "bin" / "heat-manage"), "--config-file", str(copies.conf("heat")), "migrate_properties_data"]
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "argument command: invalid choice: 'migrate_properties_data' (choose from 'db_version'" in refused.stderr


def test_ocatas_heat_reads_old_properties_and_its_phase_is_passed_over(copies: Copies, ocatas: Path) -> None:
    database = copies.fresh("heat")
    before = held(copies, database)
    assert [row for row in before if row[1]]
    copies.use("heat", database, venv=str(ocatas))
    answers = copies.phases("heat")
    assert {phase: answer["changed"] for phase, answer in answers.items()} == {
        "ocata": True, "head": False, "properties": False, "engines": True,
    }  # fmt: skip
    assert answers["head"]["after"] == ocata_heat.LAST
    assert (
        "passed over: heat-manage on this node has no command 'migrate_properties_data'"
        in answers["properties"]["comment"]
    )
    assert held(copies, database) == before
    assert copies.call("settled", "heat", "properties")["settled"]
    verified = copies.call("verify", "heat", expected={"heat_spare": copies.proof("heat")["heat"]})
    assert verified["findings"] == [] and verified["compared"]


def test_a_path_that_does_not_allow_it_makes_the_unknown_command_a_failure(copies: Copies, ocatas: Path) -> None:
    database, release = copies.fresh("heat"), yaml.safe_load(RELEASE.read_text())
    (properties,) = (one for one in release["services"]["heat"]["phases"] if one["id"] == "properties")
    del properties["absent"]
    copies.use("heat", database, venv=str(ocatas))
    copies.phases("heat", "properties")
    with pytest.raises(CommandExecutionError) as caught:
        copies.call("phase", "heat", "properties", release=release)
    sentence = str(caught.value)
    assert sentence.startswith("'heat-manage migrate_properties_data' is no command of the tool on this node")
    assert "install Ocata's heat; nothing was done" in sentence and "\n" not in sentence


SERVICE = (
    "INSERT INTO {}.services (created_at, updated_at, deleted, host, `binary`, topic, report_count, disabled, rpc_current_version)"
    " VALUES ('2014-05-01', '2014-05-02', 0, {}, 'cinder-volume', 'cinder-volume', 10, 0, {})"
)


def test_a_cinder_service_without_host_goes_by_id_where_cinders_own_command_takes_another(copies: Copies) -> None:
    database = copies.fresh("cinder")
    copies.phases("cinder", "services")
    live = f"SELECT id FROM {database}.services WHERE deleted = 0 ORDER BY id"
    others = set(copies.column(live))
    for host, rpc in (("NULL", "NULL"), ("'upg01@lvm'", "'3.10'")):
        copies.query(SERVICE.format(database, host, rpc))
    hostless, current = sorted(set(copies.column(live)) - others)
    plain = copies.manage("cinder", "service", "remove", "cinder-volume", "")
    assert plain.returncode == 0 and hostless in copies.column(live)
    (taken,) = others - set(copies.column(live))
    copies.query(f"UPDATE {database}.services SET deleted = 0 WHERE id = {taken}")
    answer = copies.call("phase", "cinder", "services")
    assert f"{hostless} cinder-volume without host" in answer["before"] and answer["after"] == []
    assert f"{len(answer['before'])} service(s) removed by id" in answer["comment"]
    left = set(copies.column(live))
    assert current in left and hostless not in left and taken not in left
    assert len(others) + 2 - len(left) == len(answer["before"])


def test_engines_that_report_stay_and_those_that_are_gone_go_by_id(copies: Copies) -> None:
    database = copies.fresh("heat")
    copies.phases("heat", "engines")
    gone = copies.column(f"SELECT id FROM {database}.service WHERE deleted_at IS NULL")
    copies.query(
        f"INSERT INTO {database}.service (id, engine_id, host, hostname, `binary`, topic, report_interval, created_at, updated_at)"
        " VALUES ('own', 'own', 'upg01', 'upg01', 'heat-engine', 'engine', 60, UTC_TIMESTAMP(), UTC_TIMESTAMP())"
    )
    answer = copies.call("phase", "heat", "engines")
    assert f"{len(gone)} engine(s) removed by id: " in answer["comment"] and "1 other(s) stay" in answer["comment"]
    assert copies.column(f"SELECT id FROM {database}.service WHERE deleted_at IS NULL") == ["own"]

"""Production's catalogue: what Ocata adds is added for every region and interface, and nothing else of it changes."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.copy import catalogue as copied
from upgrader_node.copy import proof
from upgrader_node.errors import StepError
from upgrader_node.production import catalogue

from tests.support.lite import Server

ENTRIES = copied.wanted({})
MITAKA = (
    ("identity", "public", "https://cloud.example:5000/v2.0", "RegionOne"),
    ("identity", "internal", "http://10.0.0.10:5000/v3", "RegionOne"),
    ("identity", "admin", "http://10.0.0.10:35357/v2.0/", "RegionOne"),
    ("compute", "public", "https://cloud.example:8774/v2.1/%(tenant_id)s", "RegionOne"),
    ("compute", "internal", "http://10.0.0.10:8774/v2.1/%(tenant_id)s", "RegionOne"),
    ("compute", "admin", "http://10.0.0.10:8774/v2.1/%(tenant_id)s", "RegionOne"),
    ("volumev2", "public", "https://cloud.example:8776/v2/%(tenant_id)s", "RegionOne"),
    ("volumev2", "internal", "http://[fd00::9]:8776/v2/$(tenant_id)s", "RegionTwo"),
    ("compute", "internal", "http://[fd00::9]:8774/v2", "RegionTwo"),
    ("image", "public", "https://cloud.example:9292", "RegionOne"),
)


def server(*rows: tuple[str, ...]) -> Server:
    made = Server(
        keystone=(
            "CREATE TABLE keystone.service (id TEXT PRIMARY KEY, type TEXT, enabled INT, extra TEXT)",
            "CREATE TABLE keystone.endpoint (id TEXT PRIMARY KEY, interface TEXT, service_id TEXT, url TEXT, extra TEXT, enabled INT,"
            " region_id TEXT)",
        )
    )
    for number, (kind, interface, url, region) in enumerate(rows or MITAKA):
        made.base.execute("INSERT OR IGNORE INTO keystone.service VALUES (?, ?, 1, '{}')", ("s-" + kind, kind))
        made.base.execute(
            "INSERT INTO keystone.endpoint VALUES (?, ?, ?, ?, '{}', 1, ?)",
            (f"e-{number:02}", interface, "s-" + kind, url, region),
        )
    return made


def table(made: Server) -> dict[tuple[str, str, str], str]:
    rows = made.rows(
        "SELECT s.type, e.interface, e.region_id, e.url FROM keystone.endpoint e JOIN keystone.service s ON s.id = e.service_id"
    )
    return {(kind, interface, region): url for kind, interface, region, url in rows}


def write(made: Server) -> catalogue.Answer:
    return catalogue.write(made, "keystone", ENTRIES)


def test_placement_is_beside_compute_and_volumev3_beside_volumev2_in_every_region() -> None:
    made = server()
    before = table(made)
    answer = write(made)
    after = table(made)
    assert {key: url for key, url in after.items() if key not in before} == {
        ("placement", "public", "RegionOne"): "https://cloud.example:8778",
        ("placement", "internal", "RegionOne"): "http://10.0.0.10:8778",
        ("placement", "admin", "RegionOne"): "http://10.0.0.10:8778",
        ("placement", "internal", "RegionTwo"): "http://[fd00::9]:8778",
        ("volumev3", "public", "RegionOne"): "https://cloud.example:8776/v3/%(tenant_id)s",
        ("volumev3", "internal", "RegionTwo"): "http://[fd00::9]:8776/v3/$(tenant_id)s",
    }
    assert answer["services"] == ["placement", "volumev3"] and len(answer["added"]) == 6


def test_nothing_else_changes_but_identity_becomes_v3_with_the_old_url_told() -> None:
    made = server()
    before = table(made)
    answer = write(made)
    after = table(made)
    changed = {key: after[key] for key in before if after[key] != before[key]}
    assert changed == {
        ("identity", "public", "RegionOne"): "https://cloud.example:5000/v3",
        ("identity", "admin", "RegionOne"): "http://10.0.0.10:35357/v3",
    }
    assert [one["old"] for one in answer["moved"]] == [
        "https://cloud.example:5000/v2.0",
        "http://10.0.0.10:35357/v2.0/",
    ]


def test_a_second_time_nothing_is_done_and_what_fits_is_left() -> None:
    made = server(*MITAKA, ("placement", "public", "https://placement.example", "RegionOne"))
    write(made)
    assert table(made)["placement", "public", "RegionOne"] == "https://placement.example"
    held = table(made)
    again = write(made)
    assert not again["changed"] and again["added"] == [] and table(made) == held


def test_an_endpoint_that_is_off_gives_nothing_and_stays_off() -> None:
    made = server()
    made.base.execute("UPDATE keystone.endpoint SET enabled = 0 WHERE id IN ('e-00', 'e-08')")
    write(made)
    assert ("placement", "internal", "RegionTwo") not in table(made)
    assert made.rows("SELECT url, enabled FROM keystone.endpoint WHERE id = 'e-00'") == [
        ("https://cloud.example:5000/v3", 0)
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("compute", "public", "nowhere", "RegionOne"), "compute endpoint nowhere names no host"),
        (("volumev2", "public", "http://x:8776", "RegionOne"), "volumev2 endpoint http://x:8776 has no /v2/ in it"),
        (("image", "public", "http://x:9292", "RegionOne"), "has no compute endpoint that is on"),
    ],
)
def test_what_nothing_can_be_made_of_is_refused_before_anything_is_written(row: tuple[str, ...], words: str) -> None:
    rows = [row] if row[0] in ("compute", "image") else [*MITAKA[:6], row]
    made = server(*rows)
    before = table(made)
    with pytest.raises(StepError, match=words):
        write(made)
    assert table(made) == before


def test_cut_off_in_the_middle_nothing_is_written() -> None:
    made, count = server(), [0]
    before = table(made)

    def cut(statement: str) -> None:
        count[0] += statement.startswith("INSERT INTO `keystone`.endpoint")
        if count[0] == 3:
            raise KeyboardInterrupt

    made.before = cut
    with pytest.raises(KeyboardInterrupt):
        write(made)
    made.base.execute("ROLLBACK")  # what the server does when the connection is gone
    assert table(made) == before
    made.before = lambda statement: None
    assert write(made)["changed"]


def role(**given: Any) -> Any:
    return {"keystone": {"server": {"database": {"name": "keystone", **given}}}}


def test_only_a_controller_that_pillar_calls_productions_is_written_to() -> None:
    production = {"upgrader": {"production": True}}
    assert proof.role_of_production({**role(), **production}, "keystone")["database"]["name"] == "keystone"
    for pillar in (role(), {**role(name="keystone_upgrade")}, {**role(name="keystone_upgrade"), **production}):
        with pytest.raises(StepError):
            proof.role_of_production(pillar, "keystone")

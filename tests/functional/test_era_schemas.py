"""The whole way of the seven databases on MySQL 5.6.24, which is plain MySQL: it has no wsrep.

A file of its own: there is one server of an age at a time, and it ends with the file whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.bench import API, CELL0, MAIN, STEPS, Bench
from tests.functional.copies import SERVICES, Copies
from tests.functional.era import SERVERS
from tests.functional.test_era_databases import SOURCES, Era, prepared

pytestmark = pytest.mark.heavy
# Where each schema stands at the end: the release's own last versions, read as the migration libraries write them down.
LAST = {
    "keystone_upgrade": "SELECT GROUP_CONCAT(version ORDER BY repository_id) FROM keystone_upgrade.migrate_version",
    "glance_upgrade": "SELECT version_num FROM glance_upgrade.alembic_version",
    "cinder_upgrade": "SELECT version FROM cinder_upgrade.migrate_version",
    "neutron_upgrade": "SELECT GROUP_CONCAT(version_num ORDER BY version_num) FROM neutron_upgrade.alembic_version",
    "heat_upgrade": "SELECT version FROM heat_upgrade.migrate_version",
    MAIN: f"SELECT version FROM {MAIN}.migrate_version",
    API: f"SELECT version FROM {API}.migrate_version",
    CELL0: f"SELECT version FROM {CELL0}.migrate_version",
}
# Tables that no migration empties or fills: as many rows at the end as the source has.
KEPT = {
    "keystone": ("user", "project", "assignment", "endpoint", "credential"),
    "glance": ("images", "image_properties"),
    "cinder": ("volumes", "snapshots", "quotas"),
    "neutron": ("networks", "ports", "subnets", "routers"),
    "heat": ("stack", "resource", "raw_template"),
    "nova": ("instances", "instance_extra", "services", "compute_nodes", "block_device_mapping"),
}


@pytest.fixture(scope="module")
def chain(bench: Bench, copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Era, Copies]]:
    """MySQL 5.6.24 with all seven sources, their clones filled from a proven backup, and every phase of every service."""
    with prepared(SERVERS["5.6"], bench, tmp_path_factory) as era:
        services = Copies(era.bench, copies.sources)
        export = era.clone(SOURCES)
        assert export["logical"] == []
        era.bench.query(f"CREATE DATABASE IF NOT EXISTS {CELL0} CHARACTER SET utf8")
        for service in SERVICES:
            services.answers[service] = services.phases(service)
        for phase, arguments in STEPS:
            era.bench.phase(phase, **arguments)
        yield era, services


def test_every_schema_reaches_the_versions_that_it_reaches_on_mariadb(
    chain: tuple[Era, Copies], copies: Copies, ocata: Bench
) -> None:
    era, _ = chain
    for service in SERVICES:
        copies.upgraded(service)
    there = {name: era.bench.query(statement)[0][0] for name, statement in LAST.items()}
    assert there == {name: ocata.query(statement)[0][0] for name, statement in LAST.items()}
    assert (there[API], there[MAIN], there[CELL0]) == (31, 347, 347)


def test_every_row_of_the_source_is_in_the_upgraded_clone(chain: tuple[Era, Copies]) -> None:
    era, _ = chain
    for source, tables in KEPT.items():
        for table in tables:
            counts = [
                era.bench.number(f"SELECT COUNT(*) FROM {database}.`{table}`")
                for database in (source, f"{source}_upgrade")
            ]
            assert counts[0] == counts[1] > 0, (source, table)


def test_every_instance_of_the_source_is_mapped_to_a_cell(chain: tuple[Era, Copies]) -> None:
    era, _ = chain
    mapped = era.bench.number(f"SELECT COUNT(*) FROM {API}.instance_mappings WHERE cell_id IS NOT NULL")
    assert mapped == era.bench.number("SELECT COUNT(*) FROM nova.instances") > 0


def test_phases_that_are_done_are_passed_over(chain: tuple[Era, Copies]) -> None:
    _, services = chain
    assert not any(answer["changed"] for answer in services.phases("neutron").values())

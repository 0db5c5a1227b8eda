"""Preflight of every service on a real server: each fault is planted, named, mended by the remedy that is pasted, and gone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from upgrader_node.preflight import image_values

from tests.functional.bench import REPOSITORY, VENV, Bench
from tests.functional.copies import SERVICES, Copies
from tests.functional.test_nova_preflight import ACCOUNT, _pillar
from tests.functional.test_nova_preflight import PLANTED as OF_NOVA
from tests.support.planted import ALTERNATIVES, NAMED, PLANTED

pytestmark = pytest.mark.heavy
DATABASES = {"keystone": ["keystone"], "glance": ["glance"], "nova": ["nova", "nova_api"], "cinder": ["cinder"]}
DATABASES.update(neutron=["neutron"], heat=["heat"])
VERSIONS: dict[str, Any] = {
    "keystone": {"keystone": 97},
    "glance": 44,
    "cinder": 72,
    "neutron": "4ffceebfcdc",
    "heat": 71,
}
VERSIONS.update(nova=319, nova_api=7)
LEFT_OUT = {"neutron": "networks-held", "neutron_of_nobody": "networks-left-out"}
"""The database that a neutron left out would have, and what is told of it."""


@pytest.fixture(scope="module")
def dumps(copies: Copies) -> dict[str, bytes]:
    return {name: copies.bench._dump(name) for names in DATABASES.values() for name in names}


@pytest.fixture
def cloud(bench: Bench, dumps: dict[str, bytes]) -> Iterator[Bench]:
    """All sources under their own names, as the generated cloud has them; what a test changed is put back."""
    name, password = ACCOUNT
    bench.query(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY {bench.connection.escape(password)}")
    bench.query(f"GRANT ALL ON *.* TO {name}@'%'")
    _pillar(bench, bench.port)
    bench.touched = set()  # type: ignore[attr-defined]
    yield bench
    for database in bench.touched:  # type: ignore[attr-defined]
        bench._load(database, dumps[database])
    bench.query(f"DROP USER {name}@'%'")
    (bench.root / "pillar" / "admin.sls").unlink()


def plant(bench: Bench, *statements: str) -> None:
    for statement in statements:
        bench.touched |= {name for name in VERSIONS if f"{name}." in statement or f"DATABASE {name} " in statement}  # type: ignore[attr-defined]
        bench.query(statement)


def asked(bench: Bench, **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    answer = bench.call("upgrader_preflight.databases", databases=DATABASES, versions=VERSIONS, **more)
    return {(item["service"], item["id"]): item for item in answer["findings"]}


def test_the_generated_cloud_is_told_nothing_but_notes(cloud: Bench) -> None:
    assert [item for item in asked(cloud).values() if item["severity"] != "info"] == []


@pytest.mark.soak
@pytest.mark.parametrize("fault", PLANTED, ids="-".join)
def test_a_fault_is_named_and_gone_once_its_remedy_is_pasted(cloud: Bench, fault: tuple[str, str]) -> None:
    plant(cloud, *PLANTED[fault])
    before = asked(cloud)
    assert fault in before, sorted(before)
    finding = before[fault]
    assert finding["count"] and finding["rows"] and finding["source"] and finding["statements"]
    for statement in finding["statements"]:
        cloud.query(statement)
    cloud.query("SET SESSION foreign_key_checks = 1")
    after = asked(cloud)
    assert fault not in after
    assert {key for key, item in after.items() if item["severity"] == "blocker"} <= {
        key for key, item in before.items() if item["severity"] == "blocker"
    }


def test_all_faults_are_named_at_once_with_their_rows_and_gone_once_all_remedies_are_pasted(cloud: Bench) -> None:
    for fault, statements in PLANTED.items():
        if fault not in ALTERNATIVES:
            plant(cloud, *statements)
    told = asked(cloud)
    assert set(PLANTED) - ALTERNATIVES <= set(told)
    assert told["keystone", "users-nameless"]["rows"] == ["deadbeef"]
    for fault in PLANTED:
        for statement in told[fault]["statements"] if fault in told else ():
            cloud.query(statement)
    cloud.query("SET SESSION foreign_key_checks = 1")
    left = {key for key, item in asked(cloud).items() if item["severity"] != "info"}
    # Copies of tables that were planted stay, and have no key: nobody but the operator knows what they are for.
    assert left == {("glance", "keyless"), ("cinder", "keyless"), ("heat", "keyless")}


def test_what_has_no_statement_is_named_with_its_rows_and_in_words(cloud: Bench) -> None:
    try:
        for statements in NAMED.values():
            plant(cloud, *statements)
        told = asked(cloud)
    finally:
        for name in ("nova 2016", "aodh"):
            cloud.query(f"DROP DATABASE IF EXISTS `{name}`")
    assert set(NAMED) <= set(told)
    for fault in NAMED:
        assert told[fault]["count"] and told[fault]["remedy"] and not told[fault]["statements"], fault
    rows = [row for fault in NAMED for row in told[fault]["rows"]]
    for name in (
        "cinder.volumes.provider_geometry",
        "nova.instances.billing_code",
        "glance.images_2016",
        "nova 2016",
        "aodh",
    ):
        assert name in rows


@pytest.mark.parametrize(("database", "named"), LEFT_OUT.items())
def test_a_neutron_that_is_left_out_is_told_and_stops_only_where_its_database_holds_networks(
    cloud: Bench, database: str, named: str
) -> None:
    without = {"neutron": {"database": database, "why": "neutron:server:plugin is contrail on ctl01"}}
    others = {service: names for service, names in DATABASES.items() if service != "neutron"}
    answer = cloud.call("upgrader_preflight.databases", databases=others, versions=VERSIONS, without=without)
    assert [item["id"] for item in answer["findings"] if item["service"] == "neutron"] == [named]


def test_every_finding_of_the_page_is_planted_somewhere() -> None:
    """Constraints that are derived have a test of each of their kinds instead, as only one is left that a row could break."""
    headings = re.findall(r"^### (\S+) \(", (REPOSITORY / "docs/preflight.md").read_text(), re.MULTILINE)
    planted = (
        {name for _, name in (*PLANTED, *NAMED)} | set(OF_NOVA) | {"derived", "schema-version", *LEFT_OUT.values()}
    )
    assert set(headings) - planted == set()


def test_every_row_is_listed_when_it_is_asked_for(cloud: Bench) -> None:
    plant(cloud, "UPDATE nova.instances SET project_id = NULL WHERE deleted = 0 LIMIT 15")
    fault = ("nova", "instances-without-project")
    assert len(asked(cloud)[fault]["rows"]) == 10
    assert len(asked(cloud, listed=1000)[fault]["rows"]) == 15 == asked(cloud)[fault]["count"]


def test_wide_tables_are_those_that_the_server_itself_refuses(cloud: Bench) -> None:
    """The reckoning of a record's width against InnoDB's own: each table is made COMPACT on a strict server."""
    from upgrader_node.preflight import every_service

    wide = set()
    for name in ("nova", "cinder", "keystone", "heat"):
        statement = (
            "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema"
            f" AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE' WHERE c.table_schema = '{name}'"
            f" GROUP BY c.table_name HAVING {every_service._WIDTH} > 8126"
        )
        wide |= {f"{name}.{row[0]}" for row in cloud.query(statement)}
    refused = set()
    cloud.query("CREATE DATABASE narrow CHARACTER SET utf8")
    for name in ("nova", "cinder", "keystone", "heat"):
        for (table,) in cloud.query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{name}' AND table_type = 'BASE TABLE'"
        ):
            try:
                cloud.query(f"CREATE TABLE narrow.t LIKE {name}.`{table}`")
                cloud.query("ALTER TABLE narrow.t ROW_FORMAT = COMPACT")
            except pymysql.MySQLError as error:
                assert error.args[0] in (1118, 1030), error
                refused.add(f"{name}.{table}")
            cloud.query("DROP TABLE narrow.t")
    cloud.query("DROP DATABASE narrow")
    assert wide == refused


# Each judgement against the real code's: key, value.
VALUES = (
    ("image_os_type", "freebsd"), ("image_os_type", "Linux"), ("image_os_type", "other"), ("image_hw_vif_model", "virtio-net"),
    ("image_hw_vif_model", "VirtualE1000"), ("image_hw_disk_bus", "VIRTIO"), ("image_hw_disk_bus", "virtio"), ("hw_disk_bus", "sd"),
    ("image_architecture", "x86-64"), ("image_architecture", "AMD64"), ("image_hw_rng_model", "virtio-rng"), ("image_hw_video_model", "virtio"),
    ("image_hypervisor_type", "esxi"), ("image_hypervisor_type", "QEMU"), ("image_min_ram", ""), ("image_min_ram", "None"), ("min_disk", " 5 "),
    ("image_img_config_drive", "true"), ("image_img_config_drive", "mandatory"), ("image_hw_watchdog_action", "disabled"),
    ("image_hw_pointer_model", "usb"), ("image_hw_pointer_model", "mouse"), ("image_vmware_adaptertype", "ide"),
    ("image_vmware_adaptertype", "lsiLogicsas"), ("image_vmware_adaptertype", "nvme"), ("image_hw_numa_mem.0", "x"), ("image_hw_numa_mem.0", "5"),
    ("image_hw_numa_cpus.0", "0-3,^1"), ("image_hw_numa_cpus.0", "a-b"), ("image_hypervisor_version_requires", ">=2.6"),
    ("image_hypervisor_version_requires", "2.6"), ("image_hw_vm_mode", "pv"), ("image_hw_vm_mode", "full"), ("image_os_secure_boot", "yes"),
    ("image_hw_rescue_bus", "nvme"), ("image_hw_rescue_device", "lun"), ("image_hw_boot_menu", "perhaps"), ("image_img_version", "1.0"),
    ("image_owner_id", "anything"), ("image_mappings", "[]"), ("image_img_signature_hash_method", "sha-256"), ("image_hw_cpu_policy", "Dedicated"),
)  # fmt: skip
REAL = """
import json, sys
from nova import objects, utils
objects.register_all()
told = []
for key, value in json.load(sys.stdin):
    try:
        objects.ImageMeta.from_dict(utils.get_image_from_system_metadata({key: value}))
        told.append(False)
    except Exception:
        told.append(True)
print(json.dumps(told))
"""


def test_image_properties_are_judged_as_nova_itself_does() -> None:
    command = [str(VENV / "bin" / "python"), "-W", "ignore", "-c", REAL]
    ran = subprocess.run(command, input=json.dumps(VALUES), capture_output=True, text=True, check=True)
    real = dict(zip(VALUES, json.loads(ran.stdout.splitlines()[-1]), strict=True))
    assert {pair: image_values.is_refused(*pair) for pair in VALUES} == real


# Faults whose remedy is followed by the phases that they stopped.
PHASES = {
    ("keystone", "users-nameless"): "keystone",
    ("keystone", "users-homeless"): "keystone",
    ("keystone", "leftover-columns"): "keystone",
    ("neutron", "floating-ips-double"): "neutron",
    ("neutron", "router-ports-double"): "neutron",
    ("neutron", "allocations-double"): "neutron",
    ("cinder", "charsets"): "cinder",
    ("cinder", "group-types"): "cinder",
    ("heat", "events-cut-off"): "heat",
    ("heat", "resources-locked"): "heat",
}


EVERY_DAY = ("heat", "events-cut-off")


@pytest.mark.parametrize(
    "fault", [one if one == EVERY_DAY else pytest.param(one, marks=pytest.mark.soak) for one in PHASES], ids="-".join
)
def test_after_the_remedy_the_services_phases_pass(cloud: Bench, copies: Copies, fault: tuple[str, str]) -> None:
    service = PHASES[fault]
    assert service in SERVICES
    plant(cloud, *PLANTED[fault])
    for statement in asked(cloud)[fault]["statements"]:
        cloud.query(statement)
    cloud.query("SET SESSION foreign_key_checks = 1")
    cloud._load(copies.spare(service), cloud._dump(service))
    copies.use(service, copies.spare(service))
    copies.phases(service)

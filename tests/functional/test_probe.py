"""Probed rows with the real code: nova 15.1.5, cinder 10.0.8 and heat 11.0.2 judge planted rows, on a copy and from the live side."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.host import foreign
from upgrader_node.service import manage

from tests.functional.bench import API, MAIN, VENV, Bench
from tests.functional.copies import Copies
from tests.functional.test_nova_preflight import ACCOUNT, _pillar
from tests.support.clouds import lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from upgrader.cli.probing import Probe
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import Refused
from upgrader.plan.step import Call

pytestmark = pytest.mark.heavy
Found = dict[str, dict[str, Any]]
Planted = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
FIRST, SECOND = (f"(SELECT uuid FROM {{main}}.instances WHERE deleted = 0 ORDER BY id LIMIT {n}, 1)" for n in (0, 1))
EXTRA = "UPDATE {main}.instance_extra SET "
META = "INSERT INTO {main}.instance_system_metadata (instance_uuid, `key`, value, deleted) VALUES "
SPEC = "REPLACE INTO {api}.request_specs (instance_uuid, spec) SELECT "

# What is planted, two of a kind, and words of the code's own reason for each.
NOVA: Planted = {
    "flavors": (
        (f"{EXTRA} flavor = REPLACE(flavor, '\"vcpus\": ', '\"vcpus\": \"two\", \"x\": ') WHERE instance_uuid = {FIRST}",
         f"{EXTRA} flavor = '{{{{\"cur\": {{{{\"nova_object' WHERE instance_uuid = {SECOND}"),
        ("invalid literal for int() with base 10: 'two'", "ValueError: Unterminated string"),
    ),
    "numa-topologies": (
        (f"{EXTRA} numa_topology = '{{{{\"cells' WHERE instance_uuid = {FIRST}",
         f"{EXTRA} numa_topology = '{{{{\"nova_object.name\": \"InstanceNUMATopology\", \"nova_object.namespace\": \"nova\","
         f" \"nova_object.version\": \"9.0\", \"nova_object.data\": {{{{}}}}}}}}' WHERE instance_uuid = {SECOND}"),
        ("ValueError: Unterminated string", "IncompatibleObjectVersion"),
    ),
    "pci-requests": (
        (f"{EXTRA} pci_requests = '[{{{{\"count\": 1, \"spec' WHERE instance_uuid = {FIRST}",
         f"{EXTRA} pci_requests = '[{{{{\"count\": 1}}}}]' WHERE instance_uuid = {SECOND}"),
        ("ValueError: Unterminated string", "KeyError: 'spec'"),
    ),
    "vcpu-models": (
        (f"{EXTRA} vcpu_model = 'host-model' WHERE instance_uuid = {FIRST}",
         f"{EXTRA} vcpu_model = '{{{{}}}}' WHERE instance_uuid = {SECOND}"),
        ("ValueError: No JSON object could be decoded", "KeyError"),
    ),
    "migration-contexts": (
        (f"{EXTRA} migration_context = '{{{{' WHERE instance_uuid = {FIRST}",
         f"{EXTRA} migration_context = '{{{{\"nova_object.name\": \"MigrationContext\", \"nova_object.namespace\": \"nova\","
         f" \"nova_object.version\": \"7.0\", \"nova_object.data\": {{{{}}}}}}}}' WHERE instance_uuid = {SECOND}"),
        ("ValueError: Expecting", "IncompatibleObjectVersion"),
    ),
    "request-specs": (
        (f"{SPEC} {FIRST}, '{{{{\"nova_object' ",
         f"{SPEC} {SECOND}, '{{{{\"nova_object.name\": \"RequestSpec\", \"nova_object.namespace\": \"nova\", \"nova_object.version\": \"9.9\","
         f" \"nova_object.data\": {{{{}}}}}}}}'"),
        ("ValueError: Unterminated string", "IncompatibleObjectVersion: Version 9.9 of RequestSpec"),
    ),
    "image-properties": (
        (f"DELETE FROM {{api}}.request_specs WHERE instance_uuid IN ({FIRST}, {SECOND})",
         f"{META} ({FIRST}, 'image_hw_rescue_bus', 'nvme', 0), ({SECOND}, 'image_os_type', 'freebsd', 0)"),
        ("ValueError: Field value nvme is invalid", "ValueError: Field value freebsd is invalid"),
    ),
    "image-properties-later": (
        (f"{META} (SPECFUL, 'image_hw_rescue_bus', 'nvme', 0)", f"{META} (SPECFUL, 'image_hw_disk_bus', 'VIRTIO', 0)"),
        ("is invalid",),
    ),
    "instances": (
        (f"UPDATE {{main}}.instances SET access_ip_v4 = '10.0.0.999' WHERE uuid = {FIRST}",
         f"UPDATE {{main}}.instances SET access_ip_v6 = '10.0.0.1' WHERE uuid = {SECOND}"),
        ("10.0.0.999", "10.0.0.1"),
    ),
    "instance-metadata": (
        (f"INSERT INTO {{main}}.instance_metadata (instance_uuid, `key`, value, deleted) VALUES ({FIRST}, 'role', NULL, 0)",
         f"INSERT INTO {{main}}.instance_metadata (instance_uuid, `key`, value, deleted) VALUES ({SECOND}, NULL, 'db', 0)"),
        ("cannot be None",),
    ),
    "info-caches": (
        (f"UPDATE {{main}}.instance_info_caches SET network_info = '[{{{{\"id\"' WHERE instance_uuid = {FIRST}",
         f"UPDATE {{main}}.instance_info_caches SET network_info = '[7]' WHERE instance_uuid = {SECOND}"),
        ("ValueError",),
    ),
    "block-devices": (
        (f"UPDATE {{main}}.block_device_mapping SET device_type = 'tape' WHERE instance_uuid = {FIRST}",
         f"UPDATE {{main}}.block_device_mapping SET source_type = 'nfs' WHERE instance_uuid = {SECOND}"),
        ("Field value tape is invalid", "Field value nfs is invalid"),
    ),
    "compute-nodes": (
        ("UPDATE {main}.compute_nodes SET stats = '{{' WHERE deleted = 0 ORDER BY id LIMIT 1",
         "UPDATE {main}.compute_nodes SET supported_instances = '[[\"pdp11\", \"kvm\", \"hvm\"]]' WHERE deleted = 0 ORDER BY id DESC LIMIT 1"),
        ("ValueError", "pdp11"),
    ),
    "pci-devices": (
        ("INSERT INTO {main}.pci_devices (compute_node_id, address, product_id, vendor_id, dev_type, label, status, extra_info, deleted)"
         " SELECT MIN(id), '0000:99:00.0', '10fb', '8086', 'type-X', '', 'available', '{{}}', 0 FROM {main}.compute_nodes",
         "INSERT INTO {main}.pci_devices (compute_node_id, address, product_id, vendor_id, dev_type, label, status, extra_info, deleted)"
         " SELECT MIN(id), '0000:99:00.1', '10fb', '8086', 'type-PCI', '', 'lost', '{{}}', 0 FROM {main}.compute_nodes"),
        ("type-X", "lost"),
    ),
}  # fmt: skip
CINDER: Planted = {
    "volumes": (("UPDATE {db}.volumes SET attach_status = 'stuck' WHERE deleted = 0 ORDER BY id LIMIT 2",), ("Field value stuck is invalid",)),
    "volume-metadata": (
        ("INSERT INTO {db}.volume_metadata (deleted, volume_id, `key`, value) SELECT 0, id, 'a', NULL FROM {db}.volumes WHERE deleted = 0 LIMIT 2",),
        ("cannot be None",),
    ),
    "snapshots": (
        ("UPDATE {db}.snapshots SET status = 'in-use' WHERE deleted = 0 ORDER BY id LIMIT 1",
         "UPDATE {db}.snapshots SET status = 'error_extending' WHERE deleted = 0 ORDER BY id DESC LIMIT 1"),
        ("ValueError: Field value in-use is invalid", "ValueError: Field value error_extending is invalid"),
    ),
    "snapshot-metadata": (
        ("INSERT INTO {db}.snapshot_metadata (deleted, snapshot_id, `key`, value) SELECT 0, id, NULL, 'x' FROM {db}.snapshots"
         " WHERE deleted = 0 LIMIT 2",),
        ("KeyTypeError",),
    ),
    "backups": (
        ("UPDATE {db}.backups SET status = 'lost' WHERE deleted = 0 ORDER BY id LIMIT 1",
         "UPDATE {db}.backups SET project_id = NULL WHERE deleted = 0 ORDER BY id DESC LIMIT 1"),
        ("Field value lost is invalid", "Field `project_id' cannot be None"),
    ),
    "consistency-groups": (
        ("INSERT INTO {db}.consistencygroups (deleted, id, user_id, project_id, status)"
         " VALUES (0, 'cg-1', 'u', 'p', 'in-use'), (0, 'cg-2', NULL, 'p', 'available')",),
        ("Field value in-use is invalid", "Field `user_id' cannot be None"),
    ),
    "consistency-group-snapshots": (
        ("INSERT INTO {db}.cgsnapshots (deleted, id, consistencygroup_id, user_id, project_id, status) SELECT 0, 'cgs-1', id, NULL, 'p', 'error'"
         " FROM {db}.consistencygroups LIMIT 1",
         "INSERT INTO {db}.cgsnapshots (deleted, id, consistencygroup_id, user_id, project_id, status) SELECT 0, 'cgs-2', id, 'u', NULL, 'error'"
         " FROM {db}.consistencygroups LIMIT 1"),
        ("Field `user_id' cannot be None", "Field `project_id' cannot be None"),
    ),
    "attachments": (("UPDATE {db}.volume_attachment SET attach_status = 'odd' WHERE deleted = 0 ORDER BY id LIMIT 2",), ("odd",)),
    "services": (("UPDATE {db}.services SET replication_status = 'odd' WHERE deleted = 0 ORDER BY id LIMIT 2",), ("Field value odd is invalid",)),
}  # fmt: skip
HEAT: Planted = {
    "events": (
        ("UPDATE {db}.event SET resource_properties = LEFT(resource_properties, LENGTH(resource_properties) - 1)"
         " WHERE resource_properties IS NOT NULL ORDER BY id LIMIT 1",
         "UPDATE {db}.event SET resource_properties = 'no pickle' WHERE resource_properties IS NOT NULL ORDER BY id DESC LIMIT 1"),
        ("Error",),
    ),
    "resources": (
        ("UPDATE {db}.resource SET properties_data = LEFT(properties_data, 5) WHERE properties_data IS NOT NULL ORDER BY id LIMIT 1",
         "UPDATE {db}.resource SET rsrc_metadata = '{{\"a\"' ORDER BY id DESC LIMIT 1"),
        ("ValueError",),
    ),
    "raw-templates": (
        ("UPDATE {db}.raw_template SET template = '{{\"heat_template_version' ORDER BY id LIMIT 1",
         "UPDATE {db}.raw_template SET environment = 'parameters: {{}}' ORDER BY id DESC LIMIT 1"),
        ("ValueError: Unterminated string", "ValueError: No JSON object could be decoded"),
    ),
    "stacks": (("UPDATE {db}.stack SET current_deps = '[[' WHERE deleted_at IS NULL ORDER BY id LIMIT 2",), ("ValueError",)),
    "software-configs": (
        ("INSERT INTO {db}.software_config (id, tenant, config) VALUES ('config-1', 't', '{{\"config'), ('config-2', 't', 'x')",), ("ValueError",),
    ),
    "snapshots": (
        ("INSERT INTO {db}.snapshot (id, stack_id, tenant, data) SELECT 'snapshot-1', MIN(id), 't', '{{\"files' FROM {db}.stack",
         "INSERT INTO {db}.snapshot (id, stack_id, tenant, data) SELECT 'snapshot-2', MIN(id), 't', '' FROM {db}.stack"),
        ("ValueError",),
    ),
}  # fmt: skip


def found(answer: dict[str, Any]) -> Found:
    return {finding["id"]: finding for finding in answer["findings"]}


def planted(bench: Bench, kinds: Planted, kind: str, **names: str) -> None:
    for statement in kinds[kind][0]:
        text = statement.format(**names)
        specful = (
            f"SELECT MIN(s.instance_uuid) FROM {names.get('api')}.request_specs s JOIN {names.get('main')}.instances i"
        )
        bench.query(text.replace("SPECFUL", f"({specful} ON i.uuid = s.instance_uuid AND i.deleted = 0)"))


def judged(finding: dict[str, Any], reasons: tuple[str, ...]) -> None:
    """Every row by name, with words of the real code's reason."""
    assert finding["count"] >= 2 or "later" in finding["id"]
    assert len(finding["rows"]) == finding["count"]
    text = "\n".join(finding["rows"])
    assert all(reason in text for reason in reasons), text
    assert all(re.match(r"\S.* \(\w+: .+\)$", row) or re.match(r"\S.* \(\w+\)$", row) for row in finding["rows"]), text


def test_the_generated_clouds_rows_are_taken_and_counted(mitaka: Bench, copies: Copies) -> None:
    mitaka.configure()
    nova = mitaka.call("upgrader_probe.rows", "nova")
    assert nova["findings"] == []
    assert nova["probed"]["flavors"]["rows"] >= 40
    assert nova["probed"]["flavors"]["judged"] < nova["probed"]["flavors"]["rows"]
    assert "nova 15.1.5 was asked over" in nova["comment"] and "refuses none" in nova["comment"]
    for service in ("cinder", "heat"):
        copies.fresh(service)
        answer = mitaka.call("upgrader_probe.rows", service)
        assert answer["findings"] == [], service
        assert sum(kind["rows"] for kind in answer["probed"].values()) > 50


@pytest.mark.soak
@pytest.mark.parametrize("kind", NOVA)
def test_novas_own_objects_name_what_they_refuse(mitaka: Bench, kind: str) -> None:
    mitaka.configure()
    planted(mitaka, NOVA, kind, main=MAIN, api=API)
    told = found(mitaka.call("upgrader_probe.rows", "nova"))
    judged(told["probed-" + kind], NOVA[kind][1])
    assert set(told) == {"probed-" + kind}
    for statement in told["probed-" + kind]["statements"]:
        mitaka.query(statement)
    if told["probed-" + kind]["statements"]:
        assert mitaka.call("upgrader_probe.rows", "nova")["findings"] == []


APART = {"image-properties-later", "request-specs"}
"""Of the same instances as others; they would hide each other."""


def test_novas_objects_name_every_kind_at_once_and_take_it_when_its_statements_were_run(mitaka: Bench) -> None:
    mitaka.configure()
    for kind in set(NOVA) - APART:
        planted(mitaka, NOVA, kind, main=MAIN, api=API)
    told = found(mitaka.call("upgrader_probe.rows", "nova"))
    mended = {f"probed-{kind}" for kind in set(NOVA) - APART if told["probed-" + kind]["statements"]}
    for kind in set(NOVA) - APART:
        judged(told["probed-" + kind], NOVA[kind][1])
        for statement in told["probed-" + kind]["statements"]:
            mitaka.query(statement)
    assert mended and not mended & set(found(mitaka.call("upgrader_probe.rows", "nova")))


@pytest.mark.parametrize(("service", "kinds"), [("cinder", CINDER), ("heat", HEAT)])
def test_cinders_and_heats_code_names_every_kind_at_once(
    mitaka: Bench, copies: Copies, service: str, kinds: Planted
) -> None:
    database = copies.fresh(service)
    for kind in kinds:
        planted(mitaka, kinds, kind, db=database)
    told = found(mitaka.call("upgrader_probe.rows", service))
    assert set(told) == {f"probed-{kind}" for kind in kinds}
    for kind, (_, reasons) in kinds.items():
        judged(told["probed-" + kind], reasons)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("service", "kind"), [*(("cinder", kind) for kind in CINDER), *(("heat", kind) for kind in HEAT)]
)
def test_cinders_and_heats_own_code_names_what_it_refuses(
    mitaka: Bench, copies: Copies, service: str, kind: str
) -> None:
    kinds = CINDER if service == "cinder" else HEAT
    planted(mitaka, kinds, kind, db=copies.fresh(service))
    told = found(mitaka.call("upgrader_probe.rows", service))
    judged(told["probed-" + kind], kinds[kind][1])
    assert set(told) == {"probed-" + kind}


SOURCES = {"main": "nova", "api": "nova_api"}


class Live:
    """The deep preflight's own code over the bench: both of its nodes are this one, and every call is kept."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.calls = bench, list[tuple[Call, Mapping[str, Any]]]()
        self.probe = Probe(SaltInMemory(self._answer), cloud_from_pillar(lab_pillar(), "cfg01.lab.local"))

    def _answer(self, call: Call, node: str) -> Mapping[str, Any]:
        if not call.function.startswith("upgrader_probe."):
            return {"return": {"comment": "fine"}, "retcode": 0}
        try:
            value = self.bench.call(call.function, **call.args)
        except CommandExecutionError as error:
            return {"return": f"ERROR: {error}", "retcode": 1}
        self.calls.append((call, value))
        return {"return": value, "retcode": 0}

    def asked(self) -> dict[tuple[str, str], dict[str, Any]]:
        findings, self.rows, broken = self.probe.ask()
        assert broken is None, broken
        return {(one["service"], one["id"]): dict(one) for one in findings}


@pytest.fixture
def live(mitaka: Bench, copies: Copies) -> Iterator[Live]:
    """The sources under their own names, and the account of the backup node; what a test planted is gone afterwards."""
    mitaka.configure()
    copies.usual()
    name, password = ACCOUNT
    mitaka.query(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY {mitaka.connection.escape(password)}")
    mitaka.query(f"GRANT ALL ON *.* TO {name}@'%'")
    _pillar(mitaka, mitaka.port)
    yield Live(mitaka)
    for schema, copy in (("nova", MAIN), ("nova_api", API)):
        mitaka._load(schema, mitaka.sources[copy])
    for service in ("cinder", "heat"):
        mitaka._load(service, copies.sources[service])
    mitaka.query(f"DROP USER {name}@'%'")
    (mitaka.root / "pillar" / "admin.sls").unlink()


def test_live_rows_of_the_generated_cloud_are_all_taken(live: Live) -> None:
    live.probe.demand_code()
    assert live.asked() == {}
    assert live.rows["nova.flavors"] >= 40 and live.rows["heat.resources"] and live.rows["cinder.volumes"]
    calls = [call.args for call, _ in live.calls if call.function == "upgrader_probe.judge"]
    judged = {page["kind"] for args in calls for page in args["pages"]}
    assert [args["service"] for args in calls] == ["nova", "cinder"]
    assert "flavors" in judged and not judged & {"events", "resources", "raw-templates"}
    assert all(len(value.get("packed", "")) < 500000 for _, value in live.calls)


def test_live_rows_are_named_with_the_same_reasons_as_the_copys(live: Live) -> None:
    for kind in set(NOVA) - APART:
        planted(live.bench, NOVA, kind, **SOURCES)
    for kind in CINDER:
        planted(live.bench, CINDER, kind, db="cinder")
    told = live.asked()
    for service, kinds in (("nova", {kind: NOVA[kind] for kind in set(NOVA) - APART}), ("cinder", CINDER)):
        for kind, (_, reasons) in kinds.items():
            judged(told[service, "probed-" + kind], reasons)


def test_heats_live_rows_are_judged_where_they_are_read_and_never_carried(live: Live) -> None:
    live.bench.query(
        'UPDATE heat.resource SET properties_data = \'{"password": "hunter2-of-the-stack\' WHERE properties_data IS NOT NULL LIMIT 2'
    )
    planted(live.bench, HEAT, "events", db="heat")
    told = live.asked()
    assert told["heat", "probed-resources"]["count"] == 2
    assert told["heat", "probed-events"]["count"] == 2
    assert "grammar" in told["heat", "probed-events"]["what"]
    assert "hunter2" not in repr(told) + repr(live.calls)
    assert not [
        call for call, _ in live.calls if call.function == "upgrader_probe.judge" and call.args["service"] == "heat"
    ]


def test_without_the_code_a_deep_preflight_is_refused_in_one_sentence(live: Live, tmp_path: Any) -> None:
    pillar = live.bench.controller(venv=str(tmp_path))
    live.bench._write_pillar(pillar)
    with pytest.raises(
        Refused, match=r"--deep needs the upgrade node's own code: .*nova-manage cannot be used.*install Ocata's nova"
    ):
        live.probe.demand_code()


def test_what_a_probe_reads_it_cannot_write(mitaka: Bench) -> None:
    """The worker's own session, asked by the service's Python to write."""

    mitaka.configure()
    order = {
        "service": "nova", "databases": [MAIN, API], "config_file": str(mitaka.conf), "listed": 5, "processes": 1,
        "places": {"main": ["database", mitaka.host, mitaka.port, MAIN], "api": ["api_database", mitaka.host, mitaka.port, API]},
    }  # fmt: skip
    text = (
        "import json, sys; sys.path.append(sys.argv[1]); from upgrader_node.probe import worker\n"
        f"worker.opened(worker.urls(json.load(sys.stdin))['main']).change('DELETE FROM {MAIN}.instances', ())"
    )
    ran = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", text, foreign.FOLDER],
        input=json.dumps(order),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1 and "1792" in ran.stderr, ran.stderr
    assert mitaka.number(f"SELECT COUNT(*) FROM {MAIN}.instances") > 0


def test_heats_pickles_are_loaded_by_heats_user_and_not_by_root(mitaka: Bench, copies: Copies) -> None:
    """This pickle calls ``os.setuid(0)`` when it is loaded, which nobody but root may."""
    database = copies.fresh("heat")
    mitaka.query(
        f"UPDATE {database}.event SET resource_properties = %s WHERE resource_properties IS NOT NULL ORDER BY id LIMIT 2",
        (b"cposix\nsetuid\n(I0\ntR.",),
    )
    rows = found(mitaka.call("upgrader_probe.rows", "heat"))["probed-events"]["rows"]
    assert len(rows) == 2 and all("OSError: [Errno 1] Operation not permitted" in row for row in rows)


def test_heats_user_need_not_read_the_folder_of_this_package(mitaka: Bench, tmp_path: Path) -> None:
    """Salt's cache, where it is on a node, is root's alone."""
    shutil.copytree(Path(foreign.FOLDER) / "upgrader_node", tmp_path / "upgrader_node")
    tmp_path.chmod(0o700)
    heat = manage.account("heat")
    order = {
        "service": "heat",
        "pages": [{"kind": "software-configs", "texts": [["{"], ["{}"]]}],
        "user": [heat.uid, heat.gid, [heat.gid]],
    }
    argv = foreign.argv("/opt/rocky/bin/python", "upgrader_node.probe.worker", str(tmp_path))
    ran = subprocess.run(argv, input=json.dumps(order), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    reasons = json.loads(ran.stdout.splitlines()[-1])["reasons"][0]
    assert reasons[0].startswith("ValueError") and reasons[1] == ""


def test_a_configuration_that_leads_elsewhere_is_not_followed(mitaka: Bench) -> None:
    mitaka.configure()
    database = {**mitaka.controller()["database"]}
    mitaka.write_conf(database, mitaka.controller()["message_queue"], main="nova")
    with pytest.raises(CommandExecutionError, match="nova_upgrade"):
        mitaka.call("upgrader_probe.rows", "nova")
    mitaka.configure()

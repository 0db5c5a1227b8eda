"""The generated rows of the other five services are real: their own tools take copies of them to Ocata, or the nearest on PyPI."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.functional.bench import DUMPS, SOCKET, VENV, Bench
from upgrader.lab.mitaka import identity, populate, stacks

pytestmark = pytest.mark.heavy
INSTANCES = 60
PIKE, ROCKY = VENV.with_name("pike"), VENV.with_name("rocky")
SERVICES = ("keystone", "glance", "cinder", "neutron", "heat")
NULL_KEY = base64.urlsafe_b64encode(b"\x00" * 32)
TOOLS = {
    "keystone": PIKE / "bin" / "keystone-manage",
    "glance": PIKE / "bin" / "glance-manage",
    "cinder": VENV / "bin" / "cinder-manage",
    "neutron": VENV / "bin" / "neutron-db-manage",
    "heat": ROCKY / "bin" / "heat-manage",
}
# What an upgrade may neither lose nor add to.
KEPT = {
    "keystone": ("user", "local_user", "password", "project", "role", "assignment", "endpoint", "service", "credential", "trust"),
    "glance": ("images", "image_properties", "image_locations", "image_members", "image_tags", "tasks"),
    "cinder": ("volumes", "volume_attachment", "snapshots", "backups", "volume_types", "quotas", "quota_usages"),
    "neutron": (
        "networks", "subnets", "ports", "ipallocations", "routers", "floatingips", "securitygroups", "securitygrouprules",
        "ml2_port_bindings", "agents",
    ),
    "heat": ("stack", "raw_template", "resource", "resource_data", "event", "user_creds", "software_deployment"),
}  # fmt: skip


@dataclass
class Copies:
    """A copy of each service's source database, and its tool with a configuration that names the copy."""

    bench: Bench
    root: Path

    def copy(self, service: str) -> str:
        return f"{service}_rehearsal"

    def query(self, statement: str) -> list[Any]:
        return self.bench.query(statement)

    def column(self, statement: str) -> list[Any]:
        return [row[0] for row in self.query(statement)]

    def number(self, statement: str) -> int:
        return self.bench.number(statement)

    def counts(self, database: str, tables: tuple[str, ...]) -> dict[str, int]:
        return {table: self.number(f"SELECT COUNT(*) FROM {database}.`{table}`") for table in tables}

    def columns(self, service: str, table: str) -> set[str]:
        return set(
            self.column(
                "SELECT column_name FROM information_schema.columns "
                f"WHERE table_schema = '{self.copy(service)}' AND table_name = '{table}'"
            )
        )

    def manage(self, service: str, *words: str, code: int = 0) -> str:
        """The real tool; exit codes lie, so its words are judged as well."""
        argv = [str(TOOLS[service]), "--config-file", str(self.root / f"{service}.conf"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=180)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{service} {words}: exit code {done.returncode}: {said[-2000:]}"
        wrong = [
            line for line in said.splitlines() if "Traceback" in line or " ERROR " in line or line.startswith("Error")
        ]
        assert not wrong, f"{service} {words}: {said[-2000:]}"
        return said

    def assert_nothing_lost(self, service: str) -> None:
        before, after = (self.counts(database, KEPT[service]) for database in (service, self.copy(service)))
        assert after == before
        assert all(before.values())


def _configure(root: Path, service: str, database: str) -> None:
    keys = root / "keys"
    (root / f"{service}.conf").write_text(
        f"[DEFAULT]\nuse_stderr = true\n[database]\n"
        f"connection = mysql+pymysql://root@localhost/{database}?charset=utf8&unix_socket={SOCKET}\n"
        f"[credential]\nkey_repository = {keys}/credential\n[fernet_tokens]\nkey_repository = {keys}/fernet\n"
        f"[oslo_concurrency]\nlock_path = {root}\n"
    )


@pytest.fixture(scope="module")
def copies(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    """Sources under the services' own names, as production has them, and a copy of each under a name of this test's."""
    for needed in (*TOOLS.values(), *(DUMPS / f"{service}.sql.gz" for service in SERVICES)):
        assert needed.exists(), f"{needed} is missing: the bench node's image has it"
    made = Copies(bench, tmp_path_factory.mktemp("services"))
    for service in SERVICES:
        bench._load(service, gzip.decompress((DUMPS / f"{service}.sql.gz").read_bytes()))
    populate(bench.connection, instances=INSTANCES, services=SERVICES)
    for service in SERVICES:
        bench._load(made.copy(service), bench._dump(service))
        _configure(made.root, service, made.copy(service))
    yield made
    for service in SERVICES:
        for database in (service, made.copy(service)):
            bench.query(f"DROP DATABASE IF EXISTS {database}")


@pytest.fixture(scope="module")
def keystone(copies: Copies) -> Copies:
    owner = ("--keystone-user", "root", "--keystone-group", "root")
    for repository in ("credential", "fernet"):
        (copies.root / "keys" / repository).mkdir(parents=True, mode=0o700)
        copies.manage("keystone", f"{repository}_setup", *owner)
    for pending, phase in ((2, "--expand"), (3, "--migrate"), (4, "--contract")):
        copies.manage("keystone", "db_sync", "--check", code=pending)
        copies.manage("keystone", "db_sync", phase)
    copies.manage("keystone", "db_sync", "--check")
    copies.manage("keystone", "credential_migrate", *owner)
    copies.manage("keystone", "token_flush")
    return copies


@pytest.fixture(scope="module")
def glance(copies: Copies) -> Copies:
    copies.manage("glance", "db", "sync", "ocata01")
    return copies


@pytest.fixture(scope="module")
def cinder(copies: Copies) -> Copies:
    copies.manage("cinder", "db", "sync", "79")
    copies.manage("cinder", "db", "sync")
    said = copies.manage("cinder", "db", "online_data_migrations")
    assert "Error attempting to run" not in said
    return copies


@pytest.fixture(scope="module")
def neutron(copies: Copies) -> Copies:
    copies.manage("neutron", "has_offline_migrations", code=1)
    copies.manage("neutron", "upgrade", "--expand")
    copies.manage("neutron", "upgrade", "--contract")
    copies.manage("neutron", "has_offline_migrations")
    return copies


@pytest.fixture(scope="module")
def heat(copies: Copies) -> Copies:
    copies.manage("heat", "db_sync", "79")
    assert copies.column("SELECT version FROM heat_rehearsal.migrate_version") == [79]
    # The oldest heat on PyPI is Rocky's: at Ocata's 79 its migrate_properties_data asks for a column of a later release.
    copies.manage("heat", "db_sync")
    copies.manage("heat", "migrate_properties_data")
    copies.manage("heat", "service", "clean")
    return copies


def test_keystone_keeps_every_user_project_and_credential(keystone: Copies) -> None:
    keystone.assert_nothing_lost("keystone")
    versions = dict(keystone.query("SELECT repository_id, version FROM keystone_rehearsal.migrate_version"))
    assert versions == {"keystone": 109, "keystone_expand": 24, "keystone_data_migrate": 24, "keystone_contract": 24}


def test_keystones_plain_credentials_are_encrypted_with_the_new_key(keystone: Copies) -> None:
    assert "blob" not in keystone.columns("keystone", "credential")
    key = (keystone.root / "keys" / "credential" / "0").read_bytes()
    primary = (keystone.root / "keys" / "credential" / "1").read_bytes()
    hashes = set(keystone.column("SELECT key_hash FROM keystone_rehearsal.credential"))
    assert hashes <= {hashlib.sha1(one).hexdigest() for one in (key, primary)}
    assert hashlib.sha1(NULL_KEY).hexdigest() not in hashes
    before = dict(keystone.query("SELECT id, `blob` FROM keystone.credential"))
    after = dict(keystone.query("SELECT id, encrypted_blob FROM keystone_rehearsal.credential"))
    assert {one: Fernet(primary).decrypt(blob.encode()).decode() for one, blob in after.items()} == before


def test_keystones_old_digests_are_of_the_labs_password(keystone: Copies) -> None:
    digests = keystone.column("SELECT DISTINCT password FROM keystone_rehearsal.password")
    check = (
        "import json, sys, keystone.conf; from keystone.common.password_hashing import check_password; "
        "keystone.conf.configure(); "
        "given = json.load(sys.stdin); "
        "sys.exit(0 if all(check_password(given['password'], digest) for digest in given['digests']) else 1)"
    )
    given = json.dumps({"password": identity.PASSWORD, "digests": digests})
    done = subprocess.run(
        [PIKE / "bin" / "python", "-c", check], input=given, text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, len(digests)) == (0, 4), done.stderr[-500:]


def test_keystone_forgets_tokens_that_have_expired(keystone: Copies) -> None:
    assert keystone.number("SELECT COUNT(*) FROM keystone.token")
    assert keystone.number("SELECT COUNT(*) FROM keystone_rehearsal.token") == 0


def test_glance_turns_publicity_and_members_into_visibility(glance: Copies) -> None:
    glance.assert_nothing_lost("glance")
    assert glance.column("SELECT version_num FROM glance_rehearsal.alembic_version") == ["ocata01"]
    expected = glance.query(
        "SELECT id, CASE WHEN is_public THEN 'public' WHEN id IN (SELECT image_id FROM glance.image_members WHERE NOT deleted) "
        "THEN 'shared' ELSE 'private' END FROM glance.images ORDER BY id"
    )
    assert glance.query("SELECT id, visibility FROM glance_rehearsal.images ORDER BY id") == expected
    assert {visibility for _, visibility in expected} == {"public", "private", "shared"}


def test_an_image_that_lost_its_member_is_private_again(glance: Copies) -> None:
    left = "SELECT image_id FROM glance.image_members GROUP BY image_id HAVING MIN(deleted) = 1"
    visibilities = glance.column(f"SELECT DISTINCT visibility FROM glance_rehearsal.images WHERE id IN ({left})")
    assert visibilities == ["private"]


def test_cinder_keeps_volumes_and_makes_the_consistency_group_a_group(cinder: Copies) -> None:
    cinder.assert_nothing_lost("cinder")
    assert cinder.column("SELECT version FROM cinder_rehearsal.migrate_version") == [96]
    groups = cinder.column("SELECT id FROM cinder.consistencygroups")
    assert cinder.column("SELECT id FROM cinder_rehearsal.`groups`") == groups
    grouped = cinder.column("SELECT id FROM cinder.volumes WHERE consistencygroup_id IS NOT NULL ORDER BY id")
    assert cinder.column("SELECT id FROM cinder_rehearsal.volumes WHERE group_id IS NOT NULL ORDER BY id") == grouped
    assert grouped
    assert cinder.number("SELECT COUNT(*) FROM cinder_rehearsal.group_snapshots") == 1
    assert cinder.number("SELECT COUNT(*) FROM cinder_rehearsal.group_volume_type_mapping") == 2


def test_cinders_tool_removes_the_services_that_mitaka_left(cinder: Copies) -> None:
    live = "SELECT COUNT(*) FROM cinder_rehearsal.services WHERE NOT deleted AND `binary` = 'cinder-volume'"
    before = cinder.number(live)
    assert cinder.column("SELECT DISTINCT rpc_current_version FROM cinder.services WHERE topic = 'cinder-volume'") == [
        "1.40"
    ]
    cinder.manage("cinder", "service", "remove", "cinder-volume", "ctl01@rbd")
    assert cinder.number(live) == before - 1


def test_neutron_keeps_networks_and_ports_and_moves_to_pluggable_ipam(neutron: Copies) -> None:
    neutron.assert_nothing_lost("neutron")
    # Segments become objects with attributes of their own; nothing else does.
    attributes = (
        "SELECT resource_type, COUNT(*) FROM {}.standardattributes WHERE resource_type != 'networksegments' GROUP BY 1"
    )
    assert neutron.query(attributes.format("neutron_rehearsal")) == neutron.query(attributes.format("neutron"))
    heads = neutron.column("SELECT version_num FROM neutron_rehearsal.alembic_version ORDER BY 1")
    assert heads == ["5c85685d616d", "a9c43481023c"]
    assert neutron.counts("neutron_rehearsal", ("ipamsubnets",))["ipamsubnets"] == neutron.number(
        "SELECT COUNT(*) FROM neutron.subnets"
    )
    moved = neutron.query("SELECT ip_address FROM neutron_rehearsal.ipamallocations ORDER BY 1")
    assert moved == neutron.query("SELECT ip_address FROM neutron.ipallocations ORDER BY 1")


def test_neutrons_tenants_become_projects(neutron: Copies) -> None:
    assert {"project_id"} == neutron.columns("neutron", "ports") & {"tenant_id", "project_id"}
    before = neutron.query("SELECT id, tenant_id FROM neutron.ports ORDER BY id")
    assert neutron.query("SELECT id, project_id FROM neutron_rehearsal.ports ORDER BY id") == before
    segments = neutron.query("SELECT id, segmentation_id FROM neutron.ml2_network_segments ORDER BY id")
    assert neutron.query("SELECT id, segmentation_id FROM neutron_rehearsal.networksegments ORDER BY id") == segments


def test_heat_keeps_stacks_and_moves_properties_to_a_table_of_their_own(heat: Copies) -> None:
    heat.assert_nothing_lost("heat")
    for table, column in (("resource", "properties_data"), ("event", "resource_properties")):
        assert heat.number(f"SELECT COUNT(*) FROM heat.{table} WHERE {column} IS NOT NULL")
        # heat writes JSON's null where it took the properties away.
        assert set(heat.column(f"SELECT {column} FROM heat_rehearsal.{table}")) <= {None, "null"}
        lost = f"SELECT COUNT(*) FROM heat_rehearsal.{table} WHERE rsrc_prop_data_id IS NULL"
        assert heat.number(lost) == 0
    joined = "heat_rehearsal.resource r JOIN heat_rehearsal.resource_properties_data d ON d.id = r.rsrc_prop_data_id"
    held = dict(heat.query(f"SELECT r.id, d.data FROM {joined}"))
    before = dict(heat.query("SELECT id, properties_data FROM heat.resource"))
    assert {one: json.loads(text) for one, text in held.items()} == {
        one: json.loads(text) for one, text in before.items()
    }


def test_heats_secrets_open_with_the_labs_key(heat: Copies) -> None:
    key = Fernet(base64.b64encode(stacks.ENCRYPTION_KEY.encode()))
    (secret,) = heat.column("SELECT DISTINCT password FROM heat_rehearsal.user_creds")
    assert key.decrypt(secret.encode()).decode() == identity.PASSWORD


def test_heat_drops_engines_that_are_gone(heat: Copies) -> None:
    assert heat.number("SELECT COUNT(*) FROM heat.service")
    assert heat.number("SELECT COUNT(*) FROM heat_rehearsal.service WHERE deleted_at IS NULL") == 0

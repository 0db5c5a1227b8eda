"""The generated rows of the other five services are real: their own tools take copies of them to Ocata, or the nearest on PyPI."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess

import pytest
from cryptography.fernet import Fernet

from tests.functional.copies import VENVS, Copies
from upgrader.lab.mitaka import identity, stacks

pytestmark = pytest.mark.heavy
NULL_KEY = base64.urlsafe_b64encode(b"\x00" * 32)
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


def assert_nothing_lost(copies: Copies, service: str) -> None:
    before, after = (copies.counts(database, KEPT[service]) for database in (service, copies.copy(service)))
    assert after == before
    assert all(before.values())


@pytest.fixture
def keystone(copies: Copies) -> Copies:
    return copies.upgraded("keystone")


@pytest.fixture
def glance(copies: Copies) -> Copies:
    return copies.upgraded("glance")


@pytest.fixture
def cinder(copies: Copies) -> Copies:
    return copies.upgraded("cinder")


@pytest.fixture
def neutron(copies: Copies) -> Copies:
    return copies.upgraded("neutron")


@pytest.fixture
def heat(copies: Copies) -> Copies:
    return copies.upgraded("heat")


def test_keystone_keeps_every_user_project_and_credential(keystone: Copies) -> None:
    assert_nothing_lost(keystone, "keystone")
    versions = dict(keystone.query("SELECT repository_id, version FROM keystone_upgrade.migrate_version"))
    assert versions == {"keystone": 109, "keystone_expand": 24, "keystone_data_migrate": 24, "keystone_contract": 24}


def test_keystones_plain_credentials_are_encrypted_with_the_new_key(keystone: Copies) -> None:
    assert "blob" not in keystone.columns("keystone_upgrade", "credential")
    key = (keystone.keys("keystone_upgrade", "credential") / "0").read_bytes()
    primary = (keystone.keys("keystone_upgrade", "credential") / "1").read_bytes()
    hashes = set(keystone.column("SELECT key_hash FROM keystone_upgrade.credential"))
    assert hashes <= {hashlib.sha1(one).hexdigest() for one in (key, primary)}
    assert hashlib.sha1(NULL_KEY).hexdigest() not in hashes
    before = dict(keystone.query("SELECT id, `blob` FROM keystone.credential"))
    after = dict(keystone.query("SELECT id, encrypted_blob FROM keystone_upgrade.credential"))
    assert {one: Fernet(primary).decrypt(blob.encode()).decode() for one, blob in after.items()} == before


def test_keystones_old_digests_are_of_the_labs_password(keystone: Copies) -> None:
    digests = keystone.column("SELECT DISTINCT password FROM keystone_upgrade.password")
    check = (
        "import json, sys, keystone.conf; from keystone.common.password_hashing import check_password; "
        "keystone.conf.configure(); "
        "given = json.load(sys.stdin); "
        "sys.exit(0 if all(check_password(given['password'], digest) for digest in given['digests']) else 1)"
    )
    given = json.dumps({"password": identity.PASSWORD, "digests": digests})
    done = subprocess.run(
        [VENVS["keystone"] / "bin" / "python", "-c", check], input=given, text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, len(digests)) == (0, 4), done.stderr[-500:]


def test_keystone_forgets_tokens_that_have_expired(keystone: Copies) -> None:
    assert keystone.number("SELECT COUNT(*) FROM keystone.token")
    assert keystone.number("SELECT COUNT(*) FROM keystone_upgrade.token") == 0


def test_glance_turns_publicity_and_members_into_visibility(glance: Copies) -> None:
    assert_nothing_lost(glance, "glance")
    assert glance.column("SELECT version_num FROM glance_upgrade.alembic_version") == ["pike01"]
    expected = glance.query(
        "SELECT id, CASE WHEN is_public THEN 'public' WHEN id IN (SELECT image_id FROM glance.image_members WHERE NOT deleted) "
        "THEN 'shared' ELSE 'private' END FROM glance.images ORDER BY id"
    )
    assert glance.query("SELECT id, visibility FROM glance_upgrade.images ORDER BY id") == expected
    assert {visibility for _, visibility in expected} == {"public", "private", "shared"}


def test_an_image_that_lost_its_member_is_private_again(glance: Copies) -> None:
    left = "SELECT image_id FROM glance.image_members GROUP BY image_id HAVING MIN(deleted) = 1"
    visibilities = glance.column(f"SELECT DISTINCT visibility FROM glance_upgrade.images WHERE id IN ({left})")
    assert visibilities == ["private"]


def test_cinder_keeps_volumes_and_makes_the_consistency_group_a_group(cinder: Copies) -> None:
    assert_nothing_lost(cinder, "cinder")
    assert cinder.column("SELECT version FROM cinder_upgrade.migrate_version") == [96]
    groups = cinder.column("SELECT id FROM cinder.consistencygroups")
    assert cinder.column("SELECT id FROM cinder_upgrade.`groups`") == groups
    grouped = cinder.column("SELECT id FROM cinder.volumes WHERE consistencygroup_id IS NOT NULL ORDER BY id")
    assert cinder.column("SELECT id FROM cinder_upgrade.volumes WHERE group_id IS NOT NULL ORDER BY id") == grouped
    assert grouped
    assert cinder.number("SELECT COUNT(*) FROM cinder_upgrade.group_snapshots") == 1
    assert cinder.number("SELECT COUNT(*) FROM cinder_upgrade.group_volume_type_mapping") == 2


def test_cinder_forgets_every_service_that_mitaka_left(cinder: Copies) -> None:
    assert cinder.column("SELECT DISTINCT rpc_current_version FROM cinder.services WHERE topic = 'cinder-volume'") == [
        "1.40"
    ]
    before = cinder.number("SELECT COUNT(*) FROM cinder.services WHERE NOT deleted")
    assert before == cinder.number("SELECT COUNT(*) FROM cinder_upgrade.services WHERE deleted")
    assert cinder.number("SELECT COUNT(*) FROM cinder_upgrade.services WHERE NOT deleted") == 0


def test_neutron_keeps_networks_and_ports_and_moves_to_pluggable_ipam(neutron: Copies) -> None:
    assert_nothing_lost(neutron, "neutron")
    # Segments become objects with attributes of their own; nothing else does.
    attributes = (
        "SELECT resource_type, COUNT(*) FROM {}.standardattributes WHERE resource_type != 'networksegments' GROUP BY 1"
    )
    assert neutron.query(attributes.format("neutron_upgrade")) == neutron.query(attributes.format("neutron"))
    heads = neutron.column("SELECT version_num FROM neutron_upgrade.alembic_version ORDER BY 1")
    assert heads == ["5c85685d616d", "a9c43481023c"]
    assert neutron.counts("neutron_upgrade", ("ipamsubnets",))["ipamsubnets"] == neutron.number(
        "SELECT COUNT(*) FROM neutron.subnets"
    )
    moved = neutron.query("SELECT ip_address FROM neutron_upgrade.ipamallocations ORDER BY 1")
    assert moved == neutron.query("SELECT ip_address FROM neutron.ipallocations ORDER BY 1")


def test_neutrons_tenants_become_projects(neutron: Copies) -> None:
    assert {"project_id"} == neutron.columns("neutron_upgrade", "ports") & {"tenant_id", "project_id"}
    before = neutron.query("SELECT id, tenant_id FROM neutron.ports ORDER BY id")
    assert neutron.query("SELECT id, project_id FROM neutron_upgrade.ports ORDER BY id") == before
    segments = neutron.query("SELECT id, segmentation_id FROM neutron.ml2_network_segments ORDER BY id")
    assert neutron.query("SELECT id, segmentation_id FROM neutron_upgrade.networksegments ORDER BY id") == segments


def test_heat_keeps_stacks_and_moves_properties_to_a_table_of_their_own(heat: Copies) -> None:
    assert_nothing_lost(heat, "heat")
    for table, column in (("resource", "properties_data"), ("event", "resource_properties")):
        assert heat.number(f"SELECT COUNT(*) FROM heat.{table} WHERE {column} IS NOT NULL")
        # heat writes JSON's null where it took the properties away.
        assert set(heat.column(f"SELECT {column} FROM heat_upgrade.{table}")) <= {None, "null"}
        lost = f"SELECT COUNT(*) FROM heat_upgrade.{table} WHERE rsrc_prop_data_id IS NULL"
        assert heat.number(lost) == 0
    joined = "heat_upgrade.resource r JOIN heat_upgrade.resource_properties_data d ON d.id = r.rsrc_prop_data_id"
    held = dict(heat.query(f"SELECT r.id, d.data FROM {joined}"))
    before = dict(heat.query("SELECT id, properties_data FROM heat.resource"))
    assert {one: json.loads(text) for one, text in held.items()} == {
        one: json.loads(text) for one, text in before.items()
    }


def test_heats_secrets_open_with_the_labs_key(heat: Copies) -> None:
    key = Fernet(base64.b64encode(stacks.ENCRYPTION_KEY.encode()))
    (secret,) = heat.column("SELECT DISTINCT password FROM heat_upgrade.user_creds")
    assert key.decrypt(secret.encode()).decode() == identity.PASSWORD


def test_heat_drops_engines_that_are_gone(heat: Copies) -> None:
    assert heat.number("SELECT COUNT(*) FROM heat.service")
    assert heat.number("SELECT COUNT(*) FROM heat_upgrade.service WHERE deleted_at IS NULL") == 0

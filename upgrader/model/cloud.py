"""The cloud as pillar describes it: a frozen picture, validated once and loudly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import upgrader_required
import upgrader_schema_target

from upgrader.errors import Refused
from upgrader.model.release import ReleasePath, release_path

BACKUP, DATABASE, UPGRADE = "backup", "database", "upgrade"
ROLES = (BACKUP, DATABASE, UPGRADE)
# Production's controllers: their configuration is read, nothing else. A model need not name them.
CONTROL = "control"

# As MCP orders them: keystone before all, heat after all. A copy without these two cannot be verified at all.
ORDER = ("keystone", "glance", "nova", "cinder", "neutron", "heat")
ROLE_OF = upgrader_schema_target.ROLE_OF
DEMANDED = ("keystone:server", "nova:controller")


@dataclass(frozen=True)
class Service:
    """One OpenStack service that is upgraded, with the names of its databases (never its secrets)."""

    name: str
    source_databases: tuple[str, ...]
    upgrade_databases: tuple[str, ...]
    clones: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cloud:
    """What pillar says exists and which release path it takes."""

    name: str
    path: ReleasePath
    nodes: Mapping[str, tuple[str, ...]]
    services: tuple[Service, ...]

    def service(self, name: str) -> Service:
        """One service by name; KeyError when the cloud has none of it."""
        return {service.name: service for service in self.services}[name]

    def role(self, role: str) -> tuple[str, ...]:
        """Ids of the minions that hold a role; the model is refused when there is none."""
        return self.nodes[role]

    @property
    def controllers(self) -> tuple[str, ...]:
        """Ids of production's controllers; none when the model names none."""
        return self.nodes.get(CONTROL, ())

    @property
    def all_nodes(self) -> tuple[str, ...]:
        """Every minion that a plan for this cloud may name, each once."""
        return tuple(sorted({node for nodes in self.nodes.values() for node in nodes}))


@dataclass(frozen=True)
class RequiredKey:
    """A pillar key that the tool cannot work without, and what the operator should write there."""

    key: str
    role: str
    example: str


REQUIRED = (
    RequiredKey("mysql:client:server:upgrade:admin:host", BACKUP, "host name of the database node"),
    RequiredKey("mysql:client:server:upgrade:admin:user", BACKUP, "an account that may create databases and grant"),
    RequiredKey("mysql:client:server:upgrade:admin:password", BACKUP, "its password"),
    RequiredKey("xtrabackup:server:backup_dir", BACKUP, "/srv/backup/upgrader"),
    RequiredKey("xtrabackup:server:key", BACKUP, "<name>: {key: ssh-ed25519 ...}, the database node's public key"),
    RequiredKey("xtrabackup:client:target:host", DATABASE, "host name of the backup node"),
    RequiredKey("xtrabackup:client:target:host_key", DATABASE, "ssh host key of the backup node"),
    RequiredKey("xtrabackup:client:target:private_key", DATABASE, "ssh key that may write to the backup store"),
)


def lookup(pillar: Mapping[str, Any], key: str) -> Any:
    """Value at a colon-separated key, or None; an empty string counts as missing for the caller."""
    value: Any = pillar
    for part in key.split(":"):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def cloud_from_pillar(pillars: Mapping[str, Mapping[str, Any]], master: str) -> Cloud:
    """Build the cloud from the pillar of every node; all that is wrong is said at once.

    ``pillars`` maps minion id to its pillar; ``master`` is the minion whose pillar holds the ``upgrader:`` keys.
    Raises Refused with every missing key, the node it is missing on and an example of what belongs there.
    """
    own = pillars.get(master, {}).get("upgrader") or {}
    if not own:
        raise Refused(
            f"pillar of {master} has no key 'upgrader': include class upgrader.cloud in its reclass node file "
            f"(it holds cloud, release and nodes)"
        )
    nodes = _nodes(own, master)
    missing = _missing_keys(pillars, nodes)
    if missing:
        raise Refused("the model is incomplete: " + "; ".join(missing))
    release = own.get("release") or {}
    path = release_path(str(release.get("source", "")), str(release.get("target", "")))
    name = str(own.get("cloud") or "")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise Refused(f"pillar key upgrader:cloud of {master} is {name!r}; give a name of letters, digits, - and _")
    return Cloud(name, path, nodes, _services(pillars[nodes[UPGRADE][0]]))


def _nodes(own: Mapping[str, Any], master: str) -> dict[str, tuple[str, ...]]:
    given = own.get("nodes") or {}
    nodes: dict[str, tuple[str, ...]] = {}
    for role in (*ROLES, *([CONTROL] if CONTROL in given else [])):
        ids = given.get(role)
        if not isinstance(ids, list) or not ids or not all(isinstance(i, str) and i for i in ids):
            raise Refused(
                f"pillar key upgrader:nodes:{role} of {master} must be a list of minion ids, e.g. [{role}01.cloud.local]"
            )
        nodes[role] = tuple(ids)
    return nodes


def _missing_keys(pillars: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, tuple[str, ...]]) -> list[str]:
    missing = []
    for required in REQUIRED:
        for node in nodes[required.role]:
            if lookup(pillars.get(node, {}), required.key) in (None, ""):
                missing.append(f"{node} lacks pillar key {required.key} ({required.example})")
    for node in nodes[UPGRADE]:
        pillar = pillars.get(node, {})
        for role in (ROLE_OF[name] for name in ORDER):
            if role in DEMANDED or lookup(pillar, role):
                lacking = upgrader_required.missing(pillar, role)
                missing += [f"{node} lacks pillar key {key} ({example})" for key, example in lacking]
    return missing


def _services(pillar: Mapping[str, Any]) -> tuple[Service, ...]:
    """Every service whose role the upgrade node has, in the order in which they are upgraded."""
    return tuple(_service(name, ROLE_OF[name], pillar) for name in ORDER if lookup(pillar, ROLE_OF[name]))


def _service(name: str, role: str, pillar: Mapping[str, Any]) -> Service:
    """Clones are chosen by ``database.name`` alone, as the formulas render them; nova's are X, X_api and X_cell0."""
    key = f"{role}:database:name"
    clone = str(lookup(pillar, key))
    if not clone.endswith("_upgrade"):
        raise Refused(
            f"pillar key {key} of the upgrade node is {clone!r}; "
            f"a rehearsal works on clones only, so set it to '{name}_upgrade'"
        )
    source = clone[: -len("_upgrade")]
    if name != "nova":
        return Service(name, (source,), (clone,), ((source, clone),))
    clones = ((source, clone), (f"{source}_api", f"{clone}_api"))
    return Service(name, (source, f"{source}_api"), (clone, f"{clone}_api", f"{clone}_cell0"), clones)

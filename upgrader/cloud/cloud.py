"""The cloud as pillar describes it: a frozen picture, validated once and loudly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from upgrader_node.release.path import ReleasePath, ServicePath
from upgrader_node.service import required as service_required

from upgrader.cloud import left_out
from upgrader.cloud.deployment import DEFAULT, Deployment, deployment
from upgrader.cloud.left_out import LeftOut
from upgrader.cloud.production import Production, production_of
from upgrader.cloud.release import RELEASES, known, release_path, unknown
from upgrader.cloud.renamed import old_name
from upgrader.cloud.roles import BACKUP, CONTROL, DATABASE, UPGRADE, nodes_by_role
from upgrader.cloud.said import WrongKey, mapping
from upgrader.cloud.service import Service
from upgrader.errors import Refused

# A copy without these two cannot be verified at all.
DEMANDED = ("keystone:server", "nova:controller")
SUFFIX = "_upgrade"
"""What the name of a clone ends in: the name without it is production's."""


@dataclass(frozen=True)
class Node:
    """One minion and the roles that it holds."""

    id: str
    roles: tuple[str, ...]

    @property
    def host(self) -> str:
        """Its name without the domain."""
        return self.id.split(".", 1)[0]


@dataclass(frozen=True)
class Cloud:
    """What pillar says exists, which release path it takes, and whose states bring a node up.

    ``left_out`` are services of the release path that this cloud has and an upgrade of it does not touch. ``master`` is the
    minion on the Salt master's machine.
    """

    name: str
    path: ReleasePath
    nodes: Mapping[str, tuple[str, ...]]
    services: tuple[Service, ...]
    deployment: Deployment
    left_out: tuple[LeftOut, ...] = ()
    master: str = ""
    production: Production = field(default_factory=Production)

    def service(self, name: str) -> Service:
        """One service by name; KeyError when the cloud has none of it."""
        return {service.name: service for service in self.services}[name]

    def role(self, role: str) -> tuple[str, ...]:
        """Ids of the minions that hold a role, in the model's order; none where the model names none."""
        return self.nodes.get(role, ())

    def holding(self, *roles: str) -> tuple[str, ...]:
        """Ids of the minions that hold any of these roles, each once, sorted."""
        return tuple(sorted({node for role in roles for node in self.role(role)}))

    @property
    def controllers(self) -> tuple[str, ...]:
        """Ids of production's controllers. Their configuration is read, nothing else; a model need not name them."""
        return self.role(CONTROL)

    @property
    def all_nodes(self) -> tuple[str, ...]:
        """Every minion that holds a role, each once. A plan may name the Salt master's beside them, which need not hold one."""
        return self.holding(*self.nodes)

    @property
    def members(self) -> tuple[Node, ...]:
        """Every minion with its roles."""
        return tuple(
            Node(node, tuple(role for role, nodes in self.nodes.items() if node in nodes)) for node in self.all_nodes
        )


@dataclass(frozen=True)
class RequiredKey:
    """A pillar key that the tool cannot work without, and what the operator should write there."""

    key: str
    role: str
    example: str


REQUIRED = (
    RequiredKey("upgrader:databases:admin:host", BACKUP, "host name of the database node"),
    RequiredKey("upgrader:databases:admin:user", BACKUP, "an account that may create databases and grant"),
    RequiredKey("upgrader:databases:admin:password", BACKUP, "its password"),
    RequiredKey("upgrader:backup:server:backup_dir", BACKUP, "/srv/backup/upgrader"),
    RequiredKey("upgrader:backup:server:key", BACKUP, "<name>: {key: ssh-ed25519 ...}, the database node's public key"),
    RequiredKey("upgrader:backup:client:target:host", DATABASE, "host name of the backup node"),
    RequiredKey("upgrader:backup:client:target:host_key", DATABASE, "ssh host key of the backup node"),
    RequiredKey("upgrader:backup:client:target:private_key", DATABASE, "ssh key that may write to the backup store"),
)


def lookup(pillar: Mapping[str, Any], key: str) -> Any:
    """Value at a colon-separated key, or None; an empty string counts as missing for the caller."""
    value: Any = pillar
    for part in key.split(":"):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def cloud_from_pillar(pillars: Mapping[str, Mapping[str, Any]], master: str, releases: Path = RELEASES) -> Cloud:
    """Build the cloud from the pillar of every node; all that is wrong is said at once.

    ``pillars`` maps minion id to its pillar; ``master`` is the minion whose pillar holds the ``upgrader:`` keys;
    ``releases`` is the folder of the release paths.
    Raises Refused with every missing key, the node it is missing on and an example of what belongs there.
    """
    own = mapping(pillars.get(master, {}), master, "upgrader")
    if not {"cloud", "release", "nodes"} & set(own):
        raise Refused(
            f"pillar of {master} has none of the keys upgrader:cloud, :release and :nodes: "
            f"include class upgrader.cloud in its reclass node file"
        )
    nodes = nodes_by_role(own.get("nodes") or {}, master)
    path = release_of(pillars[master], master, releases)
    left = left_out.of_cloud(pillars, (*nodes.get(CONTROL, ()), *nodes[UPGRADE]), path)
    taken = left_out.without(path, left)
    missing = _missing_keys(pillars, nodes, taken)
    if missing:
        raise Refused("the model is incomplete: " + "; ".join(missing))
    name = name_of(pillars[master], master)
    deploys = deployment_of(pillars[master], master)
    services = _services(pillars[nodes[UPGRADE][0]], taken)
    real = production_of(pillars, master, nodes, services, path)
    return Cloud(name, path, nodes, services, deploys, left, master, real)


def name_of(pillar: Mapping[str, Any], master: str) -> str:
    """The cloud's name: journals are kept in a folder of that name. Raises WrongKey."""
    name = str(lookup(pillar, "upgrader:cloud") or "")
    if not name.replace("-", "").replace("_", "").isalnum():
        what = f"pillar key upgrader:cloud of {master} is {name!r}; give a name of letters, digits, - and _"
        raise WrongKey(master, "upgrader:cloud", what)
    return name


def release_of(pillar: Mapping[str, Any], master: str, releases: Path = RELEASES) -> ReleasePath:
    """The path from the release that the cloud has to the one that it gets. Raises WrongKey, Refused for a file that is none."""
    said = mapping(pillar, master, "upgrader:release")
    source, target = (str(said.get(end, "")) for end in ("source", "target"))
    if not known(source, target, releases):
        raise WrongKey(master, "upgrader:release", unknown(source, target, releases))
    return release_path(source, target, releases)


def deployment_of(pillar: Mapping[str, Any], master: str) -> Deployment:
    """Whose states bring nodes up. Raises WrongKey for a name that is none."""
    name = str(lookup(pillar, "upgrader:deployment") or DEFAULT)
    try:
        return deployment(name)
    except Refused as error:
        raise WrongKey(master, "upgrader:deployment", str(error)) from error


def _missing_keys(
    pillars: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, tuple[str, ...]], path: ReleasePath
) -> list[str]:
    missing = []
    for required in REQUIRED:
        for node in nodes[required.role]:
            if lookup(pillars.get(node, {}), required.key) in (None, ""):
                missing.append(
                    f"{node} lacks pillar key {required.key} ({required.example}){_moved(pillars, node, required.key)}"
                )
    for node in nodes[UPGRADE]:
        pillar = pillars.get(node, {})
        for role in (service.role for service in path.services.values()):
            if role in DEMANDED or lookup(pillar, role):
                lacking = service_required.missing(pillar, role)
                missing += [f"{node} lacks pillar key {key} ({example})" for key, example in lacking]
    return missing


def _moved(pillars: Mapping[str, Mapping[str, Any]], node: str, key: str) -> str:
    """Says so where the key's old name has a value; the model, which knows files, is another command's."""
    new, old = old_name(pillars.get(node, {}), key)
    return (
        f"; what stands under {old}, its old name, belongs under {new} (`upgrader model check` names the file)"
        if old
        else ""
    )


def _services(pillar: Mapping[str, Any], path: ReleasePath) -> tuple[Service, ...]:
    """Every service whose role the upgrade node has, in the order in which they are upgraded."""
    return tuple(_service(service, pillar) for service in path.services.values() if lookup(pillar, service.role))


def _service(service: ServicePath, pillar: Mapping[str, Any]) -> Service:
    """Clones are chosen by ``database.name`` alone, as the formulas render them; the release path says which follow it."""
    database = str(lookup(pillar, f"{service.role}:database:name"))
    source = database.removesuffix(SUFFIX)
    copied = [one.suffix for one in service.databases.values() if one.source is not None]
    sources = tuple(source + suffix for suffix in copied)
    if database == source:
        return Service(service.name, database, sources, (), ())
    every = tuple(database + one.suffix for one in service.databases.values())
    clones = tuple((source + suffix, database + suffix) for suffix in copied)
    return Service(service.name, database, sources, every, clones)


def require_clones(cloud: Cloud) -> None:
    """For stages that work on a copy: refused when a service of the upgrade node would work on production's databases."""
    wrong = [service for service in cloud.services if not service.clones]
    if wrong:
        told = "; ".join(
            f"pillar key {cloud.path.service(service.name).role}:database:name of the upgrade node is {service.database!r}, "
            f"set it to '{service.database}{SUFFIX}'"
            for service in wrong
        )
        raise Refused(f"a rehearsal works on clones only: {told}")

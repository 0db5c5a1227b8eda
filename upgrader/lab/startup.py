"""Brings a lab up: images, disks, nodes, databases, and the proof that Salt answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from upgrader import content
from upgrader.lab import preflight
from upgrader.lab.contents import databases
from upgrader.lab.contents.dumps import Dump
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.contents.salt_keys import salt_key_pair
from upgrader.lab.contents.services import SERVICE_OF, SERVICES
from upgrader.lab.contents.shipped import LayOver, Model, ship, write_files
from upgrader.lab.contents.site_salt import site_salt_files
from upgrader.lab.contents.sshd import ssh_files, ssh_keys
from upgrader.lab.control.domain import Domain
from upgrader.lab.control.machines import domains
from upgrader.lab.control.model import IMAGE_ON_A_NODE
from upgrader.lab.dataplane import wires
from upgrader.lab.home.model import Laid
from upgrader.lab.image.build_settings import read_build_settings
from upgrader.lab.image.disks import BaseImage
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.recipe import Layer, up_to
from upgrader.lab.machine import cgroups, limits
from upgrader.lab.machine.network import LabNetwork
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import Topology


def provide_images(
    images: ImageCache,
    layers: Sequence[Layer],
    mirror: str,
    state: Path,
    narrator: Narrator,
    node_megabytes: int = 0,
) -> list[str]:
    """Checks this machine, then builds the layers that are not in the cache; returns the names of what it built."""
    missing = images.missing(layers)
    judge = partial(
        preflight.judge,
        build_megabytes=sum(layer.recipe.megabytes for layer in missing),
        node_megabytes=node_megabytes,
        cache=images.folder,
        state=state,
    )
    judge(preflight.look(images.folder, state))
    if not missing:
        return []
    # Only a machine that has passed so far is asked for its mirror, and the mirror for an answer.
    settings = read_build_settings(mirror)
    judge(preflight.look(images.folder, state, settings.mirror.main.uri, settings.proxies))
    return images.build(layers, settings, narrator)


def prepare_disks(
    topology: Topology,
    nodes: Mapping[str, Node],
    passwords: Passwords,
    layers: Sequence[Layer],
    images: ImageCache,
    narrator: Narrator,
) -> None:
    """Gives every node that has none a disk with its keys and configuration; what has been written stays."""
    if all(node.prepared for node in nodes.values()):
        return
    keys = {plan.name: salt_key_pair() for plan in topology.minions}
    keys_of_ssh = ssh_keys(topology, passwords)
    keys_of_the_site = {plan.name: salt_key_pair() for plan in topology.site_minions}
    for plan in topology.nodes:
        node = nodes[plan.name]
        node.create_disk()
        write_files(node.disk, node_files(plan, topology, keys, passwords))
        write_files(node.disk, ssh_files(plan, topology, keys_of_ssh))
        write_files(node.disk, site_salt_files(plan, topology, keys_of_the_site))
    for domain in domains(nodes.values()):
        with narrator.doing(f"Making the disk of {domain.name}, a virtual machine of {domain.host.name}"):
            domain.make_disk(images.lower_directories(up_to(tuple(layers), domain.plan.layer)))
    for node in nodes.values():
        node.mark_prepared()


def start_nodes(
    nodes: Sequence[Node],
    layers: Sequence[Layer],
    images: ImageCache,
    network: LabNetwork,
    narrator: Narrator,
    base: BaseImage | None = None,
) -> list[str]:
    """Starts, side by side, every node that does not run, but virtual machines, which are libvirt's; returns their names."""
    dead = [node for node in nodes if not isinstance(node, Domain) and not node.running]
    network.create()
    wires.lay(network, [node.plan for node in nodes])
    few = limits.raised()
    if few:
        narrator.say(
            f"  fs.inotify.max_user_instances of this machine was {few}, too few for so many nodes: {limits.WANTED} now"
        )

    def start(node: Node) -> None:
        cgroups.kill_all(node.cgroup)
        wires.clear(network, node.plan)
        lower = images.lower_directories(up_to(tuple(layers), node.plan.layer))
        node.start(lower, network, _options(node, base))

    if dead:
        names = ", ".join(node.name for node in dead)
        with narrator.doing(f"Starting nodes {names}"), ThreadPoolExecutor(len(dead)) as pool:
            list(pool.map(start, dead))
    for node in nodes:
        wires.attach(network, node.plan)
    return [node.name for node in dead]


def _options(node: Node, base: BaseImage | None = None) -> list[str]:
    """The functional tests read the source as it is on the host; a hypervisor has the kernel's loop devices, and what its new
    machines are made of."""
    source = [f"--bind-ro={content.PACKAGE.parent}:/src"] if node.plan.shows_source else []
    devices = [f"--bind={path}" for path in hypervisor_devices()] if node.plan.hypervisor else []
    image = [f"--bind-ro={base.path}:{IMAGE_ON_A_NODE}"] if node.plan.hypervisor and base else []
    rights = ["--capability=all"] if node.plan.hypervisor else []
    return [*source, *devices, *image, *rights, *wires.options(node.plan)]


def hypervisor_devices(folder: Path = Path("/dev")) -> list[str]:
    """Loop devices for disks that are files, and the kernel's door to network interfaces, as far as this machine has them."""
    names = ["loop-control", *sorted(path.name for path in folder.glob("loop[0-9]*")), "net/tun"]
    return [str(folder / name) for name in names if (folder / name).exists()]


def refresh(
    node: Node,
    passwords: Passwords,
    narrator: Narrator,
    of_a_site: bool = False,
    lay: LayOver | None = None,
    made: Model = Model(),  # noqa: B008 - it is frozen
) -> Laid | None:
    """Puts the tool, the formulas and the model as they are now into the node that runs the tool."""
    whose = "your" if lay else "the lab's"
    with narrator.doing(f"Copying the tool, its formulas and {whose} model to {node.name}"):
        laid = ship(node.root if node.running else node.disk, passwords, of_a_site, lay, made)
    for sentence in laid.sentences() if laid else ():
        narrator.say(f"  {sentence}")
    return laid


def load_databases(
    node: Node,
    layers: Sequence[Layer],
    images: ImageCache,
    passwords: Passwords,
    narrator: Narrator,
    instances: int,
    dumps: Sequence[Dump],
) -> None:
    """Fills the database server from nothing: an interrupted load is simply done again."""
    with narrator.doing(f"Waiting for MariaDB on {node.name}"):
        databases.wait_for_server(node)
    dumped = {dump.database for dump in dumps}
    generated = [database for database in SERVICE_OF if database not in dumped]
    schemas = mitaka_schemas(layers, images)
    connection = databases.connect(node)
    try:
        databases.create_databases(connection, [*generated, *sorted(dumped)])
        databases.create_users(connection, passwords)
        for dump in dumps:
            with narrator.doing(f"Loading {dump.path} into {dump.database} on {node.name}") as update:
                databases.load_dump(node, dump, update)
        if dumps:
            given = {database: schema for database, schema in schemas.items() if database in dumped}
            databases.require_mitaka(connection, given, f"--dumps {dumps[0].path.parent}")
        _generate(node, connection, {database: schemas[database] for database in generated}, narrator, instances)
    finally:
        connection.close()


def mitaka_schemas(layers: Sequence[Layer], images: ImageCache) -> dict[str, Path]:
    """Where the images keep Mitaka's schema of each database."""
    made = {layer.recipe.name: images.files(layer) / "opt" / "mitaka" for layer in layers}
    return {database: made[service.layer] / f"{database}.sql.gz" for database, service in SERVICE_OF.items()}


def open_server(node: Node, passwords: Passwords) -> None:
    """A server with its users and no databases: the functional tests make their own."""
    databases.wait_for_server(node)
    connection = databases.connect(node)
    try:
        databases.create_users(connection, passwords)
    finally:
        connection.close()


def _generate(
    node: Node, connection: databases.Connection, schemas: Mapping[str, Path], narrator: Narrator, instances: int
) -> None:
    """Schemas, then rows; of all services or, beside dumps, of those that were not given."""
    if not schemas:
        return
    names = ", ".join(schemas)
    with narrator.doing(f"Loading the Mitaka schemas of {names} on {node.name}"):
        for database, schema in schemas.items():
            databases.load_schema(node, database, schema)
    databases.require_mitaka(connection, schemas, "The lab's own schema")
    _populate(
        connection, instances, [service.name for service in SERVICES if set(service.databases) & set(schemas)], narrator
    )


def _populate(connection: object, instances: int, services: Sequence[str], narrator: Narrator) -> None:
    from upgrader.lab.mitaka import populate

    names = "all services" if len(services) == len(SERVICES) else ", ".join(services)
    with narrator.doing(f"Writing the rows of {names} for {instances} instances, as Mitaka wrote them") as update:
        populate(
            connection,
            instances=instances,
            services=services,
            progress=lambda what, done, total: update(f"{what} {done}/{total}"),
        )

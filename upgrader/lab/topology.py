"""Which nodes a lab has, what they run and what they are made of: data only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from upgrader.errors import LabRefused

DOMAIN = "lab.local"
GATEWAY = "10.20.0.1"
PREFIX = 24
BRIDGE = "br0"
# Where clients find the cluster: a node of its own stands in for the address that keepalived moves between database nodes.
VIRTUAL_ADDRESS = "10.20.0.9"
# The node that holds the copy, and the production nodes on which its packets are counted: there must be none.
UPGRADE_ADDRESS = "10.20.0.12"


@dataclass(frozen=True)
class NodePlan:
    """One node: its address, the image layer it stands on, the units it starts and what of the host it may read.

    A node that ``counts_packets`` is production's: its packet filter counts what comes from the upgrade node. One that
    ``counts_questions`` counts what it asks name servers itself, and what they answer.
    The database server of a ``galera`` node is started by the lab, first the one that founds the cluster; at every later
    boot it starts by itself and joins. A ``sysvinit`` node has init scripts and no systemd. A ``hypervisor`` may do to the
    kernel what libvirt does: mount, make devices, use loop devices. A node ``on`` a hypervisor is a virtual machine of it, a
    container of libvirt whose disk is a file there: one of production's controllers, with stand-ins for Mitaka's services.
    A ``wired`` node is a compute or a gateway: it is on the provider network and in the mesh of tunnels as well.
    A node ``by_ssh`` has no minion: whoever runs the tool reaches it through its sshd, with a host key that is written down.
    """

    name: str
    address: str
    layer: str
    units: tuple[str, ...] = ()
    shows_source: bool = False
    galera: bool = False
    counts_packets: bool = False
    counts_questions: bool = False
    sysvinit: bool = False
    hypervisor: bool = False
    on: str = ""
    wired: bool = False
    by_ssh: bool = False

    @property
    def minion_id(self) -> str:
        return f"{self.name}.{DOMAIN}"

    @property
    def tunnel_address(self) -> str:
        """Of a wired node: as the generated cloud has it for its computes; gateways are beside them."""
        number = int(self.name[3:])
        return f"10.31.0.{number}" if self.name.startswith("cmp") else f"10.31.1.{number}"

    def runs(self, unit: str) -> bool:
        return f"{unit}.service" in self.units


@dataclass(frozen=True)
class Topology:
    """A set of nodes with one Salt master, or none.

    ``base`` is the layer of which new controllers are made, as one file on every hypervisor; ``models`` the folders of what the
    lab's model says otherwise or besides, the last one's file being taken; ``megabytes`` what the nodes write more than those of other topologies do.
    """

    name: str
    nodes: tuple[NodePlan, ...]
    base: str = ""
    models: tuple[str, ...] = ()
    megabytes: int = 0

    @property
    def master(self) -> NodePlan | None:
        """The node that runs the tool: the Salt master, or where there is none, the one that reaches the others by ssh."""
        without = (node for node in self.by_ssh if node.name == MASTER.name)
        return next((node for node in self.nodes if node.runs("salt-master")), next(without, None))

    @property
    def by_ssh(self) -> tuple[NodePlan, ...]:
        """The nodes without a minion that the tool reaches by ssh, its own among them."""
        return tuple(node for node in self.nodes if node.by_ssh)

    @property
    def minions(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if node.runs("salt-minion"))

    @property
    def site_minions(self) -> tuple[NodePlan, ...]:
        """The minions of the site's own Salt; none where the site has none."""
        return tuple(node for node in self.nodes if node.runs("site-salt-minion"))

    @property
    def database(self) -> NodePlan:
        """The server that is filled; in a cluster, the node that founds it."""
        return next(node for node in self.nodes if node.runs("mariadb"))

    @property
    def wired(self) -> tuple[NodePlan, ...]:
        """The computes and gateways with agents."""
        return tuple(node for node in self.nodes if node.wired)

    @property
    def machines(self) -> tuple[NodePlan, ...]:
        """The virtual machines: production's controllers, where they are not nodes of their own."""
        return tuple(node for node in self.nodes if node.on)

    def machines_on(self, plan: NodePlan) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.machines if node.on == plan.name)

    @property
    def cluster(self) -> tuple[NodePlan, ...]:
        """The nodes of the Galera cluster, the founding one first; empty when the server stands alone."""
        return tuple(node for node in self.nodes if node.galera)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that this topology uses; what they stand on comes with them."""
        # The Mitaka schemas are made in `ocata` and `services`, whoever loads them.
        return tuple(dict.fromkeys(("services", *(node.layer for node in self.nodes))))


MASTER = NodePlan("cfg01", "10.20.0.10", "mariadb", ("salt-master.service", "salt-minion.service", "ssh.service"))
DATABASES = tuple(
    NodePlan(f"dbs0{n}", f"10.20.0.2{n}", "mariadb", ("salt-minion.service", "mariadb.service"), galera=True)
    for n in (1, 2, 3)
)
PROXY = NodePlan("vip01", VIRTUAL_ADDRESS, "services", ("haproxy.service", "nftables.service"), counts_packets=True)
UPGRADE = NodePlan(
    "upg01",
    UPGRADE_ADDRESS,
    "services",
    ("salt-minion.service", "nftables.service", "lab-resolver.service"),
    counts_questions=True,
)
NOVA = Topology(
    "nova",
    (
        MASTER,
        *DATABASES,
        # Stands in for production's controllers: a real queue, and the addresses that a stray packet would go to.
        NodePlan(
            "ctl01",
            "10.20.0.11",
            "services",
            ("rabbitmq-server.service", "nftables.service"),
            counts_packets=True,
        ),
        PROXY,
        UPGRADE,
    ),
)
# Production's controllers as virtual machines: name to address. The first one is in topology `control`, both are in `controllers`.
CONTROLLERS = {"ctl01": "10.20.0.11", "ctl02": "10.20.0.13"}
MACHINES = tuple(
    NodePlan(name, address, "salt", ("salt-minion.service",), on="kvm01") for name, address in CONTROLLERS.items()
)
KVM_UNITS = ("lab-hypervisor.service", "libvirtd.service")
CONTROL = Topology(
    "control",
    (
        MASTER,
        *DATABASES,
        # The cloud's own queue, and a foundation node whose virtual machines are the controllers.
        NodePlan(
            "msg01",
            "10.20.0.41",
            "services",
            ("rabbitmq-server.service", "nftables.service", "salt-minion.service"),
            counts_packets=True,
        ),
        PROXY,
        UPGRADE,
        # As the generated cloud's first compute is called: its row and its instances are this one's.
        NodePlan(
            "cmp001", "10.20.0.51", "services", ("salt-minion.service", "lab-resolver.service", "nova-compute.service")
        ),
        NodePlan("kvm01", "10.20.0.31", "kvm", (*KVM_UNITS, "salt-minion.service"), hypervisor=True),
        *MACHINES[:1],
    ),
    base="services",
    models=("control",),
    megabytes=6000,
)
PAIR = replace(CONTROL, name="controllers", nodes=(*CONTROL.nodes, *MACHINES[1:]), megabytes=9000)
# Control plane as in `control`; computes and a gateway with real agents, and a repository with packages of two releases.
PACKAGES = NodePlan("apt01", "10.20.0.8", "dataplane", ("lab-packages.service",))
WIRED_UNITS = ("salt-minion.service", "lab-resolver.service", "openvswitch-switch.service", "lab-bridges.service")


def _with_computes(name: str, count: int, megabytes: int) -> Topology:
    """As the generated cloud's computes are called: their rows are these nodes' own."""
    computes = (
        NodePlan(f"cmp{number:03d}", f"10.20.0.{address}", "compute", WIRED_UNITS, wired=True)
        for number, address in enumerate((*range(51, 55), *range(105, 101 + count)), 1)
    )
    gateway = NodePlan("gtw01", "10.20.0.61", "gateway", WIRED_UNITS, wired=True)
    others = (node for node in CONTROL.nodes if node.name != "cmp001")
    nodes = (*others, PACKAGES, *computes, gateway)
    return Topology(name, nodes, base="services", models=("control", "computes"), megabytes=megabytes)


COMPUTES = _with_computes("computes", 4, 7000)
# Enough computes for batches and budgets, where the cloud's rows know as many (1,000 instances).
FLEET = _with_computes("fleet", 20, 10000)
BENCH = Topology(
    "bench",
    (
        NodePlan("bench01", "10.20.0.20", "servers", ("mariadb.service", "lab-resolver.service"), shows_source=True),
        # A database node as Ubuntu 14.04 is one: its server is started by the tests.
        NodePlan("old01", "10.20.0.21", "sysvinit", shows_source=True, sysvinit=True),
        # A foundation node with real virtual machines, which are the tests' own.
        NodePlan(
            "kvm01",
            "10.20.0.31",
            "kvm",
            KVM_UNITS,
            shows_source=True,
            hypervisor=True,
        ),
    ),
)
TOPOLOGIES = {topology.name: topology for topology in (NOVA, CONTROL, PAIR, COMPUTES, FLEET, BENCH)}

# What deploys the services: the tool's own states, or the site's formulas under a Salt of the site's own, as MCP has them.
# In profile ssh there is no Salt anywhere: the tool reaches its nodes through sshd.
BUILTIN, MCP, SSH = "builtin", "mcp", "ssh"
PROFILES = (BUILTIN, MCP, SSH)


def in_profile(topology: Topology, profile: str) -> Topology:
    """The topology as a profile has it: in ``mcp`` every minion is one of the site's Salt as well, whose master is beside ours;
    in ``ssh`` every minion is a node with an sshd instead.
    """
    if profile == BUILTIN:
        return topology
    if topology.master is None:
        raise LabRefused(
            f"The profile {profile} needs a Salt master and topology {topology.name} has none; take topology {NOVA.name}."
        )
    if topology.machines:
        raise LabRefused(f"Topology {topology.name} is there with profile {BUILTIN} only; take topology {NOVA.name}.")
    changed = _at_the_site if profile == MCP else _without_salt
    return replace(topology, nodes=tuple(map(changed, topology.nodes)))


def _at_the_site(node: NodePlan) -> NodePlan:
    units = tuple(f"site-{unit}" for unit in node.units if unit in ("salt-master.service", "salt-minion.service"))
    return replace(node, layer="site", units=(*node.units, *units)) if units else node


def _without_salt(node: NodePlan) -> NodePlan:
    if not node.runs("salt-minion"):
        return node
    others = (unit for unit in node.units if unit not in ("salt-master.service", "salt-minion.service", "ssh.service"))
    return replace(node, by_ssh=True, units=("ssh.service", *others))

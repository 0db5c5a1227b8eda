"""What computes and gateways get on their disks besides what every node gets: bridges, and the configuration of nova and neutron as
a site has it at Mitaka. Text only, no effects."""

from __future__ import annotations

from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.control.files import PROXY, UNITS, others_of_a_compute, queue_url
from upgrader.lab.topology import PACKAGES, NodePlan

REPOSITORY = f"http://{PACKAGES.minion_id}/ubuntu"
BRIDGES_UNIT = """[Unit]
Description=Bridges of this node, and configuration that its services may read
After=ovs-vswitchd.service openvswitch-switch.service
Requires=openvswitch-switch.service
PartOf=ovs-vswitchd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-bridges
[Install]
WantedBy=multi-user.target ovs-vswitchd.service
"""
# Without the kernel's module a switch in userspace ends tunnels only at an address of one of its own bridges, which is gone when it
# ends: the unit goes with it and comes back with it.
BRIDGES = """#!/bin/sh
set -eu
chown -R root:neutron /etc/neutron
if [ -d /etc/nova ]; then chown -R root:nova /etc/nova; fi
ip link set phys0 up
ip link set mesh0 mtu 1600 up
bridge() {{
    ovs-vsctl --timeout=30 --may-exist add-br "$1" -- set bridge "$1" datapath_type=netdev
    if [ -n "${{2:-}}" ]; then ovs-vsctl --timeout=30 --may-exist add-port "$1" "$2"; fi
}}
bridge br-int
bridge br-floating phys0
bridge br-mesh mesh0
ip addr replace {tunnel}/16 dev br-mesh
ip link set br-mesh mtu 1600 || true
ip link set br-mesh up
ip link set br-floating up
"""
SERVER_UNIT = f"""[Unit]
Description=Repository of packages
After=network.target lab-network.service
[Service]
ExecStart=/usr/bin/python3 -m http.server --bind {PACKAGES.address} --directory /srv/packages-http 80
ExecStartPre=/bin/mkdir -p /srv/packages-http
ExecStartPre=/bin/ln -sfn /srv/packages /srv/packages-http/ubuntu
Restart=always
"""


def source(suite: str) -> str:
    """A line of apt's sources. Nobody signs the lab's repository."""
    return f"deb [trusted=yes] {REPOSITORY} {suite} main"


def dataplane_files(plan: NodePlan, passwords: Passwords) -> dict[str, NodeFile]:
    """A compute where its layer says so, else a gateway; of the node that has the repository, its server."""
    if plan.runs("lab-packages"):
        return {f"{UNITS}/lab-packages.service": NodeFile(SERVER_UNIT)}
    compute = plan.layer == "compute"
    files = {
        f"{UNITS}/lab-bridges.service": NodeFile(BRIDGES_UNIT),
        f"{UNITS}/ovs-vswitchd.service.wants/lab-bridges.service": NodeFile(link=f"/{UNITS}/lab-bridges.service"),
        "usr/local/sbin/lab-bridges": NodeFile(BRIDGES.format(tunnel=plan.tunnel_address), 0o755),
        "etc/apt/sources.list.d/openstack.list": NodeFile(source("mitaka") + "\n"),
        "etc/neutron/neutron.conf": NodeFile(_neutron(plan, passwords), 0o640),
        "etc/neutron/plugins/ml2/openvswitch_agent.ini": NodeFile(_openvswitch(plan)),
        "etc/neutron/l3_agent.ini": NodeFile(_l3("dvr" if compute else "dvr_snat")),
        "etc/neutron/metadata_agent.ini": NodeFile(METADATA),
    }
    if compute:
        return {**files, "etc/nova/nova.conf": NodeFile(_nova(plan, passwords), 0o640)}
    return {**files, "etc/neutron/dhcp_agent.ini": NodeFile(DHCP)}


def _neutron(plan: NodePlan, passwords: Passwords) -> str:
    return f"""# As the site wrote it for Mitaka.
[DEFAULT]
transport_url = {queue_url(passwords)}
host = {plan.name}
core_plugin = ml2
state_path = /var/lib/neutron
[agent]
root_helper = sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf
root_helper_daemon = sudo /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf
report_interval = 10
[oslo_concurrency]
lock_path = /var/lib/neutron/lock
"""


def _openvswitch(plan: NodePlan) -> str:
    """How the agent speaks to the switch is not said, as at most sites: Mitaka's default is not Ocata's."""
    return f"""# As the site wrote it for Mitaka.
[ovs]
datapath_type = netdev
bridge_mappings = physnet1:br-floating
local_ip = {plan.tunnel_address}
[agent]
tunnel_types = vxlan
l2_population = true
arp_responder = true
enable_distributed_routing = true
[securitygroup]
firewall_driver = iptables_hybrid
enable_security_group = true
"""


def _l3(mode: str) -> str:
    """Interfaces of a switch in userspace do not come back in a namespace when it is restarted, pairs of interfaces do."""
    return f"""# As the site wrote it for Mitaka.
[DEFAULT]
interface_driver = openvswitch
ovs_use_veth = true
agent_mode = {mode}
external_network_bridge =
"""


DHCP = """# As the site wrote it for Mitaka.
[DEFAULT]
interface_driver = openvswitch
ovs_use_veth = true
enable_isolated_metadata = true
"""
METADATA = f"""# As the site wrote it for Mitaka.
[DEFAULT]
nova_metadata_ip = {PROXY}
metadata_proxy_shared_secret = lab
metadata_workers = 1
"""


def _nova(plan: NodePlan, passwords: Passwords) -> str:
    return f"""# As the site wrote it for Mitaka: placement is not there yet.
[DEFAULT]
transport_url = {queue_url(passwords)}
host = {plan.name}
my_ip = {plan.address}
state_path = /var/lib/nova
instances_path = /var/lib/nova/instances
use_neutron = true
firewall_driver = nova.virt.firewall.NoopFirewallDriver
vif_plugging_timeout = 60
report_interval = 10
{others_of_a_compute()}"""

"""What nodes of topology `control` get on their disks besides what every node gets. Text only, no effects."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from upgrader.lab.contents import resolver
from upgrader.lab.contents.node_file import MINION, NAMES, RESOLVER, WANTS, NodeFile, without_mounts
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.control import stand_in
from upgrader.lab.image.recipe import SCRIPTS
from upgrader.lab.mitaka import identity
from upgrader.lab.topology import DOMAIN, PREFIX, NodePlan, Topology

QUEUE = f"msg01.{DOMAIN}"
PROXY = f"vip01.{DOMAIN}"
UNITS = "etc/systemd/system"
# How a service of a compute logs in, behind its own username.
ACCOUNT = f"""auth_type = password
auth_url = http://{PROXY}:35357/v3
project_name = service
user_domain_id = default
project_domain_id = default
password = {identity.PASSWORD}
"""
ADDRESS = "etc/lab-address"
# Of Mitaka's APIs, and those that are new in Ocata or that nobody stands in for: all of them lead to the controllers.
API_PORTS = (5000, 35357, 9292, 9191, 8774, 8778, 8776, 9696, 8004, 8000)
# Service (its account and database) -> its configuration on a controller.
CONFIGURATION = {
    "keystone": stand_in.KEYSTONE,
    "glance": stand_in.GLANCE,
    "nova": stand_in.NOVA,
    "cinder": stand_in.CINDER,
    "neutron": stand_in.NEUTRON,
    "heat": stand_in.HEAT,
}
# A machine has its address in a file, which is all that a new one has to be told. libvirt calls its first interface eth0.
NETWORK_OF_A_MACHINE = f"""[Unit]
Description=Address of this machine in the lab
DefaultDependencies=no
Before=network.target network-pre.target
After=local-fs.target
ConditionPathExists=/{ADDRESS}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip link set lo up
ExecStart=/bin/sh -c '/sbin/ip addr replace "$$(cat /{ADDRESS})" dev eth0'
ExecStart=/sbin/ip link set eth0 up
"""
MITAKA_UNIT = """[Unit]
Description=Stand-in for Mitaka's {name}
After=network.target lab-network.service
[Service]
ExecStart=/opt/salt/bin/python /usr/local/sbin/lab-mitaka {name}
Restart=always
RestartSec=1
"""
COMPUTE_UNIT = """[Unit]
Description=Stand-in for a compute that is still at Mitaka
After=network.target lab-network.service
[Service]
ExecStart=/opt/ocata/bin/python /usr/local/sbin/lab-nova-compute --config-file /etc/nova/nova.conf
Environment=EVENTLET_NO_GREENDNS=yes
Restart=always
RestartSec=5
KillMode=process
TimeoutStopSec=5
"""
# The file is private to the server, whose number is the image's own.
QUEUE_OWNER = """[Service]
ExecStartPre=+/bin/chown rabbitmq: /etc/rabbitmq/rabbitmq.config
"""
QUEUE_ENVIRONMENT = """NODE_IP_ADDRESS={address}
NODENAME=rabbit@localhost
ERL_EPMD_ADDRESS=127.0.0.1
SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {{127,0,0,1}}"
"""


def bridged(plan: NodePlan) -> str:
    """How a hypervisor gets its address: on a bridge, through which its machines are in the lab's network as well.

    The bridge keeps the address of the wire: it would else take that of whichever machine has the lowest one.
    """
    steps = (
        "link set lo up",
        "link add br0 type bridge forward_delay 0",
        "link set br0 address $$(cat /sys/class/net/host0/address)",
        "link set host0 master br0",
        f"addr replace {plan.address}/{PREFIX} dev br0",
        "link set host0 up",
        "link set br0 up",
    )
    return "".join(f"ExecStart=/bin/sh -c '/sbin/ip {step}'\n" for step in steps)


def machine_files(plan: NodePlan, passwords: Passwords) -> dict[str, NodeFile]:
    """A controller of Mitaka's: its services, and their configuration with their accounts of the databases."""
    program = Path(stand_in.__file__).read_text(encoding="utf-8")
    files = {"usr/local/sbin/lab-mitaka": NodeFile(program, 0o755), **_address(plan)}
    for name in stand_in.UNITS:
        files[f"{UNITS}/{name}.service"] = NodeFile(MITAKA_UNIT.format(name=name))
        files[f"{WANTS}/{name}.service"] = NodeFile(link=f"/{UNITS}/{name}.service")
    for service, path in CONFIGURATION.items():
        account = f"{service}:{quote(passwords.services[service], safe='')}"
        sections = {"database": service, **({"api_database": "nova_api"} if service == "nova" else {})}
        text = "".join(
            f"[{section}]\nconnection = mysql+pymysql://{account}@{PROXY}:3306/{name}\n"
            for section, name in sections.items()
        )
        files[path.lstrip("/")] = NodeFile(text, 0o600)
    return files


def base_files() -> dict[str, NodeFile]:
    """What a new controller finds in its base image: the way to its address, a minion without a name, and a name server."""
    units = {"lab-network": NETWORK_OF_A_MACHINE, "lab-resolver": RESOLVER}
    files = {f"{UNITS}/{name}.service": NodeFile(text) for name, text in units.items()}
    return files | {
        **without_mounts(),
        **{f"{WANTS}/{name}.service": _link(name) for name in (*units, "salt-minion")},
        "usr/local/sbin/lab-resolver": NodeFile(Path(resolver.__file__).read_text(encoding="utf-8"), 0o755),
        "etc/resolv.conf": NodeFile("nameserver 127.0.0.1\n"),
        "etc/nsswitch.conf": NodeFile(NAMES),
        "etc/salt/minion": NodeFile(json.dumps(MINION, indent=2) + "\n"),
    }


def _address(plan: NodePlan) -> dict[str, NodeFile]:
    return {
        ADDRESS: NodeFile(f"{plan.address}/{PREFIX}\n"),
        f"{UNITS}/lab-network.service": NodeFile(NETWORK_OF_A_MACHINE),
        f"{WANTS}/lab-network.service": _link("lab-network"),
    }


def _link(name: str) -> NodeFile:
    return NodeFile(link=f"/{UNITS}/{name}.service")


def queue_files(plan: NodePlan, passwords: Passwords) -> dict[str, NodeFile]:
    """Account and virtual host of the cloud's queue: RabbitMQ makes them with its database, from its configuration."""
    words = ("/openstack", "openstack", passwords.openstack)
    host, user, password = (f'<<"{word}">>' for word in words)
    everything = '[<<".*">>, <<".*">>, <<".*">>]'
    text = (
        f"[{{rabbit, [{{default_vhost, {host}}}, {{default_user, {user}}}, {{default_pass, {password}}},\n"
        f"  {{default_permissions, {everything}}}, {{loopback_users, []}}]}}].\n"
    )
    return {
        "etc/rabbitmq/rabbitmq.config": NodeFile(text, 0o600),
        "etc/rabbitmq/rabbitmq-env.conf": NodeFile(QUEUE_ENVIRONMENT.format(address=plan.address)),
        f"{UNITS}/rabbitmq-server.service.d/lab.conf": NodeFile(QUEUE_OWNER),
    }


def compute_files(plan: NodePlan, passwords: Passwords) -> dict[str, NodeFile]:
    """A compute that waits for a conductor. Of itself it does nothing with the instances that the database gives it."""
    return {
        "usr/local/sbin/lab-nova-compute": NodeFile(
            (SCRIPTS / "lab-nova-compute").read_text(encoding="utf-8"), mode=0o755
        ),
        f"{UNITS}/nova-compute.service": NodeFile(COMPUTE_UNIT),
        "etc/nova/nova.conf": NodeFile(_nova_configuration(plan, passwords), 0o600),
    }


def queue_url(passwords: Passwords) -> str:
    """Where every service of topology `control` finds the cloud's queue."""
    return f"rabbit://openstack:{quote(passwords.openstack, safe='')}@{QUEUE}:5672/{quote('/openstack', safe='')}"


def others_of_a_compute() -> str:
    """What nova-compute is told of the other services, and of the controllers' release, in either topology with computes."""
    return f"""[glance]
api_servers = http://{PROXY}:9292
[neutron]
url = http://{PROXY}:9696
region_name = {identity.REGION}
username = neutron
{ACCOUNT}[upgrade_levels]
compute = mitaka
[oslo_concurrency]
lock_path = /var/lib/nova/tmp
"""


def _nova_configuration(plan: NodePlan, passwords: Passwords) -> str:
    return f"""[DEFAULT]
transport_url = {queue_url(passwords)}
host = {plan.name}
my_ip = {plan.address}
use_stderr = true
state_path = /var/lib/nova
use_neutron = true
firewall_driver = nova.virt.firewall.NoopFirewallDriver
compute_driver = fake.FakeDriver
periodic_enable = false
resume_guests_state_on_host_boot = false
running_deleted_instance_action = noop
sync_power_state_interval = -1
report_interval = 5
rpc_response_timeout = 20
[placement]
os_region_name = {identity.REGION}
username = nova
{ACCOUNT}{others_of_a_compute()}"""


def proxied(plan: NodePlan, topology: Topology) -> str:
    """The part of haproxy's configuration that leads every API to the controllers."""
    servers = "".join(
        f"    server {{0}}_{machine.name} {machine.address}:{{0}} check inter 1s fall 2 rise 1\n"
        for machine in topology.machines
    )
    listen = "listen api_{0}\n    bind " + plan.address + ":{0}\n    mode tcp\n    balance roundrobin\n" + servers
    return "".join(listen.format(port) for port in API_PORTS) if topology.machines else ""

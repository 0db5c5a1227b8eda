"""The packages of computes and gateways in two releases, with Ubuntu's names and versions.

Ocata's are the real code, which the image holds in /opt/ocata. Mitaka's are **stand-ins**: no registry has Mitaka's code, so they
are the same code, told by `lab_release` to report Mitaka's service version, to know no placement and to have Mitaka's defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upgrader.lab.dataplane.package import AgentPackage, agent_unit
from upgrader.lab.site.package import Package, account, commands
from upgrader.lab.site.packages import OCATA as OF_THE_SITE

PROGRAMS = Path(__file__).resolve().parent / "node"
CODE = "/usr/share/lab-openstack"
NEUTRON, NOVA = "/etc/neutron/neutron.conf", "/etc/nova/nova.conf"
OPENVSWITCH = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"


@dataclass(frozen=True)
class Release:
    """``libraries`` are names without contents: what the packages above pull in, of which some are new in Ocata."""

    name: str
    nova: str
    neutron: str
    qemu: str
    libvirt: str
    libraries: Mapping[str, str] = field(default_factory=dict)


MITAKA = Release(
    "mitaka",
    nova="2:13.1.4-0ubuntu4",
    neutron="2:8.4.0-0ubuntu7",
    qemu="1:2.5+dfsg-5ubuntu10.16",
    libvirt="1.3.1-1ubuntu10.15",
    libraries={"python-oslo.messaging": "4.6.1-2ubuntu2", "python-novaclient": "2:3.3.1-2ubuntu1"},
)
OCATA = Release(
    "ocata",
    nova=OF_THE_SITE["nova"],
    neutron=OF_THE_SITE["neutron"],
    qemu="1:2.6.1+dfsg-0ubuntu5~cloud0",
    libvirt="1.3.3-2ubuntu5~cloud0",
    libraries={
        "python-oslo.messaging": "5.17.1-0ubuntu1~cloud0",
        "python-novaclient": "2:7.1.0-0ubuntu1~cloud0",
        "python-os-vif": "1.4.0-0ubuntu1~cloud0",
    },
)
RELEASES = (MITAKA, OCATA)


def suites() -> str:
    """What `build_suites.py` reads: suite to packages; the same text for the same packages."""
    held = {release.name: [package.to_json() for package in packages_of(release)] for release in RELEASES}
    return json.dumps(held, indent=1, sort_keys=True) + "\n"


def packages_of(release: Release) -> tuple[Package, ...]:
    return (
        *(Package(name, version) for name, version in release.libraries.items()),
        Package("qemu-kvm", release.qemu),
        Package("libvirt-bin", release.libvirt),
        *_nova(release),
        *_neutron(release),
    )


def _program(name: str) -> str:
    return (PROGRAMS / name).read_text(encoding="utf-8")


def _code(service: str, release: Release) -> dict[str, str]:
    """The launchers say which release they are by a file of their own package."""
    return {
        f"{CODE}/{service}_release.py": f'"""Which release of {service} is installed."""\nNAME = "{release.name}"\n'
    }


def _default(release: Release, *lines: str) -> str:
    """A configuration file as a release ships it: its text differs from that of the other one."""
    return "\n".join((f"# As {release.name} ships it.", *lines)) + "\n"


def _nova(release: Release) -> tuple[Package, ...]:
    version = release.nova
    return (
        AgentPackage(
            "python-nova",
            version,
            tuple(release.libraries),
            files={**_code("nova", release), f"{CODE}/lab_driver.py": _program("driver"), f"{CODE}/lab_nova.py": _program("nova")},
        ),
        AgentPackage(
            "nova-common",
            version,
            (f"python-nova (= {version})",),
            files={
                NOVA: _default(release, "[DEFAULT]", "state_path = /var/lib/nova"),
                "/etc/sudoers.d/nova_sudoers": _sudo("nova", "/usr/sbin/ip", "/usr/bin/ovs-vsctl"),
            },
            links=commands("nova", "nova-manage", "nova-rootwrap"),
            configure=(
                *account("nova", "api-paste.ini", "rootwrap.conf"),
                "chmod 0440 /etc/sudoers.d/nova_sudoers",
                "chmod 0640 /etc/nova/nova.conf",
            ),
        ),
        AgentPackage("nova-compute-libvirt", version, ("qemu-kvm", "libvirt-bin")),
        AgentPackage("nova-compute-kvm", version, (f"nova-compute-libvirt (= {version})",)),
        AgentPackage(
            "nova-compute",
            version,
            (f"nova-common (= {version})", f"nova-compute-kvm (= {version})"),
            files={"/etc/nova/nova-compute.conf": _default(release, "[DEFAULT]", "compute_driver = lab_driver.NamespaceDriver")},
            scripts={"/usr/bin/nova-compute": _program("nova-compute")},
            units=agent_unit("nova", "nova-compute", NOVA, "/etc/nova/nova-compute.conf"),
            configure=account("nova"),
        ),
    )  # fmt: skip


def _neutron(release: Release) -> tuple[Package, ...]:
    version = release.neutron
    shared = (
        "neutron-rootwrap", "neutron-rootwrap-daemon", "neutron-ns-metadata-proxy", "neutron-keepalived-state-change",
        "neutron-netns-cleanup", "neutron-ovs-cleanup", "privsep-helper",
    )  # fmt: skip
    return (
        AgentPackage(
            "python-neutron",
            version,
            tuple(release.libraries),
            files={**_code("neutron", release), f"{CODE}/lab_neutron.py": _program("neutron")},
        ),
        AgentPackage(
            "neutron-common",
            version,
            (f"python-neutron (= {version})",),
            files={
                NEUTRON: _default(release, "[DEFAULT]", "core_plugin = ml2", "state_path = /var/lib/neutron"),
                "/etc/sudoers.d/neutron_sudoers": _sudo(
                    "neutron",
                    "/usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf *",
                    "/usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf",
                ),
            },
            links=commands("neutron", *shared),
            configure=(
                *account("neutron", "rootwrap.conf"),
                "mkdir -p /usr/share/neutron /var/lib/neutron/lock /etc/neutron/plugins/ml2",
                "ln -sfn /opt/ocata/etc/neutron/neutron/rootwrap.d /usr/share/neutron/rootwrap",
                "chown neutron:neutron /var/lib/neutron/lock",
                "chmod 0440 /etc/sudoers.d/neutron_sudoers",
                "chmod 0640 /etc/neutron/neutron.conf",
            ),
        ),
        _agent(release, "neutron-openvswitch-agent", OPENVSWITCH),
        _agent(release, "neutron-l3-agent", "/etc/neutron/l3_agent.ini"),
        _agent(release, "neutron-dhcp-agent", "/etc/neutron/dhcp_agent.ini"),
        _agent(release, "neutron-metadata-agent", "/etc/neutron/metadata_agent.ini"),
    )  # fmt: skip


def _agent(release: Release, name: str, config: str) -> Package:
    return AgentPackage(
        name,
        release.neutron,
        (f"neutron-common (= {release.neutron})",),
        files={config: _default(release, "[DEFAULT]")},
        scripts={f"/usr/bin/{name}": _program("neutron-agent")},
        units=agent_unit("neutron", name, NEUTRON, config),
        configure=account("neutron"),
    )


def _sudo(user: str, *commands: str) -> str:
    allowed = ", ".join(commands)
    return f"Defaults:{user} !requiretty\n{user} ALL = (root) NOPASSWD: {allowed}\n"

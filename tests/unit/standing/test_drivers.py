"""Drivers that a configuration names, against those that the new release has; what it has is in the formulas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from upgrader_node.service import oslo_conf
from upgrader_node.standing import drivers

from upgrader.content import FORMULAS

KNOWN = json.loads((FORMULAS / "upgrader/openstack/files/drivers.json").read_text())


def found(service: str, *texts: str) -> list[tuple[str, str]]:
    files = {service: {f"/etc/{n}": oslo_conf.parse_conf(text) for n, text in enumerate(texts)}}
    return [(one["severity"], one["what"]) for one in drivers.findings("ctl01", files, KNOWN)]


LVM = "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"[DEFAULT]\nenabled_backends = lvm,ceph\n[lvm]\n{LVM}[ceph]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\n", []),
        (f"[DEFAULT]\n{LVM}", []),
        ("[DEFAULT]\nvolume_driver = cinder.volume.drivers.gone.Driver\n", [("blocker", "Driver [DEFAULT] of cinder's")]),
        ("[DEFAULT]\n", []),
        (f"[DEFAULT]\nenabled_backends = a\n[a]\n{LVM}[b]\nvolume_driver = nobody.asks.Driver\n", []),
        ("[DEFAULT]\nenabled_backends=e\n[e]\nvolume_driver=cinder.volume.drivers.glusterfs.GlusterfsDriver\n",
         [("blocker", "GlusterfsDriver [e] of cinder's configuration, which cinder 10.0.8 does not have")]),
        ("[DEFAULT]\nenabled_backends=e\n[e]\nvolume_driver=cinder.volume.drivers.eqlx.DellEQLSanISCSIDriver\n",
         [("warning", "cinder 10.0.8 calls cinder.volume.drivers.dell_emc.ps.PSSeriesISCSIDriver and still takes")]),
        ("[DEFAULT]\nenabled_backends=e\n[e]\nvolume_driver=vendor.cinder.Driver\n", [("warning", "which is none of cinder 10.0.8's own")]),
        ("[DEFAULT]\nbackup_driver = cinder.backup.drivers.swift\n", []),
        ("[DEFAULT]\nbackup_driver = cinder.backup.drivers.gone\n", [("blocker", "backup_driver cinder.backup.drivers.gone")]),
    ],
)  # fmt: skip
def test_volume_drivers(text: str, expected: list[tuple[str, str]]) -> None:
    said = found("cinder", text)
    assert [severity for severity, _ in said] == [severity for severity, _ in expected]
    assert all(words in what for (_, what), (_, words) in zip(said, expected, strict=True))


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("[glance_store]\nstores = file,http,rbd\ndefault_store = rbd\n", ""),
        ("[glance_store]\nstores = glance.store.filesystem.Store, glance.store.swift.Store\n", ""),
        ("[glance_store]\nstores = file,s3\ndefault_store = gridfs\n", "s3, gridfs"),
        ("[DEFAULT]\n", ""),
    ],
)
def test_image_stores(text: str, lost: str) -> None:
    said = found("glance", text)
    assert bool(said) == bool(lost) and all(
        severity == "blocker" and f"stores {lost} in" in what for severity, what in said
    )


ML2 = "[ml2]\nmechanism_drivers = openvswitch,l2population\ntype_drivers = flat,vlan,vxlan,gre\nextension_drivers = port_security\n"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("[DEFAULT]\ncore_plugin = ml2\nservice_plugins = router,metering,qos\n", ML2), []),
        (("[DEFAULT]\ncore_plugin = neutron.plugins.ml2.plugin.Ml2Plugin\n", ML2), []),
        (("[DEFAULT]\ncore_plugin = neutron_plugin_contrail.plugins.opencontrail.contrail_plugin.NeutronPluginContrailCoreV2\n",),
         [("warning", "none of neutron 10.0.7")]),
        (("[DEFAULT]\nservice_plugins = router,lbaas\n",), [("blocker", "LBaaS of version 1, which Newton removed")]),
        (("[DEFAULT]\nservice_plugins = neutron_lbaas.services.loadbalancer.plugin.LoadBalancerPluginv2\n",), [("warning", "none of")]),
        (("[DEFAULT]\ncore_plugin = neutron.plugins.openvswitch.ovs_neutron_plugin.OVSNeutronPluginV2\n",), [("blocker", "does not have")]),
        (("", "[ml2]\nmechanism_drivers = openvswitch,cisco_nexus\n"), [("warning", "mechanism_drivers cisco_nexus")]),
    ],
)  # fmt: skip
def test_network_plugins(texts: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    said = found("neutron", *texts)
    assert [severity for severity, _ in said] == [severity for severity, _ in expected]
    assert all(words in what for (_, what), (_, words) in zip(said, expected, strict=True))


def test_contrails_plugin_is_told_with_the_version_of_its_package() -> None:
    plugin = "neutron_plugin_contrail.plugins.opencontrail.contrail_plugin.NeutronPluginContrailCoreV2"
    files = {"neutron": {"/etc/neutron/neutron.conf": {"DEFAULT": {"core_plugin": plugin}}}}
    [one] = drivers.findings("ctl01", files, KNOWN, {"neutron-plugin-contrail": "3.2.3.0-15"})
    assert one["what"].endswith("neutron-plugin-contrail 3.2.3.0-15 is installed")


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        ({"libvirt-bin": "1.2.2-0ubuntu13.1.28", "qemu-kvm": "1:2.0.0+dfsg-2ubuntu1.45"}, []),
        ({"libvirt-bin": "0.9.13-0ubuntu12", "qemu-kvm": "1.0+noroms-0ubuntu14"}, ["libvirt 0.9.13", "qemu 1.0"]),
        ({"libvirt-daemon": "9.0.0-4", "qemu-system-x86": "1:7.2"}, []),
        ({}, []),
    ],
)
def test_hypervisors(packages: dict[str, str], told: list[str]) -> None:
    said: list[Any] = drivers.hypervisor("cmp01", packages, KNOWN)
    assert len(said) == len(told) and all(words in one["what"] for one, words in zip(said, told, strict=True))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("2.0.2-0ubuntu0.14.04.3", ["Open vSwitch 2.0.2"]),
        ("2.4.0-1", []),
        ("2.5.5-0ubuntu0.16.04.2", []),
        ("2.10.0-1", []),
        ("", []),
    ],
)
def test_switch_that_is_older_than_the_new_agent_is_meant_for_is_a_warning(version: str, told: list[str]) -> None:
    said = drivers.switch("gtw01", {"openvswitch-switch": version} if version else {})
    assert [one["severity"] for one in said] == ["warning" for _ in told]
    assert all(words in one["what"] for one, words in zip(said, told, strict=True))


def test_what_the_release_has_is_more_than_names() -> None:
    """A tool that derived nothing would make every driver a stranger."""
    assert len(KNOWN["cinder"]["volume_driver"]) > 200 and "openvswitch" in KNOWN["neutron"]["mechanism_drivers"]
    assert KNOWN["nova"]["libvirt"] == "1.2.1" and KNOWN["glance"]["stores"]

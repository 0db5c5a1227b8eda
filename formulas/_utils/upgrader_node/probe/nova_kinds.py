"""Nova's rows that its own objects judge. Only live instances: nothing of the upgrade, and no list, reads the others."""

from upgrader_node.probe.kind import WARNING, Kind

_HOST = (
    "the upgrade passes, and then nova-compute of their host dies at its start and its resource tracker at each round"
)
_SPEC = "EXISTS (SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid)"


def _text(column):
    # type: (str) -> str
    """A column whose words no code judges: only whether there are any."""
    return "IF({0} IS NULL, NULL, '')".format(column)


def _of_live(table, alias):
    # type: (str, str) -> str
    """A table read in its own order, with the live instance of each row: the server must not begin with the instances."""
    joined = "{0} {1} STRAIGHT_JOIN {{main}}.instances i ON i.uuid = {1}.instance_uuid AND i.deleted = 0"
    return joined.format(table, alias)


def _extra(identity, column, what, fails, remedy, code, mend=""):
    # type: (str, str, str, str, str, str, str) -> Kind
    """One column of ``instance_extra``."""
    return Kind(
        id=identity, service="nova", subject="instance_extra", what="live instances whose {0} nova refuses".format(what), fails=fails,
        remedy=remedy, source="nova 15.1.5 " + code, judge=column, tables=_of_live("{main}.instance_extra", "e"), key="e.id", name="e.instance_uuid",
        where="e.deleted = 0 AND e.{0} IS NOT NULL".format(column), values=("e." + column,),
        mend=mend and "UPDATE {main}.instance_extra SET " + column + " = " + mend + " WHERE id = {key}",
    )  # fmt: skip


def _image(identity, has, severity, fails):
    # type: (str, str, str, str) -> Kind
    return Kind(
        id=identity, service="nova", subject="instance_system_metadata", severity=severity,
        what="live instances with{0} request spec whose image properties nova refuses".format("out" if "NOT" in has else ""),
        fails=fails, remedy="write a value that nova takes into instance_system_metadata, or take the property away",
        source="nova 15.1.5 objects/image_meta.py: ImageMeta.from_dict", judge="image", tables="{main}.instances i",
        where="i.deleted = 0 AND i.uuid IS NOT NULL AND " + has, key="i.id", name="i.uuid", values=(),
        joined="{main}.instance_system_metadata",
    )  # fmt: skip


KINDS = (
    _extra(
        "flavors", "flavor", "flavor", "online migrations die at each of them and exit 0, and 'server list' answers 500",
        "write the flavor anew from a healthy instance of the same flavor", "objects/instance.py: _flavor_from_db",
    ),
    _extra(
        "numa-topologies", "numa_topology", "NUMA topology", _HOST,
        "an instance without NUMA topology has NULL; of others write it anew", "objects/instance_numa_topology.py: obj_from_db_obj", "NULL",
    ),
    _extra(
        "pci-requests", "pci_requests", "PCI requests", "online migrations die at those without request spec, the others cannot be moved",
        "an instance without PCI devices has an empty list; of others write the list anew",
        "objects/instance_pci_requests.py: obj_from_db", "'[]'",
    ),
    _extra(
        "vcpu-models", "vcpu_model", "CPU model", "the upgrade passes, and then they cannot be migrated live",
        "NULL means that the host's own is taken", "objects/instance.py: _load_vcpu_model", "NULL",
    ),
    _extra(
        "migration-contexts", "migration_context", "migration context", _HOST,
        "confirm or revert the resize on the live cloud; NULL where there is none", "objects/migration_context.py: obj_from_db_obj", "NULL",
    ),
    Kind(
        id="request-specs", service="nova", subject="request_specs", what="request specs of live instances that nova refuses",
        fails="online migrations die at each of them and exit 0", remedy="delete the row: the online migration writes it anew",
        source="nova 15.1.5 objects/request_spec.py: _from_db_object", judge="request_spec",
        tables=_of_live("{api}.request_specs", "s"), where="TRUE",
        key="s.id", name="s.instance_uuid", own="i.project_id", values=("s.spec",), mend="DELETE FROM {api}.request_specs WHERE id = {key}",
    ),
    _image(
        "image-properties", "NOT " + _SPEC, "blocker",
        "online migrations die at each of them and exit 0, and all later instances stay without spec",
    ),
    _image(
        "image-properties-later", _SPEC, WARNING, "the upgrade passes, and then Ocata refuses to reboot, resize or migrate them",
    ),
    Kind(
        id="instances", service="nova", subject="instances", what="live instances that nova refuses", fails="'server list' answers 500",
        remedy="correct the column that nova names; NULL is taken", source="nova 15.1.5 objects/instance.py: _from_db_object",
        judge="instance", tables="{main}.instances i", where="i.deleted = 0 AND i.uuid IS NOT NULL", key="i.id", name="i.uuid",
        values=("i.access_ip_v4", "i.access_ip_v6", "i.power_state", "i.launch_index"),
    ),
    Kind(
        id="instance-metadata", service="nova", subject="instance_metadata", what="metadata of live instances that nova refuses",
        fails="'server list' answers 500", remedy="write an empty text, or delete the row",
        source="nova 15.1.5 objects/instance.py: metadata is DictOfStringsField", judge="metadata",
        tables=_of_live("{main}.instance_metadata", "m"), where="m.deleted = 0", key="m.id", name="m.instance_uuid",
        values=(_text("m.`key`"), _text("m.value")),
        mend="UPDATE {main}.instance_metadata SET `key` = COALESCE(`key`, ''), value = COALESCE(value, '') WHERE id = {key}",
    ),
    Kind(
        id="info-caches", service="nova", subject="instance_info_caches", what="network caches of live instances that nova refuses",
        fails="'server list' answers 500", remedy="write an empty list: nova-compute fills it again by itself",
        source="nova 15.1.5 objects/fields.py: NetworkModel", judge="info_cache", tables=_of_live("{main}.instance_info_caches", "c"),
        where="c.deleted = 0", key="c.id", name="c.instance_uuid", values=("c.network_info",),
        mend="UPDATE {main}.instance_info_caches SET network_info = '[]' WHERE id = {key}",
    ),
    Kind(
        id="block-devices", service="nova", subject="block_device_mapping", what="block devices of live instances that nova refuses",
        fails="'server show' answers 500 for their instances", remedy="correct the column that nova names",
        source="nova 15.1.5 objects/block_device.py: _from_db_object", judge="block_device",
        tables=_of_live("{main}.block_device_mapping", "b"), where="b.deleted = 0", key="b.id", name="b.instance_uuid",
        values=("b.source_type", "b.destination_type", "b.device_type"),
    ),
    Kind(
        id="compute-nodes", service="nova", subject="compute_nodes", what="live compute nodes that nova refuses",
        fails="'hypervisor list' answers 500, and their nova-compute cannot report", source="nova 15.1.5 objects/compute_node.py: _from_db_object",
        remedy="correct the column that nova names: nova-compute writes it again at its next round", judge="compute_node",
        tables="{main}.compute_nodes n", where="n.deleted = 0", key="n.id", name="CONCAT(n.id, ' ', COALESCE(n.host, ''))",
        values=("n.stats", "n.supported_instances", "n.pci_stats", "n.host_ip"),
    ),
    Kind(
        id="pci-devices", service="nova", subject="pci_devices", what="live PCI devices that nova refuses",
        fails="the resource tracker of their host dies", remedy="correct the column that nova names, or delete the row while it is free",
        source="nova 15.1.5 objects/pci_device.py: _from_db_object", judge="pci_device", tables="{main}.pci_devices p",
        where="p.deleted = 0", key="p.id", name="CONCAT(p.id, ' ', p.address)", values=("p.dev_type", "p.status", "p.extra_info"),
    ),
)  # fmt: skip

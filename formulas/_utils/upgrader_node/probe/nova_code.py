"""Nova's own objects as judges: each takes the values of one row and raises what nova would raise over it. No database is asked."""

import functools
import json
import sys

from upgrader_node.nova.door import novas
from upgrader_node.probe.kind import ITSELF

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)


def judges():
    # type: () -> typing.Dict[str, typing.Callable[..., typing.Any]]
    """By the word that a kind names. Imports nova: what goes wrong here is no row's fault."""
    objects = novas("nova.objects")
    objects.register_all()
    context = novas("nova.context").get_admin_context()
    found = {}  # type: typing.Dict[str, typing.Callable[..., typing.Any]]
    found.update(request_spec=_request_spec, image=_image, metadata=_metadata, instance=_instance)
    found.update(flavor=_flavor, info_cache=_info_cache, block_device=_block_device)
    found.update(compute_node=_compute_node, pci_device=_pci_device)
    for column in ("numa_topology", "pci_requests", "vcpu_model", "migration_context"):
        found[column] = functools.partial(_loaded, column=column)
    return {word: functools.partial(judge, objects, context) for word, judge in found.items()}


def _flavor(objects, context, text):
    # type: (typing.Any, typing.Any, typing.Any) -> None
    """Each field is read as well: a field that the text leaves out is missed only then."""
    instance = objects.Instance(context, uuid=ITSELF)
    instance._flavor_from_db(text)
    for name in ("id", "name", "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "flavorid", "swap"):
        getattr(instance.flavor, name)


def _loaded(objects, context, text, column):
    # type: (typing.Any, typing.Any, typing.Any, str) -> None
    """``Instance._load_<column>``, as ``Instance._from_db_object`` calls it."""
    getattr(objects.Instance(context, uuid=ITSELF), "_load_" + column)(text)


def _request_spec(objects, context, text):
    # type: (typing.Any, typing.Any, typing.Any) -> None
    """The group is not looked up: one without uuid is a question of its own (LP 1830747), which knows whether the plan mends it."""
    spec, inside = objects.RequestSpec(), "nova_object.data"
    try:
        document = json.loads(text)
    except ValueError:
        document = None  # nova says by itself what is wrong with it
    if isinstance(document, dict) and isinstance(document.get(inside), dict) and document[inside].get("instance_group"):
        document[inside]["instance_group"] = None
        text = json.dumps(document)
    spec._from_db_object(context, spec, {"id": 1, "instance_uuid": ITSELF, "spec": text})


def _image(objects, context, text):
    # type: (typing.Any, typing.Any, typing.Any) -> None
    """``ImageMeta.from_instance``; ``text`` is the instance's system metadata."""
    found = novas("nova.utils").get_image_from_system_metadata(json.loads(text))
    objects.ImageMeta.from_dict(found)


def _instance(objects, context, address4, address6, power, index):
    # type: (typing.Any, typing.Any, typing.Any, typing.Any, typing.Any, typing.Any) -> None
    row = dict.fromkeys(objects.Instance.fields)
    row.update(id=1, uuid=ITSELF, deleted=0, cleaned=0, access_ip_v4=address4, access_ip_v6=address6)
    row.update(power_state=power, launch_index=index)
    objects.Instance._from_db_object(context, objects.Instance(), row)


def _metadata(objects, context, key, value):
    # type: (typing.Any, typing.Any, typing.Any, typing.Any) -> None
    objects.Instance(context, uuid=ITSELF).metadata = {key: value}


def _info_cache(objects, context, text):
    # type: (typing.Any, typing.Any, typing.Any) -> None
    row = dict.fromkeys(objects.InstanceInfoCache.fields)
    row.update(instance_uuid=ITSELF, network_info=text, deleted=False)
    objects.InstanceInfoCache._from_db_object(context, objects.InstanceInfoCache(context), row)


def _block_device(objects, context, source, destination, device):
    # type: (typing.Any, typing.Any, typing.Any, typing.Any, typing.Any) -> None
    row = dict.fromkeys(objects.BlockDeviceMapping.fields)
    row.update(
        id=1, instance_uuid=ITSELF, deleted=False, source_type=source, destination_type=destination, device_type=device
    )
    objects.BlockDeviceMapping._from_db_object(context, objects.BlockDeviceMapping(), row)


def _compute_node(objects, context, stats, supported, pools, address):
    # type: (typing.Any, typing.Any, typing.Any, typing.Any, typing.Any, typing.Any) -> None
    row = dict.fromkeys(objects.ComputeNode.fields, 1)  # type: typing.Dict[str, typing.Any]
    row.update(dict.fromkeys(("created_at", "updated_at", "deleted_at", "cpu_info", "metrics", "numa_topology")))
    row.update(uuid=ITSELF, deleted=False, host="of-the-probe", hypervisor_type="", hypervisor_hostname="")
    row.update(stats=stats, supported_instances=supported, pci_stats=pools, host_ip=address)
    objects.ComputeNode._from_db_object(context, objects.ComputeNode(context), row)


def _pci_device(objects, context, kind, status, extra):
    # type: (typing.Any, typing.Any, typing.Any, typing.Any, typing.Any) -> None
    row = dict.fromkeys(objects.PciDevice.fields)
    row.update(
        id=1, address="", vendor_id="", product_id="", deleted=False, dev_type=kind, status=status, extra_info=extra
    )
    objects.PciDevice._from_db_object(context, objects.PciDevice(), row)

"""What Ocata's ImageMeta and ImageMetaProps allow (nova 15.1.5, objects/fields.py and objects/image_meta.py). A table.

Each property is held against one rule; a property that is not here takes any text.
"""

import re
import typing

_BUSES = "fdc ide sata scsi usb virtio xen lxc uml"
_ARCHITECTURES = (
    "alpha armv6 armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el openrisc"
    " parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb s390 s390x sh4 sh4eb sparc sparc64 unicore32 x86_64 xtensa xtensaeb"
    " i386 i486 i586 x86_32 x86_32p amd64"
)
_HYPERVISORS = "baremetal bhyve docker fake hyperv ironic kqemu kvm lxc lxd openvz parallels phyp qemu test uml vbox vz vmware xen zvm prsm xapi"
_VIFS = (
    "virtio ne2k_pci pcnet rtl8139 e1000 e1000e netfront spapr-vlan sriov vmxnet vmxnet3 virtuale1000 virtuale1000e"
    " virtualpcnet32 virtualsriovethernetcard virtualvmxnet virtualvmxnet3"
)
_SCSI = "buslogic ibmvscsi lsilogic lsisas1068 lsisas1078 virtio-scsi vmpvscsi lsilogicsas paravirtual"

# Property to the values that it takes. Those in FOLDED are compared in small letters, as nova does.
VALUES: typing.Mapping[str, typing.Tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "hw_architecture": _ARCHITECTURES,
        "hw_cdrom_bus": _BUSES,
        "hw_cpu_policy": "dedicated shared",
        "hw_cpu_thread_policy": "prefer isolate require",
        "hw_disk_bus": _BUSES,
        "hw_firmware_type": "uefi bios",
        "hw_floppy_bus": _BUSES,
        "hw_rescue_bus": _BUSES,
        "hw_rescue_device": "cdrom disk floppy fs lun",
        "hw_rng_model": "virtio",
        "hw_scsi_model": _SCSI,
        "hw_video_model": "cirrus qxl vga vmvga xen",
        "hw_vif_model": _VIFS,
        "hw_vm_mode": "hvm xen uml exe pv hv baremetal",
        "hw_watchdog_action": "none pause poweroff reset disabled",
        "img_config_drive": "optional mandatory",
        "img_hv_type": _HYPERVISORS,
        "img_signature_hash_method": "SHA-224 SHA-256 SHA-384 SHA-512",
        "img_signature_key_type": "DSA ECC_SECT571K1 ECC_SECT409K1 ECC_SECT571R1 ECC_SECT409R1 ECC_SECP521R1 ECC_SECP384R1 RSA-PSS",
        "os_secure_boot": "required disabled optional",
        "os_type": "linux windows",
    }.items()
}
FOLDED = {"hw_architecture", "hw_scsi_model", "hw_vif_model", "hw_vm_mode", "img_hv_type", "os_type"}
INTEGERS = {
    "min_ram", "min_disk", "hw_cpu_cores", "hw_cpu_sockets", "hw_cpu_max_cores", "hw_cpu_max_sockets", "hw_cpu_max_threads",
    "hw_cpu_threads", "hw_device_id", "hw_numa_nodes", "hw_serial_port_count", "hw_video_ram", "img_compression_level", "img_version",
}  # fmt: skip
# Old name to the one of now, where a rule stands for that one.
OLD_NAMES = {
    "architecture": "hw_architecture",
    "vmware_image_version": "img_version",
    "xenapi_device_id": "hw_device_id",
    "xenapi_image_compression_level": "img_compression_level",
    "vm_mode": "hw_vm_mode",
    "hypervisor_version_requires": "img_hv_requested_version",
    "hypervisor_type": "img_hv_type",
}
# What was meant: value to the one that nova takes. Where nothing is said, the property is taken away.
MEANT = {
    ("hw_vif_model", "virtio-net"): "virtio",
    ("hw_rng_model", "virtio-rng"): "virtio",
    ("hw_architecture", "x86-64"): "x86_64",
    ("img_hv_type", "esxi"): "vmware",
    ("img_config_drive", "true"): "mandatory",
    ("img_config_drive", "True"): "mandatory",
}
_INTEGER = re.compile(r"^\s*[+-]?\d+\s*$")
_PREDICATE = re.compile(r"^\s*(<=|>=|<|>|!=|==)\s*\d+\.\d+(\.\d+)?([ab]\d+)?\s*$")
_NUMA_CPUS = re.compile(r"^\s*(\^?\s*\d+\s*(-\s*\d+\s*)?)?(,\s*(\^?\s*\d+\s*(-\s*\d+\s*)?)?)*$")
NUMBERED = re.compile(r"^hw_numa_(mem|cpus)\.\d+$")
PREDICATE, ADAPTER = "img_hv_requested_version", "vmware_adaptertype"


def property_of(key: str) -> str:
    """The property that a key of ``instance_system_metadata`` stands for: without prefix, under its name of now."""
    plain = key[len("image_") :] if key.startswith("image_") else key
    return OLD_NAMES.get(plain, plain)


def keys() -> typing.List[str]:
    """Every key that has a rule, but the numbered ones: with and without prefix, old names too."""
    names = {*VALUES, *INTEGERS, *OLD_NAMES, PREDICATE, ADAPTER, "hw_pointer_model"}
    return sorted(prefix + name for name in names for prefix in ("", "image_"))


def is_refused(key: str, value: typing.Optional[str]) -> bool:
    """Whether nova raises ValueError (or Invalid) for the value. None is passed over by nova itself."""
    if value is None:
        return False
    name = property_of(key)
    if name == ADAPTER:
        return bool(value) and value != "ide" and value.lower() not in VALUES["hw_scsi_model"]
    if name == "hw_pointer_model":
        return value not in "usbtablet"  # nova compares with a text where a tuple was meant: every part of it passes
    if name in VALUES:
        return (value.lower() if name in FOLDED else value) not in VALUES[name]
    if name in INTEGERS or name.startswith("hw_numa_mem."):
        return not _INTEGER.match(value)
    if name == PREDICATE:
        return not all(_PREDICATE.match(part) for part in value.split(","))
    return name.startswith("hw_numa_cpus.") and not _NUMA_CPUS.match(value)


def meant(key: str, value: str) -> typing.Optional[str]:
    """The value that nova takes and that was clearly meant; None when nobody can tell."""
    name = property_of(key)
    if (name, value) in MEANT:
        return MEANT[name, value]
    small = value.strip().lower()
    return small if small != value and not is_refused(key, small) else None

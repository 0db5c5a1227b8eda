"""The door to libvirt: what is asked of it, whichever way it is reached. ``by_library`` and ``by_virsh`` keep the same promises."""

import typing

from upgrader_node.errors import StepError

URIS = ("qemu:///system", "lxc:///system")
RUNNING, OFF, GOING, PAUSED = "running", "shut off", "in shutdown", "paused"
# As virsh names them, in the order of libvirt's virDomainState.
STATES = ("no state", RUNNING, "idle", PAUSED, GOING, OFF, "crashed", "pmsuspended")


class LibvirtFailed(StepError):
    """libvirt did not do it; the message says what it said itself."""


class Standing(typing.NamedTuple):
    """How a domain stands: its state in virsh's words, and what libvirt keeps of it beside its definition."""

    state: str
    persistent: bool
    autostart: bool
    saved: bool

    @property
    def off(self) -> bool:
        """Whether nobody uses its disks."""
        return self.state == OFF


class Job(typing.NamedTuple):
    """A block job: how much of how much it has done."""

    done: int
    total: int

    @property
    def ready(self) -> bool:
        """What there is has been copied, and what is written now goes to both."""
        return self.done == self.total and self.total > 0


class Hypervisor:
    """One driver of libvirt on this node. Every function asks anew: a libvirtd that was started again is no matter.

    Each raises LibvirtFailed when libvirt refuses or does not answer.
    """

    uri = ""

    def names(self) -> typing.Tuple[str, ...]:
        """All domains, running or not."""
        raise NotImplementedError

    def xml(self, name: str, running: bool = False, secrets: bool = False) -> str:
        """The definition that the next start uses, or the running domain's own; with passwords only when asked."""
        raise NotImplementedError

    def standing(self, name: str) -> Standing:
        raise NotImplementedError

    def number(self, name: str) -> int:
        """The number of a running domain; a container's is the process id of its controller."""
        raise NotImplementedError

    def snapshots(self, name: str) -> typing.Tuple[str, ...]:
        """Names of the snapshots that libvirt knows of; a driver that has none knows none."""
        raise NotImplementedError

    def start(self, name: str) -> None:
        raise NotImplementedError

    def shutdown(self, name: str) -> None:
        """Ask the guest to go off; returns at once."""
        raise NotImplementedError

    def destroy(self, name: str) -> None:
        """The plug pulled."""
        raise NotImplementedError

    def define(self, xml: str) -> None:
        """Define a domain, or define one anew whose name and UUID are those of the XML."""
        raise NotImplementedError

    def undefine(self, name: str) -> None:
        """Forget a domain's definition; its disks stay."""
        raise NotImplementedError

    def set_autostart(self, name: str, wanted: bool) -> None:
        raise NotImplementedError

    def snapshot_disks(self, name: str, overlays: typing.Mapping[str, str]) -> None:
        """From now on the disks of these targets stand still, and what is written goes to new files; all at one moment."""
        raise NotImplementedError

    def begin_commit(self, name: str, target: str) -> None:
        """Begin to write back into a disk what its overlay holds; returns at once."""
        raise NotImplementedError

    def job(self, name: str, target: str) -> typing.Optional[Job]:
        """The block job of a disk, if there is one."""
        raise NotImplementedError

    def pivot(self, name: str, target: str) -> None:
        """End a commit that is ready: the domain uses the disk itself again."""
        raise NotImplementedError

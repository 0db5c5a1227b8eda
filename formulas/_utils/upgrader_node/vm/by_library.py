"""libvirt by its Python library, where Salt's Python has it. The library comes in as a value: nothing here imports it."""

import contextlib
import typing
from xml.sax.saxutils import quoteattr

from upgrader_node.vm.hypervisor import STATES, Hypervisor, Job, LibvirtFailed, Standing

Library = typing.Any
NO_SUPPORT = 3  # VIR_ERR_NO_SUPPORT


class ByLibrary(Hypervisor):
    """One driver of libvirt, a connection for every question."""

    def __init__(self, uri: str, library: Library) -> None:
        self.uri = uri
        self._library = library
        # It prints every error to stderr by itself, also those that are expected.
        library.registerErrorHandler(lambda _, error: None, None)

    def names(self) -> typing.Tuple[str, ...]:
        with self._connected("list") as connection:
            return tuple(domain.name() for domain in connection.listAllDomains())

    def xml(self, name: str, running: bool = False, secrets: bool = False) -> str:
        flags = 0 if running else self._library.VIR_DOMAIN_XML_INACTIVE
        flags |= self._library.VIR_DOMAIN_XML_SECURE if secrets else 0
        with self._domain(name, "dumpxml") as domain:
            return str(domain.XMLDesc(flags))

    def standing(self, name: str) -> Standing:
        with self._domain(name, "dominfo") as domain:
            state = STATES[domain.state()[0]]
            return Standing(state, bool(domain.isPersistent()), bool(domain.autostart()), self._saved(domain))

    def _saved(self, domain: typing.Any) -> bool:
        try:
            return bool(domain.hasManagedSaveImage())
        except self._library.libvirtError as error:
            return self._unless_supported(error, False)

    def number(self, name: str) -> int:
        with self._domain(name, "domid") as domain:
            found = int(domain.ID())
        if found < 0:
            raise LibvirtFailed("{} does not run".format(name))
        return found

    def snapshots(self, name: str) -> typing.Tuple[str, ...]:
        with self._domain(name, "snapshot-list") as domain:
            try:
                return tuple(domain.snapshotListNames())
            except self._library.libvirtError as error:
                return self._unless_supported(error, ())

    @staticmethod
    def _unless_supported(error: typing.Any, otherwise: typing.Any) -> typing.Any:
        if error.get_error_code() == NO_SUPPORT:
            return otherwise
        raise error

    def start(self, name: str) -> None:
        with self._domain(name, "start") as domain:
            domain.create()

    def shutdown(self, name: str) -> None:
        with self._domain(name, "shutdown") as domain:
            domain.shutdown()

    def destroy(self, name: str) -> None:
        with self._domain(name, "destroy") as domain:
            domain.destroy()

    def define(self, xml: str) -> None:
        with self._connected("define") as connection:
            connection.defineXML(xml)

    def undefine(self, name: str) -> None:
        with self._domain(name, "undefine") as domain:
            domain.undefine()

    def set_autostart(self, name: str, wanted: bool) -> None:
        with self._domain(name, "autostart") as domain:
            domain.setAutostart(int(wanted))

    def snapshot_disks(self, name: str, overlays: typing.Mapping[str, str]) -> None:
        disk = "<disk name={} snapshot='external'><source file={}/></disk>"
        disks = "".join(disk.format(quoteattr(target), quoteattr(path)) for target, path in sorted(overlays.items()))
        names = ("DISK_ONLY", "ATOMIC", "NO_METADATA")
        flags = sum(getattr(self._library, "VIR_DOMAIN_SNAPSHOT_CREATE_" + one) for one in names)
        with self._domain(name, "snapshot-create") as domain:
            domain.snapshotCreateXML("<domainsnapshot><disks>{}</disks></domainsnapshot>".format(disks), flags)

    def begin_commit(self, name: str, target: str) -> None:
        with self._domain(name, "blockcommit") as domain:
            domain.blockCommit(target, None, None, 0, self._library.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)

    def job(self, name: str, target: str) -> typing.Optional[Job]:
        with self._domain(name, "blockjob") as domain:
            facts = domain.blockJobInfo(target)
            return Job(int(facts["cur"]), int(facts["end"])) if facts else None

    def pivot(self, name: str, target: str) -> None:
        with self._domain(name, "blockjob") as domain:
            domain.blockJobAbort(target, self._library.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)

    @contextlib.contextmanager
    def _domain(self, name: str, doing: str) -> typing.Iterator[typing.Any]:
        with self._connected(doing) as connection:
            yield connection.lookupByName(name)

    @contextlib.contextmanager
    def _connected(self, doing: str) -> typing.Iterator[typing.Any]:
        connection = None
        try:
            connection = self._library.open(self.uri)
            yield connection
        except self._library.libvirtError as error:
            raise LibvirtFailed("libvirt's {} failed: {}".format(doing, " ".join(str(error).split()))) from None
        finally:
            if connection is not None:
                connection.close()

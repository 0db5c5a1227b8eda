"""libvirt by its command: for nodes whose Salt cannot import its library. The words that are read are those of LANG=C."""

import re
import tempfile
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import commands
from upgrader_node.vm.hypervisor import Hypervisor, Job, LibvirtFailed, Standing

SECONDS = 60
# A libvirtd that was started a moment ago has not heard of its running containers' first processes yet (libvirt's lxc_driver.c).
NOT_YET = "Init pid is not yet available"
PATIENCE, PAUSE = 15.0, 0.2
NOT_OF_THIS_DRIVER = "not supported by the connection driver"


class ByVirsh(Hypervisor):
    """One driver of libvirt, a ``virsh`` for every question."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def names(self) -> typing.Tuple[str, ...]:
        return _lines(self._do("list", "--all", "--name"))

    def xml(self, name: str, running: bool = False, secrets: bool = False) -> str:
        more = ([] if running else ["--inactive"]) + (["--security-info"] if secrets else [])
        return self._of(name, "dumpxml", *more)

    def standing(self, name: str) -> Standing:
        pairs = (line.partition(":") for line in self._soon(name, "dominfo").splitlines())
        facts = {key.strip(): value.strip() for key, _, value in pairs}
        return Standing(
            facts.get("State", "no state"),
            facts.get("Persistent") == "yes",
            facts.get("Autostart") == "enable",
            facts.get("Managed save") == "yes",
        )

    def number(self, name: str) -> int:
        said = self._of(name, "domid").strip()
        if not said.isdigit():
            raise LibvirtFailed("{} does not run".format(name))
        return int(said)

    def snapshots(self, name: str) -> typing.Tuple[str, ...]:
        try:
            return _lines(self._of(name, "snapshot-list", "--name"))
        except LibvirtFailed as error:
            if NOT_OF_THIS_DRIVER in str(error):
                return ()
            raise

    def start(self, name: str) -> None:
        self._of(name, "start")

    def shutdown(self, name: str) -> None:
        self._of(name, "shutdown")

    def destroy(self, name: str) -> None:
        self._of(name, "destroy")

    def define(self, xml: str) -> None:
        # In memory and by nobody else to be read: a definition may hold passwords.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir="/dev/shm", suffix=".xml") as file:
            file.write(xml)
            file.flush()
            self._do("define", file.name)

    def undefine(self, name: str) -> None:
        self._of(name, "undefine")

    def set_autostart(self, name: str, wanted: bool) -> None:
        self._of(name, "autostart", *([] if wanted else ["--disable"]))

    def snapshot_disks(self, name: str, overlays: typing.Mapping[str, str]) -> None:
        specs = []  # type: typing.List[str]
        for target, path in sorted(overlays.items()):
            specs += ["--diskspec", "{},snapshot=external,file={}".format(target, path.replace(",", ",,"))]
        self._of(name, "snapshot-create-as", "--disk-only", "--atomic", "--no-metadata", *specs)

    def begin_commit(self, name: str, target: str) -> None:
        self._of(name, "blockcommit", target, "--active")

    def job(self, name: str, target: str) -> typing.Optional[Job]:
        said = self._of(name, "blockjob", target, "--info", "--raw")
        facts = dict(re.findall(r"^\s*(cur|end)=(\d+)", said, re.MULTILINE))
        return Job(int(facts["cur"]), int(facts["end"])) if len(facts) == 2 else None

    def pivot(self, name: str, target: str) -> None:
        self._of(name, "blockjob", target, "--pivot")

    def _soon(self, name: str, verb: str) -> str:
        """A question to which libvirtd may not know the answer yet; nothing is changed by asking again."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._of(name, verb)
            except LibvirtFailed as error:
                if NOT_YET not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE)

    def _of(self, name: str, verb: str, *words: str) -> str:
        """``--domain`` keeps a name that looks like an option, or like a domain's number, a name."""
        return self._do(verb, "--domain", name, *words)

    def _do(self, verb: str, *words: str) -> str:
        try:
            ran = commands.run(["virsh", "--quiet", "--connect", self.uri, verb, *words], SECONDS)
        except StepError as error:
            raise LibvirtFailed(str(error)) from None
        if ran.code != 0:
            raise LibvirtFailed("virsh {} ended with exit code {}: {}".format(verb, ran.code, ran.words))
        return ran.out


def _lines(text: str) -> typing.Tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())

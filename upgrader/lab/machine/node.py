"""One running node: started, entered and stopped by the identity of its processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from upgrader.errors import LabError
from upgrader.lab.image.recipe import SCRIPTS
from upgrader.lab.machine import cgroups, record
from upgrader.lab.machine.network import LabNetwork
from upgrader.lab.machine.process import Identity, boot_id, children, identify, is_init_of_a_namespace, wait_until
from upgrader.lab.topology import BRIDGE, NodePlan

PATH_INSIDE = "/usr/local/sbin:/usr/local/bin:/opt/salt/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 20
STOP_SECONDS = 6


class Node:
    """A node of a lab; `folder` holds its disk (an overlay's upper directory), its console and its pid."""

    def __init__(self, plan: NodePlan, folder: Path, cgroup: str) -> None:
        self.plan = plan
        self.folder = folder
        self.cgroup = cgroup

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def disk(self) -> Path:
        """What the node wrote, or what was put there for it before it started."""
        return self.folder / "upper"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def supervisor(self) -> Identity | None:
        """The nspawn process, or None when it does not run."""
        held = record.read(self.folder / "process.json")
        if held is None:
            return None
        identity = Identity(**held)
        return identity if identity.alive else None

    def _leader(self) -> int | None:
        supervisor = self.supervisor
        found = children(supervisor.pid) if supervisor else []
        return next((pid for pid in found if is_init_of_a_namespace(pid)), None)

    @property
    def running(self) -> bool:
        return self._leader() is not None

    @property
    def pid(self) -> int:
        """The node's init process, as the host numbers it."""
        leader = self._leader()
        if leader is None:
            raise LabError(
                f"Node {self.name} does not run; `upgrader lab up` starts it, its console is {self.console}."
            )
        return leader

    @property
    def root(self) -> Path:
        """The node's root file system as the host sees it, while the node runs."""
        return Path(f"/proc/{self.pid}/root")

    def create_disk(self) -> None:
        for part in (self.disk, self.folder / "work", self.folder / "root"):
            part.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.disk.chmod(0o755)

    @property
    def prepared(self) -> bool:
        """Its disk has everything it needs to start."""
        return (self.folder / "prepared").is_file()

    def mark_prepared(self) -> None:
        (self.folder / "prepared").touch()

    def start(self, lower: str, network: LabNetwork, options: Sequence[str] = ()) -> None:
        """Starts the node and returns when its init runs; services come up by themselves afterwards."""
        self._trust_disk()
        machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.plan.minion_id}.{self.cgroup}").hex
        command = [
            *("nsenter", f"--net={network.path}", "unshare", "--mount", "--propagation", "private"),
            *("/bin/sh", str(SCRIPTS / "node.sh"), self.name, str(self.folder), lower, self.cgroup, BRIDGE, machine_id),
            *options,
            # nspawn boots systemd as long as its program is on the disk: another init is started by its name.
            "/sbin/init" if self.plan.sysvinit else "--boot",
        ]
        with self.console.open("ab") as console:
            started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={**_host_env(), **self._places()},
            )
        identity = identify(started.pid)
        if identity is None:
            raise LabError(f"Node {self.name} did not start: {self.last_console_lines()}")
        record.write(self.folder / "process.json", asdict(identity))
        wait_until(
            lambda: self.running or started.poll() is not None,
            START_SECONDS,
            f"the init process of node {self.name}",
            self.last_console_lines,
        )
        if started.poll() is not None:
            raise LabError(f"Node {self.name} ended while it started: {self.last_console_lines()}")

    def _places(self) -> dict[str, str]:
        """A hypervisor has its place in every hierarchy: libvirt makes its containers' below it, and nowhere else."""
        places = cgroups.make_places(self.cgroup) if self.plan.hypervisor else []
        return {"PLACES": " ".join(str(path) for path in places)}

    def _trust_disk(self) -> None:
        """An overlay that was never synced is whole as long as the machine did not reboot, and only then."""
        marker = self.folder / "work" / "work" / "incompat" / "volatile"
        booted = self.folder / "boot"
        if marker.exists():
            if booted.read_text(encoding="ascii") != boot_id():
                raise LabError(
                    f"The machine was rebooted while the lab ran, so the disk of node {self.name} may be torn; "
                    "`upgrader lab reset` starts afresh."
                )
            shutil.rmtree(marker)
        booted.write_text(boot_id(), encoding="ascii")

    def last_console_lines(self, count: int = 5) -> str:
        if not self.console.is_file():
            return "the console is empty"
        lines = self.console.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-count:] if line.strip()) or "the console is empty"

    def command(self, words: Sequence[str]) -> list[str]:
        """What enters the node and runs these words there, with signals as a fresh process has them."""
        return [
            *("nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root"),
            *("env", "--chdir=/root", "--default-signal", *words),
        ]

    def run(
        self,
        words: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the node and returns its output; with `check`, a failure is an error that shows it."""
        source = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            self.command(words),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=node_environment(),
            check=False,
            **source,
        )
        if check and done.returncode != 0:
            raise LabError(
                f"On node {self.name} `{words[0]}` ended with exit code {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-2000:]}"
            )
        return done

    def end(self) -> None:
        """Ends the node as pulling the plug does, and returns at once; `nspawn` then takes its interface away.

        Its disk is about to be discarded, so an orderly shutdown would save nothing, and it takes Salt five seconds.
        """
        leader = self._leader()
        if leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)

    def wait_stopped(self, seconds: float = STOP_SECONDS) -> None:
        """Waits for the node to end and kills it when it does not; its mounts end with it."""
        supervisor = self.supervisor
        if supervisor is None:
            return
        try:
            wait_until(lambda: not supervisor.alive, seconds, f"node {self.name} to stop")
        except LabError:
            supervisor.signal(signal.SIGKILL)
            wait_until(lambda: not supervisor.alive, seconds, f"node {self.name} to die", self.last_console_lines)


def node_environment() -> dict[str, str]:
    """A clean environment: nothing of the host's, no secret among it, reaches a node."""
    kept: Mapping[str, str] = {name: os.environ[name] for name in ("TERM", "COLUMNS", "LINES") if name in os.environ}
    return {"HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C.UTF-8", "PATH": PATH_INSIDE, **kept}


def _host_env() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

"""The lab as a whole: what `upgrader lab up`, `down`, `status` and `reset` do, and what tests hold in their hands."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from upgrader.errors import LabError, LabRefused
from upgrader.lab import answering, preflight, startup
from upgrader.lab.contents import databases, galera
from upgrader.lab.contents.dumps import Dump, dump_names, find_dumps
from upgrader.lab.contents.passwords import Passwords, load_or_make
from upgrader.lab.contents.shipped import Model
from upgrader.lab.control import machines, model
from upgrader.lab.control.domain import Domain
from upgrader.lab.home.model import lay_over
from upgrader.lab.image.disks import BaseImage
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.recipe import Layer, chain, lab_recipes, up_to_all
from upgrader.lab.machine import cgroups, record
from upgrader.lab.machine.network import LabNetwork
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator
from upgrader.lab.options import Options, wording
from upgrader.lab.topology import BUILTIN, NodePlan, Topology

STATE_ROOT = Path("/var/lib/upgrader-lab")
CACHE = Path("/var/cache/upgrader-lab")


class Lab:
    """One lab by name. Every method may be called in any state the one before left, a crash included."""

    def __init__(
        self,
        name: str = "lab",
        state_root: Path | None = None,
        cache: Path | None = None,
        narrator: Narrator | None = None,
    ) -> None:
        if not name.isalnum() or len(name) > 12:
            raise LabRefused(f"A lab's name is 1 to 12 letters and digits, not {name!r}; choose another with --name.")
        self.name = name
        self.state_root = state_root or Path(os.environ.get("UPGRADER_LAB_STATE") or STATE_ROOT)
        self.folder = self.state_root / name
        self.images = ImageCache(cache or Path(os.environ.get("UPGRADER_LAB_CACHE") or CACHE))
        self.narrator = narrator or Narrator(quiet=True)
        self.network = LabNetwork(f"upgrader-{name}")
        self.cgroup = f"upgrader-lab/{name}"

    @property
    def options(self) -> Options | None:
        """What the lab was started with, or None when there is none."""
        try:
            held = record.read(self.folder / "lab.json")
        except PermissionError:
            raise LabRefused(f"Only root may look into the lab {self.name}; run the command with sudo.") from None
        return None if held is None else Options(**held)

    @property
    def topology(self) -> Topology:
        options = self.options
        if options is None:
            raise LabRefused(f"There is no lab named {self.name}; `upgrader lab up` starts one.")
        return options.nodes_of

    def nodes(self) -> list[Node]:
        return [self._node(plan) for plan in self.topology.nodes]

    def node(self, name: str) -> Node:
        """A node by its name or its minion id."""
        plans = self.topology.nodes
        for plan in plans:
            if name in (plan.name, plan.minion_id):
                return self._node(plan)
        known = ", ".join(plan.name for plan in plans)
        raise LabRefused(f"The lab {self.name} has no node {name}; it has {known}.")

    def _node(self, plan: NodePlan) -> Node:
        folder = self.folder / "nodes" / plan.name
        if plan.on:
            return Domain(plan, folder, self.node(plan.on))
        return Node(plan, folder, f"{self.cgroup}/{plan.name}")

    def status(self) -> dict[str, Any]:
        """The documented, versioned answer of `lab status`."""
        options = self.options
        nodes = [_describe(node) for node in self.nodes()] if options else []
        running = sum(1 for node in nodes if node["running"])
        whole = bool(options and options.loaded and running == len(nodes))
        return {
            "schema": 1,
            "name": self.name,
            "state": "down" if options is None else ("up" if whole else "partial"),
            "namespace": self.network.namespace if self.network.exists() else None,
            "topology": options.topology if options else None,
            "profile": options.profile if options else None,
            "instances": options.instances if options and not options.dumps else None,
            "dumps": (options.dumps or None) if options else None,
            "model": (options.model or None) if options else None,
            "folder": str(self.folder),
            "nodes": nodes,
        }

    def up(
        self,
        *,
        instances: int | None = None,
        dumps: str | Path | None = None,
        topology: str | None = None,
        profile: str | None = None,
        model: str | Path | None = None,
        master: str | None = None,
        mirror: str = "",
    ) -> dict[str, Any]:
        """Starts the lab, or what of a started one does not run. What is not named is as the lab has it, else the
        default; naming something else than the lab has is refused, for its databases would have to go."""
        asked = {
            "instances": instances,
            "dumps": str(Path(dumps).resolve()) if dumps else None,
            "topology": topology,
            "profile": profile,
            "model": str(Path(model).resolve()) if model else None,
            "master": master,
        }
        asked = {name: value for name, value in asked.items() if value is not None}
        with self._alone("up"):
            there = self.options
            wanted = replace(there or Options(), **asked)  # type: ignore[arg-type]
            if there is not None and wanted != there:
                raise LabRefused(
                    f"The lab {self.name} runs with {wording(there)}, not with {wording(wanted)}; "
                    "`upgrader lab down` discards it first."
                )
            found = find_dumps(Path(wanted.dumps)) if wanted.dumps and not wanted.loaded else ()
            self._start(wanted, found, mirror)
        return self.status()

    def down(self) -> bool:
        """Stops the lab and discards its disks; False when there was nothing to stop."""
        with self._alone("down"):
            return self._stop()

    def reset(self, mirror: str = "") -> dict[str, Any]:
        """Back to the start: the same lab with fresh disks."""
        options = self.options
        if options is None:
            raise LabRefused(f"There is no lab named {self.name} to reset; `upgrader lab up` starts one.")
        self.down()
        return self.up(
            instances=options.instances,
            dumps=options.dumps or None,
            topology=options.topology,
            profile=options.profile,
            model=options.model or None,
            master=options.master or None,
            mirror=mirror,
        )

    def build(self, mirror: str = "", prune: bool = False) -> dict[str, list[str]]:
        """Builds every image layer that is not in the cache, and starts nothing; says what it built and removed."""
        layers = chain(lab_recipes())
        if prune and (cgroups.processes("upgrader-lab") or any(self.state_root.glob("*/lab.json"))):
            raise LabRefused("A lab stands on images that might go; take every lab down before `lab build --prune`.")
        built = startup.provide_images(self.images, layers, mirror, self.state_root, self.narrator)
        return {
            "built": built,
            "removed": [*self.images.prune(layers), *machines.prune(layers, self.images)] if prune else [],
        }

    @contextlib.contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        """Two commands on one lab would undo each other."""
        if os.geteuid() != 0:
            raise LabRefused(f"The lab needs root for its namespaces and mounts; run `sudo upgrader lab {doing}`.")
        self.state_root.mkdir(parents=True, exist_ok=True)
        with (self.state_root / f"{self.name}.lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise LabError(f"The lab {self.name} is busy: {lock.read().strip()}; wait for it to end.") from None
            lock.truncate(0)
            lock.write(f"`upgrader lab {doing}` runs as pid {os.getpid()}")
            lock.flush()
            yield

    def _start(self, wanted: Options, dumps: Sequence[Dump], mirror: str) -> None:
        if self.options is None and any(self.folder.glob("nodes/*")):
            raise LabRefused(
                f"The lab {self.name} has disks in {self.folder} and no record of what they are; "
                "`upgrader lab down` discards them."
            )
        topology = wanted.nodes_of
        if wanted.model and topology.master is None:
            raise LabRefused(f"--model: topology {topology.name} has no Salt master to render it; take topology nova.")
        if wanted.model and topology.machines:
            raise LabRefused(f"--model: topology {topology.name} takes the lab's own model only; take topology nova.")
        layers = up_to_all(chain(lab_recipes()), topology.layers)
        fresh = preflight.NODE_MEGABYTES + topology.megabytes + sum(dump.megabytes for dump in dumps)
        room = fresh if self.options is None else 0
        startup.provide_images(self.images, layers, mirror, self.state_root, self.narrator, room)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._record(wanted)
        try:
            self._bring_up(wanted, topology, layers, dumps)
        except LabRefused:
            # What was refused shall not stay behind half loaded; a lab that was whole before keeps what it has.
            if not wanted.loaded:
                self._stop()
            raise
        self._record(replace(wanted, loaded=True))

    def _bring_up(self, wanted: Options, topology: Topology, layers: Sequence[Layer], dumps: Sequence[Dump]) -> None:
        nodes = {node.name: node for node in self.nodes()}
        passwords = load_or_make(self.folder / "passwords.json", plain=wanted.profile != BUILTIN)
        base = machines.provide_base(topology, layers, self.images, self.narrator)
        startup.prepare_disks(topology, nodes, passwords, layers, self.images, self.narrator)
        if topology.master is not None:
            self._refresh(wanted, topology, nodes[topology.master.name], passwords, base)
        started = startup.start_nodes(list(nodes.values()), layers, self.images, self.network, self.narrator, base)
        database = nodes[topology.database.name]
        with ThreadPoolExecutor(1) as beside:
            salt = beside.submit(self._wait, topology, nodes, started)
            if topology.cluster:
                galera.form([nodes[plan.name] for plan in topology.cluster], self.narrator)
            if wanted.loaded:
                databases.wait_for_server(database)
            elif topology.master is None:
                startup.open_server(database, passwords)
            else:
                startup.load_databases(database, layers, self.images, passwords, self.narrator, wanted.instances, dumps)
            salt.result()

    def _wait(self, topology: Topology, nodes: Mapping[str, Node], started: Sequence[str]) -> None:
        machines.wait_for_machines(nodes, started, self.narrator)
        answering.wait_for_salt(topology, nodes, self.narrator)

    def _refresh(
        self, wanted: Options, topology: Topology, master: Node, passwords: Passwords, base: BaseImage | None
    ) -> None:
        """Which keys of an operator's model say something else here stands in a file of the lab's folder."""
        lay = None
        if wanted.model:
            dumped = dump_names(Path(wanted.dumps)) if wanted.dumps else ()
            lay = partial(lay_over, Path(wanted.model), topology, wanted.master, dumped)
        made = Model(tuple(model.folders(topology)), model.files(topology, base))
        laid = startup.refresh(master, passwords, self.narrator, bool(topology.site_minions), lay, made)
        if laid:
            listing = self.folder / "replaced.txt"
            listing.write_text(laid.listing(), encoding="utf-8")
            self.narrator.say(f"  every replaced key is in {listing}")

    def _stop(self) -> bool:
        """Works from what is there, not from what was written down: after a crash the two may differ."""
        something = self.folder.exists() or self.network.exists() or bool(cgroups.processes(self.cgroup))
        if something:
            with self.narrator.doing(f"Stopping the lab {self.name} and discarding its disks"):
                nodes = self.nodes() if self.options else []
                for node in nodes:
                    node.end()
                for node in nodes:
                    node.wait_stopped()
                cgroups.kill_all(self.cgroup)
                self.network.remove()
                if self.folder.exists():
                    shutil.rmtree(self.folder)
        cgroups.remove(self.cgroup)
        return something

    def _record(self, options: Options) -> None:
        record.write(self.folder / "lab.json", asdict(options))


def _describe(node: Node) -> dict[str, Any]:
    running = node.running
    return {
        "name": node.name,
        "minion_id": node.plan.minion_id,
        "address": node.plan.address,
        "running": running,
        "pid": node.pid if running else None,
        "console": str(node.console),
    }

"""What a lab was started with."""

from __future__ import annotations

from dataclasses import dataclass

from upgrader.lab.topology import BUILTIN, TOPOLOGIES, Topology, in_profile

INSTANCES = 1000


@dataclass(frozen=True)
class Options:
    """What a lab was started with; `reset` starts it with the same again. Labs of before profiles are builtin."""

    topology: str = "nova"
    instances: int = INSTANCES
    dumps: str = ""
    loaded: bool = False
    profile: str = BUILTIN
    model: str = ""
    master: str = ""

    @property
    def nodes_of(self) -> Topology:
        return in_profile(TOPOLOGIES[self.topology], self.profile)


def wording(options: Options) -> str:
    rows = f"the dumps of {options.dumps}" if options.dumps else f"{options.instances} instances"
    model = f", the model of {options.model}" if options.model else ""
    return f"topology {options.topology}, profile {options.profile}{model} and {rows}"

"""The cloud that the rows describe: who owns it, on which hosts it runs, in which flavors and images.

Everything here is a function of (instances, seed), so two runs give the same bytes: dates count back from one fixed day
and every uuid is drawn from a generator seeded with what it belongs to.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

TODAY = datetime(2017, 3, 1, 12, 0, 0)
LIVE, DELETED, ERROR = "live", "deleted", "error"
BOOTED_ON_MITAKA = 0.25
CONTROLLERS = ("ctl01", "ctl02", "ctl03")
VFS_PER_HOST = 8
MEMBER_EVERY, MEMBERS_PER_GROUP = 40, 3
SRIOV_EVERY = 97
STACK_EVERY = 5


@dataclass(frozen=True)
class Flavor:
    id: int
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int = 0
    swap: int = 0
    public: bool = True
    deleted: bool = False
    extra_specs: dict[str, str] = field(default_factory=dict)

    @property
    def flavorid(self) -> str:
        return str(self.id) if self.name.startswith("m1.") else f"{self.id:08x}-5f1a-4c0e-9d3b-0123456789ab"


FLAVORS = (
    Flavor(1, "m1.tiny", 1, 512, 1),
    Flavor(2, "m1.small", 1, 2048, 20),
    Flavor(3, "m1.medium", 2, 4096, 40),
    Flavor(4, "m1.large", 4, 8192, 80),
    Flavor(5, "m1.xlarge", 8, 16384, 160, ephemeral_gb=20, swap=1024),
    Flavor(6, "c1.numa", 4, 8192, 40, extra_specs={"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2"}),
    Flavor(7, "n1.sriov", 2, 4096, 20, extra_specs={"pci_passthrough:alias": "niantic:1"}),
    Flavor(8, "p1.gold", 4, 16384, 100, public=False, extra_specs={"aggregate_instance_extra_specs:ssd": "true"}),
    Flavor(9, "old.small", 1, 1024, 10, deleted=True),
)
PLAIN, NUMA, SRIOV, PRIVATE = FLAVORS[:5], FLAVORS[5], FLAVORS[6], FLAVORS[7]
PRIVATE_PROJECTS = 2


@dataclass(frozen=True)
class Image:
    id: str
    name: str
    min_disk: int
    min_ram: int
    properties: dict[str, str]


def generator(*parts: object) -> random.Random:
    """A random generator of its own for one thing, so that adding another thing changes nobody else's numbers."""
    return random.Random("/".join(str(part) for part in parts))


def uuid4(rng: random.Random) -> str:
    bits = (rng.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62)) | (4 << 76) | (2 << 62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def dated(made: datetime, gone: datetime | None = None) -> dict[str, Any]:
    """The columns that say when a row was made and whether it is soft-deleted, as glance and cinder have them."""
    return {"created_at": made, "updated_at": made, "deleted_at": gone, "deleted": int(gone is not None)}


def hex_id(*parts: object) -> str:
    """An id as keystone makes them: a uuid without dashes."""
    return f"{generator(*parts).getrandbits(128):032x}"


@lru_cache(maxsize=256)
def _users(seed: int, project: str) -> tuple[str, str]:
    rng = generator(seed, "users", project)
    return f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(128):032x}"


@dataclass(frozen=True)
class Shape:
    """Names and counts of one generated cloud."""

    instances: int
    seed: int

    @property
    def hosts(self) -> int:
        return min(400, max(4, self.instances // 50))

    @property
    def sriov_hosts(self) -> int:
        return max(1, self.hosts // 10)

    @property
    def groups(self) -> int:
        return max(1, -(-self.instances // (MEMBER_EVERY * MEMBERS_PER_GROUP)))

    @cached_property
    def projects(self) -> tuple[str, ...]:
        count = max(3, min(40, self.instances // 25))
        return tuple(f"{generator(self.seed, 'project', n).getrandbits(128):032x}" for n in range(count))

    def users(self, project: str) -> tuple[str, str]:
        return _users(self.seed, project)

    @cached_property
    def images(self) -> tuple[Image, ...]:
        rng = generator(self.seed, "images")
        bus = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
        return (
            Image(uuid4(rng), "ubuntu-14.04", 10, 512, {}),
            Image(uuid4(rng), "ubuntu-16.04", 10, 512, bus),
            Image(uuid4(rng), "centos-7", 8, 1024, {**bus, "hw_qemu_guest_agent": "yes"}),
        )

    @staticmethod
    def host(number: int) -> str:
        """Compute hosts are numbered from 1, as they are named."""
        return f"cmp{number:03d}"

    @staticmethod
    def zone(number: int) -> str:
        return "az1" if number % 2 else "az2"

    def identity(self, number: int) -> tuple[str, str]:
        """uuid and state of instance ``number`` (from 0): about 87 % live, 10 % deleted, 3 % in error without a host."""
        rng = generator(self.seed, "instance", number)
        uuid, draw = uuid4(rng), rng.random()
        return uuid, DELETED if draw < 0.10 else ERROR if draw < 0.13 else LIVE

    @cached_property
    def accounts(self) -> tuple[tuple[str, str], ...]:
        """(project, user) of every tenant's user."""
        return tuple((project, user) for project in self.projects for user in self.users(project))

    @cached_property
    def user_names(self) -> dict[str, str]:
        """What keystone calls the tenants' users, by id."""
        return {user: f"user-{number:03d}" for number, (_, user) in enumerate(self.accounts, 1)}

    @cached_property
    def tenant_names(self) -> dict[str, str]:
        """What keystone calls the projects, by id."""
        return {project: f"tenant-{number:02d}" for number, project in enumerate(self.projects, 1)}

    def network(self, project: str) -> str:
        """The one network that the instances of a project are in."""
        return uuid4(generator(self.seed, "network", project))

    def has_stack(self, number: int) -> bool:
        """Whether instance ``number`` was made by a stack of heat's."""
        return number % STACK_EVERY == 2 and self.identity(number)[1] == LIVE

    def stack_project(self, number: int) -> str:
        """The project of the users that heat made for the stack of instance ``number``."""
        return hex_id(self.seed, "stack project", number)

    def created(self, number: int) -> datetime:
        """Instances are spread over two years, oldest first, in whole seconds (several may share one, as in real tables)."""
        span = 730 * 86400
        return TODAY - timedelta(seconds=span - span * number // max(1, self.instances) + 3600)

    def group_of(self, number: int) -> int | None:
        """The server group (from 0) of instance ``number``; only live instances are members."""
        if number % MEMBER_EVERY != 7 % MEMBER_EVERY or self.identity(number)[1] != LIVE:
            return None
        return number // (MEMBER_EVERY * MEMBERS_PER_GROUP)

    def group_uuid(self, group: int) -> str:
        return uuid4(generator(self.seed, "group", group))

    def group_members(self, group: int, before: int) -> list[str]:
        """uuids of the members that joined the group before instance ``before``."""
        first = group * MEMBER_EVERY * MEMBERS_PER_GROUP
        return [self.identity(number)[0] for number in range(first, before) if self.group_of(number) == group]

    def vf_of(self, number: int) -> tuple[int, int] | None:
        """(host number, VF number) when instance ``number`` is one that asked for SR-IOV and found a free VF."""
        order = number // SRIOV_EVERY
        if number % SRIOV_EVERY != 11 or order >= self.sriov_hosts * VFS_PER_HOST:
            return None
        return order // VFS_PER_HOST + 1, order % VFS_PER_HOST

    def has_request_spec(self, number: int) -> bool:
        """Mitaka wrote specs only for what it booted itself: the newest quarter. Members of server groups have one too,
        because without it Ocata's migration cannot pass (nova bug 1830747), and that trap is planted on purpose only."""
        return number >= self.instances * (1 - BOOTED_ON_MITAKA) or self.group_of(number) is not None

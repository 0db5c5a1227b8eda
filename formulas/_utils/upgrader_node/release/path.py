"""The release path: which services go through which phases, to which versions. Data of ``formulas/upgrader/releases/*.yaml``.

The same form on both sides: the command makes plans of it, minions do the phases. ``release.reading`` makes it of the file.
"""

import typing

from upgrader_node.database import sql


class Phase(typing.NamedTuple):
    """One phase of a service.

    ``work`` is the code's name for what is done, with ``args`` (versions, names) for it. ``after`` are the phases that must
    be done before; None stands for all earlier ones. With ``option`` it is done only when the operator asks for it, and then
    the preflight's findings in ``repairs`` stop nothing. ``progress`` is what ``upgrader_progress`` counts meanwhile.
    ``absent`` says why the tool of the target release may be without the phase's command; such a tool's phase is passed over.
    """

    id: str
    title: str
    minutes: int
    work: str
    args: typing.Mapping[str, typing.Any] = {}
    after: typing.Optional[typing.Tuple[str, ...]] = None
    option: str = ""
    repairs: typing.Tuple[str, ...] = ()
    progress: str = ""
    absent: str = ""


class Database(typing.NamedTuple):
    """One of a service's databases: ``suffix`` after the name in pillar, ``section`` of the configuration file that names
    it ("" for one that is beside the first), the version to start from (None: the upgrade makes it) and to end at."""

    suffix: str = ""
    section: str = ""
    source: typing.Optional[sql.Wanted] = None
    target: typing.Optional[int] = None


class Rule(typing.NamedTuple):
    """What an upgrade may rightly do to the rows of one table; without a rule they are as many as they were.

    ``now`` is the table that has them afterwards. ``gone``: the table may be dropped. ``made_of``: it has as many rows as
    the source has in that table. ``fewer``: some may be lost. ``added``: at most as many are added as the source has in
    those tables. ``more``: any number may be added.
    """

    now: str = ""
    gone: bool = False
    made_of: str = ""
    fewer: bool = False
    added: typing.Tuple[str, ...] = ()
    more: bool = False


class Units(typing.NamedTuple):
    """A service's system units on a controller by what they are to the cloud; see ``UNIT_KINDS``."""

    apis: typing.Tuple[str, ...] = ()
    workers: typing.Tuple[str, ...] = ()
    identity: typing.Tuple[str, ...] = ()


UNIT_KINDS = Units._fields
"""The order in which a cloud's services are stopped, whichever service they are of: what users reach, then what works on what
they asked for, and last the one that all of these ask. Within one kind and service: as the release path names them."""


class ServicePath(typing.NamedTuple):
    """One service's way.

    ``least`` is what the installed tool's migrations must reach, by repository; ``code`` how the
    installed release's version begins, where other code must not touch the databases; ``packages`` the pins. ``role`` is
    the pillar role of its server; a service that this version knows need not say it. ``units`` are its system units on
    controllers at the releases' names (``source``, ``target``); a node need not have all of them. ``compute`` is the service
    version that a compute of the target release writes down (0: it has none).
    """

    name: str
    source: str
    target: str
    role: str
    databases: typing.Mapping[str, Database]
    phases: typing.Tuple[Phase, ...]
    least: typing.Mapping[str, int] = {}
    code: str = ""
    packages: typing.Mapping[str, str] = {}
    tables: typing.Mapping[str, Rule] = {}
    units: typing.Mapping[str, Units] = {}
    compute: int = 0

    @property
    def source_version(self) -> typing.Optional[sql.Wanted]:
        """Where the service's first database must be before anything starts."""
        return self.databases["main"].source

    def phase(self, identity: str) -> Phase:
        """One phase; KeyError with a sentence that names what there is."""
        for phase in self.phases:
            if phase.id == identity:
                return phase
        known = ", ".join(phase.id for phase in self.phases)
        raise KeyError("{0} has no phase {1!r}; known: {2}".format(self.name, identity, known))

    def before(self, phase: Phase) -> typing.Tuple[Phase, ...]:
        """The phases that must be done before this one may begin; those that nobody need ask for are none of them."""
        if phase.after is not None:
            return tuple(self.phase(identity) for identity in phase.after)
        return tuple(each for each in self.phases[: self.phases.index(phase)] if not each.option)


class NodePackages(typing.NamedTuple):
    """Debian packages of nodes that carry workloads, as patterns: those that are upgraded with what they depend on, and groups that
    are left alone unless an operator includes them."""

    ours: typing.Tuple[str, ...] = ()
    apart: typing.Mapping[str, typing.Tuple[str, ...]] = {}


class ReleasePath(typing.NamedTuple):
    """From one release to another, through the releases whose schemas are passed on the way; services in their order."""

    source: str
    target: str
    through: typing.Tuple[str, ...]
    services: typing.Mapping[str, ServicePath]
    nodes: NodePackages = NodePackages()

    @property
    def name(self) -> str:
        return name(self.source, self.target)

    def service(self, service: str) -> ServicePath:
        """One service's way; KeyError with a sentence that names what there is."""
        try:
            return self.services[service]
        except KeyError:
            known = ", ".join(sorted(self.services))
            raise KeyError("there is no service {0!r} from {1}; known: {2}".format(service, self.name, known)) from None

    def units(
        self, services: typing.Sequence[str], end: str = "source", kinds: typing.Sequence[str] = UNIT_KINDS
    ) -> typing.Tuple[typing.Tuple[str, str], ...]:
        """(service, unit) of these services at one ``end`` of the path, in the order in which they are stopped."""
        ways = [self.service(name) for name in self.services if name in services]
        return tuple(
            (way.name, unit)
            for kind in UNIT_KINDS
            if kind in kinds
            for way in ways
            for unit in getattr(way.units.get(end, Units()), kind)
        )


def name(source: str, target: str) -> str:
    """What a path is called, and its file: ``mitaka-ocata``."""
    return "{0}-{1}".format(source, target)

"""What Mitaka to Ocata means for keystone, glance, cinder, neutron and heat: pure data, for plans and for minions.

Each service is taken through its phases in order; nova has ten steps of its own (``upgrader.plan.nova``). The versions
were read in the release tags (mitaka-eol, newton-eol, ocata-eol) and by running the tools (facts/openstack.md 2 and 3).

Ocata's keystone, glance and heat can be had from distributions' archives alone. Where a later release's tool is installed
(Pike's keystone 12 and glance 15, Rocky's heat 11 in the lab), its own last version is the target, because it cannot be
assumed that it serves an older schema; what is past the target is left alone.
"""

import typing

import upgrader_database


class Phase(typing.NamedTuple):
    """One phase: its id, what an operator reads, and how many minutes it may take."""

    id: str
    title: str
    minutes: int


PHASES: typing.Mapping[str, typing.Tuple[Phase, ...]] = {
    "keystone": (
        Phase("credential-keys", "keystone: make the keys of credentials and tokens", 5),
        Phase("expand", "keystone: expand the schema", 60),
        Phase("migrate", "keystone: migrate rows and encrypt credentials", 60),
        Phase("contract", "keystone: contract the schema", 60),
        Phase("credentials", "keystone: every credential under the newest key", 60),
        Phase("tokens", "keystone: forget tokens that have expired", 120),
    ),
    "glance": (
        Phase("schema", "glance: schema to Ocata, images get a visibility", 120),
        Phase("metadefs", "glance: load metadata definitions", 10),
    ),
    "cinder": (
        Phase("newton", "cinder: schema to Newton (79)", 120),
        Phase("ocata", "cinder: schema to Ocata (96)", 120),
        Phase("online", "cinder: online data migrations until nothing is left", 120),
        Phase("services", "cinder: remove the services that Mitaka left", 30),
    ),
    "neutron": (
        Phase("expand", "neutron: expand the schema", 120),
        Phase("contract", "neutron: contract the schema", 120),
        Phase("offline-check", "neutron: no migration is left that needs stopped servers", 10),
    ),
    "heat": (
        Phase("ocata", "heat: schema to Ocata (79)", 120),
        Phase("head", "heat: schema to the last version of the installed heat", 60),
        Phase("properties", "heat: resource properties to a table of their own", 360),
        Phase("engines", "heat: remove engines that are gone", 10),
    ),
}

# What a source must be at: sqlalchemy-migrate's version (of its one repository, or by repository), or alembic's revision.
SOURCE: typing.Mapping[str, upgrader_database.Wanted] = {
    "keystone": {"keystone": 97},
    "glance": 44,
    "cinder": 72,
    "neutron": "4ffceebfcdc",
    "heat": 71,
}

KEYSTONE_LEGACY, KEYSTONE_OCATA = 109, 16
CINDER_NEWTON, CINDER_OCATA = 79, 96
HEAT_OCATA = 79
# RPC major versions with which Ocata's own services register; rows below them are of services that are gone.
CINDER_RPC: typing.Mapping[str, int] = {"cinder-scheduler": 3, "cinder-volume": 3, "cinder-backup": 2}


def phase(service: str, identity: str) -> Phase:
    """The phase of a service. Raises KeyError with a sentence that names what there is."""
    if service not in PHASES:
        raise KeyError("there is no service {0!r} here; known: {1}".format(service, ", ".join(sorted(PHASES))))
    for found in PHASES[service]:
        if found.id == identity:
            return found
    known = ", ".join(found.id for found in PHASES[service])
    raise KeyError("{0} has no phase {1!r}; known: {2}".format(service, identity, known))

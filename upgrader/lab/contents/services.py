"""The services whose databases a lab holds: what each database is at in Mitaka, and the image layer that made its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One service, which is also the name of its account on the database server."""

    name: str
    databases: Mapping[str, str]
    layer: str = "services"
    version_column: str = "migrate_version.version"


# What Mitaka's code leaves behind in the version tables; made and read back when the images are built.
SERVICES = (
    Service("keystone", {"keystone": "97"}),
    Service("glance", {"glance": "44"}),
    Service("nova", {"nova": "319", "nova_api": "7"}, layer="ocata"),
    Service("cinder", {"cinder": "72"}),
    # One row: the contract branch's, which depends on the expand branch's head.
    Service("neutron", {"neutron": "4ffceebfcdc"}, version_column="alembic_version.version_num"),
    Service("heat", {"heat": "71"}),
)
SERVICE_OF = {database: service for service in SERVICES for database in service.databases}

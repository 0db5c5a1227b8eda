"""Keystone at 97: projects that are domains, sha512_crypt passwords, credentials in plain text, a catalogue of v2 and v3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.shape import TODAY, Shape, generator, hex_id, uuid4

ADDRESS = "10.20.0.9"
REGION = "RegionOne"
ROOT = "<<keystone.domain.root>>"
DEFAULT = "default"
# Opens nothing but a generated cloud. Digests as passlib's sha512_crypt made them for Mitaka, each with a salt of its own.
PASSWORD = "mitaka-lab"
DIGESTS = (
    "2Y5zIu0cp2c3c.qdz0S2xBQF1w1IAHdFX89I7q80fl/CwTSX52UEQ/W5.tC1bEwAojQYgZHq0YHRKsgdCp2Bp0",
    "nUpeXPEpRI5xl9zTjR8CWEfiGV1kV8HumqTBdpsvsa6i55MYXJQ83cOJmQL4wGreoRHDS0hoI/.3Sma/p4L.Z1",
    "3iLA77U4uypnMRlGXP63yHFm9D9QBWxZzrmIasSZZka6Zh0sjXLDo0AAwZT68ZjtCRGvLKijDEoyd/aEo.GFA1",
    "8tTrabt5bbo.CN8HmNmPg3QCtEvjvVUBmJPLbmFzFFTAbxial8aE2LLfWP9LrmvriU3toz8MUoH3CpOkv/LKm.",
)
SERVICE_USERS = ("admin", "glance", "nova", "cinder", "neutron", "heat", "heat_domain_admin")
ROLES = ("admin", "_member_", "Member", "service", "heat_stack_owner", "heat_stack_user", "ResellerAdmin")
# type, name, port and path; None: no admin URL of its own. Cinder's v1 and nova's old v2 are still there in Mitaka.
CATALOGUE = (
    ("identity", "keystone", "5000/v3", "35357/v3"),
    ("image", "glance", "9292", None),
    ("compute", "nova", "8774/v2.1/%(tenant_id)s", None),
    ("compute_legacy", "nova_legacy", "8774/v2/%(tenant_id)s", None),
    ("volume", "cinder", "8776/v1/%(tenant_id)s", None),
    ("volumev2", "cinderv2", "8776/v2/%(tenant_id)s", None),
    ("network", "neutron", "9696", None),
    ("orchestration", "heat", "8004/v1/%(tenant_id)s", None),
    ("cloudformation", "heat-cfn", "8000/v1", None),
)
# Made through keystone's v2 API, which tied three endpoints together by one legacy id and knew no region but by name.
MADE_WITH_V2 = ("volume", "network", "cloudformation")


def project_id(shape: Shape, name: str) -> str:
    """``admin``, ``service`` and the domains other than the default one."""
    return hex_id(shape.seed, "keystone project", name)


def user_id(shape: Shape, name: str) -> str:
    """The users of services and the administrator."""
    return hex_id(shape.seed, "keystone user", name)


def role_id(shape: Shape, name: str) -> str:
    return hex_id(shape.seed, "keystone role", name)


def digest(number: int) -> str:
    which = number % len(DIGESTS)
    return f"$6$rounds=10000$MitakaSalt{which:06d}${DIGESTS[which]}"


def fixed(shape: Shape) -> Tables:
    """Everything of keystone's, in an order that satisfies the foreign keys."""
    users = list(_users(shape))
    roles = [{"id": role_id(shape, name), "name": name, "extra": "{}", "domain_id": "<<null>>"} for name in ROLES]
    return {
        "keystone.project": [*_domains(shape), *_projects(shape)],
        "keystone.role": roles,
        "keystone.implied_role": [
            {"prior_role_id": role_id(shape, "admin"), "implied_role_id": role_id(shape, "Member")}
        ],
        "keystone.user": [
            {"id": user, "extra": json.dumps(extra), "enabled": 1, "default_project_id": project}
            for user, _, _, project, extra in users
        ],
        "keystone.local_user": [
            {"id": number, "user_id": user, "domain_id": domain, "name": name}
            for number, (user, domain, name, _, _) in enumerate(users, 1)
        ],
        "keystone.password": [
            {"id": number, "local_user_id": number, "password": digest(number)} for number in range(1, len(users) + 1)
        ],
        **_groups(shape),
        "keystone.assignment": list(_assignments(shape)),
        **_catalogue(shape),
        "keystone.credential": list(_credentials(shape)),
        **_trusts(shape),
        "keystone.token": list(_tokens(shape)),
        "keystone.revocation_event": list(_revocations(shape)),
    }


def _domains(shape: Shape) -> Iterator[dict[str, Any]]:
    for identity, name, text in (
        (DEFAULT, "Default", "Owns users and tenants (i.e. projects) available on Identity API v2."),
        (project_id(shape, "heat"), "heat", "Stack projects and users"),
        (project_id(shape, "büro"), "büro", "Außenstelle"),
    ):
        yield _project(identity, name, ROOT, None, text, domain=True)


def _project(
    identity: str, name: str, domain_id: str, parent: str | None, text: str = "", *, domain: bool = False
) -> dict[str, Any]:
    return {
        "id": identity, "name": name, "extra": "{}", "description": text, "enabled": 1, "domain_id": domain_id,
        "parent_id": parent, "is_domain": int(domain),
    }  # fmt: skip


def _projects(shape: Shape) -> Iterator[dict[str, Any]]:
    for name in ("admin", "service"):
        yield _project(project_id(shape, name), name, DEFAULT, DEFAULT)
    for project, name in shape.tenant_names.items():
        yield _project(project, name, DEFAULT, DEFAULT, f"Prüfstand {name}")
    heat = project_id(shape, "heat")
    for number in filter(shape.has_stack, range(shape.instances)):
        yield _project(shape.stack_project(number), f"stack-{number:06d}", heat, heat, "Heat stack user project")


def _users(shape: Shape) -> Iterator[tuple[str, str, str, str | None, dict[str, str]]]:
    """(id, domain, name, default project, extra)."""
    for name in SERVICE_USERS:
        domain = project_id(shape, "heat") if name == "heat_domain_admin" else DEFAULT
        yield user_id(shape, name), domain, name, None, {"email": f"{name}@lab.local"}
    for project, user in shape.accounts:
        name = shape.user_names[user]
        yield user, DEFAULT, name, project, {"email": f"{name}@lab.local"}
    yield user_id(shape, "jörg"), project_id(shape, "büro"), "jörg", None, {"email": "joerg@lab.local"}
    for number in filter(shape.has_stack, range(shape.instances)):
        user = hex_id(shape.seed, "stack user", number)
        yield user, project_id(shape, "heat"), f"stack-{number:06d}-server", shape.stack_project(number), {}


def _groups(shape: Shape) -> Tables:
    groups = [
        {"id": project_id(shape, f"group {name}"), "domain_id": DEFAULT, "name": name, "description": "", "extra": "{}"}
        for name in ("operators", "auditors")
    ]
    members = [{"user_id": user, "group_id": groups[0]["id"]} for _, user in shape.accounts[:3]]
    return {"keystone.group": groups, "keystone.user_group_membership": members}


def _assignments(shape: Shape) -> Iterator[dict[str, Any]]:
    def one(kind: str, actor: str, target: str, role: str, inherited: int = 0) -> dict[str, Any]:
        found = role_id(shape, role)
        return {"type": kind, "actor_id": actor, "target_id": target, "role_id": found, "inherited": inherited}

    yield one("UserProject", user_id(shape, "admin"), project_id(shape, "admin"), "admin")
    yield one("UserDomain", user_id(shape, "admin"), DEFAULT, "admin")
    yield one("UserDomain", user_id(shape, "admin"), DEFAULT, "Member", inherited=1)
    yield one("UserDomain", user_id(shape, "heat_domain_admin"), project_id(shape, "heat"), "admin")
    yield one("GroupProject", project_id(shape, "group operators"), project_id(shape, "admin"), "Member")
    for name in SERVICE_USERS[1:-1]:
        yield one("UserProject", user_id(shape, name), project_id(shape, "service"), "admin")
    for project, user in shape.accounts:
        yield one("UserProject", user, project, "_member_")
        yield one("UserProject", user, project, "heat_stack_owner")
    for number in filter(shape.has_stack, range(shape.instances)):
        user = hex_id(shape.seed, "stack user", number)
        yield one("UserProject", user, shape.stack_project(number), "heat_stack_user")


def _catalogue(shape: Shape) -> Tables:
    services, endpoints = [], []
    for kind, name, path, admin in CATALOGUE:
        service = hex_id(shape.seed, "service", kind)
        extra = json.dumps({"name": name, "description": f"OpenStack {kind}"})
        services.append({"id": service, "type": kind, "enabled": 1, "extra": extra})
        legacy = hex_id(shape.seed, "legacy endpoint", kind) if kind in MADE_WITH_V2 else None
        for interface in ("public", "internal", "admin"):
            place = admin if admin and interface == "admin" else path
            endpoints.append(_endpoint(shape, service, interface, place, legacy))
    # The old identity endpoints are kept, switched off.
    old = hex_id(shape.seed, "legacy endpoint", "identity")
    for interface, place in (("public", "5000/v2.0"), ("internal", "5000/v2.0"), ("admin", "35357/v2.0")):
        endpoints.append(_endpoint(shape, hex_id(shape.seed, "service", "identity"), interface, place, old, enabled=0))
    regions = [{"id": REGION, "description": "", "parent_region_id": None, "extra": "{}"}]
    return {"keystone.region": regions, "keystone.service": services, "keystone.endpoint": endpoints}


def _endpoint(
    shape: Shape, service: str, interface: str, place: str, legacy: str | None, enabled: int = 1
) -> dict[str, Any]:
    return {
        "id": hex_id(shape.seed, "endpoint", service, interface, place), "legacy_endpoint_id": legacy, "interface": interface,
        "service_id": service, "url": f"http://{ADDRESS}:{place}", "extra": "{}", "enabled": enabled, "region_id": REGION,
    }  # fmt: skip


def _credentials(shape: Shape) -> Iterator[dict[str, Any]]:
    """EC2 keys of every user and a certificate: in plain text, as every release before Newton kept them."""
    for project, user in shape.accounts:
        access = hex_id(shape.seed, "ec2 access", user)
        blob = {"access": access, "secret": hex_id(shape.seed, "ec2 secret", user), "trust_id": None}
        yield {
            "id": hashlib.sha256(access.encode()).hexdigest(), "user_id": user, "project_id": project, "blob": json.dumps(blob),
            "type": "ec2", "extra": "{}",
        }  # fmt: skip
    yield {
        "id": hex_id(shape.seed, "certificate"), "user_id": user_id(shape, "admin"), "project_id": None,
        "blob": "-----BEGIN CERTIFICATE-----\nbüro\n-----END CERTIFICATE-----\n", "type": "cert", "extra": "{}",
    }  # fmt: skip


def _trusts(shape: Shape) -> Tables:
    trusts = [
        {
            "id": hex_id(shape.seed, "trust", user), "trustor_user_id": user, "trustee_user_id": user_id(shape, "heat"),
            "project_id": project, "impersonation": 1, "deleted_at": TODAY if number % 7 == 6 else None, "expires_at": None,
            "remaining_uses": None, "extra": "{}",
        }
        for number, (project, user) in enumerate(shape.accounts)
    ]  # fmt: skip
    roles = [{"trust_id": trust["id"], "role_id": role_id(shape, "heat_stack_owner")} for trust in trusts]
    return {"keystone.trust": trusts, "keystone.trust_role": roles}


def _tokens(shape: Shape) -> Iterator[dict[str, Any]]:
    """Uuid tokens that have expired and were never flushed."""
    for number in range(max(20, shape.instances // 2)):
        _, user = shape.accounts[number % len(shape.accounts)]
        expires = TODAY - timedelta(hours=number)
        extra = {
            "bind": None,
            "token_version": "v3.0",
            "token_data": {"token": {"methods": ["password"], "user": {"id": user}}},
        }
        yield {
            "id": hex_id(shape.seed, "token", number), "expires": expires, "extra": json.dumps(extra), "valid": 1,
            "trust_id": None, "user_id": user,
        }  # fmt: skip


def _revocations(shape: Shape) -> Iterator[dict[str, Any]]:
    for number, (_, user) in enumerate(shape.accounts[:10], 1):
        yield {
            "id": number, "user_id": user, "issued_before": TODAY - timedelta(minutes=number), "revoked_at": TODAY,
            "audit_id": uuid4(generator(shape.seed, "audit", number))[:22],
        }  # fmt: skip

"""The lab's secrets: made once per lab, kept in a file that only root can read, written into its model."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from upgrader.errors import LabError
from upgrader.lab.contents.salt_keys import ssh_key_pair
from upgrader.lab.contents.services import SERVICES
from upgrader.lab.machine import record
from upgrader.lab.mitaka import identity, stacks

LETTERS = string.ascii_letters + string.digits
# Characters that a URL, a shell or a configuration file gives a meaning to: quoting has to be right from the start.
AWKWARD = "@/%:#"


@dataclass(frozen=True, repr=False)
class Passwords:
    """Not shown by repr, on purpose."""

    nova: str
    clone: str
    upgrader: str
    openstack: str
    backup_key: str
    backup_key_public: str
    store_host_key: str
    store_host_key_public: str
    keystone: str
    glance: str
    cinder: str
    neutron: str
    heat: str
    keystone_clone: str
    glance_clone: str
    cinder_clone: str
    neutron_clone: str
    heat_clone: str
    keystone_upgrade: str
    rabbitmq_cookie: str

    @property
    def services(self) -> dict[str, str]:
        """The password of each service's account on the database server."""
        return {service.name: getattr(self, service.name) for service in SERVICES}

    @property
    def clones(self) -> dict[str, str]:
        """The password of each service's account for its clones."""
        held = {service.name: getattr(self, f"{service.name}_clone", self.clone) for service in SERVICES}
        return {**held, "nova": self.clone}

    def parameters(self) -> str:
        """The reclass class that holds them, in YAML (of which JSON is a part)."""
        values = {
            **{f"mysql_{service}_password": password for service, password in self.services.items()},
            **{f"mysql_{service}_upgrade_password": password for service, password in self.clones.items()},
            "keystone_upgrade_password": self.keystone_upgrade,
            "rabbitmq_secret_key": self.rabbitmq_cookie,
            "rabbitmq_admin_password": self.openstack,
            "heat_auth_encryption_key": stacks.ENCRYPTION_KEY,
            "heat_domain_admin_password": identity.PASSWORD,
            "mysql_upgrade_admin_password": self.upgrader,
            "rabbitmq_openstack_password": self.openstack,
            "xtrabackup_client_private_key": self.backup_key,
            "xtrabackup_client_public_key": self.backup_key_public.strip(),
            "xtrabackup_server_host_key": self.store_host_key_public.strip(),
        }
        return json.dumps({"parameters": {"_param": values}}, indent=2) + "\n"


def make_passwords(plain: bool = False) -> Passwords:
    """``plain`` ones hold letters and digits only, for a site whose formulas put them into URLs as they are."""
    own = _plain if plain else _awkward
    backup, host = ssh_key_pair(), ssh_key_pair()
    return Passwords(
        nova=own(),
        clone=own(),
        upgrader=_plain(),
        openstack=_plain(),
        backup_key=backup.private,
        backup_key_public=backup.public,
        store_host_key=host.private,
        store_host_key_public=host.public,
        keystone=own(),
        glance=own(),
        cinder=own(),
        neutron=own(),
        heat=own(),
        keystone_clone=own(),
        glance_clone=own(),
        cinder_clone=own(),
        neutron_clone=own(),
        heat_clone=own(),
        keystone_upgrade=own(),
        rabbitmq_cookie=_plain(),
    )


def _awkward() -> str:
    mixed = "".join(character + "".join(secrets.choice(LETTERS) for _ in range(4)) for character in AWKWARD)
    return secrets.choice(LETTERS) + mixed


def _plain() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(24))


def load_or_make(path: Path, plain: bool = False) -> Passwords:
    """The lab's passwords; a file that is there is used again, so running nodes keep theirs."""
    if path.is_file():
        return _read(path)
    made = make_passwords(plain)
    record.write(path, asdict(made))
    return made


def _read(path: Path) -> Passwords:
    """No refusal: that would stop the lab and discard its disks, and the operator may still want what is on them."""
    held = record.read(path) or {}
    if set(held) != {field.name for field in fields(Passwords)}:
        raise LabError(
            f"This lab was made by another version of the tool: {path} does not hold what this one needs; "
            "take the lab down with `upgrader lab down` and start it again."
        )
    return Passwords(**held)

"""Every pillar key of our own that code on a node reads, in one place: its name for sentences, its default, its value.

What a service of OpenStack has in pillar is not here: those keys are the site's, and the code of each service reads them.
"""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host.pillar import value

Pillar = typing.Mapping[str, typing.Any]
Account = typing.Mapping[str, typing.Any]

CLIENT = "upgrader:backup:client"
CLIENT_ACCOUNT = CLIENT + ":database"
CLIENT_TARGET = CLIENT + ":target:host"
CLIENT_STATE = "upgrader.backup.client"
STORE = "upgrader:backup:server:backup_dir"
KEEP = "upgrader:backup:server:full_backups_to_keep"
ADMIN = "upgrader:databases:admin"
CLONE_USERS = "upgrader:databases:clones:{}:users"
PRODUCTION = "upgrader:production"
DATABASE_NODES = "upgrader:nodes:database"
PYTHON = "upgrader:verify:python"
EGRESS_ALLOW = "upgrader:egress:allow"
SITE_COMMAND = "upgrader:site:command"
SITE_CONFIG = "upgrader:site:config_dir"
FORK = "upgrader:schema:fork"

DEFAULT_STORE = "/srv/backup/upgrader"
DEFAULT_KEEP = 5  # as salt-formula-xtrabackup's server has it
DEFAULT_PYTHON = "/opt/clients/bin/python"
DEFAULT_SITE = ("/usr/bin/salt-call", "/etc/salt")


def client(pillar: Pillar) -> Account:
    """This database node: its server's account and socket, and where the backup store is."""
    return value(pillar, CLIENT, {}) or {}


def store(pillar: Pillar) -> str:
    """The folder of the backup store on the backup node."""
    return str(value(pillar, STORE, DEFAULT_STORE))


def production(pillar: Pillar) -> typing.Any:
    """True on a controller of production; what else stands there says nothing. See ``copy.isolation.is_production``."""
    return value(pillar, PRODUCTION)


def keep(pillar: Pillar) -> int:
    """How many backups stay at least."""
    return int(value(pillar, KEEP, DEFAULT_KEEP))


def admin(pillar: Pillar) -> Account:
    """The account, on the backup node, that may create databases and grant: host, port, user, password."""
    return value(pillar, ADMIN, {}) or {}


def clone_users(pillar: Pillar, name: str) -> typing.List[Account]:
    """The accounts that may use one clone, each with name and password. Raises StepError where the model has none."""
    key = CLONE_USERS.format(name)
    users = value(pillar, key, []) or []
    if not users or not all(user.get("name") and user.get("password") for user in users):
        raise StepError("pillar key {} must list the accounts of the clone, each with name and password".format(key))
    return list(users)


def python(pillar: Pillar) -> str:
    """The interpreter that has the client library for the verification."""
    return str(value(pillar, PYTHON, DEFAULT_PYTHON))


class Site(typing.NamedTuple):
    """The site's own Salt on this node: its ``salt-call`` and its folder of configuration."""

    command: str
    config_dir: str


def site(pillar: Pillar) -> Site:
    """Where the site's own Salt is; by default where its packages put it."""
    return Site(str(value(pillar, SITE_COMMAND, DEFAULT_SITE[0])), str(value(pillar, SITE_CONFIG, DEFAULT_SITE[1])))


def forked(pillar: Pillar) -> bool:
    """Whether a service's tool is imported once for all commands of its schema. Raises StepError for what is neither yes nor no."""
    said = value(pillar, FORK, True)
    if not isinstance(said, bool):
        raise StepError("pillar {} must be true or false, not {!r}".format(FORK, said))
    return said


def galera_role(pillar: Pillar) -> Account:
    """What the site's model says of this member: ``galera:master`` or ``galera:slave``, in the form of salt-formula-galera."""
    return value(pillar, "galera:master") or value(pillar, "galera:slave") or {}

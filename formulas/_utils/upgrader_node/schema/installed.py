"""How far the installed tool can take a schema, read from its own migrations without running them.

Asking the tools themselves takes seconds and a database, and most of them cannot say it.
"""

import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.schema.session import Session
from upgrader_node.service import manage

_NUMBERED = re.compile(r"^(\d+)_.*\.py$")
_LATEST = re.compile(r"^LATEST_REVISION = ['\"](\w+)['\"]", re.MULTILINE)
_REVISION = re.compile(r"^revision = ['\"](\w+)['\"]", re.MULTILINE)
_FIND = "import pkgutil, sys; print(pkgutil.get_loader(sys.argv[1]).get_filename())"


def package(session: Session, name: str) -> str:
    """The folder of a Python package, as the tool's own Python finds it (and does not import it)."""
    known = {} if session.folders is None else session.folders
    if name not in known:
        known[name] = _found(session, name)
    return known[name]


def _found(session: Session, name: str) -> str:
    shown = "python: where is {0}".format(name)
    outcome = manage.run([session.python, "-c", _FIND, name], 60, shown=shown, user=session.user)
    path = outcome.stdout.strip()
    if outcome.exit_code != 0 or not path:
        raise StepError(
            "{0} has no package {1}: {2}; install {3}'s {1} whole".format(
                session.python, name, manage.last_words(outcome), session.path.target.capitalize()
            )
        )
    return os.path.dirname(path)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except OSError as error:
        raise StepError("the installed migrations cannot be read: {0}; install the tool whole".format(error)) from None


def latest_number(folder: str) -> int:
    """The last version in a repository of sqlalchemy-migrate (``<folder>/versions/086_drop_watch_rule.py``: 86)."""
    try:
        names = os.listdir(os.path.join(folder, "versions"))
    except OSError as error:
        raise StepError("the installed migrations cannot be read: {0}; install the tool whole".format(error)) from None
    numbers = [int(match.group(1)) for match in map(_NUMBERED.match, names) if match]
    if not numbers:
        raise StepError("{0} has no migrations; install the tool whole".format(folder))
    return max(numbers)


class Revisions(typing.NamedTuple):
    """An alembic repository: the revisions to reach, and all that are known."""

    heads: typing.Tuple[str, ...]
    known: typing.FrozenSet[str]


def _known(folder: str) -> typing.FrozenSet[str]:
    revisions = set()  # type: typing.Set[str]
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                revisions.update(_REVISION.findall(_text(os.path.join(place, name))))
    return frozenset(revisions)


def glance(session: Session) -> Revisions:
    folder = package(session, "glance")
    latest = _LATEST.findall(_text(os.path.join(folder, "db", "migration.py")))
    known = _known(os.path.join(folder, "db", "sqlalchemy", "alembic_migrations", "versions"))
    if not latest or latest[0] not in known:
        release = session.path.target.capitalize()
        raise StepError(
            "the installed glance does not say its last revision: it is older than {0}; install {0}'s".format(release)
        )
    return Revisions((latest[0],), known)


def neutron(session: Session) -> Revisions:
    """Heads as (expand, contract)."""
    folder = os.path.join(package(session, "neutron"), "db", "migration", "alembic_migrations", "versions")
    heads = tuple(_text(os.path.join(folder, name)).strip() for name in ("EXPAND_HEAD", "CONTRACT_HEAD"))
    return Revisions(heads, _known(folder))


def keystone(session: Session) -> typing.Dict[str, int]:
    """The last version of each repository, by the name under which the database knows it."""
    folder = os.path.join(package(session, "keystone"), "common", "sql")
    return {
        "keystone": latest_number(os.path.join(folder, "migrate_repo")),
        "keystone_expand": latest_number(os.path.join(folder, "expand_repo")),
        "keystone_data_migrate": latest_number(os.path.join(folder, "data_migration_repo")),
        "keystone_contract": latest_number(os.path.join(folder, "contract_repo")),
    }


def heat(session: Session) -> int:
    return latest_number(os.path.join(package(session, "heat"), "db", "sqlalchemy", "migrate_repo"))

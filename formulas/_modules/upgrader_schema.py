"""
The databases of keystone, glance, cinder, neutron and heat from Mitaka to Ocata, with the services' own tools.

Every function looks at the database first, by SQL, and runs a tool only where something is left to do; then exit code,
output and database are judged together. Nothing is run when configuration file and pillar do not name the same copy.
The tools run as the service's system user. Nova has a module of its own (``upgrader_nova``).

``allow_production`` is for the real upgrade alone: without it a database name without ``_upgrade`` is refused.
``timeout`` is in seconds for one run of a tool; ``patience`` is how long to wait, in seconds, for the schema change or the
tool of an interrupted run to end before anything is started.
"""

import contextlib
import os

import upgrader_conf
import upgrader_connection
import upgrader_database
import upgrader_manage
import upgrader_nova_findings
import upgrader_phases
import upgrader_pillar
import upgrader_schema_driver
import upgrader_schema_findings
import upgrader_schema_resume
import upgrader_schema_session
import upgrader_schema_target
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_schema"

HOUR = 3600


def __virtual__():
    if pymysql is None:
        return False, "upgrader_schema needs PyMySQL in the Python that runs salt-minion"
    return __virtualname__


@contextlib.contextmanager
def _errors(secrets):
    """Whatever goes wrong inside leaves as CommandExecutionError: one sentence, passwords hidden."""
    try:
        yield
    except (upgrader_conf.StepError, upgrader_connection.ConnectionRefused) as error:
        raise CommandExecutionError(upgrader_database.redact(str(error), secrets)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError(
            "the database failed: {0}".format(upgrader_database.redact(str(error), secrets))
        ) from None


def _role(pillar, service):
    with _errors(()):
        return upgrader_pillar.value(pillar, upgrader_schema_target.place(service).role, {}) or {}


@contextlib.contextmanager
def _session(service, pillar, opts, allow_production=False, patience=HOUR):
    role, secrets = _role(pillar, service), []
    with _errors(secrets):
        place = upgrader_schema_target.place(service)
        path = upgrader_schema_target.config_file(service, role)
        text = upgrader_conf.read_file(path, place.tool, service + ".configured")
        target = upgrader_schema_target.read_target(text, path, service, role, allow_production)
        secrets.extend(target.secrets)
        tool, python = upgrader_manage.program(role, place.tool, place.role)
        purpose = "{0} and pillar {1}:database".format(path, place.role)
        with contextlib.closing(upgrader_connection.of_url(pymysql, purpose, target.url)) as connection:
            if not upgrader_database.schema_exists(connection, target.database):
                raise CommandExecutionError(
                    "database {0} does not exist or is not granted to {1}; create the clones first".format(
                        target.database, target.url.user
                    )
                )
            lock_file = os.path.join(opts["cachedir"], "upgrader-{0}-{1}.lock".format(service, target.database))
            yield upgrader_schema_session.Session(
                target, connection, tool, python, _account(service), lock_file, patience
            )


def _account(service):
    try:
        return upgrader_manage.account(service)
    except ValueError as error:
        raise CommandExecutionError("{0}; install Ocata's {1}".format(error, service)) from None


def versions(service, allow_production=False):
    """
    What the database says of its schema: versions by repository of sqlalchemy-migrate, and revisions of alembic.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.versions keystone
    """
    skipped = upgrader_schema_target.plugin_owns_schema(service, _role(__pillar__, service))
    if skipped:
        return {"migrate": {}, "alembic": [], "comment": skipped}
    with _session(service, __pillar__, __opts__, allow_production) as session:
        found = session.marks()
        return {"migrate": dict(found.migrate), "alembic": list(found.alembic), "comment": found.shown()}


def phase(service, phase, timeout=None, allow_production=False, patience=HOUR):
    """
    Do one phase of a service's upgrade where it is not done; phases that must come before it are demanded.

    Without ``timeout`` a run of the tool may take as long as the phase's own data say.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.phase keystone expand
    """
    with _errors(()):
        known = upgrader_schema_driver.known(service, phase)
    skipped = upgrader_schema_target.plugin_owns_schema(service, _role(__pillar__, service))
    if skipped:
        return upgrader_schema_driver.answer(None, None, False, skipped)
    with _session(service, __pillar__, __opts__, allow_production, patience) as session:
        return upgrader_schema_driver.phase(session, phase, timeout or known.minutes * 60)


def settled(service, phase, allow_production=False):
    """
    Whether a phase is done, and what is left of it if not. Read only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.settled keystone expand
    """
    with _errors(()):
        upgrader_schema_driver.known(service, phase)
    skipped = upgrader_schema_target.plugin_owns_schema(service, _role(__pillar__, service))
    if skipped:
        return {"settled": True, "comment": skipped}
    with _session(service, __pillar__, __opts__, allow_production) as session:
        look = upgrader_schema_driver.look(session, phase)
        return {"settled": not look.pending, "comment": look.pending or look.comment}


def verify(service, expected=None, allow_production=False):
    """
    Judge the upgraded copy: every phase done and, with ``expected``, the rows of every table of the snapshot.

    ``expected`` are the snapshot's counts, ``{schema: {table: {"total": n}}}`` under the source's names. Raises
    CommandExecutionError with the first few blockers when there is any.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.verify keystone
    """
    skipped = upgrader_schema_target.plugin_owns_schema(service, _role(__pillar__, service))
    if skipped:
        return {"comment": skipped, "findings": [], "compared": False}
    with _session(service, __pillar__, __opts__, allow_production) as session:
        found = _findings(session, expected)
        at = session.marks().shown()
    if any(item["severity"] == upgrader_nova_findings.BLOCKER for item in found):
        raise CommandExecutionError(
            "{0}'s copy is not as it should be, {1}".format(service, upgrader_nova_findings.summary(found))
        )
    comment = "{0} is at {1}".format(service, at)
    return {"comment": comment, "findings": found, "compared": expected is not None}


def _findings(session, expected):
    service, database = session.target.service, session.database
    found = []
    for item in upgrader_phases.PHASES[service]:
        left = upgrader_schema_driver.look(session, item.id).pending
        if left:
            found.append(upgrader_schema_findings.unfinished(service, item.id, left))
            break
    found += [upgrader_schema_findings.gone_on(service, item) for item in upgrader_schema_resume.gone_on(session)]
    if not found and expected is not None:
        actual = upgrader_database.table_counts(session.connection, (database,))
        found += upgrader_schema_findings.compare_counts(service, database, expected, actual)
    return found

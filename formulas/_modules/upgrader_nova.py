"""
Nova's double jump on the databases that this node's nova.conf names: Mitaka to Ocata with Ocata's nova-manage.

Every function looks at the databases first, by SQL, and runs nova-manage only where something is left to do; then exit
code, output and databases are judged together. Nothing is run when nova.conf and pillar do not name the same copy.
Mutating functions answer ``{"before", "after", "changed", "comment", ...}`` and raise CommandExecutionError otherwise.

Passwords never stand in an argv: ``create_cell`` and the rest take the URLs from nova.conf, and ``map_cell0`` hands the
one URL that nova itself would spell wrongly to the real nova-manage over stdin.

``allow_production`` is for the real upgrade alone: without it a database name without ``_upgrade`` is refused.
``timeout`` is in seconds for one nova-manage; ``patience`` is how long to wait, in seconds, for the schema change or the
nova-manage of an interrupted run to end before anything is started.
"""

import contextlib
import os
import socket

import upgrader_conf
import upgrader_connection
import upgrader_database
import upgrader_manage
import upgrader_nova_cells
import upgrader_nova_driver
import upgrader_nova_findings
import upgrader_nova_groups
import upgrader_nova_manage
import upgrader_nova_rows
import upgrader_nova_status
import upgrader_nova_target
import upgrader_pillar
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_nova"

OCATA_API, OCATA_MAIN, NEWTON_MAIN = 31, 347, 334
HOUR = 3600


def __virtual__():
    if pymysql is None:
        return False, "upgrader_nova needs PyMySQL in the Python that runs salt-minion"
    return __virtualname__


def _controller(pillar):
    return upgrader_pillar.value(pillar, "nova:controller", {}) or {}


def _config_file(controller):
    return controller.get("config_file", "/etc/nova/nova.conf")


def _target(controller, allow_production):
    """The target that nova.conf and pillar agree on."""
    path = _config_file(controller)
    text = upgrader_conf.read_file(path, "nova-manage", "nova.configured")
    return upgrader_nova_target.read_target(text, path, controller, socket.gethostname(), allow_production)


@contextlib.contextmanager
def _session(pillar, opts, allow_production=False, patience=HOUR):
    """A session; whatever goes wrong inside leaves as CommandExecutionError, one sentence, passwords hidden."""
    controller = _controller(pillar)
    secrets = ()
    try:
        target = _target(controller, allow_production)
        secrets = target.secrets
        script, python = upgrader_manage.program(controller, "nova-manage", "nova:controller")
        purpose = "nova.conf and pillar nova:controller:database"
        with contextlib.closing(upgrader_connection.of_url(pymysql, purpose, target.main_url)) as connection:
            for schema in (target.main, target.api):
                if not upgrader_database.schema_exists(connection, schema):
                    raise CommandExecutionError(
                        "database {0} does not exist or is not granted to {1}; create the clones first".format(
                            schema, target.main_url.user
                        )
                    )
            lock_file = os.path.join(opts["cachedir"], "upgrader-nova-{0}.lock".format(target.main))
            yield upgrader_nova_driver.Session(target, connection, script, python, lock_file, patience)
    except (upgrader_conf.StepError, upgrader_connection.ConnectionRefused) as error:
        raise CommandExecutionError(upgrader_database.redact(str(error), secrets)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError(
            "the database failed: {0}".format(upgrader_database.redact(str(error), secrets))
        ) from None


def versions(allow_production=False):
    """
    Schema versions as the databases hold them: ``{"api": 7, "main": 319, "cell0": None}``. Never starts nova-manage.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.versions
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        return session.versions()


def api_db_sync(version=None, timeout=HOUR, allow_production=False, patience=HOUR):
    """
    Bring the API schema to ``version`` (default Ocata's 31) when it is lower; Newton's 20, 21 and 22 all satisfy 20.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.api_db_sync version=20
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_driver.api_db_sync(session, int(version or OCATA_API), timeout)


def db_sync(version=None, timeout=6 * HOUR, allow_production=False, patience=HOUR):
    """
    Bring the main schema, and cell0's once it is mapped, to ``version`` (default Ocata's 347) when one is lower.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.db_sync version=334
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_driver.db_sync(session, int(version or OCATA_MAIN), timeout)


def remaining(allow_production=False):
    """
    Rows that online_data_migrations has still to move, by what they are; all zero means done. Read only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.remaining
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        return upgrader_nova_rows.unmigrated(session.connection, session.target.main, session.target.api)


def online_data_migrations(max_count=2000, timeout=2 * HOUR, allow_production=False, patience=HOUR, fast=True):
    """
    Run online data migrations in batches of ``max_count`` rows until the databases say that nothing is left.

    With ``fast`` request specs and keypair records are first made in bulk, equal to nova's own, by nova's own objects; what
    is unusual is left to nova-manage, which then closes the step. The answer's ``bulk`` says what was left to it and why.

    A migration that raises is a failure although nova exits 0. ``timeout`` is in seconds and for one batch.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.online_data_migrations max_count=2000
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_driver.online_data_migrations(session, NEWTON_MAIN, int(max_count), timeout, fast)


def repair_server_groups(max_count=1000, timeout=2 * HOUR, allow_production=False, patience=HOUR):
    """
    Get online migrations past server-group members without request spec (nova bug 1830747): names each one's group in
    the spec that nova breaks. Membership is not touched. Answers how many, and the first ten instances with their group.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.repair_server_groups
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_groups.repair_server_groups(session, NEWTON_MAIN, int(max_count), timeout)


def status(timeout=HOUR, allow_production=False):
    """
    What Ocata's ``nova-status upgrade check`` says, as findings. Read only; means something after the last step only.

    Placement is expected where pillar has ``nova:controller:placement``; without it its failure is a warning.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.status
    """
    controller = _controller(__pillar__)
    with _session(__pillar__, __opts__, allow_production) as session:
        script = os.path.join(os.path.dirname(session.nova_manage), "nova-status")
        argv = [script, "--config-file", session.target.config_file, "upgrade", "check"]
        if not os.path.exists(script):
            raise CommandExecutionError("no {0}: install Ocata's nova (15.1.5) whole".format(script))
        outcome = upgrader_manage.run(
            argv,
            timeout,
            shown="nova-status upgrade check",
            secrets=session.target.secrets,
            home=upgrader_nova_manage.HOME,
        )
        checks = upgrader_nova_status.checks(outcome)
        found = upgrader_nova_status.findings(checks, bool(controller.get("placement")))
        return _judged(
            found, {"checks": [dict(check._asdict()) for check in checks]}, upgrader_nova_status.summary(checks)
        )


def map_cell0(timeout=HOUR, allow_production=False, patience=HOUR):
    """
    Map cell0 to ``<main>_cell0`` with a properly quoted URL; refuses when another cell0 is mapped.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.map_cell0
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_cells.map_cell0(session, timeout)


def create_cell(name="cell1", timeout=HOUR, allow_production=False, patience=HOUR):
    """
    Create the one cell beside cell0 from nova.conf's URLs; skips an equal one, refuses any other.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.create_cell name=cell1
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_cells.create_cell(session, name, timeout)


def discover_hosts(cell="cell1", timeout=HOUR, allow_production=False, patience=HOUR):
    """
    Map every live compute host to the cell, proven by counts.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.discover_hosts
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_cells.discover_hosts(session, cell, timeout)


def map_instances(cell="cell1", max_count=2000, timeout=2 * HOUR, allow_production=False, patience=HOUR, fast=True):
    """
    Map every instance, soft-deleted ones too, to the cell in batches; resumes where an earlier run stopped.

    With ``fast`` the rows are written by SQL, equal to nova's own, and nova-manage closes the walk behind them.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.map_instances
    """
    with _session(__pillar__, __opts__, allow_production, patience) as session:
        return upgrader_nova_cells.map_instances(session, cell, int(max_count), timeout, fast)


def cells(allow_production=False):
    """
    What is mapped: cells by name (URLs with hidden passwords), hosts without mapping, instance mapping counts. Read only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.cells
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        target, connection = session.target, session.connection
        found = upgrader_nova_rows.cells(connection, target.api)
        quoted = [cell.name for cell in found if cell.database_connection == target.cell0_url.text()]
        return {
            "cells": {cell.name: upgrader_nova_cells.shown(cell) for cell in found},
            "cell0_quoted": "cell0" in quoted,
            "unmapped_hosts": upgrader_nova_rows.unmapped_hosts(connection, target.main, target.api) if found else None,
            "instances": upgrader_nova_rows.mapping_counts(connection, target.main, target.api) if found else None,
        }


def assert_isolated(allow_production=False):
    """
    Prove that nova.conf and every cell mapping name the copy's databases and its own queue, nothing of production.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.assert_isolated
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        found = upgrader_nova_cells.assert_isolated(session)
        return {
            "main": session.target.main_url.shown(),
            "api": session.target.api_url.shown(),
            "queue": session.target.transport.shown(),
            "cells": [upgrader_nova_cells.shown(cell) for cell in found],
        }


def findings(expected=None, allow_production=False):
    """
    Everything that is wrong with the upgraded copy, as findings; an empty list is what one hopes for. Read only.

    ``expected`` are the snapshot's counts, ``{schema: {table: {"total": n, "live": n or None}}}`` under the source's names.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.findings
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        return _findings(session, expected)


def _findings(session, expected):
    target, connection = session.target, session.connection
    main, api = target.main, target.api
    found = upgrader_nova_findings.check_versions(
        session.versions(), {"api": OCATA_API, "main": OCATA_MAIN, "cell0": OCATA_MAIN}
    )
    if found:
        return found
    mapped = upgrader_nova_cells.assert_isolated(session)
    counts = upgrader_nova_rows.mapping_counts(connection, main, api)
    hosts = upgrader_nova_rows.unmapped_hosts(connection, main, api)
    found += upgrader_nova_findings.check_cells([cell.name for cell in mapped], counts, hosts)
    left = upgrader_nova_rows.unmigrated(connection, main, api)
    found += upgrader_nova_findings.check_rows(left, upgrader_nova_rows.broken_group_specs(connection, api))
    if expected is not None:
        actual = upgrader_database.table_counts(connection, (main, api))
        own = upgrader_nova_rows.services_of(connection, main, target.own_hosts)
        found += upgrader_nova_findings.compare_counts(main, expected, actual, own)
    return found


def verify(expected=None, allow_production=False):
    """
    Judge the upgraded copy: versions, mappings, request specs, isolation and, with ``expected``, row counts.

    Raises CommandExecutionError with the first few blockers when there is any. See ``findings`` for all of them.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.verify
    """
    with _session(__pillar__, __opts__, allow_production) as session:
        found = _findings(session, expected)
        return _judged(found, {"versions": session.versions(), "compared": expected is not None})


def _judged(found, facts, comment="no finding"):
    if any(item["severity"] == upgrader_nova_findings.BLOCKER for item in found):
        raise CommandExecutionError("the copy is not as it should be, " + upgrader_nova_findings.summary(found))
    return dict(facts, findings=found, comment=comment)

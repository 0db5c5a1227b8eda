"""Questions to the live Mitaka databases before anything moves. Reads only: the session itself is told to refuse a write."""

import contextlib

import upgrader_connection
import upgrader_nova_preflight
import upgrader_pillar
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_preflight"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def nova(main, api, versions, repaired=()):
    """Everything in nova's live databases that would stop the upgrade or surprise its operator, in one go.

    :param main: name of the main database
    :param api: name of the API database
    :param versions: database name to the schema version it must have
    :param repaired: ids of findings that a step of the plan repairs; they warn instead of stopping

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_preflight.nova main=nova api=nova_api versions='{nova: 319, nova_api: 7}'
    """
    with _reader(__pillar__) as connection:
        found = upgrader_nova_preflight.ask_all(
            connection, main, api, versions, upgrader_connection.errors(pymysql), repaired
        )
    return {"comment": upgrader_nova_preflight.summary(found), "findings": found}


@contextlib.contextmanager
def _reader(pillar):
    """A session as the admin account in which the server refuses every write (error 1792)."""
    try:
        connection = upgrader_connection.admin(pymysql, upgrader_pillar.value(pillar, upgrader_connection.ADMIN, {}))
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    with contextlib.closing(connection):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
            yield connection
        except upgrader_connection.errors(pymysql) as error:
            raise CommandExecutionError("the database failed while it was asked: {}".format(error)) from None

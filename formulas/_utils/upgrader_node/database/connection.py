"""Opening a database connection, with errors an operator can act on and with short timeouts.

The driver (PyMySQL) is passed in, so that this file needs the standard library only.
"""

import contextlib
import typing

from upgrader_node.errors import StepError, driver_errors
from upgrader_node.host import settings

REFUSED_LOGIN = (1044, 1045, 1698)
UNREACHABLE = (2002, 2003, 2005, 2006, 2013)
ADMIN = settings.ADMIN
errors = driver_errors


class ConnectionRefused(StepError):
    """The server cannot be reached or does not let us in; the message is one sentence and holds no password."""


def connect(
    driver: typing.Any,
    purpose: str,
    host: typing.Optional[str] = None,
    port: int = 3306,
    unix_socket: typing.Optional[str] = None,
    user: str = "root",
    password: str = "",
    timeout: int = 5,
    **more: typing.Any,
) -> typing.Any:
    """A DB-API connection to a MariaDB or MySQL server, autocommit on.

    :param purpose: who needs it, for the error text, e.g. ``pillar keystone:server:database``
    :param timeout: seconds to wait for the server to accept the connection
    Raises ConnectionRefused. Error 1045 is a wrong password, 2003 a server that is not there.
    """
    where = "socket {}".format(unix_socket) if unix_socket else "{}:{}".format(host, port)
    try:
        return driver.connect(
            host=host,
            port=int(port),
            unix_socket=unix_socket,
            user=user,
            password=password,
            connect_timeout=timeout,
            charset="utf8mb4",
            autocommit=True,
            **more,
        )
    except errors(driver) as error:
        code = error.args[0] if error.args else None
        raise ConnectionRefused(_sentence(code, where, user, purpose, error)) from None


def of_account(
    driver: typing.Any, purpose: str, account: typing.Mapping[str, typing.Any], **more: typing.Any
) -> typing.Any:
    """A connection as pillar's ``<service>:<role>:database`` says it: host, port, user, password."""
    return connect(
        driver,
        purpose,
        host=account["host"],
        port=account.get("port", 3306),
        user=account["user"],
        password=account["password"],
        **more,
    )


def of_url(driver: typing.Any, purpose: str, url: typing.Any) -> typing.Any:
    """A connection to what an ``database.sql.DatabaseUrl`` names, that may be idle while a tool works for days.

    Its patience is short: the tools themselves would try for 100 seconds (oslo.db's max_retries and retry_interval).
    """
    connection = connect(
        driver,
        purpose,
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password,
        read_timeout=3600,
        write_timeout=60,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 604800")
    return connection


def admin(driver: typing.Any, account: typing.Mapping[str, typing.Any]) -> typing.Any:
    """A connection as the account of ``settings.admin`` (host, port, user, password)."""
    return connect(
        driver,
        "pillar " + ADMIN,
        host=account.get("host"),
        port=account.get("port", 3306),
        user=account.get("user", "root"),
        password=account.get("password", ""),
        timeout=10,
    )


@contextlib.contextmanager
def reading(
    driver: typing.Any, account: typing.Mapping[str, typing.Any], error: typing.Type[Exception]
) -> typing.Iterator[typing.Any]:
    """A session of the admin account in which the server refuses every write (error 1792); what fails in it is ``error``."""
    try:
        connection = admin(driver, account)
    except ConnectionRefused as refusal:
        raise error(str(refusal)) from None
    with contextlib.closing(connection):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
            yield connection
        except errors(driver) as failure:
            raise error("the database failed while it was asked: {}".format(failure)) from None


def _sentence(code: typing.Any, where: str, user: str, purpose: str, error: BaseException) -> str:
    if code in REFUSED_LOGIN:
        return "database at {} refuses user {} (error {}): correct the password in {}".format(
            where, user, code, purpose
        )
    if code in UNREACHABLE:
        return "database at {} cannot be reached (error {}): is the server up, and does {} name the right host and port?".format(
            where, code, purpose
        )
    return "database at {} cannot be used as {} ({}): check {}".format(where, user, error, purpose)

"""Accounts of the clones, made with what every server of a Mitaka cloud and every newer MariaDB understands."""

import typing

from upgrader_node.database import sql

GRANT = "GRANT ALL PRIVILEGES ON {}.* TO %s@%s IDENTIFIED BY %s"


def open_database(cursor: typing.Any, database: str, user: str, host: str, password: str) -> None:
    """Make the account if it is not there, give it this password, and open this one database to it.

    One old statement does all three. ``CREATE USER IF NOT EXISTS`` and ``ALTER USER .. IDENTIFIED BY`` came with MySQL 5.7
    and MariaDB 10.1 and 10.2; ``GRANT .. IDENTIFIED BY`` went with MySQL 8.0, which no Mitaka cloud has, and is in every
    MariaDB. ``_`` stands for any character in a grant, so it is escaped.
    """
    name = sql.identifier(database).replace("_", "\\_")
    cursor.execute(GRANT.format(name), (user, host, password))

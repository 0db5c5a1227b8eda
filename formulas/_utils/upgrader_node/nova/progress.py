"""How far one of nova's long steps has come, by counting rows: never by guessing."""

import typing

from upgrader_node.database import connection, sql

SPECS = (
    "SELECT COUNT(*) FROM {main}.instances i WHERE i.deleted = 0 AND EXISTS "
    "(SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid)"
)
# What is counted, how many are done, how many there are.
QUESTIONS = {
    "specs": ("instances with request spec", SPECS, "SELECT COUNT(*) FROM {main}.instances WHERE deleted = 0"),
    "mappings": (
        "instances mapped", "SELECT COUNT(*) FROM {api}.instance_mappings", "SELECT COUNT(*) FROM {main}.instances",
    ),
}  # fmt: skip


def count(driver: typing.Any, database: typing.Mapping[str, typing.Any], rows: str) -> typing.Dict[str, typing.Any]:
    """Rows done and rows in all.

    :param database: pillar ``nova:controller:database``
    :param rows: a key of ``QUESTIONS``
    """
    what, done, total = QUESTIONS[rows]
    names = {"main": sql.identifier(database["name"]), "api": sql.identifier(database["name"] + "_api")}
    with connection.of_account(driver, "pillar nova:controller:database", database) as session:
        counted = [int(sql.scalar(session, statement.format(**names))) for statement in (done, total)]
    return {"what": what, "done": counted[0], "total": counted[1]}

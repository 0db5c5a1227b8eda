"""Constraints that the target's schema has and the source's has not: one generic question for what was derived of both.

tools/derive_schemas.py computes the rules from the real schemas. A rule: ``kind``, ``table``, ``columns``, and ``length``,
``values`` or ``refers`` (table, column); ``live`` where only rows that are not marked as deleted are carried over.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.preflight.question import BLOCKER, EVERY_SERVICE, Finding, Names, Question, finding

NOT_NULL, UNIQUE, FOREIGN_KEY, LENGTH, ENUM = "not-null", "unique", "foreign-key", "length", "enum"
QUESTION = Question(
    "derived", EVERY_SERVICE, "constraints", BLOCKER, "rows that break a constraint which the target's schema adds",
    "the migration that adds it stops there", "correct the rows, or delete them", "the two releases' own schemas, compared",
)  # fmt: skip
# A question of its own asks for these, and knows the remedy.
ASKED_ELSEWHERE = {
    ("neutron", UNIQUE, "floatingips"), ("neutron", UNIQUE, "routerports"), ("nova", UNIQUE, "instance_types"),
    ("nova", UNIQUE, "aggregates"), ("nova", NOT_NULL, "instance_types"),
}  # fmt: skip
_SAYS = {
    NOT_NULL: "{columns} may not be NULL",
    UNIQUE: "{columns} must be unique",
    FOREIGN_KEY: "{columns} must name a row of {refers}",
    LENGTH: "{columns} holds {length} characters at most",
    ENUM: "{columns} takes {values} only",
}
Rule = typing.Mapping[str, typing.Any]


def rules(names: Names, schemas: typing.Mapping[str, typing.Any]) -> typing.List[Rule]:
    """The service's rules, each with the ``database`` it is about."""
    return [
        dict(rule, database=database)
        for database, derived in zip(names.databases, schemas["tighter"].get(names.service, ()))
        for rule in derived
        if (names.service, rule["kind"], rule["table"]) not in ASKED_ELSEWHERE
    ]


def ask(connection: typing.Any, names: Names, rule: Rule, listed: int) -> typing.List[Finding]:
    """Counts and names the rows that break one rule."""
    statement = _statement(rule)
    count = int(sql.scalar(connection, "SELECT COUNT(*) FROM ({0}) AS wrong".format(statement)))
    if not count:
        return []
    rows = sql.rows(connection, "{0} LIMIT {1}".format(statement, listed))
    words = dict(rule, columns=", ".join(rule["columns"]), refers=".".join(rule.get("refers", ())))
    said = _SAYS[rule["kind"]].format(**words)
    question = QUESTION._replace(id="derived-{0}-{1}".format(rule["kind"], rule["table"].replace("_", "-")))
    what = "{0}.{1}: {2}: {3} rows break it; {4}".format(rule["database"], rule["table"], said, count, question.fails)
    return [finding(question, names, what, count, [str(row[0]) for row in rows])]


def _statement(rule: Rule) -> str:
    table = "{0}.{1}".format(sql.identifier(rule["database"]), sql.identifier(rule["table"]))
    columns = ["t.{0}".format(sql.identifier(name)) for name in rule["columns"]]
    named = "CONCAT_WS(' / ', {0}) AS named".format(
        ", ".join(["t." + sql.identifier(n) for n in rule.get("key", ())] or columns)
    )
    live = " AND t.deleted = 0" if rule.get("live") else ""
    if rule["kind"] == UNIQUE:
        filled = " AND ".join("{0} IS NOT NULL".format(column) for column in columns)
        group = ", ".join(columns)
        return "SELECT CONCAT_WS(' / ', {0}) AS named FROM {1} t WHERE {2}{3} GROUP BY {0} HAVING COUNT(*) > 1".format(
            group, table, filled, live
        )
    return "SELECT {0} FROM {1} t WHERE {2}{3}".format(named, table, _broken(rule, columns[0]), live)


def _broken(rule: Rule, column: str) -> str:
    if rule["kind"] == NOT_NULL:
        return "{0} IS NULL".format(column)
    if rule["kind"] == LENGTH:
        return "CHAR_LENGTH({0}) > {1}".format(column, int(rule["length"]))
    if rule["kind"] == ENUM:
        return "{0} NOT IN ({1})".format(column, ", ".join("'{0}'".format(value) for value in rule["values"]))
    other, key = rule["refers"]
    table = "{0}.{1}".format(sql.identifier(rule["database"]), sql.identifier(other))
    return "{0} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {1} o WHERE o.{2} = {0})".format(
        column, table, sql.identifier(key)
    )

"""Derives formulas/upgrader/releases/mitaka-ocata-schemas.json: the real schemas before and after, and what got tighter.

Run it on the lab's bench node, where both can be made; it loads Mitaka's schemas, takes them through every phase with the
functional tests' own means, and reads information_schema of both:

    upgrader lab up --topology bench
    upgrader lab exec bench01 -- env PYTHONPATH=/src /opt/salt/bin/python /src/tools/derive_schemas.py > schemas.json

tests/functional/test_preflight_schemas.py holds the file against the same two schemas.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formulas" / "_utils"))

from upgrader_node.preflight import tighter

Query = Callable[[str], list[Any]]
# Of each service, its databases in the order in which a plan names them: before the upgrade, and the copy after it.
DATABASES = {
    "keystone": [("keystone", "keystone_upgrade")],
    "glance": [("glance", "glance_upgrade")],
    "nova": [("nova", "nova_upgrade"), ("nova_api", "nova_upgrade_api")],
    "cinder": [("cinder", "cinder_upgrade")],
    "neutron": [("neutron", "neutron_upgrade")],
    "heat": [("heat", "heat_upgrade")],
}


def columns(query: Query, database: str) -> dict[str, dict[str, tuple[str, bool, int | None]]]:
    """Table to column to its type, whether it takes NULL, and its length in characters."""
    told: dict[str, dict[str, tuple[str, bool, int | None]]] = {}
    statement = (
        "SELECT table_name, column_name, column_type, is_nullable = 'YES', character_maximum_length"
        f" FROM information_schema.columns WHERE table_schema = '{database}' ORDER BY 1, ordinal_position"
    )
    for table, column, kind, nullable, length in query(statement):
        told.setdefault(table, {})[column] = (kind, bool(nullable), length)
    return told


def unique_keys(query: Query, database: str) -> set[tuple[str, tuple[str, ...]]]:
    statement = (
        "SELECT table_name, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics"
        f" WHERE table_schema = '{database}' AND non_unique = 0 GROUP BY table_name, index_name"
    )
    return {(table, tuple(names.split(","))) for table, names in query(statement)}


def foreign_keys(query: Query, database: str) -> set[tuple[str, str, str, str]]:
    """Of one column each: (table, column, table it refers to, column there)."""
    statement = (
        "SELECT table_name, column_name, referenced_table_name, referenced_column_name, constraint_name"
        f" FROM information_schema.key_column_usage WHERE table_schema = '{database}' AND referenced_table_name IS NOT NULL"
    )
    rows = query(statement)
    several = [(row[0], row[4]) for row in rows]
    return {tuple(row[:4]) for row in rows if several.count((row[0], row[4])) == 1}


def shape(query: Query, database: str) -> dict[str, list[str]]:
    return {table: sorted(found) for table, found in sorted(columns(query, database).items())}


def tightened(query: Query, before: str, after: str) -> list[dict[str, Any]]:
    """Constraints that the later schema has, and the earlier one has not, on columns that both have."""
    old, new = columns(query, before), columns(query, after)
    both = {(table, column) for table in old.keys() & new.keys() for column in old[table].keys() & new[table].keys()}
    made: list[dict[str, Any]] = []
    for table, column in sorted(both):
        (was, took_null, long), (now, takes_null, longest) = old[table][column], new[table][column]
        if took_null and not takes_null:
            made.append({"kind": tighter.NOT_NULL, "table": table, "columns": [column]})
        if long and longest and longest < long:
            made.append({"kind": tighter.LENGTH, "table": table, "columns": [column], "length": longest})
        if now.startswith("enum(") and now != was:
            made.append({"kind": tighter.ENUM, "table": table, "columns": [column], "values": now[6:-2].split("','")})
    for table, names in sorted(unique_keys(query, after) - unique_keys(query, before)):
        if all((table, name) in both for name in names):
            made.append({"kind": tighter.UNIQUE, "table": table, "columns": list(names)})
    for table, column, other, key in sorted(foreign_keys(query, after) - foreign_keys(query, before)):
        if {(table, column), (other, key)} <= both:
            made.append({"kind": tighter.FOREIGN_KEY, "table": table, "columns": [column], "refers": [other, key]})
    return made


def document(query: Query) -> dict[str, Any]:
    """What the file holds: per service a list with one entry for each of its databases."""
    return {
        "source": {name: [shape(query, before) for before, _ in pairs] for name, pairs in DATABASES.items()},
        "target": {name: [shape(query, after) for _, after in pairs] for name, pairs in DATABASES.items()},
        "tighter": {name: [tightened(query, *pair) for pair in pairs] for name, pairs in DATABASES.items()},
    }


def text(query: Query) -> str:
    """The document with one table a line, so that a change of it can be read."""
    plain = json.dumps(document(query), sort_keys=True, indent=1)
    lines: list[str] = []
    for line in plain.split("\n"):
        deep = len(line) - len(line.lstrip())
        if lines and deep > 4:
            lines[-1] += line.strip() + (" " if line.endswith(",") else "")
        elif lines and deep == 4 and line.strip() in ("]", "],", "}", "},"):
            lines[-1] = lines[-1].rstrip() + line.strip()
        else:
            lines.append(line)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    """Make both schemas and print the document."""
    from tests.functional.bench import Bench, build_stages
    from tests.functional.copies import SERVICES, Copies

    with contextlib.redirect_stdout(sys.stderr):
        bench = Bench(Path(tempfile.mkdtemp()))
        build_stages(bench)
        bench.restore("ocata")
        copies = Copies(bench)
        for service in SERVICES:
            copies.upgraded(service)
    sys.stdout.write(text(bench.query))
    sys.stdout.flush()
    copies.close()
    bench.close()


if __name__ == "__main__":
    main()

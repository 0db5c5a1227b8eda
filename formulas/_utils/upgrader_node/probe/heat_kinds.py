"""Heat's rows that its own column types judge: JSON, and pickles in the oldest events. They may hold passwords of stacks."""

import sys

from upgrader_node.probe.kind import Kind

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

_MOVES = "migrate_properties_data cannot move them, and whatever shows them fails"
_SHOWS = "whatever shows or updates their stack fails"


def _rows(table, columns, what, fails, remedy, name="t.id", first=0, where="TRUE", page=200, mend=""):
    # type: (str, typing.Tuple[str, ...], str, str, str, str, typing.Any, str, int, str) -> Kind
    return Kind(
        id=table.replace("_", "-") + "s", service="heat",
        subject=table, what=what + " that heat cannot read", fails=fails, remedy=remedy,
        source="heat db/sqlalchemy/models.py: types of " + ", ".join(columns), judge=table + ":" + ",".join(columns), tables="{db}." + table + " t",
        where=where, key="t.id", name=name, values=tuple("t." + column for column in columns), first=first, page=page, secret=True,
        mend=mend and "UPDATE {db}." + table + " SET " + mend + " WHERE id = {key}",
    )  # fmt: skip


_ANEW = "write the text anew; of a stack that nobody needs, delete the stack on the live cloud first"

KINDS = (
    _rows(
        "event", ("resource_properties",), "events whose properties are a pickle", _MOVES, "an event can do without: take the properties away",
        "CONCAT(t.id, ' of stack ', t.stack_id)", where="t.resource_properties IS NOT NULL", mend="resource_properties = NULL",
    ),
    _rows(
        "resource", ("properties_data", "rsrc_metadata", "needed_by", "requires"), "resources", _MOVES, _ANEW,
        "CONCAT(t.id, ' of stack ', t.stack_id)",
    ),
    _rows("raw_template", ("template", "files", "environment"), "templates", _SHOWS, _ANEW, page=50),
    _rows("stack", ("current_deps",), "stacks", _SHOWS, _ANEW, first="", where="t.deleted_at IS NULL"),
    _rows("software_config", ("config",), "software configurations", _SHOWS, _ANEW, first=""),
    _rows("software_deployment", ("input_values", "output_values"), "software deployments", _SHOWS, _ANEW, first=""),
    _rows("snapshot", ("data",), "snapshots of stacks", "they cannot be restored", "delete the snapshot on the live cloud", first="", page=50),
)  # fmt: skip

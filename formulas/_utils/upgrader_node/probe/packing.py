"""Pages of live rows, small enough for Salt: equal rows once, compressed. An event of Salt may have 1 MB, a reply has half."""

import base64
import json
import typing
import zlib

from upgrader_node.probe.kind import Row, digest

LIMIT = 450000
"""Characters of one packed page."""
NAMED = 20
"""Rows of equal values that are named; the others are counted."""
Group = typing.Dict[str, typing.Any]


def groups(rows: typing.Iterable[Row]) -> typing.List[Group]:
    """Rows of equal values together, in the order of their first: values, count, and key and name of the first few."""
    found = {}  # type: typing.Dict[bytes, Group]
    for row in rows:
        group = found.setdefault(digest(row.values), {"values": list(row.values), "count": 0, "rows": []})
        group["count"] += 1
        if len(group["rows"]) < NAMED:
            group["rows"].append([row.key, row.name])
    return list(found.values())


def packed(rows: typing.Sequence[Row]) -> str:
    text = json.dumps(groups(rows), separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 6)).decode("ascii")


def unpacked(text: str) -> typing.List[Group]:
    found = json.loads(zlib.decompress(base64.b64decode(text)).decode("utf-8"))  # type: typing.List[Group]
    return found


def fitting(rows: typing.Sequence[Row], limit: int = LIMIT) -> typing.Tuple[int, str]:
    """As many of the first rows as fit, and how they are packed; 0 and "" when not even the first does."""
    many = len(rows)
    while many:
        text = packed(rows[:many])
        if len(text) <= limit:
            return many, text
        many = min(many - 1, many * limit // len(text) * 9 // 10)
    return 0, ""

"""Which of the JSON texts in nova's tables nova itself cannot read back. Pure, and without the server's JSON functions:
Mitaka clouds run on servers that have none (MySQL before 5.7.8, MariaDB before 10.2.3)."""

import json
import typing

Document = typing.Dict[str, typing.Any]
INSIDE = "nova_object.data"


def _parsed(text: typing.Optional[str]) -> typing.Optional[Document]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _inside(document: typing.Any) -> typing.Optional[Document]:
    found = document.get(INSIDE) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else None


def unreadable_flavor(text: typing.Optional[str]) -> bool:
    """``instance_extra.flavor`` without a current flavor in it; no row at all counts the same, nova dies of both."""
    return _inside((_parsed(text) or {}).get("cur")) is None


def unreadable_spec(text: typing.Optional[str]) -> bool:
    """``request_specs.spec`` that is no serialised object, or one whose id is null (a bad writer's mark)."""
    inside = _inside(_parsed(text))
    return inside is None or ("id" in inside and inside["id"] is None)


def spec_without_group_uuid(text: typing.Optional[str]) -> bool:
    """A spec with a server group that has no uuid: what nova bug 1830747 writes and cannot read back."""
    group = _inside((_inside(_parsed(text)) or {}).get("instance_group"))
    return group is not None and not group.get("uuid")


def with_group(text: str, uuid: typing.Optional[str]) -> str:
    """The spec with its server group named; None takes the group out, for one that no group knows any more."""
    document = json.loads(text)
    if uuid is None:
        document[INSIDE]["instance_group"] = None
    else:
        document[INSIDE]["instance_group"][INSIDE]["uuid"] = uuid
    return json.dumps(document)

"""Adding a class to a file of the model without touching another byte of it.

The file is parsed only to find the place; the text is inserted there, and the result is parsed again: it must hold what
it held, and the new classes at the end. A round trip through a YAML library keeps comments but not every byte (quoting,
indentation of lists, line ends), and the operator's files are not ours to format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from upgrader.errors import Refused

BOM = "\ufeff"


def with_classes(text: str, names: Sequence[str], path: str) -> str:
    """``text`` with ``names`` at the end of its list of classes; those that are there already are left out.

    Raises Refused when the file cannot be extended without changing something else.
    """
    mark, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    by_hand = Refused(
        f"{path} cannot be extended without rewriting it; add {', '.join(names)} to its list classes by hand"
    )
    try:
        before = yaml.safe_load(body)
        wanted = [name for name in names if name not in _classes(before)]
        if not wanted:
            return text
        place, added = _insertion(body, wanted)
        after = yaml.safe_load(body[:place] + added + body[place:])
    except (yaml.YAMLError, ValueError):
        raise by_hand from None
    if after != {**(before or {}), "classes": [*_classes(before), *wanted]}:
        raise by_hand
    return mark + body[:place] + added + body[place:]


def _classes(held: Any) -> list[Any]:
    """The list of classes; ValueError when the file is no mapping or the list no list."""
    if held is None:
        return []
    found = held.get("classes") if isinstance(held, dict) else ""
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError("classes is no list")
    return found


def _insertion(text: str, names: Sequence[str]) -> tuple[int, str]:
    """Where to insert, as an index, and what."""
    end = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return _at_end(text, end, ["classes:", *(f"- {name}" for name in names)])
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("no mapping")
    pairs = [(key, value) for key, value in root.value if getattr(key, "value", None) == "classes"]
    if not pairs:
        return _new_key(text, root, names, end)
    key, value = pairs[-1]
    if isinstance(value, yaml.ScalarNode):
        return _below(text, key.end_mark.index, end, [" " * key.start_mark.column + f"- {name}" for name in names])
    assert isinstance(value, yaml.SequenceNode)
    if value.flow_style:
        return _inline(value, names)
    return _listed(text, value, names, end)


def _new_key(text: str, root: yaml.MappingNode, names: Sequence[str], end: str) -> tuple[int, str]:
    """Above the first key, so that a comment at the head of the file stays there."""
    if root.flow_style:
        listed = ", ".join(f'"{name}"' for name in names)
        return root.start_mark.index + 1, f'"classes": [{listed}]' + (", " if root.value else "")
    first = root.value[0][0].start_mark
    indent = " " * first.column
    lines = ["classes:", *(f"- {name}" for name in names)]
    return first.index, f"{end}{indent}".join(lines) + f"{end}{indent}"


def _inline(value: yaml.SequenceNode, names: Sequence[str]) -> tuple[int, str]:
    quote = _quote(value)
    listed = ", ".join(f"{quote}{name}{quote}" for name in names)
    return (value.value[-1].end_mark.index, ", " + listed) if value.value else (value.start_mark.index + 1, listed)


def _listed(text: str, value: yaml.SequenceNode, names: Sequence[str], end: str) -> tuple[int, str]:
    """Below the last item and the comment on its line, as deep and with as much room after the dash."""
    last, quote = value.value[-1], _quote(value)
    start = text.rfind("\n", 0, last.start_mark.index) + 1
    lead = text[start : last.start_mark.index]
    if lead.strip() != "-":
        raise ValueError("the last item does not stand on a line of its own")
    return _below(text, last.end_mark.index, end, [f"{lead}{quote}{name}{quote}" for name in names])


def _quote(value: yaml.SequenceNode) -> str:
    """How the last item is quoted: the new ones look like it."""
    style = value.value[-1].style if value.value and isinstance(value.value[-1], yaml.ScalarNode) else None
    return style if style in ("'", '"') else ""


def _below(text: str, index: int, end: str, lines: Sequence[str]) -> tuple[int, str]:
    """At the beginning of the line after ``index``."""
    found = text.find("\n", index)
    if found < 0:
        return _at_end(text, end, lines)
    return found + 1, "".join(line + end for line in lines)


def _at_end(text: str, end: str, lines: Sequence[str]) -> tuple[int, str]:
    """A file without a final newline stays one: all its bytes are kept, and the added lines follow."""
    if text and not text.endswith("\n"):
        return len(text), "".join(end + line for line in lines)
    return len(text), "".join(line + end for line in lines)

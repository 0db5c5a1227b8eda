"""Pillar as this machine's Salt configuration compiles it. The nodes themselves are not asked, so dead ones are described too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from upgrader.errors import Refused

UNPARSED = re.compile(r"(Parse error: ).*?(, at |\Z)", re.DOTALL)
"""reclass 2.0.0 (errors.ParseError) shows the text that it cannot read, and then the key."""


def refusal(node: str, said: str, remedy: str) -> Refused:
    """That the pillar of a node does not compile, without the value that reclass cannot parse: it may be a password."""
    shown = UNPARSED.sub(r"\1***\2", said)
    return Refused(f"pillar of {node} cannot be compiled: {shown}; {remedy}")


def compiled(opts: Mapping[str, Any], node: str) -> dict[str, Any]:
    """The pillar of one node. Raises Refused when it does not compile."""
    import salt.exceptions
    import salt.pillar
    import salt.utils.minions

    try:
        _, grains, _ = salt.utils.minions.get_minion_data(node, opts)
        found: dict[str, Any] = salt.pillar.Pillar(opts, grains or {"id": node}, node, "base").compile_pillar()
    except (salt.exceptions.SaltException, OSError) as error:
        raise refusal(node, str(error), "see the Salt master's log") from None
    if found.get("_errors"):
        raise refusal(node, "; ".join(map(str, found["_errors"])), "mend the model in reclass")
    return found

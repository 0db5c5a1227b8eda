"""Pillar as this machine's Salt configuration compiles it. The nodes themselves are not asked, so dead ones are described too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.errors import Refused


def compiled(opts: Mapping[str, Any], node: str) -> dict[str, Any]:
    """The pillar of one node. Raises Refused when it does not compile."""
    import salt.exceptions
    import salt.pillar
    import salt.utils.minions

    try:
        _, grains, _ = salt.utils.minions.get_minion_data(node, opts)
        found: dict[str, Any] = salt.pillar.Pillar(opts, grains or {"id": node}, node, "base").compile_pillar()
    except (salt.exceptions.SaltException, OSError) as error:
        raise Refused(f"pillar of {node} cannot be compiled: {error}; see the Salt master's log") from error
    if found.get("_errors"):
        raise Refused(
            f"pillar of {node} cannot be compiled: {'; '.join(map(str, found['_errors']))}; mend the model in reclass"
        )
    return found

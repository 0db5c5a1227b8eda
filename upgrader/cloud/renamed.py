"""Pillar keys of the tool's own that had other names, under which a site's formulas look for keys of theirs.

Setting ``xtrabackup:server``, ``mysql:client`` or ``rabbitmq:server`` switches a formula of the site on (a cron job, a state
that fails, a queue that joins production's cluster), so what is ours moved below ``upgrader:``. A model that still has an old
name is told, not guessed: only its owner knows whether the value there is the site's as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader_node.host import pillar as host_pillar

OLD_NAMES = {
    "upgrader:backup:server": "xtrabackup:server",
    "upgrader:backup:client": "xtrabackup:client",
    "upgrader:databases:admin": "mysql:client:server:upgrade:admin",
    "upgrader:databases:clones": "mysql:client:server:upgrade:database",
    "upgrader:service:memcached": "memcached:server",
    "upgrader:service:rabbitmq": "rabbitmq:server",
}


def old_name(pillar: Mapping[str, Any], key: str) -> tuple[str, str]:
    """(new, old) name of the group that ``key`` belongs to, where this pillar has something under the old one; else ("", "")."""
    for new, old in OLD_NAMES.items():
        if f"{key}:".startswith(f"{new}:") and host_pillar.value(pillar, old) not in (None, "", {}, []):
            return new, old
    return "", ""

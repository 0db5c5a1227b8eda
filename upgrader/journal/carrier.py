"""Who carried a run's jobs. Minions do not know of jobs that were started over ssh, nor the other way round."""

from __future__ import annotations

from upgrader.errors import Refused
from upgrader.journal.journal import Journal

MINIONS, SSH = "minions", "ssh"
THROUGH = {MINIONS: "transport master or api", SSH: "transport ssh"}


def require_carrier(journal: Journal, run_id: str, carrier: str) -> None:
    """Refuse to look for a run's jobs where they never were: what still runs would be taken for lost, and run twice.

    Raises Refused. Journals of before there was a choice are of minions.
    """
    begun = str(journal.records[0].get("carrier", MINIONS)) if journal.records else carrier
    if begun != carrier:
        raise Refused(
            f"run {run_id} was begun through {THROUGH.get(begun, begun)}, where its jobs are known: go on with that, not through "
            f"{THROUGH[carrier]}"
        )

"""What every transport has in common whose calls minions carry out."""

from __future__ import annotations

from collections.abc import Mapping


class Minions:
    """Nothing is lacking where there is a master; jobs are known to it, whichever door they went through."""

    kinds: tuple[str, ...] = ("module", "state")
    lacks: Mapping[str, str] = {}
    carrier: str = "minions"

    def silent_because(self, node: str) -> str:
        """Whom to ask about a node that says nothing."""
        return "is the machine up and salt-minion running there?"

    def looked_after(self, node: str, jid: str) -> str:
        """What shows a job, and what ends it."""
        return f"'salt {node} saltutil.find_job {jid}' shows it and 'salt {node} saltutil.term_job {jid}' ends it"

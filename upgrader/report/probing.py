"""How far a probe of live rows is, on stderr."""

from __future__ import annotations

from upgrader.report.live_line import LiveLine


class ProbeProgress(LiveLine):
    """``probing nova.instance_extra: 40,000 of 200,000``."""

    def begun(self, what: str, total: int) -> None:
        """A kind of rows begins; a small one is told no more than that."""
        self.show(f"probing {what}: {total:,} row{'' if total == 1 else 's'}")

    def at(self, what: str, done: int, total: int) -> None:
        """Some rows are done. Rows that came meanwhile may take it past its total."""
        self.move(f"probing {what}: {done:,} of {max(done, total):,}")

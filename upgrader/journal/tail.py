"""Follows a journal that another process writes. Reads what came since the last look, and nothing that is there already."""

from __future__ import annotations

from pathlib import Path

from upgrader.errors import UpgradeError
from upgrader.journal.journal import Record, whole_lines


class Tail:
    """``records`` are the whole lines seen so far, chained and checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        self._offset = 0

    def look(self) -> bool:
        """Whether lines came. Raises InDoubt for one that does not fit, UpgradeError when the file cannot be read.

        A file that is shorter than what was read had lines that no disk could keep (``Journal`` cuts them off again): it is
        read anew from its beginning.
        """
        try:
            size = self.path.stat().st_size
            if size < self._offset:
                self.records, self._offset = [], 0
            if size == self._offset:
                return False
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError as error:
            raise UpgradeError(f"journal {self.path} cannot be read: {error.strerror}") from error
        came = whole_lines(self.path, content, self.records)
        self._offset += content.rfind(b"\n") + 1
        self.records = [*self.records, *came]
        return bool(came)

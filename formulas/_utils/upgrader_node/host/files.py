"""Files that a cut at any instruction leaves whole."""

import os


def write(path: str, text: str, mode: int = 0o600) -> None:
    """A crash leaves the old file or the new one. By default readable by its owner only."""
    descriptor = os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)

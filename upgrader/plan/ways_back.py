"""Which stage takes an unfinished run of another one back.

The table of stages refers to it. It stands apart, because whoever only tells of a run asks it, and reading how every stage makes its
steps takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping

GIVES_UP: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("control-plane", "rollback"): ("real-upgrade",),
    ("data-plane", "rollback"): ("sample", "all"),
}
"""Part and stage to the stages whose unfinished runs are left behind when it begins: it is their way back."""

OPENS: Mapping[tuple[str, str], str] = {("control-plane", "real-upgrade"): "apis-stop"}
"""Part and stage to the first step that users notice: what comes before it only adds, and there is nothing to take back."""


def way_back(part: str, name: str) -> str:
    """The command that takes an unfinished run of a stage back, "" where the stage has none."""
    found = (stage for (of, stage), others in GIVES_UP.items() if of == part and name in others)
    return next((f"upgrader {part} --stage {stage}" for stage in found), "")

"""The one door to Salt, as a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from upgrader.plan.step import Call
from upgrader.transport.reply import Reply


class Transport(Protocol):
    """How calls reach nodes. Submitting and collecting are apart so that a run can be cut between them and go on.

    ``kinds`` are the kinds of call that it carries, ``lacks`` the modules that it has no use for, each with the reason: a plan
    with another kind, or such a module, is refused before it is shown. ``carrier`` is who knows its jobs: ``minions`` or ``ssh``.
    """

    kinds: tuple[str, ...]
    lacks: Mapping[str, str]
    carrier: str

    def pillars(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Pillar of exactly these nodes, compiled without asking them. Raises SaltUnreachable, Refused where it cannot be."""

    def master_id(self) -> str:
        """Minion id of the machine whose pillar describes the cloud."""

    def new_job_id(self) -> str:
        """A job id to be journalled *before* anything is submitted under it."""

    def submit(self, call: Call, jid: str) -> None:
        """Publish the call under this job id. Returns at once. Raises SaltUnreachable."""

    def is_known(self, jid: str) -> bool:
        """Whether a job with this id was ever published."""

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        """Judged replies that have arrived so far; none for a job that nobody knows."""

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Ask nodes whether they run the job. A node that does not answer the question is not in the result."""

    def silent_because(self, node: str) -> str:
        """What to look at when a node says nothing; or what is known to stand in its way."""

    def looked_after(self, node: str, jid: str) -> str:
        """What an operator types to see a job that still runs on a node, and to end it."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds. ``silence`` is for nodes that do not even say whether they run the job."""

    tick: float = 0.2
    probe_every: float = 5.0
    silence: float = 20.0
    grace: float = 3.0

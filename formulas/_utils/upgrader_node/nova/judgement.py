"""Verdicts on nova-manage: exit code, output and the database before and after, judged together. Pure.

Each function returns ``(ok, sentence)``. Exit 0 alone proves nothing here, and neither does exit 1: the traps they
answer are numbered as in docs/traps.md.
"""

import typing

from upgrader_node.nova import nova_manage
from upgrader_node.service import manage
from upgrader_node.service.manage import Outcome

Verdict = typing.Tuple[bool, str]


def _ended(outcome: Outcome) -> str:
    if outcome.exit_code == manage.TIMED_OUT:
        return "was stopped after {0:.0f} s without an end".format(outcome.seconds)
    return "ended with exit code {0}".format(outcome.exit_code)


def failure(outcome: Outcome) -> str:
    """How the command ended and its own last words, as the end of a sentence."""
    return "'{0}' {1}: {2}".format(outcome.command, _ended(outcome), manage.last_words(outcome))


def sync_needed(current: typing.Optional[int], wanted: int) -> bool:
    """Only upwards: nova takes a lower number for a downgrade and crashes (trap 15)."""
    return current is None or current < wanted


def already(
    what: str, current: typing.Optional[int], wanted: int, late: typing.Optional[typing.Tuple[str, int]] = None
) -> str:
    """Why nothing was run. ``late`` names a release whose builds end at ``wanted`` and later, and the last of them."""
    if current == wanted:
        return "{0} is already at {1}".format(what, wanted)
    build = ""
    if late and wanted < (current or 0) <= late[1]:
        build = " ({0}'s releases end at {1} to {2})".format(late[0].capitalize(), wanted, late[1])
    return "{0} is at {1}, past {2}{3}; nothing to do".format(what, current, wanted, build)


def _remedy(last: str) -> str:
    """What to do about the migrations that refuse on purpose (traps 4, 5, 6, 15)."""
    if "compute_nodes table" in last or "pci_devices table" in last or "aggregates table" in last:
        return "; only Mitaka's own 'nova-manage db online_data_migrations' can repair it: run it on the source cloud and take a new copy"
    if "unmigrated" in last:
        return "; run online_data_migrations to its end first"
    if "Cell mappings are not created" in last:
        return "; map cell0 and create the cell beside it first"
    if "downgrade" in last:
        return "; the database is past the version that was asked for"
    if "1091" in last or "1060" in last:
        return "; an earlier, lost client had done this change: run the step again"
    return ""


def judge_sync(what: str, outcome: Outcome, after: typing.Optional[int], wanted: int) -> Verdict:
    """``db sync`` or ``api_db sync``: clean exit, no crash in the output, and the version in the database."""
    if outcome.exit_code != 0 or manage.crashed(outcome):
        return False, "{0} stays at {1} instead of {2}; {3}{4}".format(
            what, after, wanted, failure(outcome), _remedy(manage.last_line(outcome))
        )
    if after is None or after < wanted:
        return False, "{0} is at {1} instead of {2}, though '{3}' exited 0".format(what, after, wanted, outcome.command)
    return True, "{0} is at {1}".format(what, after)


def judge_cell0_sync(outcome: Outcome, cell0: str, after: typing.Optional[int], wanted: int) -> Verdict:
    """The part of ``db sync`` that nova swallows (trap 8): text and cell0's own version both count."""
    reason = nova_manage.cell0_error(outcome)
    if reason:
        return (
            False,
            "cell0 was not synced although the command exited {0}: {1}; create {2} and grant it to nova's user".format(
                outcome.exit_code, reason, cell0
            ),
        )
    if after is None or after < wanted:
        return False, "cell0 database {0} is at {1} instead of {2}, though '{3}' said nothing".format(
            cell0, after, wanted, outcome.command
        )
    return True, "{0} is at {1}".format(cell0, after)


def still(left: typing.Mapping[str, int]) -> str:
    """``8 flavors, 3 aggregates`` of what is left."""
    return ", ".join("{0} {1}".format(count, word) for word, count in sorted(left.items()) if count) or "nothing"


def judge_batch(outcome: Outcome, left: typing.Mapping[str, int], grouped: int, broken: int) -> Verdict:
    """One batch of online_data_migrations: exit 0 or 1 without a crash, and no migration that raised (traps 1, 2, 7)."""
    failed = nova_manage.failed_migrations(outcome)
    if failed:
        cause = ""
        if "migrate_instances_add_request_spec" in failed and (grouped or broken):
            cause = (
                "; server-group members stop it (nova bug 1830747): {0} live member(s) without request spec,"
                " {1} spec(s) with a group that has no uuid; they need the server-group repair"
            ).format(grouped, broken)
        return (
            False,
            "online migration {0} raised an exception that nova does not log (exit code {1}); left: {2}{3}".format(
                ", ".join(failed), outcome.exit_code, still(left), cause
            ),
        )
    if outcome.exit_code not in (0, 1) or manage.crashed(outcome):
        return False, "{0}; left: {1}".format(failure(outcome), still(left))
    return True, "left: {0}".format(still(left))


def judge_exit(outcome: Outcome, allowed: typing.Sequence[int] = (0,)) -> Verdict:
    """The plain part of a verdict: one of the allowed exit codes and no crash in the output."""
    if outcome.exit_code not in allowed or manage.crashed(outcome):
        return False, failure(outcome)
    return True, "'{0}' exited {1}".format(outcome.command, outcome.exit_code)


def judge_hosts(outcome: Outcome, unmapped: typing.Sequence[str], counts: typing.Mapping[str, int]) -> Verdict:
    """discover_hosts says nothing whatever happens (trap 13): the counts are the proof."""
    ok, sentence = judge_exit(outcome)
    if not ok:
        return False, sentence
    if unmapped:
        return False, "{0} of {1} compute hosts have no host mapping after discover_hosts exited 0: {2}".format(
            len(unmapped), counts["hosts"], ", ".join(unmapped[:10])
        )
    if counts["elsewhere"]:
        return False, "{0} host mapping(s) lead to another cell".format(counts["elsewhere"])
    return True, "all {0} compute hosts are mapped".format(counts["hosts"])


def judge_mapped(counts: typing.Mapping[str, int]) -> Verdict:
    """map_instances is done when every instance, soft-deleted ones too, has a mapping with a cell (trap 14)."""
    if counts["unmapped"] or counts["markers"]:
        return False, "{0} of {1} instances have no mapping yet".format(counts["unmapped"], counts["instances"])
    if counts["without cell"]:
        return False, (
            "{0} instance mapping(s) exist without a cell, and map_instances never fills those; set their cell_id by hand"
        ).format(counts["without cell"])
    return True, "all {0} instances are mapped".format(counts["instances"])

"""The entry gate: everything that would stop the backup of these domains' disks, by name, long before the window."""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import findings
from upgrader_node.host.findings import Findings
from upgrader_node.vm import finding, judgement, survey

Answer = typing.Dict[str, typing.Any]


def check(here: finding.Host, names: typing.Sequence[str], mode: str, folder: str = "") -> Answer:
    """Findings about all of them together; those of severity ``blocker`` refuse. Changes nothing."""
    require_mode(mode, folder)
    users = survey.uses(here)
    seen, said = [], []  # type: typing.List[survey.Facts], Findings
    for name in names:
        try:
            seen.append(survey.survey(finding.find(here, name), name, users))
        except StepError as error:
            said.append(findings.finding(name, str(error), "mend that, then check again"))
    for facts in seen:
        said += judgement.judge(here.node, facts, mode, folder)
    said += rooms(here.node, seen, mode, folder)
    stopping = len(findings.blockers(said))
    comment = "{} of {} domains looked at, {} things in the way".format(len(seen), len(names), stopping)
    return {"comment": comment, "findings": said, "domains": [_shown(facts) for facts in seen]}


def rooms(node: str, seen: typing.Sequence[survey.Facts], mode: str, folder: str) -> Findings:
    """Of the folders that the domains' disks are kept in."""
    wanted = judgement.together(judgement.needs(facts, mode, folder) for facts in seen)
    return judgement.judge_rooms(node, wanted, {one: survey.room(one, mode) for one in wanted}, mode)


def refuse(said: Findings) -> None:
    """Raises StepError with all blockers in one sentence each."""
    stopping = findings.blockers(said)
    if stopping:
        raise StepError("; ".join("{what} ({remedy})".format(**one) for one in stopping))


def require_mode(mode: str, folder: str) -> None:
    """Raises StepError for a mode that there is not, and for a folder where there is no choice."""
    if mode not in survey.MODES:
        raise StepError("there is no mode {}: take one of {}".format(mode, ", ".join(survey.MODES)))
    if folder and mode not in (survey.COPY, survey.LIVE):
        raise StepError("mode {} keeps a disk beside itself: leave the folder out, or take mode copy".format(mode))
    if folder and not os.path.isabs(folder):
        raise StepError("the folder of kept disks must be a whole path, not {}".format(folder))


def _shown(facts: survey.Facts) -> Answer:
    """A domain as a report shows it."""
    disks = [
        {"target": disk.target, "path": disk.source, "format": disk.format, **_sizes(facts, disk.source)}
        for disk in facts.defined.disks
    ]
    return {"domain": facts.defined.name, "uri": facts.uri, "state": facts.standing.state, "disks": disks}


def _sizes(facts: survey.Facts, path: str) -> typing.Dict[str, int]:
    image = facts.images.get(path)
    return {} if image is None else {"bytes": image.allocated, "virtual_bytes": image.virtual}

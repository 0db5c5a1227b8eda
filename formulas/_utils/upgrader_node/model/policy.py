"""Rules of access that pillar gives a service beside its own (``ROLE:policy``), in a file that oslo.policy reads after them.

Ocata's services hold their own rules in code or in ``policy.json``; what stands in the folder ``policy.d`` beside the configuration
replaces single ones (oslo.policy's ``policy_dirs``). So nothing of the package's file is rewritten, and a rule that leaves pillar
is as it was.
"""

import json
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.service.roles import ROLE_OF


def text(pillar: typing.Any, service: str) -> str:
    """The file, as JSON. Raises StepError that names the rules without a text.

    An empty rule lets everybody in, so one without a text is refused: MCP takes such a rule away, which Ocata's rules in code
    do not allow.
    """
    place = ROLE_OF[service] + ":policy"
    rules = host_pillar.value(pillar, place) or {}
    if not isinstance(rules, dict):
        raise StepError("nothing was written: pillar {0} has to be {{rule: text}}, and is not".format(place))
    bad = sorted(str(name) for name, rule in rules.items() if not isinstance(rule, str) or not rule.strip())
    if bad:
        raise StepError(
            "nothing was written: pillar {0} has rules without a text, which can only be replaced, not taken away: {1}; write "
            "'!' for nobody, '@' for everybody".format(place, some(bad))
        )
    return json.dumps(rules, indent=4, sort_keys=True)

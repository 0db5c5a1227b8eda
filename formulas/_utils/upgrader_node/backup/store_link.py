"""The road from a database node to the backup store: one ssh key that opens one program there (``upgrader-receive``)."""

import json
import os
import tempfile
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline, settings

KEY, KNOWN_HOSTS = "/etc/upgrader/backup_key", "/etc/upgrader/backup_known_hosts"
STORE_USER = "upgrader-backup"
Words = typing.List[str]


def command(client: typing.Mapping[str, typing.Any]) -> Words:
    """The ssh command that reaches the store, to be completed by one argument, the request.

    :param client: ``settings.client``. Raises StepError when the pillar or this node is not ready for it.
    """
    target = client.get("target", {})
    if not target.get("host"):
        raise StepError("pillar key {} is missing: name the backup node there".format(settings.CLIENT_TARGET))
    if not os.path.exists(KEY):
        raise StepError("{} is missing: apply state {} to this node first".format(KEY, settings.CLIENT_STATE))
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=" + KNOWN_HOSTS, "IdentitiesOnly=yes"]
    options += ["ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=4"]
    flags = [word for option in options for word in ("-o", option)]
    return ["ssh", "-T", "-i", KEY] + flags + ["{}@{}".format(target.get("user", STORE_USER), target["host"])]


def ask(link: Words, verb: str, receipt: str, document: str = "") -> typing.Dict[str, typing.Any]:
    """One small question to the store; its answer is one JSON object. Raises StepError."""
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(document.encode())
        question.seek(0)
        ended = pipeline.run([link + ["{} {}".format(verb, receipt)]], stdin=question, stdout=answer, timeout=60)[0]
        if ended.code != 0:
            raise StepError("the backup store does not answer: {}".format(pipeline.describe(ended)))
        answer.seek(0)
        try:
            reply = json.loads(answer.read().decode())  # type: typing.Dict[str, typing.Any]
        except ValueError:
            raise StepError(
                "the backup store answers something else than JSON: look at sshd and its login banner there"
            ) from None
        return reply

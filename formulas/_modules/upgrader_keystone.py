"""Keystone's keys, the same on every controller. They go through Salt sealed with each minion's own public key."""

import os

from salt.exceptions import CommandExecutionError
from upgrader_node.copy import proof
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import pillar as host_pillar
from upgrader_node.production import sharing

__virtualname__ = "upgrader_keystone"


def __virtual__():
    return __virtualname__


def seal(recipients):
    """On the controller that ran keystone's phases: its fernet and credential keys, sealed for each of the others.

    :param recipients: minion id to the text of its public key (``upgrader_key.public`` answers them)
    Answers ``sealed`` by minion id, which only that minion can open, and ``hashes``.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_keystone.seal recipients='{ctl02.lab.local: "-----BEGIN PUBLIC KEY-----..."}'
    """
    with told_as(CommandExecutionError):
        return sharing.seal(_config(__pillar__), recipients)


def unseal(run, sealed, hashes):
    """Write the keys that ``seal`` sealed for this minion; those that were there move to ``<folder>.before-RUN``.

    :param sealed: what ``seal`` answered, for all minions; each opens its own
    Before keystone starts here. Twice is no error.

    CLI Example:

    .. code-block:: bash

        salt 'ctl02*' upgrader_keystone.unseal run=RUN sealed='{...}' hashes='{...}'
    """
    with told_as(CommandExecutionError):
        own = sealed.get(__opts__["id"])
        if own is None:
            raise StepError("no keys were sealed for {}: name it among the recipients".format(__opts__["id"]))
        private = os.path.join(__opts__["pki_dir"], "minion.pem")
        return sharing.unseal(_config(__pillar__), run, own, private, hashes)


def _config(pillar):
    return host_pillar.value(pillar, "keystone:server:config_file") or proof.FILES["keystone"][0]

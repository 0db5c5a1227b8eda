"""On the Salt master's own node: the keys of minions that are built anew, and the wait until those answer."""

import time

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import lock
from upgrader_node.salt_master import pki, replacing, waiting

__virtualname__ = "upgrader_key"


def __virtual__():
    return __virtualname__


def check(nodes, pki_dir=pki.FOLDER):
    """Each of these minions has an accepted key here and none that waits, was denied or was rejected. Changes nothing.

    A denied key means that another machine uses the id. Returns findings; one of severity ``blocker`` refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_key.check nodes='[ctl01.lab.local]'
    """
    with _told():
        return replacing.check(pki_dir, nodes)


def public(nodes, pki_dir=pki.FOLDER):
    """The accepted public keys of these minions, by their ids: what ``upgrader_keystone.seal`` seals for. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_key.public nodes='[ctl02.lab.local]'
    """
    with _told():
        return replacing.public(pki_dir, nodes)


def replace(run, keys, pki_dir=pki.FOLDER, folder=replacing.FOLDER):
    """Make the given public keys the accepted ones of these minions, and of no other.

    :param keys: minion id to the text of its new public key
    Leaves behind: the old keys and the receipt in ``/var/lib/upgrader/keys/RUN``. Twice is no error.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_key.replace run=RUN keys='{ctl01.lab.local: "-----BEGIN PUBLIC KEY-----..."}'
    """
    with _told(), lock.exclusively(lock.KEYS, "upgrader_key.replace", run):
        return replacing.replace(replacing.place(pki_dir, run, folder), run, keys)


def restore(run, nodes, pki_dir=pki.FOLDER, folder=replacing.FOLDER):
    """Put the keys back that ``replace`` of this run kept. The replaced ones stay beside them as ``ID.replaced.pub``.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_key.restore run=RUN nodes='[ctl01.lab.local]'
    """
    with _told(), lock.exclusively(lock.KEYS, "upgrader_key.restore", run):
        return replacing.restore(replacing.place(pki_dir, run, folder), nodes)


def wait(nodes, timeout=300, master_config="/etc/salt/master", pki_dir=""):
    """Wait, up to ``timeout`` seconds, until each of these minions answers the master of this node.

    By the events that minions send when they start; who is silent is asked again. On a timeout each silent one is named with
    what was seen of it: never connected, key denied (another machine with this id), key pending. Answers ``answered``, seconds by
    minion id, and a warning for an id under which another machine came as well.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_key.wait nodes='[ctl01.lab.local]' timeout=300
    """
    with _told(), _Door(master_config) as door:
        master = waiting.Master(door.ask, door.event, pki_dir or door.opts["pki_dir"])
        answer = waiting.wait(master, nodes, float(timeout))
        return dict(answer, findings=replacing.strangers(master.pki_dir, nodes))


class _Door:
    """The master's own client and event bus. Salt's parts of the master are imported only when they are asked for."""

    def __init__(self, master_config):
        import salt.client
        import salt.utils.event

        self._client = salt.client.get_local_client(c_path=master_config)
        self.opts = self._client.opts
        self._bus = salt.utils.event.get_event(
            "master", sock_dir=self.opts["sock_dir"], opts=dict(self.opts), listen=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._bus.destroy()
        if hasattr(self._client, "destroy"):
            self._client.destroy()

    def ask(self, nodes):
        """The id of the job; without one (nobody of these has a key) the question is asked again later."""
        try:
            sent = self._client.run_job(list(nodes), "test.ping", tgt_type="list", timeout=5)
        except Exception as error:  # noqa: BLE001 (of Salt's own classes one for each release; all mean that no master answers)
            raise StepError("the Salt master of this node takes no job: {}".format(error)) from None
        return str(sent.get("jid") or "")

    def event(self, seconds):
        begun = time.monotonic()
        event = self._bus.get_event(wait=seconds, full=True, auto_reconnect=True)
        if event is None and time.monotonic() - begun < seconds / 2:
            time.sleep(min(seconds, 0.5))  # no master is there to hear: the bus does not wait then
        return waiting.Event(event["tag"], event["data"]) if event else None


def _told():
    return told_as(CommandExecutionError)

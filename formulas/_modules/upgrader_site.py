"""
The site's own formulas, applied by the site's own Salt on this node, and judged: every state, and the services afterwards.

Which Salt that is says pillar ``upgrader:site:command`` and ``:config_dir``; without them it is ``/usr/bin/salt-call`` with
``/etc/salt``. Its exit code is not believed: a run is good when every state says so, no command inside broke off, and what
it says to have started still runs some seconds later.
"""

import time

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import redact, told_as
from upgrader_node.host import findings, settings
from upgrader_node.site import run

__virtualname__ = "upgrader_site"

HOUR = 3600
AGAIN = "let the formula wait for what its state asks"


def __virtual__():
    return __virtualname__


def check(mods):
    """
    Every one of these SLS is there and renders for this node, by the site's own Salt. Changes nothing.

    :param mods: names of SLS, as the site's Salt knows them

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_site.check mods='[keystone.server, nova]'
    """
    site = settings.site(__pillar__)
    with told_as(CommandExecutionError):
        release = run.version(site)
        number = run.rendered(site, mods, 600)
    comment = "{} states of {} SLS render with the site's Salt {} ({}, {})".format(number, len(mods), release, *site)
    return {"comment": comment, "states": number, "salt": release}


def configured(mods, timeout=HOUR):
    """
    Packages and configuration of these SLS; no service is started and no command run, as they work on databases whose schemas are
    not done yet.

    Raises CommandExecutionError with every state that failed, and when a service started all the same.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_site.configured mods='[keystone.server, nova]'
    """
    states = changed = 0
    told = []
    for name in mods:
        with told_as(CommandExecutionError):
            done, said = run.configured(settings.site(__pillar__), name, _active, timeout)
        states, changed, told = states + done.states, changed + done.changed, told + said
    return {"comment": _comment(states, changed), "changed": bool(changed), "findings": told}


def applied(mods, timeout=HOUR, settle=8, tries=2):
    """
    These SLS, whole; when states fail, up to ``tries`` times. ``settle`` seconds later every service that they say runs must still
    do so.

    Raises CommandExecutionError with every state that failed and every service that did not last.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_site.applied mods='[keystone.server]'
    """
    with told_as(CommandExecutionError):
        done, failures = run.applied(settings.site(__pillar__), mods, timeout, tries)
    began = {one: _began(one) for one in done.services}
    time.sleep(settle if done.services else 0)
    dead = [one for one in done.services if not __salt__["service.status"](one) or _began(one) != began[one]]
    if dead:
        raise CommandExecutionError(
            "the site's {} says that it started {}, and {} s later {}, or only anew: {}".format(
                ",".join(mods),
                findings.some(dead),
                settle,
                "it does not run" if len(dead) == 1 else "they do not run",
                _last_words(dead[0]),
            )
        )
    told = [
        findings.finding(",".join(mods), one + "; applied again it passed", AGAIN, findings.WARNING) for one in failures
    ]
    return {
        "comment": _comment(done.states, done.changed),
        "changed": bool(done.changed or failures),
        "services": list(done.services),
        "findings": told,
    }


def _comment(states, changed):
    return "{} states of the site's, {} changed something".format(states, changed)


def _began(unit):
    """The main process of a unit: one that dies and is started again and again is active now and then. "" where systemd is not."""
    return __salt__["cmd.run_stdout"](
        ["systemctl", "show", "--property=MainPID", unit], python_shell=False, ignore_retcode=True
    )


def _last_words(unit):
    """How a unit ended, what it wrote last, and where the rest is."""
    ended = __salt__["cmd.run_stdout"](
        ["systemctl", "show", "--property=Result,ExecMainStatus", unit], python_shell=False, ignore_retcode=True
    )
    wrote = __salt__["cmd.run_stdout"](
        ["journalctl", "_SYSTEMD_UNIT={}.service".format(unit), "--lines=1", "--output=cat", "--no-pager", "--quiet"],
        python_shell=False,
        ignore_retcode=True,
    )
    words = "{}; it wrote: {}".format(
        ", ".join(ended.split()) or "systemd says nothing of it", wrote.strip()[-300:] or "nothing"
    )
    return redact("{} (journalctl -u {}, and its own log)".format(words, unit))


def _active():
    """Names of the units that run now, without their suffix."""
    told = __salt__["cmd.run_stdout"](
        ["systemctl", "list-units", "--type=service", "--state=active", "--plain", "--no-legend"], python_shell=False
    )
    return {line.split()[0].rsplit(".", 1)[0] for line in told.splitlines() if line.strip()}

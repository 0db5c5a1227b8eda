"""Keystone: keys first, because without them ``--migrate`` encrypts every credential with a known key, silently.

The legacy part (Mitaka's repository) comes with ``--expand`` and is no rolling upgrade: keystone must be stopped.
"""

import base64
import binascii
import hashlib
import os
import stat
import typing

from upgrader_node.errors import StepError
from upgrader_node.release.path import Phase
from upgrader_node.schema import installed
from upgrader_node.schema.session import Look, Service, Session, Tool, Work, demand, demand_source, judged, run
from upgrader_node.service import manage

NULL_KEY = base64.urlsafe_b64encode(b"\x00" * 32)
# Exit codes of ``db_sync --check``.
CHECKED = {
    0: "nothing is left",
    1: "out of sync",
    2: "--expand is next",
    3: "--migrate is next",
    4: "--contract is next",
}
REPOSITORIES = (
    ("credential_setup", "credential", "/etc/keystone/credential-keys/"),
    ("fernet_setup", "fernet_tokens", "/etc/keystone/fernet-keys/"),
)
FLUSH_ROUNDS = 3


def folder(session: Session, section: str) -> str:
    """The key repository of ``[section]``."""
    defaults = {name: default for _, name, default in REPOSITORIES}
    return session.target.option(section, "key_repository", defaults[section]).rstrip("/")


def keys(path: str) -> typing.Dict[int, bytes]:
    """The keys of a repository by number, as they stand in the files; the highest is the one that encrypts."""
    numbered = {}
    for name in os.listdir(path):
        if name.isdigit():
            with open(os.path.join(path, name), "rb") as opened:
                numbered[int(name)] = opened.read()
    return numbered


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text.strip())) == 32
    except (binascii.Error, ValueError):
        return False


def trouble(path: str, user: str, uid: int, gid: int) -> str:
    """What keystone could not use about a key repository, or ""."""
    try:
        place = os.stat(path)
        numbered = keys(path)
        owners = [(path, place)] + [(os.path.join(path, str(n)), os.stat(os.path.join(path, str(n)))) for n in numbered]
    except FileNotFoundError:
        return "{0} does not exist".format(path)
    except OSError as error:
        return "{0} cannot be read ({1})".format(path, error.strerror)
    if not numbered:
        return "{0} holds no key".format(path)
    for name, seen in owners:
        if (seen.st_uid, seen.st_gid) != (uid, gid):
            return "{0} does not belong to {1}:{1}".format(name, user)
        if stat.S_IMODE(seen.st_mode) & 0o077:
            return "{0} can be read by others than {1} (mode {2:o})".format(name, user, stat.S_IMODE(seen.st_mode))
    for number, text in sorted(numbered.items()):
        if text.strip() == NULL_KEY:
            return "{0}/{1} is the null key, which everybody knows".format(path, number)
        if not _is_key(text):
            return "{0}/{1} is not a fernet key".format(path, number)
    return ""


def _troubles(session: Session) -> typing.List[typing.Tuple[str, str, str]]:
    """(command that makes it, folder, trouble) of every key repository that keystone could not use."""
    user = own_user(session)
    looked = []
    for command, section, _ in REPOSITORIES:
        path = folder(session, section)
        looked.append((command, path, trouble(path, user.name, user.uid, user.gid)))
    return [item for item in looked if item[2]]


def look_keys(session: Session, phase: Phase) -> Look:
    wrong = _troubles(session)
    state = {section: folder(session, section) for _, section, _ in REPOSITORIES}
    return Look(state, "; ".join(text for _, _, text in wrong), "both key repositories are there")


def do_keys(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    """Make the repositories that are missing or empty; what is there and wrong is somebody's to put right."""
    for command, path, text in _troubles(session):
        demand(
            not os.path.isdir(path) or not keys(path),
            "{0}; correct it by hand: keys that are in use are never replaced".format(text),
        )
        _make_folder(session, path)
        tool.run([command] + _owner(session), timeout)


def own_user(session: Session) -> manage.Account:
    """Whose keys and tool these are."""
    return session.user or manage.account("keystone")


def _owner(session: Session) -> typing.List[str]:
    name = own_user(session).name
    return ["--keystone-user", name, "--keystone-group", name]


def _make_folder(session: Session, path: str) -> None:
    """As root, for /etc/keystone is not keystone's to write in."""
    try:
        if not os.path.isdir(path):
            os.makedirs(path, 0o700)
            user = own_user(session)
            os.chown(path, user.uid, user.gid)
    except OSError as error:
        raise StepError(
            "{0} cannot be made ({1}); make it for keystone, mode 0700".format(path, error.strerror)
        ) from None


def heads(session: Session) -> typing.Dict[str, int]:
    """The installed keystone's own last versions, which are the target release's or later."""
    last, release = installed.keystone(session), session.path.target.capitalize()
    short = ["{0} ends at {1}, {2}'s at {3}".format(name, last.get(name, 0), release, least)
             for name, least in sorted(session.path.least.items()) if last.get(name, 0) < least]  # fmt: skip
    demand(not short, "the installed keystone is too old: {0}; install {1}'s".format("; ".join(short), release))
    return last


def _look_repositories(session: Session, names: typing.Sequence[str]) -> Look:
    target, at = heads(session), session.marks().migrate
    state = {name: at.get(name, 0) for name in target}
    behind = ["{0} is at {1} instead of {2}".format(n, state[n], target[n]) for n in names if state[n] < target[n]]
    return Look(state, "; ".join(behind), ", ".join("{0} is at {1}".format(n, state[n]) for n in names))


def look_expand(session: Session, phase: Phase) -> Look:
    return _look_repositories(session, ("keystone", "keystone_expand"))


def look_migrate(session: Session, phase: Phase) -> Look:
    return _look_repositories(session, ("keystone_data_migrate",))


def look_contract(session: Session, phase: Phase) -> Look:
    return _look_repositories(session, ("keystone_contract",))


def _checked(session: Session, timeout: float) -> typing.Optional[int]:
    """What ``db_sync --check`` answers; None where this keystone has no such option, for argparse's 2 is no answer."""
    outcome = run(session, ["db_sync", "--check"], timeout)
    if "unrecognized arguments" in outcome.stderr:
        return None
    return judged(outcome, tuple(CHECKED)).exit_code


def _sync(session: Session, tool: Tool, timeout: float, option: str, wanted: int) -> None:
    """One part of the sync; where the tool can tell what comes next, it must be ``wanted``."""
    tool.run(["db_sync", option], timeout)
    checked = _checked(session, timeout)
    demand(
        checked in (None, wanted),
        "'keystone-manage db_sync {0}' exited 0, but --check says: {1}".format(option, CHECKED[checked or 0]),
    )


def do_expand(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    demand_source(session)
    _sync(session, tool, timeout, "--expand", 3)


def do_migrate(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    _sync(session, tool, timeout, "--migrate", 4)
    known = known_to_all(session)
    demand(
        not known,
        "{0} credential(s) were encrypted with the null key, which everybody knows: keystone could not read its keys;"
        " correct them, then phase credentials encrypts anew".format(known),
    )


def do_contract(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    _sync(session, tool, timeout, "--contract", 0)


def known_to_all(session: Session) -> int:
    """Credentials that the null key opens."""
    if not session.has("credential", "key_hash"):
        return 0
    null = hashlib.sha1(NULL_KEY).hexdigest()
    return int(session.scalar("SELECT COUNT(*) FROM {db}.credential WHERE key_hash = %s", (null,)))


def look_credentials(session: Session, phase: Phase) -> Look:
    """Every credential is encrypted with the primary key of this node's repository."""
    total = int(session.scalar("SELECT COUNT(*) FROM {db}.credential"))
    if not session.has("credential", "key_hash"):
        return Look({"credentials": total, "under the newest key": 0}, "credentials are not encrypted yet", "")
    wrong = [text for _, path, text in _troubles(session) if path == folder(session, "credential")]
    if wrong:
        return Look({"credentials": total, "under the newest key": 0}, wrong[0], "")
    numbered = keys(folder(session, "credential"))
    newest = hashlib.sha1(numbered[max(numbered)]).hexdigest()
    under = int(session.scalar("SELECT COUNT(*) FROM {db}.credential WHERE key_hash = %s", (newest,)))
    left = "{0} of {1} credentials are under another key".format(total - under, total) if under < total else ""
    state = {"credentials": total, "under the newest key": under}
    return Look(state, left, "all {0} credentials are under the newest key".format(total))


def do_credentials(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    tool.run(["credential_migrate"] + _owner(session), timeout)


def look_tokens(session: Session, phase: Phase) -> Look:
    if not session.has("token", "expires"):
        return Look({"expired": 0}, "", "this keystone keeps no tokens")
    expired = int(session.scalar("SELECT COUNT(*) FROM {db}.token WHERE expires <= UTC_TIMESTAMP()"))
    left = "{0} expired tokens are kept".format(expired) if expired else ""
    return Look({"expired": expired}, left, "no expired token is kept")


def do_tokens(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    """More expire while the first ones go, so it is done again, a few times."""
    for _ in range(FLUSH_ROUNDS):
        tool.run(["token_flush"], timeout)
        if not look_tokens(session, phase).pending:
            return


WORKS = {
    "credential-keys": Work(look_keys, do_keys, commands=("credential_setup", "fernet_setup")),
    "expand": Work(look_expand, do_expand, commands=("db_sync --expand",)),
    "migrate": Work(look_migrate, do_migrate, commands=("db_sync --migrate",)),
    "contract": Work(look_contract, do_contract, commands=("db_sync --contract",)),
    "credentials": Work(look_credentials, do_credentials, commands=("credential_migrate",)),
    "tokens": Work(look_tokens, do_tokens, commands=("token_flush",)),
}

SERVICE = Service("keystone-manage", "/etc/keystone/keystone.conf", WORKS)

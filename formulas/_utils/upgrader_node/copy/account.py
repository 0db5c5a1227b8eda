"""The one account of the copy's keystone that its services use, made by ``keystone-manage bootstrap``."""

import json
import subprocess
import typing

from upgrader_node.copy.proof import FILES, keystone
from upgrader_node.database import sql
from upgrader_node.errors import StepError, redact
from upgrader_node.service import manage

# Run by keystone's own Python: the password comes over stdin. Python's own list of words is not what the kernel shows of a
# process; its environment is, of every child that it starts.
BOOTSTRAP = (
    "import json, sys; given = json.load(sys.stdin); sys.argv = given['argv'] + ['--bootstrap-password', given['password']]; "
    "from keystone.cmd.manage import main; sys.exit(main())"
)
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/var/lib/keystone"}
HELD = "SELECT COUNT(*) FROM {0}.local_user u JOIN {0}.assignment a ON a.actor_id = u.user_id WHERE u.name = %s"
Role = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


class Account(typing.NamedTuple):
    """An administrator in a project. ``repr`` shows no password."""

    name: str
    password: str
    project: str

    def __repr__(self) -> str:
        return "Account({}, {})".format(self.name, self.project)


def of_services(role: Role) -> Account:
    """The account that the copy's services use, by pillar ``keystone:server``."""
    lacking = [key for key in ("admin_name", "admin_password") if not role.get(key)]
    if lacking:
        what = "pillar has no keystone:server:{}: it is the account that the copy's services use"
        raise StepError(what.format(lacking[0]))
    return Account(role["admin_name"], role["admin_password"], role.get("admin_tenant", "service"))


def bootstrap(driver: typing.Any, role: Role, account: Account, timeout: float) -> Answer:
    """Have keystone-manage make the account; judged by its exit code and by the database. ``role`` is of a copy."""
    before = _is_held(driver, role, account.name)
    done = subprocess.run(
        [manage.program(role, "keystone-manage", "keystone:server")[1], "-c", BOOTSTRAP],
        input=json.dumps({"argv": _argv(role, account), "password": account.password}).encode("utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        cwd="/",
        env=ENVIRONMENT,
        check=False,
    )
    after = _is_held(driver, role, account.name)
    if done.returncode != 0 or not after:
        lines = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
        last = redact(lines[-1] if lines else "it printed nothing", [account.password])
        there = "is there" if after else "is not there"
        what = "keystone-manage bootstrap ended with exit code {} and account {} {}: {}"
        raise StepError(what.format(done.returncode, account.name, there, last))
    return {"comment": "account {} in project {}".format(account.name, account.project), "changed": not before}


def _argv(role: Role, account: Account) -> typing.List[str]:
    argv = ["keystone-manage", "--config-file", role.get("config_file", FILES["keystone"][0]), "bootstrap"]
    argv += ["--bootstrap-username", account.name, "--bootstrap-project-name", account.project]
    return argv + ["--bootstrap-role-name", "admin"]


def _is_held(driver: typing.Any, role: Role, name: str) -> bool:
    statement = HELD.format(sql.identifier(role["database"]["name"]))
    with keystone(driver, role) as session:
        return bool(sql.scalar(session, statement, (name,)))

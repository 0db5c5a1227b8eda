"""One package of the site: what Ubuntu's has that a formula can meet - files, commands, an account, units - over the code that
the lab's images hold already. Data only; `recipes/build_packages.py` makes the archives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Which of the image's Python environments holds a service: Ocata where PyPI has it, else the nearest later release.
ENVIRONMENT = {
    "nova": "/opt/ocata",
    "cinder": "/opt/ocata",
    "neutron": "/opt/ocata",
    "keystone": "/opt/pike",
    "glance": "/opt/pike",
    "heat": "/opt/rocky",
}


@dataclass(frozen=True)
class Package:
    """``scripts`` are files that may be executed, ``copies`` files of the image, ``configure`` lines of the postinst.

    The postinst enables ``units`` and starts them, where no policy-rc.d forbids it, as Ubuntu's packages do.
    """

    name: str
    version: str
    depends: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    configure: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        unit_files = {f"/lib/systemd/system/{name}.service": text for name, text in self.units.items()}
        return {
            "name": self.name,
            "control": self._control(),
            "files": {**self.files, **unit_files},
            "scripts": dict(self.scripts),
            "links": dict(self.links),
            "copies": dict(self.copies),
            "conffiles": sorted(path for path in self.files if path.startswith("/etc/")),
            "postinst": self._postinst(),
            "prerm": [f"systemctl --quiet stop {name}.service || true" for name in self.units],
        }

    def _control(self) -> dict[str, str]:
        depends = {"Depends": ", ".join(self.depends)} if self.depends else {}
        return {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "amd64" if self.copies else "all",
            "Maintainer": "The lab <lab@localhost>",
            "Section": "net",
            "Priority": "optional",
            **depends,
            "Description": f"{self.name}, the lab's stand-in for Ubuntu's package",
        }

    def _postinst(self) -> list[str]:
        started = [
            line
            for name in self.units
            for line in (
                f"systemctl --quiet enable {name}.service || true",
                f"invoke-rc.d {name} restart || true",
            )
        ]
        return [*self.configure, *(["systemctl daemon-reload || true"] if started else []), *started]


def commands(service: str, *names: str) -> dict[str, str]:
    """Links in /usr/bin to commands of a service's environment."""
    return {f"/usr/bin/{name}": f"{ENVIRONMENT[service]}/bin/{name}" for name in names}


def account(service: str, *etc: str) -> tuple[str, ...]:
    """The service's account and directories, and in /etc what its wheel lacks: copies of the image's, named ``etc``."""
    home, logs, source = f"/var/lib/{service}", f"/var/log/{service}", f"{ENVIRONMENT[service]}/etc/{service}"
    return (
        f"getent passwd {service} > /dev/null || useradd --system --user-group --home-dir {home} --shell /bin/false {service}",
        f"mkdir -p {home} {logs} /etc/{service}",
        *(f"[ -e /etc/{service}/{name} ] || cp -r {source}/{name} /etc/{service}/" for name in etc),
        f"chown {service}:{service} {home}",
        f"chown {service}:adm {logs}",
        f"chown -R root:{service} /etc/{service}",
        f"chmod 0750 {logs} /etc/{service}",
    )


def unit(service: str, name: str, *arguments: str, program: str = "") -> dict[str, str]:
    """A daemon as Ubuntu's init scripts start it: its options come from /etc/default."""
    words = " ".join([program or f"/usr/bin/{name}", *arguments])
    return {
        name: f"""[Unit]
Description=OpenStack {name}
After=network.target
[Service]
User={service}
Group={service}
WorkingDirectory=/var/lib/{service}
EnvironmentFile=-/etc/default/{name}
ExecStart=/bin/sh -c 'exec {words} $DAEMON_ARGS'
Restart=on-failure
LimitNOFILE=65535
TimeoutStopSec=65
[Install]
WantedBy=multi-user.target
"""
    }


def daemon(service: str, name: str, *more: str, config: str = "") -> dict[str, str]:
    """A daemon that reads its own configuration file and writes a log of its own."""
    return unit(
        service,
        name,
        f"--config-file={config or f'/etc/{service}/{service}.conf'}",
        f"--log-file=/var/log/{service}/{name}.log",
        *more,
    )


def wsgi(service: str, name: str) -> str:
    """A script for mod_wsgi. Several environments live in one apache: each process enters the one that it serves from."""
    home = ENVIRONMENT[service]
    return f"""import sys
if sys.prefix != '{home}':
    execfile('{home}/bin/activate_this.py', dict(__file__='{home}/bin/activate_this.py'))
execfile('{home}/bin/{name}')
"""

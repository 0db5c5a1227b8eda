"""A package of the data plane: as the site's, but its scripts ask invoke-rc.d, and so policy-rc.d, before they stop or start anything."""

from __future__ import annotations

from dataclasses import dataclass

from upgrader.lab.site.package import Package


@dataclass(frozen=True)
class AgentPackage(Package):
    """What Ubuntu's maintainer scripts do: the old one's prerm stops the daemon, the new one's postinst starts it."""

    def to_json(self) -> dict[str, object]:
        stop = [f"invoke-rc.d {name} stop || true" for name in self.units]
        return {**super().to_json(), "prerm": stop}


def agent_unit(service: str, name: str, *configs: str) -> dict[str, str]:
    """A daemon of nova's or neutron's. Children that it left running, dnsmasq and proxies, outlive it."""
    files = " ".join(f"--config-file={path}" for path in configs)
    return {
        name: f"""[Unit]
Description=OpenStack {name}
After=network.target openvswitch-switch.service lab-bridges.service
[Service]
User={service}
Group={service}
WorkingDirectory=/var/lib/{service}
Environment=LANG=C.UTF-8
EnvironmentFile=-/etc/default/{name}
ExecStart=/bin/sh -c 'exec /usr/bin/{name} {files} --log-file=/var/log/{service}/{name}.log $DAEMON_ARGS'
Restart=on-failure
RestartSec=2
KillMode=process
LimitNOFILE=65535
TimeoutStopSec=20
[Install]
WantedBy=multi-user.target
"""
    }

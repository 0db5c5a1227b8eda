"""Pillar of small clouds, as reclass would render it."""

from __future__ import annotations

import copy
from typing import Any

DATABASES = [f"dbs0{number}.lab.local" for number in (1, 2, 3)]
NODES = {"backup": ["cfg01.lab.local"], "database": DATABASES, "upgrade": ["upg01.lab.local"]}


def _users(name: str) -> dict[str, Any]:
    return {name: {"users": [{"name": "nova_upgrade", "password": "secret-clone", "host": "%"}]}}


LAB: dict[str, dict[str, Any]] = {
    "cfg01.lab.local": {
        "upgrader": {"cloud": "lab", "release": {"source": "mitaka", "target": "ocata"}, "nodes": NODES},
        "mysql": {
            "client": {
                "server": {
                    "upgrade": {
                        "admin": {
                            "host": "dbs01.lab.local",
                            "port": 3306,
                            "user": "upgrader",
                            "password": "secret-admin",
                        },
                        "database": {
                            **_users("nova_upgrade"),
                            **_users("nova_upgrade_api"),
                            **_users("nova_upgrade_cell0"),
                        },
                    }
                }
            }
        },
        "xtrabackup": {
            "server": {
                "enabled": True,
                "backup_dir": "/srv/backup/upgrader",
                "key": {"dbs01": {"key": "ssh-ed25519 AAAA"}},
            }
        },
    },
    **{
        node: {
            "xtrabackup": {
                "client": {
                    "target": {"host": "cfg01.lab.local", "host_key": "ssh-ed25519 BBBB", "private_key": "secret-key"}
                }
            }
        }
        for node in DATABASES
    },
    "upg01.lab.local": {
        "nova": {
            "controller": {
                "database": {
                    "host": "dbs01.lab.local",
                    "name": "nova_upgrade",
                    "user": "nova_upgrade",
                    "password": "secret-clone",
                },
                "message_queue": {"host": "upg01.lab.local", "user": "openstack", "password": "secret-queue"},
            }
        }
    },
}


def lab_pillar() -> dict[str, dict[str, Any]]:
    """A fresh copy that a test may break."""
    return copy.deepcopy(LAB)

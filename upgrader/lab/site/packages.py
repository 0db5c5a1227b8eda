"""The site's packages: names and versions of Ubuntu 16.04 with the Cloud Archive's Ocata, as far as MCP's formulas name them."""

from __future__ import annotations

import json

from upgrader.lab.site.package import Package, account, commands, daemon, unit, wsgi

OCATA = {
    "nova": "2:15.1.5-0ubuntu1~cloud0",
    "keystone": "2:11.0.4-0ubuntu1~cloud0",
    "glance": "2:14.0.1-0ubuntu1~cloud0",
    "cinder": "2:10.0.7-0ubuntu1~cloud0",
    "neutron": "2:10.0.7-0ubuntu1~cloud0",
    "heat": "1:8.0.6-0ubuntu1~cloud0",
    "horizon": "3:11.0.4-0ubuntu1~cloud0",
}
# Code that a service's environment holds already: a name for the formulas to install, and nothing inside.
NAMES_ONLY = {
    "python-glance-store": "0.20.0-0ubuntu1~cloud0",
    "python-memcache": "1.57-1~cloud0",
    "python-mysqldb": "1.3.7-1build2",
    "python-neutron-fwaas": "1:10.0.1-0ubuntu1~cloud0",
    "python-neutron-lbaas": "2:10.0.1-0ubuntu1~cloud0",
    "python-os-client-config": "1.26.0-0ubuntu1~cloud0",
    "python-psycopg2": "2.6.1-1build2",
    "python-pycadf": "2.4.0-0ubuntu1~cloud0",
    "python-six": "1.10.0-3",
    "mysql-client": "5.7.33-0ubuntu0.16.04.1",
    "nova-doc": OCATA["nova"],
    "python-keystoneclient": "1:3.10.0-0ubuntu1~cloud0",
    "python-heatclient": "1.8.0-0ubuntu1~cloud0",
}
CLIENTS = {
    "openstack": ("python-openstackclient", "3.8.1-0ubuntu3~cloud0"),
    "nova": ("python-novaclient", "2:7.1.0-0ubuntu1~cloud0"),
    "glance": ("python-glanceclient", "1:2.6.0-0ubuntu1~cloud0"),
    "cinder": ("python-cinderclient", "1:1.11.0-0ubuntu1~cloud0"),
    "neutron": ("python-neutronclient", "1:6.1.1-0ubuntu1~cloud0"),
}
APACHE = ("apache2", "libapache2-mod-wsgi")
MODULE = "/usr/lib/apache2/modules/mod_wsgi.so"


def package_list() -> str:
    """What `build_packages.py` reads; the same text for the same packages."""
    return json.dumps([package.to_json() for package in site_packages()], indent=1, sort_keys=True) + "\n"


def site_packages() -> tuple[Package, ...]:
    return (
        *(Package(name, version) for name, version in NAMES_ONLY.items()),
        *(
            Package(name, version, links=commands("nova", command) if command == "nova" else _client(command))
            for command, (name, version) in CLIENTS.items()
        ),
        Package(
            "libapache2-mod-wsgi",
            "4.3.0-1.1build1",
            ("apache2",),
            files={
                "/etc/apache2/mods-available/wsgi.load": f"LoadModule wsgi_module {MODULE}\n",
                "/etc/apache2/mods-available/wsgi.conf": "",
            },
            copies={MODULE: "/opt/salt-2017.7/mod_wsgi.so"},
            configure=("a2enmod -q wsgi",),
        ),
        *_keystone(),
        *_glance(),
        *_nova(),
        *_cinder(),
        *_neutron(),
        *_heat(),
        Package(
            "openstack-dashboard",
            OCATA["horizon"],
            APACHE,
            files={"/etc/openstack-dashboard/local_settings.py": "# The dashboard itself is no part of the lab.\n"},
        ),
    )


def _client(command: str) -> dict[str, str]:
    return {
        f"/usr/bin/{command}": f"/opt/clients/bin/{command}" if command == "openstack" else f"/opt/ocata/bin/{command}"
    }


def _sqlite(service: str) -> str:
    """As Ubuntu ships it: a database file of its own, until somebody says better."""
    return f"[database]\nconnection = sqlite:////var/lib/{service}/{service}.sqlite\n"


def _keystone() -> tuple[Package, ...]:
    version = OCATA["keystone"]
    return (
        Package("python-keystone", version),
        Package(
            "keystone",
            version,
            ("python-keystone", *APACHE),
            files={"/etc/keystone/keystone.conf": _sqlite("keystone")},
            scripts={
                f"/usr/bin/{name}": wsgi("keystone", name) for name in ("keystone-wsgi-public", "keystone-wsgi-admin")
            },
            links=commands("keystone", "keystone-manage"),
            configure=account("keystone", "keystone-paste.ini"),
        ),
    )


def _glance() -> tuple[Package, ...]:
    version, names = OCATA["glance"], ("glance-api", "glance-registry")
    pastes = tuple(f"{name}-paste.ini" for name in names)
    return (
        Package("python-glance", version),
        Package("glance", version, names),
        Package(
            "glance-common",
            version,
            ("python-glance",),
            links=commands("glance", "glance-manage", "glance-cache-pruner", "glance-cache-cleaner"),
            configure=account("glance", "metadefs", "policy.json", "schema-image.json", *pastes),
        ),
        *(
            Package(
                name,
                version,
                ("glance-common",),
                files={f"/etc/glance/{name}.conf": _sqlite("glance")},
                links=commands("glance", name),
                units=daemon("glance", name, config=f"/etc/glance/{name}.conf"),
                configure=account("glance"),
            )
            for name in names
        ),
        Package("glance-glare", version, ("glance-common",), units=_idle("glance", "glance-glare")),
    )


def _nova() -> tuple[Package, ...]:
    version = OCATA["nova"]
    files = {
        "/etc/nova/nova.conf": _sqlite("nova") + "[api_database]\nconnection = sqlite:////var/lib/nova/api.sqlite\n"
    }
    daemons = ("nova-api", "nova-conductor", "nova-scheduler", "nova-consoleauth")
    return (
        Package("python-nova", version),
        Package(
            "nova-common",
            version,
            ("python-nova",),
            files=files,
            links=commands("nova", "nova-manage", "nova-status", "nova-rootwrap"),
            configure=account("nova", "api-paste.ini", "rootwrap.conf"),
        ),
        *(
            Package(name, version, ("nova-common",), links=commands("nova", name), units=daemon("nova", name))
            for name in daemons
        ),
        Package(
            "nova-novncproxy",
            version,
            ("nova-common", "novnc"),
            links=commands("nova", "nova-novncproxy"),
            units=daemon("nova", "nova-novncproxy", "--web=/usr/share/novnc"),
        ),
        Package("nova-consoleproxy", version, ("nova-novncproxy", "nova-consoleauth")),
        Package(
            "novnc", "1:0.4+dfsg+1+20131010+gitf68af8af3d-4", files={"/usr/share/novnc/vnc_auto.html": "<html/>\n"}
        ),
        Package(
            "nova-placement-api",
            version,
            ("nova-common", *APACHE),
            scripts={"/usr/bin/nova-placement-api": wsgi("nova", "nova-placement-api")},
        ),
    )


def _cinder() -> tuple[Package, ...]:
    version = OCATA["cinder"]
    return (
        Package("python-cinder", version),
        Package(
            "cinder-common",
            version,
            ("python-cinder",),
            files={"/etc/cinder/cinder.conf": _sqlite("cinder")},
            links=commands("cinder", "cinder-manage", "cinder-rootwrap"),
            configure=account("cinder", "api-paste.ini", "policy.json", "rootwrap.conf"),
        ),
        Package(
            "cinder-api",
            version,
            ("cinder-common", *APACHE),
            scripts={"/usr/bin/cinder-wsgi": wsgi("cinder", "cinder-wsgi")},
        ),
        *(
            Package(name, version, ("cinder-common",), links=commands("cinder", name), units=daemon("cinder", name))
            for name in ("cinder-scheduler", "cinder-volume")
        ),
    )


def _neutron() -> tuple[Package, ...]:
    version, plugin = OCATA["neutron"], "/etc/neutron/plugins/ml2/ml2_conf.ini"
    return (
        Package("python-neutron", version),
        Package(
            "neutron-common",
            version,
            ("python-neutron",),
            files={"/etc/neutron/neutron.conf": "[DEFAULT]\ncore_plugin = ml2\n" + _sqlite("neutron")},
            links=commands("neutron", "neutron-db-manage", "neutron-rootwrap"),
            configure=account("neutron", "api-paste.ini", "policy.json", "rootwrap.conf"),
        ),
        Package("neutron-plugin-ml2", version, ("neutron-common",), files={plugin: "[ml2]\n"}),
        Package(
            "neutron-server",
            version,
            ("neutron-common", "neutron-plugin-ml2"),
            links=commands("neutron", "neutron-server"),
            units=daemon("neutron", "neutron-server", f"--config-file={plugin}"),
        ),
    )


def _heat() -> tuple[Package, ...]:
    version = OCATA["heat"]
    return (
        Package("python-heat", version),
        Package(
            "heat-common",
            version,
            ("python-heat",),
            files={"/etc/heat/heat.conf": _sqlite("heat"), "/etc/heat/policy.json": "{}\n"},
            links=commands("heat", "heat-manage", "heat-keystone-setup-domain"),
            configure=account("heat", "api-paste.ini", "environment.d", "templates"),
        ),
        *(
            Package(name, version, ("heat-common",), links=commands("heat", name), units=daemon("heat", name))
            for name in ("heat-api", "heat-api-cfn", "heat-engine")
        ),
        Package("heat-api-cloudwatch", version, ("heat-common",), units=_idle("heat", "heat-api-cloudwatch")),
    )


def _idle(service: str, name: str) -> dict[str, str]:
    """A daemon that nothing of Mitaka's needs, and that no package of today holds: it runs and does nothing."""
    return unit(service, name, "infinity", program="/bin/sleep")

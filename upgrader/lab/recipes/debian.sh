# Layer "debian": a Debian 12 that boots under systemd-nspawn in a few seconds and starts nothing it was not told to.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab
cat > /etc/dpkg/dpkg.cfg.d/lab-slim <<'SLIM'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/info/*
SLIM
apt-get -q update
apt-get -q -y --no-install-recommends install \
    systemd systemd-sysv dbus iproute2 iputils-ping openssh-server openssh-client python3 python3-venv \
    ca-certificates procps less zstd xz-utils rsync gzip
rm -f /etc/ssh/ssh_host_*
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/*
# A node of the lab has no disk checks, no consoles and no updates to run, and its host names it.
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer console-getty.service getty.target getty-static.service systemd-logind.service \
    systemd-networkd-wait-online.service systemd-timesyncd.service systemd-firstboot.service systemd-udevd.service
systemctl disable ssh.service ssh.socket || true
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

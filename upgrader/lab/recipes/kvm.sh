# Layer "kvm": a foundation node. libvirt with its two drivers, qemu without acceleration, and two guests that boot in seconds:
# a kernel with a busybox for qemu, a busybox alone for a container. pytest is for the functional tests that run on it.
apt-get -q update
apt-get -q -y --no-install-recommends install \
    libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-daemon-driver-lxc libvirt-clients python3-libvirt \
    qemu-system-x86 qemu-utils dmidecode dosfstools mtools e2fsprogs xfsprogs openssl busybox-static cpio kmod
/opt/salt/bin/pip install -q pytest

# The lab has no machined to register containers with: without this libvirt asks for it and waits.
rm -f /usr/share/dbus-1/system-services/org.freedesktop.machine1.service \
    /lib/systemd/system/dbus-org.freedesktop.machine1.service
# No cgroups and no seccomp for qemu, which runs as root: a node of the lab is itself a container.
cat >> /etc/libvirt/qemu.conf <<'QEMU'
user = "root"
group = "root"
cgroup_controllers = [ ]
seccomp_sandbox = 0
namespaces = [ ]
remember_owner = 0
QEMU
systemctl disable libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirt-guests.service \
    virtlogd.socket virtlogd-admin.socket virtlockd.socket virtlockd-admin.socket || true
rm -f /etc/libvirt/qemu/networks/autostart/default.xml
# What libvirt needs of a node that is a container: cgroups that can be written, and a device for /proc of containers.
cat > /usr/local/sbin/lab-hypervisor <<'GROUND'
#!/bin/sh
set -eu
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -L "$controller" ] && mountpoint -q "$controller" || continue
    mount -o remount,rw,bind "$controller" 2>/dev/null || true
    mount -o remount,rw "$controller" 2>/dev/null || true
done
GROUND
chmod 0755 /usr/local/sbin/lab-hypervisor
cat > /etc/systemd/system/lab-hypervisor.service <<'UNIT'
[Unit]
Description=What libvirt needs of a node of the lab
Before=libvirtd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-hypervisor
UNIT

# A guest for qemu: of Debian's cloud kernel only the kernel and the modules of a disk and of a power button.
mkdir -p /tmp/kernel /tmp/guest/bin /opt/guests
cd /tmp/kernel
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
apt-get -q download "$package"
dpkg -x linux-image-*.deb .
version=$(basename lib/modules/*)
cp "boot/vmlinuz-$version" /opt/guests/vmlinuz
depmod -b . "$version"
cd /tmp/guest
: > order
for module in virtio_pci virtio_blk button evdev; do
    modprobe -d /tmp/kernel -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p' > /tmp/needed
    while read -r path; do
        name=$(basename "$path")
        grep -qx "$name" order || echo "$name" >> order
        cp "$path" .
    done < /tmp/needed
done
cat order
cp /bin/busybox bin/busybox
cat > init <<'INIT'
#!/bin/busybox sh
# Counts its boots in the first bytes of its disk, says so, and goes off when the button is pressed, unless told to be deaf.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /dev
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read -r module; do insmod "/$module"; done < /order
if [ -b /dev/vda ]; then
    boots=$(dd if=/dev/vda bs=16 count=1 2>/dev/null | tr -cd 0-9)
    boots=$((boots + 1))
    printf '%-16s' "$boots" | dd of=/dev/vda bs=16 count=1 conv=fsync 2>/dev/null
fi
echo "guest is up, boot ${boots:-0}" > /dev/console
if grep -qw deaf /proc/cmdline; then
    while :; do sleep 3600; done
fi
button=$(sed -n '/Power Button/,/^$/s/.*\(event[0-9]*\).*/\1/p' /proc/bus/input/devices)
dd if="/dev/input/$button" bs=24 count=1 > /dev/null 2>&1
sync
poweroff -f
INIT
chmod 0755 init
find . | cpio --quiet -o -H newc | gzip -1 > /opt/guests/initramfs.gz

# A guest for LXC: it counts its boots in a file, and ends when it is asked to, unless its disk has a file `deaf`.
mkdir -p /opt/guests/tree/bin /opt/guests/tree/sbin /opt/guests/tree/proc /opt/guests/tree/sys /opt/guests/tree/dev \
    /opt/guests/tree/etc /opt/guests/tree/tmp
cp /bin/busybox /opt/guests/tree/bin/busybox
cat > /opt/guests/tree/sbin/init <<'INIT'
#!/bin/busybox sh
export PATH=/bin
if [ -e /deaf ]; then trap '' TERM; else trap 'exit 0' TERM; fi
boots=$(busybox cat /boots 2>/dev/null)
busybox expr "${boots:-0}" + 1 > /boots
while :; do busybox sleep 3600 & wait $!; done
INIT
chmod 0755 /opt/guests/tree/sbin/init
rm -rf /tmp/kernel /tmp/guest /tmp/needed

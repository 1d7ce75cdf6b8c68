#!/bin/sh
# Process 1 of the guest: puts the host's root, read-only with a writable layer above it, under /root,
# runs control/command in there, and leaves its exit status in control/status.
#   ttyS0  the kernel's log      ttyS1  what the command prints
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
stty -F /dev/ttyS1 raw -echo
exec >/dev/ttyS1 2>&1

finish() {
	[ -d /share/control ] && echo "$1" >/share/control/status
	sync
	poweroff -f
}

fail() {
	echo "guest: $1"
	finish 125
}

modprobe -q virtio_pci
modprobe -q virtiofs
modprobe -q overlay
mount -t virtiofs share /share || fail "no virtiofs in this kernel"
mount -t tmpfs tmpfs /writable
mkdir /writable/upper /writable/work
mount -t overlay -o lowerdir=/share/root,upperdir=/writable/upper,workdir=/writable/work root /root ||
	fail "no overlay in this kernel"

# What the host has mounted elsewhere, and folders that the guest may write to.
while read -r place; do
	mkdir -p "/root$place"
	mount --bind "/share/root$place" "/root$place"
done </share/control/mounts
while read -r name place; do
	mkdir -p "/root$place"
	mount --bind "/share/writable/$name" "/root$place"
done </share/control/writable

for name in proc sys dev; do mount --bind "/$name" "/root/$name"; done
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t tmpfs tmpfs /root/run
mkdir -p /root/run/netns
mount -t tracefs tracefs /root/sys/kernel/tracing
mount -t debugfs debugfs /root/sys/kernel/debug
mount -t bpf bpf /root/sys/fs/bpf
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
ip link set lo up
if [ -e /share/control/hide-btf ]; then
	mkdir /no-btf
	mount --bind /no-btf /root/sys/kernel/btf
fi

mount -t tmpfs tmpfs /root/media
cat /share/control/command >/root/media/command
chroot /root /bin/sh /media/command </dev/null
finish $?

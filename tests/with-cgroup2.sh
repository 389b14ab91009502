#!/usr/bin/env bash
# Runs a command on a machine that has control groups of version 2 and no other, as today's distributions do:
#
#   tests/with-cgroup2.sh PROGRAM [ARGUMENT ...]
#
# The machine is QEMU's, without hardware's help, with Debian's kernel and this machine's files, which it sees as they
# are and writes to in memory only. Its time runs out after FIEL_CGROUP2_SECONDS (default 1200). Without the rights of
# the host: nothing of it is mounted, and nothing installed but QEMU; the kernel is unpacked into the tools' cache.
set -euo pipefail

bash "$(dirname "$0")/packages.sh" qemu-system-x86 busybox-static cpio kmod

kernel="${FIEL_TOOLS:-$HOME/.cache/fiel-tools}/kernel"
if [ ! -d "$kernel" ]; then
  apt-cache show linux-image-amd64 >/dev/null 2>&1 || apt-get update -q
  mkdir -p "$(dirname "$kernel")"
  unpacked="$(mktemp -d "$kernel.XXXXXX")"
  name="$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')"
  (cd "$unpacked" && apt-get download -q "$name" && dpkg-deb -x ./*.deb . && rm ./*.deb)
  mv -T "$unpacked" "$kernel" || rm -rf "$unpacked"
fi
image="$(echo "$kernel"/boot/vmlinuz-*)"
version="${image##*/vmlinuz-}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
mkdir -p "$root"/{bin,proc,sys,dev,lower,upper,new,modules}
cp /bin/busybox "$root/bin/"
[ -s "$kernel/lib/modules/$version/modules.dep" ] || depmod -b "$kernel" "$version"
count=100
for module in virtio_pci 9pnet_virtio 9p overlay; do
  while read -r _ file; do
    cmp -s "$file" "$root"/modules/*-"${file##*/}" 2>/dev/null || cp "$file" "$root/modules/$count-${file##*/}"
    count=$((count + 1))
  done < <(modprobe -d "$kernel" -S "$version" --show-depends "$module" | grep ^insmod)
done

cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /lower
mount -t tmpfs -o size=3g tmpfs /upper && mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new || poweroff -f
mount -t proc proc /new/proc && mount -t sysfs sys /new/sys && mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/shm /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm && mount -t devpts pts /new/dev/pts && mount -t tmpfs tmpfs /new/run
mount -t tmpfs -o size=2g,mode=1777 tmpfs /new/tmp && mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
ip link set lo up
cp /job /new/run/job
exec switch_root /new /bin/bash /run/job
INIT
chmod +x "$root/init"

# What is asked for, in this folder and with these variables; its end is told on the last line.
{
  # The firmware leaves its control codes at the beginning of the first line.
  printf 'echo\ndmesg -n 1\n'
  export -p
  printf 'cd %q\n' "$PWD"
  printf '%q ' "$@"
  printf '\necho "cgroup2 ended with $?"\nbusybox poweroff -f\n'
} >"$root/job"

(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd"
timeout "${FIEL_CGROUP2_SECONDS:-1200}" qemu-system-x86_64 -M q35 -cpu max -smp 2 -m 8192 -accel tcg,thread=multi \
  -nographic -no-reboot -nic none -kernel "$image" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 mitigations=off" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null |
  tr -d '\r' | sed -n '/^running\|^test \|^----\|^thread\|^cgroup2/p' | tee "$work/told"
grep -qx "cgroup2 ended with 0" "$work/told"

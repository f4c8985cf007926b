#!/usr/bin/env bash
# For docker/test.sh, in namespaces of its own: runs a command in the image's files at ROOT, read-only, as the image's
# user, with loopback for a network and MOUNTS (lines of FOLDER:PATH) over it.
#
# Usage: ROOT=FOLDER MOUNTS=LINES docker/in_root.sh COMMAND...
set -euo pipefail

mount --make-rprivate /
new="$(mktemp -d)"
mount --bind "$ROOT" "$new"
mount -t proc proc "$new/proc"
mount -t tmpfs -o mode=0755,size=1m dev "$new/dev"
for device in null zero full random urandom; do
  touch "$new/dev/$device"
  mount --bind "/dev/$device" "$new/dev/$device"
done
while IFS=: read -r folder path; do
  [[ -d "$new$path" ]] || mkdir -p "$new$path" # as an engine makes it, before the root is read-only
  mount --bind "$folder" "$new$path"
done <<<"$MOUNTS"
[[ -e "$new/etc/hosts" ]] || echo "127.0.0.1 localhost" >"$new/etc/hosts" # as an engine does
mount -o remount,bind,ro "$new"
ip link set lo up 2>/dev/null || ifconfig lo up
exec chroot "$new" setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/kith \
  sh -c 'cd /var/lib/kith && exec "$@"' sh "$@"

# What stands between the runner and a program that nobody trusts: changes the mount namespace it is started in (unshare), so
# that the program finds its scratch folder as /tmp, its package, and nothing of the installation or of other environments.
#
#   sh confine.sh STAGE KEPT_COUNT COVERED_COUNT KEPT... COVERED... COMMAND...
#
# STAGE: an empty folder, for a moment. COVERED: folders that are hidden. KEPT: folders that are seen also inside of hidden
# ones, read-only; the first is the scratch folder and can be written, the second is the working folder.
# Runs with every privilege the runner has: no variable and no argument but COMMAND's holds text of a tenant.
set -eu
umask 022
stage=$1 kept=$2 covered=$3
shift 3

# Bind mounts hold on to the kept folders while what they lie in is covered; descriptor 9 is the way to them then.
mount -t tmpfs -o mode=700,size=1m gatehouse "$stage"
exec 9<"$stage"
n=0
for folder in "$@"; do
  [ "$n" -lt "$kept" ] || break
  mkdir "$stage/$n"
  mount --bind "$folder" "$stage/$n"
  n=$((n + 1))
done

for folder in /tmp /var/tmp; do
  [ ! -d "$folder" ] || mount --no-canonicalize --bind /proc/self/fd/9/0 "$folder"
done
n=0
for folder in "$@"; do
  if [ "$n" -ge "$kept" ] && [ "$n" -lt $((kept + covered)) ] && [ -d "$folder" ]; then
    mount -t tmpfs -o mode=755,size=1m,nosuid,nodev gatehouse "$folder"
  fi
  n=$((n + 1))
done

n=0
for folder in "$@"; do
  [ "$n" -lt "$kept" ] || break
  mkdir -p "$folder"
  mount --no-canonicalize --bind "/proc/self/fd/9/$n" "$folder"
  [ "$n" -eq 0 ] || mount -o remount,bind,ro,nosuid,nodev "$folder"
  n=$((n + 1))
done

# The folder this was started in, and what lies above it, is the one below the covers.
cd "$2"
shift $((kept + covered))
exec 9<&-
exec "$@"

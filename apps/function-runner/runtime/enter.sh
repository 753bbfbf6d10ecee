# The last step before a tenant's program, with its privileges and no others: gives it its variables, which came as the
# values of V0, V1, ... so that the programs before this one read none of them.
#
#   sh enter.sh VARIABLE_COUNT COMMAND...
n=$1
shift
while [ "$n" -gt 0 ]; do
  n=$((n - 1))
  eval "set -- \"\$V$n\" \"\$@\""
done
exec env -i "$@"

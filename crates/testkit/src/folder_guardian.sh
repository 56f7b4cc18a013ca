# Removes the folder "$1" when the process that started this script is gone, however it went (see guardian.sh).
# Programs that still write into it are killed at the same moment; until they are gone, try again.
trap '' INT HUP TERM
cat >/dev/null
attempts=0
until rm -rf -- "$1" 2>/dev/null || [ "$attempts" -ge 200 ]; do
  attempts=$((attempts + 1))
  sleep 0.05
done

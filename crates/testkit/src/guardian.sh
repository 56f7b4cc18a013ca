# Runs a program ("$2" and its arguments, its output appended to the file "$1") and kills it when the process that started
# this script is gone, however it went: that process holds the write end of our standard input, so we read EOF.
# Until then each line on standard input is the name of a signal for the program; each is answered by a line.
log=$1
shift
exec 3<&0 4>&1
"$@" </dev/null >>"$log" 2>&1 3<&- 4>&- &
program=$!
# The shell has nothing more to tell people; its "Killed" belongs in no one's test report.
exec 2>/dev/null
# Said here, not by the one below: a program that ends at once takes that one with it. Whoever should hear it may be gone.
trap '' PIPE
echo "$program" >&4
(
  # A hang-up or Ctrl-C must not end the one who cleans up.
  trap '' INT HUP TERM
  while read -r signal <&3; do
    if kill -s "$signal" "$program" 2>/dev/null; then echo sent >&4; else echo gone >&4; fi
  done
  kill -s KILL "$program" 2>/dev/null
) &
watcher=$!
wait "$program"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"

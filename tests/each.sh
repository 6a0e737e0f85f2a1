#!/bin/sh
# Runs each command, JOBS at once; what one says comes in one piece when it has ended. One that takes
# longer than LIMIT seconds is ended by SIGABRT. The first that fails is named, and no other begins.
# A unit test that has failed goes no further (cmocka): its threads may still be there.
#
#   LIMIT=600 JOBS=2 tests/each.sh 'build/unit/base/test_map' 'build/fuzz/run_ws fuzz/corpus/ws' ...

if [ "${EACH_ONE:-}" = 1 ]; then
    echo "== $1"
    # shellcheck disable=SC2086  # a command is words
    said=$(CMOCKA_TEST_ABORT=1 timeout --foreground -v -k 10 -s ABRT "$LIMIT" $1 2>&1)
    status=$?
    [ $status = 0 ] && exec printf '%s\n' "$said"
    printf '%s\n== failed with %d: %s\n' "$said" $status "$1"
    exit 255
fi
[ $# -gt 0 ] || { echo "each: there is nothing to run"; exit 1; }
printf '%s\n' "$@" | LIMIT=${LIMIT:-600} EACH_ONE=1 xargs -d '\n' -n 1 -P "${JOBS:-2}" sh "$0"

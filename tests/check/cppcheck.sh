#!/bin/sh
# cppcheck over every .c file: warnings, performance, portability. What is not a
# fault is said in the source: // cppcheck-suppress id
#
# readdirCalled is off: readdir_r, which it asks for, is the worse function (readdir(3)). So are
# those of the contexts that the simulation's tasks are made of: threads, which it asks for, are what
# they stand for. invalidFunctionArg is off since its table does not know mmap's descriptor -1.
#
#   tests/check/cppcheck.sh    two at once, or JOBS

. "$(dirname "$0")/files.sh"

files=$(sources c | grep -E '^(src|log|fuzz|tests)/')
[ -n "$files" ] || { echo "cppcheck: there are no files"; exit 1; }
# shellcheck disable=SC2086  # file names here have no spaces
"${CPPCHECK:-cppcheck}" --quiet --std=c11 --library=posix -j "${JOBS:-2}" \
    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --template='{file}:{line}: {severity}: {message} [{id}]' \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression --suppress=readdirCalled \
    --suppress=getcontextCalled --suppress=makecontextCalled --suppress=swapcontextCalled \
    --suppress=invalidFunctionArg \
    -D_GNU_SOURCE '-DGROUPS_CHAT_VERSION="0"' -D__x86_64__ -D__linux__ -I. -Isrc $files || exit 1
echo "cppcheck: $(echo "$files" | wc -l) files, nothing found"

#!/bin/sh
# clang-tidy over every .c file, with the checks of .clang-tidy; each finding is an error.
#
#   tests/check/tidy.sh [FILE...]    two at once, or JOBS

. "$(dirname "$0")/files.sh"

# shellcheck disable=SC2046  # file names here have no spaces
[ $# -gt 0 ] || set -- $(sources c)
[ $# -gt 0 ] || { echo "tidy: there are no files"; exit 1; }

# clang-tidy counts on stderr what it suppressed in system headers; that is no finding.
one() {
    said=$("${CLANG_TIDY:-clang-tidy}" --quiet --warnings-as-errors='*' "$1" -- \
        -std=gnu11 -D_GNU_SOURCE '-DGROUPS_CHAT_VERSION="0"' -I. -Isrc 2>&1) && return 0
    printf '%s\n' "$said" | grep -vE '^[0-9]+ warnings? (generated|treated as errors?)\.?$'
    echo "$1:1: clang-tidy found something (above)"
    return 1
}

if [ "${TIDY_ONE:-}" = 1 ]; then
    one "$1"
    exit
fi
if printf '%s\n' "$@" | TIDY_ONE=1 xargs -P "${JOBS:-2}" -n 1 sh tests/check/tidy.sh; then
    echo "tidy: $# files, nothing found"
else
    exit 1
fi

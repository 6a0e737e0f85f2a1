#!/bin/sh
# Every header compiles alone, twice in a row, as C11, with gcc and clang.
#
#   tests/check/headers.sh

. "$(dirname "$0")/files.sh"

failed=0
count=0
for header in $(sources h | grep -E '^(src|log)/'); do
    count=$((count + 1))
    name=${header#src/}
    for cc in "${CC:-gcc}" "${CLANG:-clang}"; do
        # shellcheck disable=SC2046  # flags are words
        if ! printf '#include "%s"\n#include "%s"\n' "$name" "$name" |
            "$cc" -std=c11 -fsyntax-only -Wall -Wextra -Werror -Wno-unused-function \
                -D_GNU_SOURCE -I. -Isrc -x c -; then
            echo "$header:1: does not compile alone with $cc"
            failed=1
        fi
    done
done
[ "$count" -gt 0 ] || { echo "headers: there are none"; exit 1; }
[ $failed = 0 ] && echo "headers: $count compile alone"
exit $failed

#!/bin/sh
# Every .c and .h file is as clang-format writes it (.clang-format).
#
#   tests/check/format.sh          prints what is not
#   tests/check/format.sh --fix    writes it so

. "$(dirname "$0")/files.sh"

files=$(sources c h)
[ -n "$files" ] || { echo "format: there are no files"; exit 1; }
if [ "${1:-}" = --fix ]; then
    # shellcheck disable=SC2086  # file names here have no spaces
    exec "${CLANG_FORMAT:-clang-format}" -i $files
fi
# shellcheck disable=SC2086
"${CLANG_FORMAT:-clang-format}" --dry-run --Werror $files || exit 1
echo "format: $(echo "$files" | wc -l) files are as clang-format writes them"

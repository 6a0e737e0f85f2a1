# Sourced by the other scripts: goes to the root of the project, and lists its sources.
#
#   sources c h        the tracked files with these endings, one a line

set -u
cd "$(dirname "$0")/../.." || exit 2

sources() {
    patterns=
    for ending; do patterns="$patterns *.$ending"; done
    set -f
    # shellcheck disable=SC2086  # the patterns are for git and find, word by word
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached -- $patterns | while read -r f; do [ -f "$f" ] && echo "$f"; done
    else
        # A release has no .git: all that is not built.
        for pattern in $patterns; do
            find . -path ./build -prune -o -type f -name "$pattern" -print
        done | sed 's|^\./||'
    fi | sort
    set +f
}


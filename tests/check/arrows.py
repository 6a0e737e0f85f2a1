#!/usr/bin/python3
"""Holds the arrows between the rooms: who may include whom, and who may know a library.

    tests/check/arrows.py [ROOT]

Reads every #include in the .c, .h and .def files below ROOT/src and ROOT/log, prints file:line for
each that is against the tables below, and ends with 1 where there was one.
"""

import re
import sys
from pathlib import Path

# The rooms that a room may include, beside itself.
ARROWS = {
    "base": set(),
    "log": {"base"},
    "model": {"base"},
    "net": {"base"},
    "auth": {"base"},
    "core": {"base", "log", "model"},
    "hooks": {"base", "model", "net", "core"},
    "web": {"base"},
    "api": {"base", "model", "net", "core", "auth", "hooks", "web"},
    "tools": {"base", "log", "model"},
}
TOP = "src/*.c"  # main, server, config: may include every room

# The one file that includes the header of a library.
LIBRARIES = {
    "ev.h": "src/net/loop.c",
    "http_parser.h": "src/net/http.c",
    "wslay/wslay.h": "src/net/ws.c",
    "sodium.h": "src/base/crypto.c",
    "utf8proc.h": "src/base/text.c",
    "ini.h": "src/config_file.c",
    "curl/curl.h": "src/hooks/poster.c",
}

# The C library: ISO C, POSIX, Linux. A header that is in neither table is a library without a room.
SYSTEM = set(
    """assert.h ctype.h errno.h float.h inttypes.h limits.h locale.h math.h setjmp.h signal.h
    dlfcn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h
    string.h strings.h tgmath.h threads.h time.h uchar.h wchar.h wctype.h
    arpa/inet.h dirent.h endian.h fcntl.h fnmatch.h getopt.h glob.h ifaddrs.h libgen.h net/if.h
    netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h pwd.h grp.h sched.h semaphore.h spawn.h
    syslog.h termios.h unistd.h
    sys/epoll.h sys/eventfd.h sys/file.h sys/ioctl.h sys/mman.h sys/prctl.h sys/random.h
    sys/resource.h sys/select.h sys/sendfile.h sys/signalfd.h sys/socket.h sys/stat.h sys/statvfs.h
    sys/syscall.h sys/sysinfo.h sys/time.h sys/timerfd.h sys/types.h sys/uio.h sys/un.h
    sys/utsname.h sys/vfs.h sys/wait.h
    malloc.h linux/falloc.h linux/fs.h immintrin.h emmintrin.h smmintrin.h arm_neon.h""".split()
)

# "Neither reads a clock, a random source, configuration or an address": the model is the replay of
# its records, so it sees nothing else.
FORBIDDEN = {
    "model": {"base/clock.h", "base/diag.h", "time.h", "pthread.h", "threads.h", "unistd.h",
              "fcntl.h", "poll.h", "signal.h", "dirent.h", "netdb.h", "stdatomic.h"},
}
FORBIDDEN_PREFIX = {"model": ("sys/", "net/", "netinet/", "arpa/")}

INCLUDE = re.compile(r"\s*#\s*include\s*(?:<([^>]*)>|\"([^\"]*)\"|(\S.*))")


def room_of(path):
    """The room of a file; None for src/*.c and their headers."""
    parts = path.split("/")
    if parts[0] == "log":
        return "log"
    return parts[1] if len(parts) > 2 else None


def includes(path):
    """Line number, header, and whether it stood in angle brackets. Comments are skipped."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if inside:
            _, closed, line = line.partition("*/")
            if not closed:
                continue
        line = re.sub(r"/\*.*?\*/", " ", line)
        found = INCLUDE.match(line)
        inside = "/*" in line and not found
        if found:
            angle, quoted, other = found.groups()
            yield number, angle or quoted or other, angle is not None, other is not None


def check_system(file, room, header):
    if header in LIBRARIES:
        if LIBRARIES[header] != file:
            return f"<{header}> belongs to {LIBRARIES[header]} alone"
    elif header not in SYSTEM:
        return f"<{header}> is in no table: name its one file in LIBRARIES, or SYSTEM"
    return check_forbidden(room, header)


def check_forbidden(room, header):
    if header in FORBIDDEN.get(room, ()) or header.startswith(FORBIDDEN_PREFIX.get(room, ("\0",))):
        return f"{room} may not know {header}"
    return None


def check_own(root, file, room, header):
    target = header.split("/")[0] if "/" in header else None
    if ".." in header.split("/"):
        return f'"{header}": write it from the room on'
    if header in LIBRARIES or header.split("/")[-1] in LIBRARIES:
        return f'"{header}": a library stands in angle brackets'
    if target is None:
        # A generated table may stand in the build directory; what is in the tree is a top header.
        if room is not None:
            return f'"{header}": a room includes rooms only, as "room/{header}"'
        return None
    if target not in ARROWS:
        return f'"{header}": there is no room {target}'
    if room is not None and target != room and target not in ARROWS[room]:
        return f'"{header}": against the arrows; {room} may include {sorted(ARROWS[room] | {room})}'
    if header.endswith(".c"):
        return f'"{header}": a .c file is no header'
    return check_forbidden(room, header)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    files = sorted(
        f for top in ("src", "log") for f in (root / top).rglob("*") if f.suffix in (".c", ".h", ".def")
    )
    if not files:
        print(f"{root}: no source files", file=sys.stderr)
        return 1
    faults = []
    users = {header: 0 for header in LIBRARIES}
    for path in files:
        file = str(path.relative_to(root))
        room = room_of(file)
        if room is not None and room not in ARROWS:
            faults.append(f"{file}:1: there is no room {room} in {Path(__file__).name}")
            continue
        for number, header, angle, other in includes(path):
            if other:
                fault = f"#include {header}: name the header"
            elif angle:
                users[header] = users.get(header, 0) + 1
                fault = check_system(file, room, header)
            else:
                fault = check_own(root, file, room, header)
            if fault:
                faults.append(f"{file}:{number}: {fault}")
    for header, file in LIBRARIES.items():
        if users[header] == 0:
            faults.append(f"{file}:1: does not include <{header}>, which is its to guard")
    for fault in faults:
        print(fault)
    if not faults:
        print(f"arrows: {len(files)} files, none against the arrows")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

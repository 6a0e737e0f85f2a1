/*
 * tools: what the binary does beside serving: it looks at a data directory, mends it, copies it,
 * and asks a running server for a snapshot.
 *
 * The list is tool.def; each tool is a `struct tool` in a file of its own. A tool writes its result
 * to stdout, as text or, with --json, as one object (dump: one a line), and what is wrong to
 * stderr; the exit code says which of the four it was.
 */
#ifndef TOOLS_TOOLS_H
#define TOOLS_TOOLS_H

#include <stdbool.h>

#include "base/exit.h"

#define TOOL_PLACES_MAX 2
#define TOOL_FLAGS_MAX  8

/* A flag of one tool, beside --json and --help, which all have. */
struct tool_flag {
    const char *name;  /* without its dashes; NULL ends the list */
    const char *value; /* what the help calls its value; NULL where it takes none */
    const char *help;
};

/* What the command line said. */
struct tool_call {
    const char *name; /* the tool's */
    bool json;
    const char *places[TOOL_PLACES_MAX];
    const char *values[TOOL_FLAGS_MAX]; /* by place in the tool's flags; "" where it takes no value;
                                           NULL where it was not given */
};

struct tool {
    const char *places; /* what the help calls them, "" for none */
    unsigned place_count;
    const char *about; /* the long help, whole lines */
    struct tool_flag flags[TOOL_FLAGS_MAX];
    enum exit_code (*run)(const struct tool_call *call);
};

/* Is this command line (without the program's name) a tool's? Its first word then is no flag. */
bool tools_named(int argc, char *const *argv);

/* Runs the tool that is named, or says on stderr what is wrong with the words. */
enum exit_code tools_run(int argc, char *const *argv);

/* The tools' part of --help, to stdout. */
void tools_print_help(void);

#endif

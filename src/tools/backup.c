/* backup: copies a data directory, also beside a running server. */
#include "tools/copy.h"
#include "tools/tools.h"

static enum exit_code run(const struct tool_call *call)
{
    struct copy_order order = {.from = call->places[0], .to = call->places[1], .json = call->json};
    struct copy_result result;
    enum exit_code code = copy_data_dir(&order, &result);
    if (code == EXIT_FINE)
        copy_print(&order, &result);
    return code;
}

const struct tool tool_backup = {
    .places = "DIR OUT",
    .place_count = 2,
    .about =
        "Copies the data directory DIR to OUT, which must not be there yet: snapshots, segments "
        "up\n"
        "to the last whole record, and the signing key. It may run beside a server: all that was\n"
        "acknowledged before the backup began is in it. The copy is synced and then read whole, "
        "and\n"
        "only then gets its name. OUT holds the key that signs login tokens, and all messages: "
        "keep\n"
        "it secret (its files have mode 0600). A server can be started on a copy of OUT; restore\n"
        "makes one.\n",
    .run = run,
};

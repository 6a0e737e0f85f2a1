/* restore: makes a data directory from a backup. */
#include "tools/copy.h"
#include "tools/tools.h"

static enum exit_code run(const struct tool_call *call)
{
    struct copy_order order = {.from = call->places[0],
                               .to = call->places[1],
                               .into_empty = true,
                               .renew = true,
                               .json = call->json};
    struct copy_result result;
    enum exit_code code = copy_data_dir(&order, &result);
    if (code == EXIT_FINE)
        copy_print(&order, &result);
    return code;
}

const struct tool tool_restore = {
    .places = "BACKUP DIR",
    .place_count = 2,
    .about =
        "Copies BACKUP, which backup made, to the data directory DIR, which must not be there yet "
        "or\n"
        "be empty. BACKUP is read whole before, and is refused where it is damaged; the copy is\n"
        "synced and read whole after. Then a server can be started with --data DIR. One record is\n"
        "added, which gives the copy an epoch of its own: clients that were told something behind\n"
        "the backup begin anew. Ids, tokens and messaging URLs stay valid.\n",
    .run = run,
};

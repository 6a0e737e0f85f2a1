/*
 * groups-chat: the command line.
 */
#include "base/crypto.h"
#include "base/diag.h"
#include "config.h"
#include "server.h"
#include "tools/tools.h"

#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    static struct config config;
    char message[512];

    if (tools_named(argc - 1, argv + 1))
        return (int)tools_run(argc - 1, argv + 1);
    switch (config_read(&config, argc - 1, argv + 1, environ, message, sizeof message)) {
    case CONFIG_HELP:
        printf("usage: groups-chat [OPTION]...\n"
               "       groups-chat TOOL [OPTION]... DIR...\n\n"
               "Serves group chat: REST and WebSocket on one port, state in one directory.\n\n");
        tools_print_help();
        config_print_help();
        return EXIT_FINE;
    case CONFIG_VERSION:
        printf("groups-chat %s\n", GROUPS_CHAT_VERSION);
        return EXIT_FINE;
    case CONFIG_ERROR:
        fprintf(stderr, "groups-chat: %s\n", message);
        return EXIT_USAGE;
    case CONFIG_OK:
        break;
    }
    crypto_init();
    return (int)server_run(&config);
}

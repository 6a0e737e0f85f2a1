#include "base/near.h"

unsigned near_distance(struct bytes a, struct bytes b)
{
    unsigned rows[3][NEAR_MAX + 1];
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];
    size_t a_len = a.len < NEAR_MAX ? a.len : NEAR_MAX;
    size_t b_len = b.len < NEAR_MAX ? b.len : NEAR_MAX;

    memset(rows, 0, sizeof rows);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

/*
 * resident: which pages of this process have memory.
 */
#ifndef UNIT_BASE_RESIDENT_H
#define UNIT_BASE_RESIDENT_H

#include <sys/mman.h>

#include "unit.h"

#define RESIDENT_PAGES_MAX 64

/* How many of the pages of [p, p + len), p at the start of one, have memory. Asked page by page:
 * what /proc says of the whole process is gathered from the processors, and may be a while behind.
 */
static inline size_t unit_resident_pages(void *p, size_t len)
{
    unsigned char in[RESIDENT_PAGES_MAX];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (len + page - 1) / page, count = 0;

    assert_in_range(pages, 1, RESIDENT_PAGES_MAX);
    assert_int_equal(mincore(p, len, in), 0);
    for (size_t i = 0; i < pages; i++)
        count += in[i] & 1;
    return count;
}

/* Can this system give pages before they are written (madvise(2), MADV_POPULATE_WRITE)? */
static inline bool unit_populates(void)
{
    return madvise(NULL, 0, 23) == 0;
}

#endif

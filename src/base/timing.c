#include "base/timing.h"

#define US UINT64_C(1000)
#define MS (1000 * US)

const uint64_t timing_bounds_ns[TIMING_BOUNDS] = {
    100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US, 5 * MS,    10 * MS,    25 * MS,
    50 * MS,  100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 10000 * MS,
};

/* No other thread adds, so nothing is lost between the two. */
static void raise(atomic_uint_least64_t *n, uint64_t by)
{
    atomic_store_explicit(n, timing_read(n) + by, memory_order_relaxed);
}

void timing_add(struct timing *t, uint64_t ns)
{
    unsigned i = 0;

    while (i < TIMING_BOUNDS && ns > timing_bounds_ns[i])
        i++;
    raise(&t->counts[i], 1);
    raise(&t->sum_ns, ns);
    if (ns > timing_read(&t->max_ns))
        atomic_store_explicit(&t->max_ns, ns, memory_order_relaxed);
}

#include "tests/sim/tasks.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <ucontext.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/ensure.h"
#include "base/uuid.h"
#include "tests/sim/rng.h"
#include "tests/sim/sim.h"

#define TASKS_MAX 16
#define STACK_LEN (256u << 10)

enum task_state { TASK_FREE, TASK_READY, TASK_WAITS_COND, TASK_WAITS_JOIN, TASK_SLEEPS, TASK_DONE };

struct task {
    ucontext_t context;
    void *stack; /* kept for the next task in this place */
    enum task_state state;
    void *(*run)(void *);
    void *arg;
    const pthread_cond_t *cond; /* TASK_WAITS_COND */
    const struct task *joins;   /* TASK_WAITS_JOIN */
    int64_t until;              /* TASK_SLEEPS and TASK_WAITS_COND: at this time it goes on */
};

static struct task tasks[TASKS_MAX];
static ucontext_t main_context;
static struct task *current;            /* NULL: the main task, */
static const pthread_cond_t *main_cond; /*   and what it waits for */
static int64_t now_ms;
static int64_t wall_offset_ms;
static tasks_ready_fn is_ready;

/* ---- switching --------------------------------------------------------------------------------
 */

static void to_main(enum task_state state)
{
    struct task *self = current;
    self->state = state;
    current = NULL;
    // cppcheck-suppress swapcontextCalled
    swapcontext(&self->context, &main_context);
}

static void task_main(void)
{
    current->run(current->arg);
    to_main(TASK_DONE);
}

static bool can_run(const struct task *t)
{
    switch (t->state) {
    case TASK_READY:
        return true;
    case TASK_WAITS_COND:
    case TASK_SLEEPS:
        return t->until <= now_ms;
    case TASK_WAITS_JOIN:
        return t->joins->state == TASK_DONE;
    case TASK_FREE:
    case TASK_DONE:
        break;
    }
    return false;
}

bool tasks_run(void)
{
    struct task *able[TASKS_MAX];
    size_t count = 0;
    ENSURE(!current);
    for (size_t i = 0; i < TASKS_MAX; i++)
        if (can_run(&tasks[i]))
            able[count++] = &tasks[i];
    if (count == 0)
        return false;
    current = able[count == 1 ? 0 : rng_below(count)];
    trace_add('t', (uint64_t)(current - tasks), 0);
    current->state = TASK_READY;
    // cppcheck-suppress swapcontextCalled
    swapcontext(&main_context, &current->context);
    return true;
}

/* The main task waits for something that only others can do. */
static void main_waits(const char *for_what)
{
    if (tasks_run())
        return;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < TASKS_MAX; i++)
        if ((tasks[i].state == TASK_SLEEPS || tasks[i].state == TASK_WAITS_COND) &&
            tasks[i].until < next)
            next = tasks[i].until;
    if (next == INT64_MAX)
        sim_fail("the loop waits for %s, and nobody is left to end that", for_what);
    now_ms = next;
}

void tasks_give_way(void)
{
    if (current)
        to_main(TASK_READY);
}

void tasks_sleep(int64_t ms)
{
    if (!current) {
        now_ms += ms;
        return;
    }
    current->until = now_ms + ms;
    to_main(TASK_SLEEPS);
}

void tasks_advance(int64_t ms)
{
    now_ms += ms;
}

void tasks_set_wall(int64_t offset_ms)
{
    wall_offset_ms = offset_ms;
}

int64_t tasks_now(void)
{
    return now_ms;
}

bool tasks_inside(void)
{
    return current != NULL;
}

void tasks_set_ready(tasks_ready_fn ready)
{
    is_ready = ready;
}

void tasks_reset(void)
{
    for (size_t i = 0; i < TASKS_MAX; i++) {
        ENSURE(tasks[i].state == TASK_FREE);
        tasks[i].cond = NULL;
    }
    now_ms = 1000000;
    wall_offset_ms = INT64_C(1700000000000);
}

/* ---- what the table of system calls gets ------------------------------------------------------
 */

/* Not inlined: what a loop changes may not live in a register across getcontext. */
static __attribute__((noinline)) struct task *free_task(void)
{
    struct task *t = tasks;
    while (t < tasks + TASKS_MAX && t->state != TASK_FREE)
        t++;
    ENSURE(t < tasks + TASKS_MAX);
    if (!t->stack)
        t->stack = xmalloc(STACK_LEN);
    return t;
}

int tasks_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    struct task *t = free_task();
    (void)attr;
    // cppcheck-suppress getcontextCalled
    ENSURE(getcontext(&t->context) == 0);
    t->context.uc_stack.ss_sp = t->stack;
    t->context.uc_stack.ss_size = STACK_LEN;
    t->context.uc_link = NULL;
    t->run = run;
    t->arg = arg;
    t->state = TASK_READY;
    // cppcheck-suppress makecontextCalled
    makecontext(&t->context, task_main, 0);
    *thread = (pthread_t)(t - tasks + 1);
    return 0;
}

static int wait_cond(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until)
{
    pthread_mutex_unlock(lock);
    if (!current) {
        for (main_cond = cond; main_cond;)
            main_waits("a condition");
        pthread_mutex_lock(lock);
        return 0;
    }
    struct task *self = current;
    self->cond = cond;
    /* Once in a while it wakes for no reason, as POSIX lets it. */
    self->until = rng_one_in(50) ? now_ms : until;
    to_main(TASK_WAITS_COND);
    bool late = self->cond != NULL && now_ms >= until;
    self->cond = NULL;
    pthread_mutex_lock(lock);
    return late ? ETIMEDOUT : 0;
}

int tasks_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *when)
{
    return wait_cond(cond, lock, (int64_t)when->tv_sec * 1000 + when->tv_nsec / 1000000);
}

int64_t tasks_now_ms(void)
{
    return now_ms;
}

/* ---- what the linker puts in the place of the C library's and of base/'s ----------------------
 */

int __real_pthread_mutex_trylock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_mono_ms(void);
void __wrap_crypto_random(void *out, size_t len);
struct uuid __wrap_uuid_random(void);

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    for (;;) {
        int rc = pthread_mutex_trylock(lock);
        if (rc != EBUSY)
            return rc;
        if (current)
            to_main(TASK_READY);
        else
            main_waits("a lock");
    }
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    return wait_cond(cond, lock, INT64_MAX);
}

static void wake(const pthread_cond_t *cond, bool all)
{
    if (main_cond == cond) {
        main_cond = NULL;
        if (!all)
            return;
    }
    for (size_t i = 0; i < TASKS_MAX; i++) {
        struct task *t = &tasks[i];
        if (t->state != TASK_WAITS_COND || t->cond != cond)
            continue;
        t->cond = NULL;
        t->state = TASK_READY;
        if (!all)
            return;
    }
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    wake(cond, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    wake(cond, true);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    ENSURE(thread >= 1 && thread <= TASKS_MAX && !result);
    struct task *t = &tasks[thread - 1];
    ENSURE(t->state != TASK_FREE && t != current);
    while (t->state != TASK_DONE) {
        if (current) {
            current->joins = t;
            to_main(TASK_WAITS_JOIN);
        } else {
            main_waits("a thread's end");
        }
    }
    t->state = TASK_FREE;
    return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    ENSURE(!current && count == 1);
    while (!is_ready(fds->fd)) {
        if (timeout_ms >= 0)
            return 0;
        main_waits("the disk thread");
    }
    fds->revents = POLLIN;
    return 1;
}

int64_t __wrap_clock_wall_ms(void)
{
    return wall_offset_ms + now_ms;
}

int64_t __wrap_clock_mono_ms(void)
{
    return now_ms;
}

void __wrap_crypto_random(void *out, size_t len)
{
    rng_fill(out, len);
}

struct uuid __wrap_uuid_random(void)
{
    struct uuid id;
    rng_fill(id.b, sizeof id.b);
    id.b[6] = (uint8_t)(0x40 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

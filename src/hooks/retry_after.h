/* retry_after: what an answer says about when to come again. RFC 9110, sections 10.2.3 and 5.6.7.
 */
#ifndef HOOKS_RETRY_AFTER_H
#define HOOKS_RETRY_AFTER_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Far more than anybody waits: ten years. */
#define RETRY_AFTER_MAX_S (INT64_C(3650) * 86400)

/* Reads the value of a Retry-After field: seconds, or a date in one of the three forms of HTTP, as
 * seconds from `now_s` (since 1970) on. At most RETRY_AFTER_MAX_S, and 0 for what is over. False
 * where it is neither. */
bool retry_after_read(struct bytes value, int64_t now_s, int64_t *seconds);

#endif

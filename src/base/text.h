/*
 * text: what is text, how long it is, and when two names are the same. The only user of utf8proc.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

/* Is it UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)? ASCII runs
 * are checked eight bytes at a time. */
bool text_utf8_valid(struct bytes s);

/* The number of code points of valid UTF-8. */
size_t text_length(struct bytes s);

/* Does valid UTF-8 hold a control character (category Cc: C0, DEL, C1)? */
bool text_has_control(struct bytes s);

/*
 * The form under which a user name is unique: Unicode NFKC with case folding and without the
 * default ignorable characters (UAX #15, UAX #31: NFKC_Casefold), added to *out. False, and *out
 * untouched, where the name holds a control, format, space, unassigned, private-use or surrogate
 * character (also after folding), or folds to nothing. `s` must be valid UTF-8. Folding a folded
 * name changes nothing. Look-alikes of other scripts stay different names.
 */
bool text_fold_name(struct bytes s, struct buf *out);

/*
 * Is it an address as people have them (RFC 5321, 4.1.2, with the UTF-8 of RFC 6531)? A local part
 * of 1 to 64 bytes, atoms with dots between; one '@'; a domain of labels with dots between, each 1
 * to 63 bytes, of letters, digits and hyphens, no hyphen at either end; at most 254 bytes in all.
 * Quoted local parts and addresses in brackets are not taken, characters beyond ASCII are: whether
 * those may stand in a name is text_fold_email's to say. `s` must be valid UTF-8.
 */
bool text_is_email(struct bytes s);

/*
 * The form under which an e-mail address is unique: the whole address folded as a name. False, and
 * *out untouched, where it is not local@domain (the last '@' counts, neither part is empty, folded
 * or not), has more than 254 bytes (RFC 5321, 4.5.3.1), or holds what a name may not hold: no
 * space, so no quoted local part with one. `s` must be valid UTF-8.
 */
bool text_fold_email(struct bytes s, struct buf *out);

#endif

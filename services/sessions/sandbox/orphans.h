/*
 * orphans.h - sandboxes that were only half built when their bubblewrap was killed.
 */
#ifndef SESSIONS_ORPHANS_PRIVATE_H
#define SESSIONS_ORPHANS_PRIVATE_H

/* End those that the server's own init has adopted. */
void orphans_end(void);

#endif /* SESSIONS_ORPHANS_PRIVATE_H */

/*
 * cancel.h - a host's cancellation and the operations that have it.
 */
#ifndef KERNEL_CANCEL_PRIVATE_H
#define KERNEL_CANCEL_PRIVATE_H

#include <kernel/invoke.h>

/* One more holder; NULL gives NULL. */
kernel_cancel_t *kernel__cancel_keep(kernel_cancel_t *cancel);
/* Cancel the operation when the cancellation is triggered, at once if it was. NULL does nothing. */
void kernel__cancel_link(kernel_cancel_t *cancel, kernel_call_t *operation);
/* Forget the operation, which is over; waits for a trigger that is at work on it, so that the
 * kernel may be freed afterwards. NULL, or one that is not linked: does nothing. */
void kernel__cancel_unlink(kernel_cancel_t *cancel, kernel_call_t *operation);

#endif /* KERNEL_CANCEL_PRIVATE_H */

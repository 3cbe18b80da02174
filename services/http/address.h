/*
 * address.h - is an address one of the public Internet?
 */
#ifndef HTTP_ADDRESS_PRIVATE_H
#define HTTP_ADDRESS_PRIVATE_H

#include <stdbool.h>

#include <sys/socket.h>

/* False for everything that reaches this machine, its site or nobody: loopback, private,
 * link-local, shared, multicast and reserved ranges, IPv6 forms of such IPv4 addresses, other
 * families. */
bool http__address_is_public(const struct sockaddr *address, socklen_t size);
/* The same of an address in text; false for anything else. */
bool http__address_text_is_public(const char *text);
/* "127.0.0.1", "::1"; "?" for other families. */
void http__address_write(const struct sockaddr *address, socklen_t size, char *text,
                         socklen_t text_size);

#endif /* HTTP_ADDRESS_PRIVATE_H */

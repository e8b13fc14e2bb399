/*
 * lab_records: TLS records of a single octet.
 *
 * A handshake message may come in as many records as the sender likes (RFC 5246, 6.2.1; RFC 8446,
 * 5.1). Few servers make use of that, and clients that count on one message in one record fail with
 * those that do. OpenSSL never sends fragments of fewer than 512 octets, so a filter below it cuts
 * up the records that go out in clear: with TLS 1.2 all of the server's certificates, with TLS 1.3
 * its hello. What is encrypted goes out in fragments of 512.
 */
#ifndef LAB_RECORDS_H
#define LAB_RECORDS_H

#include <event2/util.h>
#include <openssl/ssl.h>

/* Sets the input and output of a fresh server-side SSL to the connection fd, which stays the
 * caller's. */
void lab_records_single(SSL *ssl, evutil_socket_t fd);

#endif

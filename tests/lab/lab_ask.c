#include "tests/lab/lab_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ldns/ldns.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "tests/lab/lab_named.h"
#include "verifier/address.h"

enum { PACKET_MAX = 65535, LABD_TIMEOUT_MS = 30000 };

/* The first answer of the type; the packet is the caller's when 1 is returned. */
static int
ask(uint16_t port, const char *name, ldns_rr_type type, ldns_rr_class class, int timeout_ms,
	ldns_pkt **packet, ldns_rr **answer, struct error *err)
{
	struct address to;
	ldns_pkt *query = NULL, *reply = NULL;
	uint8_t *wire = NULL, *in = xcalloc(1, PACKET_MAX);
	size_t wire_len = 0;
	struct pollfd pfd = {.fd = -1, .events = POLLIN};
	ssize_t n;
	int rc = -1;

	if (ldns_pkt_query_new_frm_str(&query, name, type, class, 0) != LDNS_STATUS_OK ||
		ldns_pkt2wire(&wire, query, &wire_len) != LDNS_STATUS_OK) {
		error_set(err, ERROR_INPUT, "%s: cannot ask for this name", name);
		goto out;
	}
	pfd.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (pfd.fd < 0 || address_from_text(LAB_NSD_ADDRESS, port, &to) < 0 ||
		connect(pfd.fd, &to.u.sa, address_len(&to)) < 0) {
		error_set_errno(err, ERROR_TEMP, "port %u", port);
		goto out;
	}
	rc = 0;
	if (send(pfd.fd, wire, wire_len, 0) < 0 || poll(&pfd, 1, timeout_ms) <= 0)
		goto out;
	n = recv(pfd.fd, in, PACKET_MAX, 0);
	if (n <= 0 || ldns_wire2pkt(&reply, in, (size_t)n) != LDNS_STATUS_OK)
		goto out;
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(reply)); i++) {
		ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(reply), i);

		if (ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) > 0) {
			*answer = rr;
			*packet = reply;
			reply = NULL;
			rc = 1;
			break;
		}
	}
out:
	if (pfd.fd >= 0)
		close(pfd.fd);
	ldns_pkt_free(reply);
	ldns_pkt_free(query);
	LDNS_FREE(wire);
	free(in);
	return rc;
}

int
lab_ask_identity(uint16_t port, int timeout_ms, char *out, size_t size, struct error *err)
{
	ldns_pkt *packet = NULL;
	ldns_rr *rr = NULL;
	int rc = ask(port, "id.server.", LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_CH, timeout_ms, &packet,
		&rr, err);

	if (rc == 1) {
		char *text = ldns_rdf2str(ldns_rr_rdf(rr, 0)); /* quoted */

		snprintf(out, size, "%.*s", (int)strlen(text) - 2, text + 1);
		LDNS_FREE(text);
	}
	ldns_pkt_free(packet);
	return rc;
}

int
lab_ask_serial(uint16_t port, const char *zone, int timeout_ms, uint32_t *out, struct error *err)
{
	ldns_pkt *packet = NULL;
	ldns_rr *rr = NULL;
	int rc = ask(port, zone, LDNS_RR_TYPE_SOA, LDNS_RR_CLASS_IN, timeout_ms, &packet, &rr, err);

	if (rc == 1)
		*out = ldns_rdf2native_int32(ldns_rr_rdf(rr, 2));
	ldns_pkt_free(packet);
	return rc;
}

/* The path of a socket is short: it goes through the descriptor of its folder. */
static int
connect_labd(const char *dir, struct error *err)
{
	char *run = xasprintf("%s/run", dir);
	struct timeval patience = {.tv_sec = LABD_TIMEOUT_MS / 1000};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int run_fd = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (run_fd < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", run);
		goto out;
	}
	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/labd.sock", run_fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s/labd.sock", run);
		if (fd >= 0)
			close(fd);
		fd = -1;
		goto out;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
out:
	if (run_fd >= 0)
		close(run_fd);
	free(run);
	return fd;
}

int
lab_ask_labd(const char *dir, const char *request, struct buf *answer, struct error *err)
{
	char chunk[4096], *line = xasprintf("%s\n", request), *last;
	int fd = connect_labd(dir, err), rc = -1;
	size_t begin = answer->len;
	ssize_t n;

	if (fd < 0)
		goto out;
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
		error_set_errno(err, ERROR_TEMP, "labd");
		goto out;
	}
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		if (buf_add(answer, chunk, (size_t)n) < 0) {
			error_set(err, ERROR_INPUT, "labd: answer too long");
			goto out;
		}
	}
	if (n < 0 || answer->len == begin || answer->data[answer->len - 1] != '\n') {
		error_set(err, ERROR_TEMP, "labd: no answer");
		goto out;
	}
	answer->data[--answer->len] = '\0';
	last = memrchr(answer->data + begin, '\n', answer->len - begin);
	last = last == NULL ? answer->data + begin : last + 1;
	if (strcmp(last, "ok") != 0) {
		error_set(err, ERROR_INPUT, "labd: %s", last);
		goto out;
	}
	answer->len = (size_t)(last - answer->data);
	*last = '\0';
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	free(line);
	return rc;
}

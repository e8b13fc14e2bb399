/*
 * bench_stub: puts the look-ups of a crawl to a resolver, so that its CPU time can be compared with
 * that of a resolver in process.
 *
 *	bench_stub ADDRESS PORT LANES <LOOKUPS      lines "GROUP NAME TYPE", groups together
 *
 * A lane asks what a group has one after the other, as a crawl does for a domain; lanes stand side
 * by side. One line: questions, answers, answers with the AD bit, answers that were failures.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <ldns/ldns.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/address.h"

#define LANES_MAX 60000
/* A packet may be lost: asked again after so long, and given up after so many times. */
#define ANSWER_S  5
#define TRIES_MAX 6

struct question {
	char *group, *name, *type;
};

/* Its number is the ID of its packets. */
struct lane {
	const struct question *asked; /* NULL: nothing left to ask */
};

static struct question *questions;
static size_t count, next; /* next: the first group that no lane has taken */
static struct lane *lanes;
static size_t lane_count;
static int fd;
static struct {
	unsigned int asked, answered, secure, failed;
} seen;

static NORETURN void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_stub: %s: %s\n", what, why);
	exit(1);
}

static void
read_questions(void)
{
	char group[300], name[300], type[16];
	size_t room = 0;

	while (scanf("%299s %299s %15s", group, name, type) == 3) {
		if (count == room) {
			room = room == 0 ? 1024 : 2 * room;
			questions = realloc(questions, room * sizeof(*questions));
			if (questions == NULL)
				die("memory", strerror(errno));
		}
		questions[count++] =
			(struct question){xstrdup(group), xstrdup(name), xstrdup(type)};
	}
}

static void
ask(size_t i)
{
	const struct question *q = lanes[i].asked;
	ldns_rdf *name = ldns_dname_new_frm_str(q->name);
	ldns_pkt *packet = name == NULL
		? NULL
		: ldns_pkt_query_new(name, ldns_get_rr_type_by_name(q->type), LDNS_RR_CLASS_IN,
			  LDNS_RD | LDNS_AD);
	uint8_t *wire = NULL;
	size_t len;

	if (packet == NULL)
		die(q->name, "no name");
	ldns_pkt_set_id(packet, (uint16_t)i);
	ldns_pkt_set_edns_udp_size(packet, 1232);
	if (ldns_pkt2wire(&wire, packet, &len) != LDNS_STATUS_OK)
		die(q->name, "no packet");
	if (send(fd, wire, len, 0) != (ssize_t)len)
		die("send", strerror(errno));
	free(wire);
	ldns_pkt_free(packet);
}

/* The next question of its group, or of a new one. */
static void
go_on(size_t i)
{
	const struct question *before = lanes[i].asked;

	if (before != NULL && before + 1 < questions + count &&
		strcmp(before->group, before[1].group) == 0) {
		lanes[i].asked = before + 1;
	} else if (next < count) {
		lanes[i].asked = &questions[next++];
		while (next < count && strcmp(questions[next].group, lanes[i].asked->group) == 0)
			next++;
	} else {
		lanes[i].asked = NULL;
		return;
	}
	seen.asked++;
	ask(i);
}

static void
take(const uint8_t *wire, size_t len)
{
	ldns_pkt *packet = NULL;
	size_t i;

	if (ldns_wire2pkt(&packet, wire, len) != LDNS_STATUS_OK)
		die("answer", "no DNS packet");
	i = ldns_pkt_id(packet);
	if (i < lane_count && lanes[i].asked != NULL) {
		ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);

		seen.answered++;
		seen.secure += ldns_pkt_ad(packet);
		seen.failed += rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN;
		go_on(i);
	}
	ldns_pkt_free(packet);
}

static void
run(void)
{
	uint8_t wire[65536];
	unsigned int tries = 0;

	while (seen.answered < seen.asked) {
		ssize_t n = recv(fd, wire, sizeof(wire), 0);

		if (n > 0) {
			tries = 0;
			take(wire, (size_t)n);
		} else if (n < 0 && errno == EAGAIN && ++tries < TRIES_MAX) {
			for (size_t i = 0; i < lane_count; i++) {
				if (lanes[i].asked != NULL)
					ask(i);
			}
		} else {
			die("recv", n < 0 ? strerror(errno) : "empty packet");
		}
	}
}

int
main(int argc, char **argv)
{
	struct timeval wait = {ANSWER_S, 0};
	struct address to;
	uint64_t port, n;

	if (argc != 4 || str_parse_u64(argv[2], strlen(argv[2]), UINT16_MAX, &port) < 0 ||
		str_parse_u64(argv[3], strlen(argv[3]), LANES_MAX, &n) < 0 ||
		address_from_text(argv[1], (uint16_t)port, &to) < 0) {
		fputs("usage: bench_stub ADDRESS PORT LANES <LOOKUPS\n", stderr);
		return 2;
	}
	read_questions();
	fd = socket(to.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &to.u.sa, address_len(&to)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		die(argv[1], strerror(errno));
	lane_count = n;
	lanes = xcalloc(lane_count + 1, sizeof(*lanes));
	for (size_t i = 0; i < lane_count; i++)
		go_on(i);
	run();
	printf("%u %u %u %u\n", seen.asked, seen.answered, seen.secure, seen.failed);
	for (size_t i = 0; i < count; i++) {
		free(questions[i].group);
		free(questions[i].name);
		free(questions[i].type);
	}
	free(questions);
	free(lanes);
	(void)close(fd);
	return 0;
}

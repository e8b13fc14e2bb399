/*
 * labd: the scripted mail, policy and name servers of a lab, all in one process.
 *
 *	labd DIR SMTP_PORT HTTPS_PORT DNS_PORT
 *
 * Reads DIR/hosts.tsv, listens at every address named there (port 0: a free one), and takes one
 * request per connection on the socket DIR/run/labd.sock: "ports", "reload", "stats",
 * "stats-reset". The answer is text; its last line is "ok" or "error: why". Prints "SMTP_PORT
 * HTTPS_PORT DNS_PORT" once it listens. Runs in the foreground until SIGTERM. `lab start` is who
 * usually calls it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_named.h"
#include "tests/lab/lab_server.h"

enum { REQUEST_MAX = 256 };

struct servers {
	struct lab_server mail; /* and policies */
	struct lab_named *named;
};

static void
on_control_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void
on_control_written(struct bufferevent *bev, void *arg)
{
	(void)arg;
	if (evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		bufferevent_free(bev);
}

static void
answer(struct servers *s, const char *request, FILE *out)
{
	struct error err = {0};

	if (strcmp(request, "ports") == 0) {
		fprintf(out, "%u %u %u\nok\n", s->mail.ports[LAB_SMTP], s->mail.ports[LAB_HTTPS],
			lab_named_port(s->named));
	} else if (strcmp(request, "stats") == 0) {
		lab_server_stats(&s->mail, out);
		lab_named_stats(s->named, out);
		fputs("ok\n", out);
	} else if (strcmp(request, "stats-reset") == 0) {
		lab_server_stats_reset(&s->mail);
		lab_named_stats_reset(s->named);
		fputs("ok\n", out);
	} else if (strcmp(request, "reload") != 0) {
		fprintf(out, "error: no request \"%s\"\n", request);
	} else if (lab_server_reload(&s->mail, &err) < 0 || lab_named_reload(s->named, &err) < 0) {
		fprintf(out, "error: %s\n", err.text);
	} else {
		fputs("ok\n", out);
	}
}

static void
on_control_read(struct bufferevent *bev, void *arg)
{
	char *line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF),
	     *text = NULL;
	size_t len = 0;
	FILE *out;

	if (line == NULL) {
		if (evbuffer_get_length(bufferevent_get_input(bev)) > REQUEST_MAX)
			bufferevent_free(bev);
		return;
	}
	if ((out = open_memstream(&text, &len)) == NULL)
		abort();
	answer(arg, line, out);
	fclose(out);
	bufferevent_setcb(bev, NULL, on_control_written, on_control_event, NULL);
	bufferevent_write(bev, text, len);
	free(text);
	free(line);
}

static void
on_control(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int peer_len,
	void *arg)
{
	struct servers *s = arg;
	struct bufferevent *bev = bufferevent_socket_new(s->mail.base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)peer;
	(void)peer_len;
	if (bev == NULL)
		abort();
	bufferevent_setcb(bev, on_control_read, NULL, on_control_event, s);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* The socket's name is short however long DIR is: the path goes through the folder's descriptor. */
static struct evconnlistener *
open_control(struct servers *s, int run_fd, struct error *err)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct evconnlistener *l;

	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/labd.sock", run_fd);
	if (unlink(un.sun_path) < 0 && errno != ENOENT) {
		error_set_errno(err, ERROR_CONFIG, "labd.sock");
		return NULL;
	}
	l = evconnlistener_new_bind(s->mail.base, on_control, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, (struct sockaddr *)&un,
		sizeof(un));
	if (l == NULL)
		error_set_errno(err, ERROR_CONFIG, "labd.sock");
	return l;
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopexit(arg, NULL);
}

static int
port_of(const char *text, uint16_t *out)
{
	uint64_t n;

	if (str_parse_u64(text, strlen(text), 65535, &n) < 0)
		return -1;
	*out = (uint16_t)n;
	return 0;
}

int
main(int argc, char **argv)
{
	struct event_base *base = NULL;
	struct event *term = NULL, *intr = NULL;
	struct evconnlistener *control = NULL;
	struct servers servers = {0};
	struct error err = {0};
	struct rlimit files;
	uint16_t ports[2], dns_port;
	char *run = NULL;
	int run_fd = -1, rc = -1;

	if (argc != 5 || port_of(argv[2], &ports[LAB_SMTP]) < 0 ||
		port_of(argv[3], &ports[LAB_HTTPS]) < 0 || port_of(argv[4], &dns_port) < 0) {
		fputs("usage: labd DIR SMTP_PORT HTTPS_PORT DNS_PORT\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* a descriptor for each address and each connection */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	run = xasprintf("%s/run", argv[1]);
	run_fd = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run_fd < 0) {
		error_set_errno(&err, ERROR_CONFIG, "%s", run);
		goto out;
	}
	/* no change list: it would speak to the kernel of descriptors that are closed, and by then the
	 * other thread's */
	base = event_base_new();
	if (base == NULL)
		abort();
	term = evsignal_new(base, SIGTERM, on_signal, base);
	intr = evsignal_new(base, SIGINT, on_signal, base);
	if (term == NULL || intr == NULL || event_add(term, NULL) < 0 || event_add(intr, NULL) < 0)
		abort();
	if (lab_server_open(&servers.mail, argv[1], base, ports, &err) < 0 ||
		lab_named_open(argv[1], dns_port, &servers.named, &err) < 0 ||
		(control = open_control(&servers, run_fd, &err)) == NULL)
		goto out;
	/* who started us waits for this line */
	printf("%u %u %u\n", servers.mail.ports[LAB_SMTP], servers.mail.ports[LAB_HTTPS],
		lab_named_port(servers.named));
	fflush(stdout);
	event_base_dispatch(base);
	rc = 0;
out:
	if (rc < 0)
		fprintf(stderr, "labd: %s\n", err.text);
	if (control != NULL)
		evconnlistener_free(control);
	lab_server_close(&servers.mail);
	lab_named_close(servers.named);
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	if (base != NULL)
		event_base_free(base);
	if (run_fd >= 0)
		close(run_fd);
	free(run);
	return rc < 0 ? error_exit_code(&err) : 0;
}

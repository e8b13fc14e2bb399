/*
 * lab: an internet on loopback, made from real parts. See README.md beside this file, or lab
 * --help.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/pem.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_ask.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_dns_script.h"
#include "tests/lab/lab_hosts.h"
#include "tests/lab/lab_make.h"
#include "tests/lab/lab_named.h"
#include "tests/lab/lab_pki.h"
#include "tests/lab/lab_plan.h"
#include "tests/lab/lab_super.h"
#include "tests/lab/lab_zone.h"

enum { STATS_MAX = 64 << 20, POLICY_FILE_MAX = 1 << 20 };

/* What options the subcommands share; each takes what it needs. */
struct options {
	struct lab_make_options make;
	struct lab_super_options super;
	bool delete, reset;
};

/* The lab's folder as an absolute path, which must exist; the caller's. */
static char *
lab_dir(const char *arg, struct error *err)
{
	char *dir = realpath(arg, NULL);

	if (dir == NULL)
		error_set_errno(err, ERROR_CONFIG, "%s", arg);
	return dir;
}

/* Only one process at a time changes a lab's files. Released when the program ends. */
static int
edit_lock(const char *dir, struct error *err)
{
	char *path = xasprintf("%s/run/edit.lock", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), rc = 0;

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		rc = error_set_errno(err, ERROR_CONFIG, "not a lab: %s", path);
	free(path);
	return rc;
}

/* --- make, start, stop, status, run ----------------------------------------------------------- */

static int
cmd_make(const char *dir_arg, char **args, const struct options *o, struct error *err)
{
	struct lab_make_result r;
	char *dir;
	int rc = -1;

	(void)args;
	if (file_mkdirs(dir_arg, 0755, err) < 0 || (dir = lab_dir(dir_arg, err)) == NULL)
		return -1;
	if (lab_make(dir, &o->make, &r, err) == 0) {
		printf("%s: %zu domains, %zu zones (%zu signed), %zu MX hosts, %zu policy hosts\n",
			dir, r.domains, r.zones, r.signed_zones, r.mx_hosts, r.policy_hosts);
		rc = 0;
	}
	free(dir);
	return rc;
}

static void
print_running(const char *dir, const struct lab_running *l)
{
	printf("%s: DNS 127.0.0.1@%u, SMTP port %u, HTTPS port %u (supervisor %d)\n", dir,
		l->dns_port, l->smtp_port, l->https_port, (int)l->supervisor);
}

static int
cmd_start(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_running l = {0};

	(void)args;
	if (lab_super_start(dir, &o->super, &l, err) < 0)
		return -1;
	print_running(dir, &l);
	return 0;
}

static int
cmd_stop(const char *dir, char **args, const struct options *o, struct error *err)
{
	int rc = lab_super_stop(dir, err);

	(void)args;
	(void)o;
	if (rc == 0)
		printf("%s: was not running\n", dir);
	return rc < 0 ? -1 : 0;
}

static int
cmd_status(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_running l = {0};
	int rc = lab_super_status(dir, &l, err);

	(void)args;
	(void)o;
	if (rc == 1)
		print_running(dir, &l);
	else if (rc == 0)
		printf("%s: not running\n", dir);
	return rc < 0 ? -1 : rc == 1 ? 0 : 1;
}

static int
cmd_run(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_super_options super = o->super;
	struct lab_running l = {0};
	int status = 0, rc;

	if (args[0] == NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab run DIR -- COMMAND...");
	super.with_parent = true;
	super.command = args;
	prctl(PR_SET_CHILD_SUBREAPER,
		1); /* should the supervisor be killed, its orphans come to us */
	if (lab_super_start(dir, &super, &l, err) < 0)
		return -1;
	rc = lab_super_wait(&l, &status, err);
	lab_super_kill_descendants();
	return rc < 0 ? -1 : status;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* labd reads hosts.tsv again, if it runs. */
static int
tell_labd(const char *dir, struct error *err)
{
	struct lab_running l = {0};
	struct buf answer;
	int rc = lab_super_status(dir, &l, err);

	if (rc <= 0)
		return rc;
	buf_init(&answer, STATS_MAX);
	rc = lab_ask_labd(dir, "reload", &answer, err);
	buf_clear(&answer);
	return rc;
}

/* Changes a record and waits until it is served, if the lab runs. */
static int
change_record(const char *dir, const char *name, const char *type, char *const *rdata, size_t count,
	struct error *err)
{
	struct lab_pki *pki = NULL;
	struct lab_running l = {0};
	char *zone = NULL;
	uint32_t serial = 0;
	int rc = lab_pki_open(dir, &pki, err);

	if (rc == 0)
		rc = lab_zone_set(dir, pki, name, type, rdata, count, &zone, &serial, err);
	if (rc == 0)
		rc = lab_super_status(dir, &l, err);
	if (rc == 1)
		rc = lab_super_reload_zone(&l, zone, serial, err);
	lab_pki_free(pki);
	free(zone);
	return rc;
}

static int
cmd_set(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_behaviour parsed;
	struct lab_hosts hosts;
	int rc = -1;

	(void)o;
	if (args[0] == NULL || args[1] == NULL || args[2] != NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab set DIR HOST|ADDRESS BEHAVIOUR");
	if (lab_behaviour_parse(args[1], &parsed, err) < 0 || edit_lock(dir, err) < 0 ||
		lab_hosts_load(dir, &hosts, err) < 0)
		return -1;
	if (lab_hosts_set(&hosts, args[0], args[1], false) == 0)
		error_set(err, ERROR_INPUT, "%s: no such host in this lab", args[0]);
	else if (lab_hosts_save(dir, &hosts, err) == 0)
		rc = tell_labd(dir, err);
	lab_hosts_clear(&hosts);
	return rc;
}

/* A zone without a line gets one at the front, where those who forward ask. */
static int
cmd_dns_set(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_dns_script parsed;
	struct lab_hosts hosts;
	struct address front;
	int rc = -1;

	(void)o;
	if (args[0] == NULL || args[1] == NULL || args[2] != NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab dns-set DIR ZONE SCRIPT");
	if (lab_dns_script_parse(args[1], &parsed, err) < 0 || edit_lock(dir, err) < 0 ||
		lab_hosts_load(dir, &hosts, err) < 0)
		return -1;
	if (address_from_text(LAB_FRONT_ADDRESS, 0, &front) < 0)
		abort();
	if (lab_hosts_set(&hosts, args[0], args[1], true) == 0)
		lab_hosts_add(&hosts, LAB_DNS, &front, args[0], args[1]);
	if (lab_hosts_save(dir, &hosts, err) == 0)
		rc = tell_labd(dir, err);
	lab_hosts_clear(&hosts);
	return rc;
}

/* An address nobody has: above all others in 127.0.0.0/8. */
static int
free_address(const struct lab_hosts *hosts, struct address *out, struct error *err)
{
	uint32_t highest = UINT32_C(127) << 24 | 250 << 16;

	for (size_t i = 0; i < hosts->count; i++) {
		const struct address *at = &hosts->list[i].address;
		uint32_t value = address_is_ipv6(at) ? 0 : ntohl(at->u.in.sin_addr.s_addr);

		/* A plan (lab_plan.h) may have others. */
		if (value >> 24 == 127 && value > highest)
			highest = value;
	}
	/* a /24 of its own for each: an operator of its own */
	highest = (highest | 0xff) + 2;
	if (highest >= (UINT32_C(127) << 24 | 0xfffeff))
		return error_set(err, ERROR_INPUT, "no address left");
	highest = htonl(highest);
	return address_from_bytes((const uint8_t *)&highest, sizeof(highest), 0, out);
}

static int
add_host(const char *dir, enum lab_service service, const char *name, const char *behaviour,
	struct error *err)
{
	struct lab_behaviour parsed;
	struct lab_hosts hosts;
	struct address address;
	char text[ADDRESS_TEXT_SIZE], *rdata[] = {text};
	int rc = -1;

	if (lab_behaviour_parse(behaviour, &parsed, err) < 0 ||
		lab_hosts_load(dir, &hosts, err) < 0)
		return -1;
	for (size_t i = 0; i < hosts.count; i++) {
		if (hosts.list[i].service == service && strcmp(hosts.list[i].name, name) == 0) {
			error_set(err, ERROR_INPUT, "%s: exists already", name);
			goto out;
		}
	}
	if (free_address(&hosts, &address, err) < 0)
		goto out;
	lab_hosts_add(&hosts, service, &address, name, behaviour);
	address_format(&address, text);
	if (lab_hosts_save(dir, &hosts, err) < 0 || tell_labd(dir, err) < 0 ||
		change_record(dir, name, "A", rdata, 1, err) < 0)
		goto out;
	printf("%s\t%s\n", name, text);
	rc = 0;
out:
	lab_hosts_clear(&hosts);
	return rc;
}

static int
cmd_host_add(const char *dir, char **args, const struct options *o, struct error *err)
{
	(void)o;
	if (args[0] == NULL || args[1] == NULL || args[2] != NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab host-add DIR HOST BEHAVIOUR");
	if (edit_lock(dir, err) < 0)
		return -1;
	return add_host(dir, LAB_SMTP, args[0], args[1], err);
}

static int
cmd_zone_set(const char *dir, char **args, const struct options *o, struct error *err)
{
	size_t count = 0;

	if (args[0] == NULL || args[1] == NULL || (args[2] == NULL) != o->delete)
		return error_set(err, ERROR_CONFIG,
			"usage: lab zone-set [--delete] DIR NAME TYPE [RDATA...]");
	while (args[2 + count] != NULL)
		count++;
	if (edit_lock(dir, err) < 0)
		return -1;
	return change_record(dir, args[0], args[1], args + 2, count, err);
}

static int
cmd_policy_set(const char *dir, char **args, const struct options *o, struct error *err)
{
	char *path = NULL, *host = NULL;
	struct lab_hosts hosts = {0};
	struct buf text;
	bool known = false;
	int rc = -1;

	(void)o;
	if (args[0] == NULL || args[1] == NULL || args[2] != NULL || strchr(args[0], '/') != NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab policy-set DIR DOMAIN FILE");
	buf_init(&text, POLICY_FILE_MAX);
	path = xasprintf("%s/policies/%s", dir, args[0]);
	host = xasprintf("mta-sts.%s", args[0]);
	if (edit_lock(dir, err) < 0 || file_read(args[1], &text, err) < 0 ||
		file_replace(path, buf_str(&text), text.len, 0644, err) < 0 ||
		lab_hosts_load(dir, &hosts, err) < 0)
		goto out;
	for (size_t i = 0; i < hosts.count; i++)
		known = known || strcmp(hosts.list[i].name, host) == 0;
	rc = known ? 0 : add_host(dir, LAB_HTTPS, host, "ok", err);
out:
	lab_hosts_clear(&hosts);
	buf_clear(&text);
	free(host);
	free(path);
	return rc;
}

/* For a lab that does not run: NSD reads the list of its zones once. */
static int
cmd_extend(const char *dir, char **args, const struct options *o, struct error *err)
{
	struct lab_running l = {0};
	int running;

	(void)o;
	if (args[0] == NULL || args[1] != NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab extend DIR PLAN");
	running = lab_super_status(dir, &l, err);
	if (running > 0)
		error_set(err, ERROR_INPUT, "%s: is running", dir);
	return running != 0 || edit_lock(dir, err) < 0 ? -1 : lab_plan_add(dir, args[0], err);
}

/* --- looking ---------------------------------------------------------------------------------- */

static int
cmd_stats(const char *dir, char **args, const struct options *o, struct error *err)
{
	char *path = xasprintf("%s/labd.stats", dir);
	struct buf answer;
	int rc;

	(void)args;
	buf_init(&answer, STATS_MAX);
	rc = lab_ask_labd(dir, "stats", &answer, err);
	if (rc == 0)
		rc = file_replace(path, buf_str(&answer), answer.len, 0644, err);
	if (rc == 0)
		fwrite(buf_str(&answer), 1, answer.len, stdout);
	buf_reset(&answer);
	if (rc == 0 && o->reset)
		rc = lab_ask_labd(dir, "stats-reset", &answer, err);
	buf_clear(&answer);
	free(path);
	return rc;
}

/* Certificate chain and key of a host, for servers that are not labd. */
static int
cmd_cert(const char *dir, char **args, const struct options *o, struct error *err)
{
	const char *behaviour =
		args[0] == NULL || args[1] == NULL || args[2] == NULL ? "ok" : args[2];
	struct lab_identity id = {0};
	struct lab_behaviour b;
	struct lab_pki *pki = NULL;
	char *path = NULL;
	FILE *f = NULL;
	int rc = -1;

	(void)o;
	if (args[0] == NULL || args[1] == NULL)
		return error_set(err, ERROR_CONFIG, "usage: lab cert DIR HOST FILE [BEHAVIOUR]");
	if (lab_behaviour_parse(behaviour, &b, err) < 0 || lab_pki_open(dir, &pki, err) < 0)
		goto out;
	lab_pki_identity(pki, args[0], b.cert, &id);
	path = xstrdup(args[1]);
	f = fdopen(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "w");
	if (f == NULL || PEM_write_PrivateKey(f, id.key, NULL, NULL, 0, NULL, NULL) != 1 ||
		PEM_write_X509(f, id.leaf) != 1) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	for (int i = 0; i < sk_X509_num(id.chain); i++)
		PEM_write_X509(f, sk_X509_value(id.chain, i));
	rc = 0;
out:
	if (f != NULL && fclose(f) != 0 && rc == 0)
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	free(path);
	lab_identity_clear(&id);
	lab_pki_free(pki);
	return rc;
}

/* --- main ------------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	const char *synopsis;
	int (*run)(const char *dir, char **args, const struct options *o, struct error *err);
} commands[] = {
	{"make",
		"DIR [--domains N] [--sinners N] [--kinds KIND,KIND...] [--mx-hosts N] [--seed S] "
		"[--dns-port P] [--smtp-port P] [--https-port P]",
		cmd_make},
	{"start", "DIR [--root DIR] [--owner PID]", cmd_start},
	{"stop", "DIR", cmd_stop},
	{"status", "DIR", cmd_status},
	{"run", "DIR -- COMMAND...", cmd_run},
	{"set", "DIR HOST|ADDRESS BEHAVIOUR", cmd_set},
	{"dns-set", "DIR ZONE SCRIPT", cmd_dns_set},
	{"host-add", "DIR HOST BEHAVIOUR", cmd_host_add},
	{"zone-set", "[--delete] DIR NAME TYPE [RDATA...]", cmd_zone_set},
	{"policy-set", "DIR DOMAIN FILE", cmd_policy_set},
	{"extend", "DIR PLAN", cmd_extend},
	{"stats", "[--reset] DIR", cmd_stats},
	{"cert", "DIR HOST FILE [BEHAVIOUR]", cmd_cert},
};

static void
usage(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "%s lab %s %s\n", i == 0 ? "usage:" : "      ", commands[i].name,
			commands[i].synopsis);
	fprintf(out, "       lab behaviours\n");
}

static int
number(const char *text, uint64_t max, uint64_t *out, struct error *err)
{
	if (str_parse_u64(text, strlen(text), max, out) < 0)
		return error_set(err, ERROR_CONFIG, "\"%s\" is no number up to %llu", text,
			(unsigned long long)max);
	return 0;
}

static int
parse_options(int argc, char **argv, struct options *o, struct error *err)
{
	static const struct option longs[] = {
		{"domains", required_argument, NULL, 'n'},
		{"sinners", required_argument, NULL, 'S'},
		{"kinds", required_argument, NULL, 'k'},
		{"mx-hosts", required_argument, NULL, 'M'},
		{"seed", required_argument, NULL, 's'},
		{"dns-port", required_argument, NULL, 'd'},
		{"smtp-port", required_argument, NULL, 'm'},
		{"https-port", required_argument, NULL, 'w'},
		{"root", required_argument, NULL, 'r'},
		{"owner", required_argument, NULL, 'o'},
		{"delete", no_argument, NULL, 'D'},
		{"reset", no_argument, NULL, 'R'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	uint64_t n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			if (number(optarg, LAB_DOMAINS_MAX, &n, err) < 0)
				return -1;
			o->make.domains = n;
			break;
		case 'S':
			if (number(optarg, LAB_DOMAINS_MAX, &n, err) < 0)
				return -1;
			o->make.sinners = n;
			break;
		case 'k':
			o->make.kinds = optarg;
			break;
		case 'M':
			if (number(optarg, LAB_DOMAINS_MAX, &n, err) < 0)
				return -1;
			o->make.mx_hosts = n;
			break;
		case 's':
			if (number(optarg, UINT64_MAX, &o->make.seed, err) < 0)
				return -1;
			break;
		case 'd':
		case 'm':
		case 'w':
			if (number(optarg, 65535, &n, err) < 0)
				return -1;
			*(c == 'd'                 ? &o->make.dns_port
					: c == 'm' ? &o->make.smtp_port
						   : &o->make.https_port) = (uint16_t)n;
			break;
		case 'r':
			o->super.root = optarg;
			break;
		case 'o':
			if (number(optarg, INT_MAX, &n, err) < 0)
				return -1;
			o->super.owner = (pid_t)n;
			break;
		case 'D':
			o->delete = true;
			break;
		case 'R':
			o->reset = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	return 0;
}

static int
dispatch(const char *name, int argc, char **argv, struct error *err)
{
	struct options o = {
		.make = {.domains = LAB_DOMAINS_DEFAULT, .seed = 1, .made_s = time(NULL)}};
	char *dir = NULL;
	int rc = -1;

	if (parse_options(argc, argv, &o, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (optind >= argc)
			return error_set(
				err, ERROR_CONFIG, "usage: lab %s %s", name, commands[i].synopsis);
		if (commands[i].run == cmd_make)
			return cmd_make(argv[optind], argv + optind + 1, &o, err);
		if ((dir = lab_dir(argv[optind], err)) == NULL)
			return -1;
		rc = commands[i].run(dir, argv + optind + 1, &o, err);
		free(dir);
		return rc;
	}
	return error_set(err, ERROR_CONFIG, "no subcommand \"%s\" (see lab --help)", name);
}

int
main(int argc, char **argv)
{
	struct error err = {0};
	int rc;

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "behaviours") == 0) {
		lab_behaviour_list(stdout);
		lab_dns_script_list(stdout);
		return 0;
	}
	rc = dispatch(argv[1], argc - 1, argv + 1, &err);
	if (rc < 0) {
		fprintf(stderr, "lab: %s\n", err.text);
		return error_exit_code(&err);
	}
	return rc;
}

/*
 * lab_super: starts the servers of a lab, watches over them, and sees that they end.
 *
 * The supervisor is a process of its own. It adopts orphans below it, its children are killed by
 * the kernel when it dies, and it holds the lock run/lock as long as it lives.
 */
#ifndef LAB_SUPER_H
#define LAB_SUPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct error;

struct lab_super_options {
	const char *root; /* folder with the unpacked NSD package; NULL: searched for */
	pid_t owner;      /* the lab ends when this process ends; 0: none */
	bool with_parent; /* and when its parent does */
	/* Run below the supervisor once all servers answer, with lab.env in its environment; the
	 * lab ends with it, and what it leaves behind is killed. NULL: none. */
	char *const *command;
};

/* What `lab start` found out; also in lab.env. */
struct lab_running {
	pid_t supervisor, nsd, labd;
	uint16_t dns_port, smtp_port, https_port;
};

/* Returns once all servers answer. dir must be absolute. ERROR_TEMP when it runs already. */
int lab_super_start(const char *dir, const struct lab_super_options *options,
	struct lab_running *out, struct error *err) MUST_CHECK;
/* For a lab with a command: waits for the end of both. Signals that come meanwhile (TERM, INT, HUP)
 * are passed on. *status is the command's exit code, 128 + N when signal N ended it. */
int lab_super_wait(const struct lab_running *lab, int *status, struct error *err) MUST_CHECK;
/* Ends it and waits for the end. Returns 1, or 0 when it was not running. */
int lab_super_stop(const char *dir, struct error *err) MUST_CHECK;
/* 1 running (*out filled), 0 not, -1 error. */
int lab_super_status(const char *dir, struct lab_running *out, struct error *err) MUST_CHECK;

/* Kills all children and adopted grandchildren of this process and waits for them. */
void lab_super_kill_descendants(void);

/* Makes NSD read changed zone files and waits until it serves zone with (at least) the serial. */
int lab_super_reload_zone(const struct lab_running *lab, const char *zone, uint32_t serial,
	struct error *err) MUST_CHECK;

#endif

/*
 * lab_plan: zones and servers of a test's own, added to a lab as one text describes them.
 *
 * One statement per line; blank lines and lines that begin with # say nothing:
 *
 *     zone NAME SIGNING              one label below test, new to the lab; words as in zones.tsv
 *                                    (lab_zone.h)
 *     host NAME ADDRESS BEHAVIOUR    a mail server, and its A or AAAA record
 *     tlsa NAME BEHAVIOUR U S M      TLSA record of port 25 for what NAME shows under BEHAVIOUR;
 *                                    a last word "bad": for a key of before (usage 3 or 1)
 *     record OWNER TYPE RDATA        any other record
 *
 * Names stand without their last dot. Records go to the zone of the plan that they are in. An ADDRESS
 * need not be a loopback one: labd listens at whatever the machine, or the world of a test, has.
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include "common/attr.h"

struct error;

/* For a lab that is not running. After an error the lab is void. */
int lab_plan_add(const char *dir, const char *plan_file, struct error *err) MUST_CHECK;

#endif

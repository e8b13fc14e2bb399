/* stats: what the crawl has seen, in numbers. */
#include "builder/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "builder/store.h"
#include "builder/terminal.h"
#include "common/cli.h"
#include "common/error.h"

/* Everything becomes one JSON object first: the text is printed from it. */

static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		abort(); /* out of memory, or a name that is not UTF-8: ours all are */
}

static json_t *
collect_states(const struct store_counts *counts)
{
	json_t *object = json_object();

	for (enum life_state state = LIFE_CANDIDATE; state <= LIFE_STATE_MAX; state++)
		set(object, life_state_name(state), json_integer(counts->states[state]));
	return object;
}

static int
add_reason(const char *code, int64_t count, void *arg, struct error *err UNUSED)
{
	json_t *object = json_object();

	set(object, "code", json_string(code));
	set(object, "domains", json_integer(count));
	return json_array_append_new(arg, object);
}

/* Domains by the lowest version among their hosts. */
static int
add_version(const struct store_tally_row *row, void *arg, struct error *err UNUSED)
{
	set(arg, row->name != NULL ? row->name : "none", json_integer(row->count));
	return 0;
}

struct addresses {
	json_t *versions;
	int64_t total, asked;
};

static int
add_address(const struct store_tally_row *row, void *arg, struct error *err)
{
	struct addresses *a = arg;

	a->total += row->count;
	a->asked += row->other;
	return add_version(row, a->versions, err);
}

static int
take_required(const struct store_tally_row *row, void *arg, struct error *err UNUSED)
{
	struct store_tally_row *out = arg;

	out->count = row->count;
	out->other = row->other;
	return 0;
}

static int
add_finding(const struct store_tally_row *row, void *arg, struct error *err UNUSED)
{
	json_t *object = json_object();

	set(object, "code", json_string(row->name));
	set(object, "severity", json_string(row->detail));
	set(object, "count", json_integer(row->count));
	set(object, "domains", json_integer(row->other));
	return json_array_append_new(arg, object);
}

/* What is counted is of one moment. */
static int
collect(struct store *store, json_t *out, struct error *err)
{
	struct store_counts counts;
	struct addresses addresses = {.versions = json_object()};
	struct store_tally_row required = {0};
	json_t *versions = json_object();
	json_t *certificates = json_object();
	json_t *reasons = json_array();
	json_t *findings = json_array();
	json_t *tls = json_object();

	set(out, "reasons", reasons);
	set(out, "tls", tls);
	set(tls, "domains", versions);
	set(tls, "addresses", addresses.versions);
	set(out, "client_certificates", certificates);
	set(out, "findings", findings);
	if (store_begin_read(store, err) < 0)
		return -1;
	if (store_counts(store, &counts, err) < 0 ||
		store_reasons(store, add_reason, reasons, err) < 0 ||
		store_tally(store, STORE_TALLY_DOMAINS, add_version, versions, err) < 0 ||
		store_tally(store, STORE_TALLY_ADDRESSES, add_address, &addresses, err) < 0 ||
		store_tally(store, STORE_TALLY_REQUIRED, take_required, &required, err) < 0 ||
		store_tally(store, STORE_TALLY_FINDINGS, add_finding, findings, err) < 0) {
		store_abort(store);
		return -1;
	}
	store_abort(store);
	set(out, "domains", json_integer(counts.domains));
	set(out, "states", collect_states(&counts));
	set(out, "held", json_integer(counts.held));
	set(out, "transitions", json_integer(counts.transitions));
	set(out, "evidence", json_integer(counts.evidence));
	set(out, "policies", json_integer(counts.policies));
	set(certificates, "addresses", json_integer(addresses.total));
	set(certificates, "requested", json_integer(addresses.asked));
	set(certificates, "required", json_integer(required.count));
	set(certificates, "domains_required", json_integer(required.other));
	return 0;
}

/* --- text ---------------------------------------------------------------------------------- */

static int64_t
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void
print_share(const char *what, int64_t count, int64_t of)
{
	printf("  %-32s %8" PRId64, what, count);
	if (of > 0)
		printf("  %5.1f %%", 100.0 * (double)count / (double)of);
	printf("\n");
}

static void
print_versions(json_t *versions, const char *title)
{
	int64_t total = 0;
	const char *version;
	json_t *count;

	json_object_foreach(versions, version, count) total += json_integer_value(count);
	if (total == 0)
		return;
	printf("%s: %" PRId64 "\n", title, total);
	json_object_foreach(versions, version, count)
	{
		char what[32];

		(void)snprintf(what, sizeof(what), "%s%s",
			strcmp(version, "none") == 0 ? "no TLS seen" : "TLS ",
			strcmp(version, "none") == 0 ? "" : version);
		print_share(what, json_integer_value(count), total);
	}
}

static void
print_certificates(const json_t *certificates)
{
	if (number(certificates, "addresses") == 0 && number(certificates, "required") == 0)
		return;
	printf("client certificates, of %" PRId64 " addresses with TLS\n",
		number(certificates, "addresses"));
	print_share(
		"asked for", number(certificates, "requested"), number(certificates, "addresses"));
	printf("  %-32s %8" PRId64 "  addresses, of %" PRId64 " domains\n", "insisted on",
		number(certificates, "required"), number(certificates, "domains_required"));
}

static void
print_text(json_t *out)
{
	json_t *tls = json_object_get(out, "tls");
	json_t *row, *count;
	const char *state;
	size_t i;

	printf("%" PRId64 " %s\n", number(out, "domains"),
		terminal_noun(number(out, "domains"), "domain", "domains"));
	json_object_foreach(json_object_get(out, "states"), state, count)
	{
		if (json_integer_value(count) > 0)
			printf("  %-10s %8" PRId64 "\n", state, (int64_t)json_integer_value(count));
	}
	if (number(out, "held") > 0)
		printf("  %-10s %8" PRId64 "\n", "(held)", number(out, "held"));
	if (json_array_size(json_object_get(out, "reasons")) > 0)
		printf("what stands in the way of the others:\n");
	json_array_foreach(json_object_get(out, "reasons"), i, row) printf("  %-32s %8" PRId64 "\n",
		json_string_value(json_object_get(row, "code")), number(row, "domains"));
	print_versions(json_object_get(tls, "domains"),
		"domains looked at, by the lowest version of their MX hosts");
	print_versions(json_object_get(tls, "addresses"), "addresses of MX hosts with TLS");
	print_certificates(json_object_get(out, "client_certificates"));
	if (json_array_size(json_object_get(out, "findings")) > 0)
		printf("findings of the latest looks:%24s  %8s\n", "count", "domains");
	json_array_foreach(json_object_get(out, "findings"), i, row)
		printf("  %-4s %-38s %8" PRId64 "  %8" PRId64 "\n",
			json_string_value(json_object_get(row, "severity")),
			json_string_value(json_object_get(row, "code")), number(row, "count"),
			number(row, "domains"));
	printf("%" PRId64 " %s, %" PRId64 " %s of evidence, %" PRId64 " distinct %s\n",
		number(out, "transitions"),
		terminal_noun(number(out, "transitions"), "transition", "transitions"),
		number(out, "evidence"), terminal_noun(number(out, "evidence"), "piece", "pieces"),
		number(out, "policies"),
		terminal_noun(number(out, "policies"), "policy", "policies"));
}

int
cmd_stats(struct app *app, const struct cli_call *call, struct error *err)
{
	struct store *store;
	json_t *out;
	int rc;

	if (app_store_to_read(app, &store, err) < 0)
		return -1;
	out = json_object();
	rc = collect(store, out, err);
	if (rc == 0 && cli_flag(call, "json")) {
		(void)json_dumpf(out, stdout, JSON_COMPACT | JSON_SORT_KEYS);
		printf("\n"); /* what could not be written shows when main() ends */
	} else if (rc == 0) {
		print_text(out);
	}
	json_decref(out);
	return rc;
}

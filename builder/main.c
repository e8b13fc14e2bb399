/*
 * preload25: the authority's program, and the verifier for anybody.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "builder/command.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/log.h"

#define PROGRAM "preload25"

static const struct cli_option common_options[] = {
	{.name = "config", .argument = "FILE", .help = "configuration (" APP_CONFIG_DEFAULT ")"},
};
static const struct cli_option check_options[] = {
	{.name = "json", .help = "one object per domain and line"},
	{.name = "client-cert", .argument = "FILE", .help = "send this when a server asks (PEM)"},
	{.name = "client-key", .argument = "FILE", .help = "its private key (PEM)"},
	{.name = "test-injection", .help = "a command in clear behind STARTTLS: own servers only"},
};
static const struct cli_option lint_options[] = {
	{.name = "json", .help = "one object"},
};
static const struct cli_option stats_options[] = {
	{.name = "json", .help = "one object"},
};
static const struct cli_option act_options[] = {
	{.name = "reason", .argument = "TEXT", .help = "why; kept in the domain's history"},
};
static const struct cli_option crawl_options[] = {
	{.name = "once", .help = "end when nothing is due any more"},
	{.name = "vantage", .argument = "NAME", .help = "look as this vantage point"},
	{.name = "concurrency", .argument = "N", .help = "domains in flight"},
	{.name = "per-host", .argument = "N", .help = "connections at once to one address"},
	{.name = "rate", .argument = "N", .help = "domains started a second; 0: no limit"},
	{.name = "workers", .argument = "N", .help = "threads; 0: one a processor, at most 8"},
};
static const struct cli_option build_options[] = {
	{.name = "allow-churn", .help = "also if much leaves or weakens at once"},
};
static const struct cli_option publish_options[] = {
	{.name = "timestamp", .help = "only a new timestamp: needs no other key"},
	{.name = "adopt", .help = "go on from a commit that another hand has made"},
	{.name = "verify", .help = "only look through the repository, history included"},
};

static const struct cli_option key_options[] = {
	{.name = "role", .argument = "ROLE", .help = "root, targets, snapshot or timestamp"},
	{.name = "threshold", .argument = "K", .help = "so many of the role's keys must sign"},
	{.name = "expires", .argument = "DAYS", .help = "how long the new root is good for"},
	{.name = "type", .argument = "TYPE", .help = "ed25519 (default), ecdsa or rsa"},
	{.name = "passphrase-from", .argument = "SOURCE", .help = "ask, file:PATH or fd:N"},
	{.name = "replace", .argument = "KEYID", .help = "the key that gives way"},
	{.name = "pem", .help = "as PEM instead of a TUF key object"},
	{.name = "json", .help = "one object"},
};
static const struct cli_option sign_options[] = {
	{.name = "key", .argument = "URI", .help = "private key: file:PATH or pkcs11:..."},
	{.name = "passphrase-from", .argument = "SOURCE", .help = "ask, file:PATH or fd:N"},
	{.name = "root", .argument = "FILE", .help = "your own copy of the root it must build on"},
	{.name = "show", .help = "only say what it is"},
};

#define OPTIONS(table)    .options = table, .option_count = ARRAY_LEN(table)
#define ARGS(least, most) .args_min = least, .args_max = most

static const struct cli_command commands[] = {
	{.name = "check",
		.arguments = "DOMAIN...",
		.summary = "verify domains now, from here, and explain",
		.help = "Exit status: 0 fit for the list, 1 not fit, 3 could not tell; of several "
			"1 before 3.\n"
			"Works without any configuration.\n",
		ARGS(1, -1),
		OPTIONS(check_options),
		.run = cmd_check},
	{.name = "lint",
		.arguments = "KIND [FILE|-]",
		.summary = "check one document offline",
		.help = "KIND: mta-sts-record, mta-sts-rrset, mta-sts-policy, mx-match, "
			"dns-id-match,\n"
			"tlsrpt-record, tlsrpt-rrset, tlsa, tlsa-rrset, tlsa-chain, smtp-reply,\n"
			"smtp-greeting, smtp-ehlo, smtp-starttls, domain, preload-record.\n"
			"Exit status: 0 valid, 1 not valid.\n",
		ARGS(1, 2),
		OPTIONS(lint_options),
		.run = cmd_lint},
	{.name = "init",
		.arguments = "DIR",
		.summary = "make a new authority in an empty directory",
		ARGS(1, 1),
		.run = cmd_init},
	{.name = "import",
		.arguments = "FILE|-",
		.summary = "take candidates from a file",
		.help = "Text (one domain a line, # begins a comment), CSV (the column named "
			"domain, mail or\n"
			"address, else the first), or a policy.json of STARTTLS Everywhere.\n",
		ARGS(1, 1),
		.run = cmd_import},
	{.name = "submit",
		.arguments = "DOMAIN",
		.summary = "take one candidate and look at it now",
		ARGS(1, 1),
		.run = cmd_submit},
	{.name = "remove",
		.arguments = "DOMAIN",
		.summary = "take a domain off the list",
		.help = "It may come back after a week of passes; see refuse.\n",
		ARGS(1, 1),
		OPTIONS(act_options),
		.run = cmd_act},
	{.name = "refuse",
		.arguments = "DOMAIN",
		.summary = "take it off and keep it off",
		ARGS(1, 1),
		OPTIONS(act_options),
		.run = cmd_act},
	{.name = "hold",
		.arguments = "DOMAIN",
		.summary = "freeze it in its present state",
		.help = "Until the next act. Its owner can still take it off the list.\n",
		ARGS(1, 1),
		OPTIONS(act_options),
		.run = cmd_act},
	{.name = "crawl",
		.summary = "verify every domain that is due",
		.help = "The last four stand in place of concurrency, per_address, rate and "
			"workers of the\n"
			"configuration.\n"
			"Exit status: 0 done, 3 interrupted or nothing could be looked up.\n",
		ARGS(0, 0),
		OPTIONS(crawl_options),
		.run = cmd_crawl},
	{.name = "build",
		.summary = "make the next list from what is stored",
		ARGS(0, 0),
		OPTIONS(build_options),
		.run = cmd_build},
	{.name = "publish",
		.summary = "sign, commit and push the list",
		.help = "Takes up what others have signed (see key and sign), and says where the "
			"file\n"
			"is that waits for their signatures.\n"
			"Exit status of --verify: 0 all is well, 1 something is missing or has "
			"expired, "
			"4 worse.\n",
		ARGS(0, 0),
		OPTIONS(publish_options),
		.run = cmd_publish},
	{.name = "run",
		.summary = "all of it, on schedule, as a service",
		.help = "Crawls what is due, builds and publishes a list every hour ([run] "
			"publish), "
			"and renews\n"
			"the timestamp at half its life. SIGTERM ends it.\n",
		ARGS(0, 0),
		.run = cmd_run},
	{.name = "key",
		.arguments = "ACT [KEY...]",
		.summary = "who may sign: keys, roles, thresholds",
		.help = "ACT: generate [FILE]      make a private key (--type, --passphrase-from)\n"
			"     list                 roles, thresholds, keys, what waits for "
			"signatures\n"
			"     export [KEYID|URI]   print a public key, for others or from a "
			"private one\n"
			"     add PUBLIC...        let further keys sign for --role; --threshold "
			"K\n"
			"     rotate [PUBLIC]      new keys for the files here; or --replace KEYID "
			"PUBLIC\n"
			"     revoke KEYID...      let them sign no more\n"
			"The last three make a new root, which is published at once if enough root "
			"keys "
			"are\n"
			"here; else they say where the file is that is to be signed (see sign).\n",
		ARGS(1, 64),
		OPTIONS(key_options),
		.run = cmd_key},
	{.name = "sign",
		.arguments = "FILE",
		.summary = "sign what waits for signatures, on any machine",
		.help = "Says first in plain words what it is. Needs no repository and no "
			"database.\n",
		ARGS(1, 1),
		OPTIONS(sign_options),
		.run = cmd_sign},
	{.name = "minisign-key",
		.summary = "print the public key for list.json.minisig",
		.help = "As a key file of minisign; its second line goes behind minisign -P.\n",
		ARGS(0, 0),
		.run = cmd_minisign_key},
	{.name = "status",
		.arguments = "[DOMAIN]",
		.summary = "the state of the authority, or of one domain",
		ARGS(0, 1),
		.run = cmd_status},
	{.name = "history",
		.arguments = "DOMAIN",
		.summary = "every step in the life of a domain",
		ARGS(1, 1),
		.run = cmd_history},
	{.name = "notice",
		.arguments = "DOMAIN",
		.summary = "what its owner is to be told now, as a mail for sendmail -t",
		ARGS(1, 1),
		.run = cmd_notice},
	{.name = "stats",
		.summary = "what the crawl has seen: states, TLS, client certificates, findings",
		OPTIONS(stats_options),
		ARGS(0, 0),
		.run = cmd_stats},
};

static int
prepare(struct app *app, const struct cli_call *call, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	app->config_path = cli_value(call, "config");
	if (clock_from_env(&app->clock, err) < 0)
		return -1;
	if (app->clock.fixed) {
		clock_format(clock_now(&app->clock), text);
		log_info("the clock stands at %s (PRELOAD25_NOW)", text);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = PROGRAM,
		.version = PRELOAD25_VERSION,
		.summary = "Verify mail domains, and publish the list of those that need no clear "
			   "text",
		OPTIONS(common_options),
		.commands = commands,
		.command_count = ARRAY_LEN(commands),
		.prepare = prepare,
	};
	struct app app = {0};
	int rc;

	/* libcurl would append the keys of every TLS session to the file that this names. */
	(void)unsetenv("SSLKEYLOGFILE");
	/* A reader that went away is an error of writing, not the end of a crawl. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	log_to_stderr(PROGRAM, LOG_LEVEL_INFO);
	rc = cli_main(&program, argc, argv, &app);
	app_clear(&app);
	return rc;
}

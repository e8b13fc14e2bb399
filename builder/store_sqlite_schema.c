#include "builder/store_sqlite_schema.h"

#include "common/attr.h"

/* Times are seconds since the epoch, 0 for never; states are the numbers of enum life_state. */
static const char step_1[] =
	"CREATE TABLE vantage ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" since INTEGER NOT NULL"
	") STRICT;"

	/* Canonical text of a list entry's policy, once per content: the build copies it. */
	"CREATE TABLE policy ("
	" id INTEGER PRIMARY KEY,"
	" digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),"
	" text TEXT NOT NULL"
	") STRICT;"

	"CREATE TABLE evidence ("
	" id INTEGER PRIMARY KEY,"
	" digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),"
	" time INTEGER NOT NULL,"
	" content BLOB NOT NULL"
	") STRICT;"

	"CREATE TABLE domain ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" origin TEXT NOT NULL,"
	" added INTEGER NOT NULL,"
	" state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),"
	" since INTEGER NOT NULL,"
	" held INTEGER NOT NULL DEFAULT 0,"
	" by_operator INTEGER NOT NULL DEFAULT 0,"
	" demoted INTEGER NOT NULL DEFAULT 0,"
	" policy INTEGER REFERENCES policy (id),"
	" confirmed INTEGER NOT NULL DEFAULT 0,"
	" pass_last INTEGER NOT NULL DEFAULT 0,"
	" pass_credit INTEGER NOT NULL DEFAULT 0,"
	" fail_last INTEGER NOT NULL DEFAULT 0,"
	" fail_credit INTEGER NOT NULL DEFAULT 0,"
	" leave_first INTEGER NOT NULL DEFAULT 0,"
	" gone_last INTEGER NOT NULL DEFAULT 0,"
	" gone_credit INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE INDEX domain_state ON domain (state);"

	/* The latest look of each vantage point, and when the next is due. */
	"CREATE TABLE view ("
	" domain INTEGER NOT NULL REFERENCES domain (id),"
	" vantage INTEGER NOT NULL REFERENCES vantage (id),"
	" due INTEGER NOT NULL,"
	" time INTEGER NOT NULL DEFAULT 0," /* 0: has not looked yet */
	" verdict INTEGER NOT NULL DEFAULT 0,"
	" policy INTEGER REFERENCES policy (id),"
	" fail_code TEXT,"
	" flags INTEGER NOT NULL DEFAULT 0,"
	" evidence INTEGER REFERENCES evidence (id),"
	" PRIMARY KEY (domain, vantage)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX view_due ON view (vantage, due, domain);"

	/* What the next list is made from, in its order. */
	"CREATE TABLE entry ("
	" name TEXT PRIMARY KEY,"
	" policy INTEGER NOT NULL REFERENCES policy (id),"
	" confirmed INTEGER NOT NULL,"
	" ends INTEGER NOT NULL" /* confirmed + max_age */
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX entry_policy ON entry (policy, confirmed, ends);"

	"CREATE TABLE transition ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" domain INTEGER NOT NULL REFERENCES domain (id),"
	" time INTEGER NOT NULL,"
	" old INTEGER NOT NULL,"
	" new INTEGER NOT NULL,"
	" reason TEXT NOT NULL,"
	" detail TEXT,"
	" actor TEXT NOT NULL,"
	" agreed TEXT,"
	" evidence INTEGER REFERENCES evidence (id)"
	") STRICT;"
	"CREATE INDEX transition_domain ON transition (domain, number);"
	"CREATE TRIGGER transition_stays BEFORE UPDATE ON transition BEGIN"
	" SELECT RAISE(ABORT, 'transitions are never changed'); END;"
	"CREATE TRIGGER transition_remains BEFORE DELETE ON transition BEGIN"
	" SELECT RAISE(ABORT, 'transitions are never deleted'); END;"

	"CREATE TABLE list ("
	" version INTEGER PRIMARY KEY,"
	" built INTEGER NOT NULL,"
	" published INTEGER NOT NULL DEFAULT 0,"
	" entries INTEGER NOT NULL,"
	" added INTEGER NOT NULL,"
	" removed INTEGER NOT NULL,"
	" changed INTEGER NOT NULL,"
	" sha256 TEXT NOT NULL,"
	" git_commit TEXT NOT NULL DEFAULT ''"
	") STRICT;";

/* compare.h: what a vantage point has seen at all its looks since a moment. */
static const char step_2[] = "CREATE TABLE mark ("
			     " domain INTEGER NOT NULL REFERENCES domain (id),"
			     " vantage INTEGER NOT NULL REFERENCES vantage (id),"
			     " kind INTEGER NOT NULL," /* enum compare_kind */
			     " subject TEXT NOT NULL,"
			     " since INTEGER NOT NULL,"
			     " value TEXT NOT NULL,"
			     " PRIMARY KEY (domain, vantage, kind, subject)"
			     ") STRICT, WITHOUT ROWID;";

const char *const store_sqlite_steps[] = {step_1, step_2};
const size_t store_sqlite_step_count = ARRAY_LEN(store_sqlite_steps);

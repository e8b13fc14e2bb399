/*
 * map_kinds: the rows that map_kind_find() chooses from, one file each.
 */
#ifndef UPDATER_MAP_KINDS_H
#define UPDATER_MAP_KINDS_H

struct map_kind;

extern const struct map_kind map_cdb;
extern const struct map_kind map_lmdb;
extern const struct map_kind map_texthash;
extern const struct map_kind map_db_hash; /* Sendmail's "hash" */
extern const struct map_kind map_db_set;  /* OpenSMTPD's "db", keys only */

#endif

// The catalogue's tables as schema version 1 made them.
#pragma once

namespace kith::storage {

inline constexpr char kVersion1Sql[] = R"sql(
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE experiments (
  name     TEXT PRIMARY KEY,
  current  INTEGER NOT NULL,
  created  INTEGER NOT NULL,
  checksum TEXT NOT NULL
) STRICT;
CREATE TABLE generations (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment      TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
  number          INTEGER NOT NULL,
  snapshot        TEXT NOT NULL UNIQUE,
  manifest_sha256 TEXT NOT NULL,
  bytes           INTEGER NOT NULL,
  dimension       INTEGER NOT NULL,
  rows            INTEGER NOT NULL,
  total_rows      INTEGER NOT NULL,
  recipe          TEXT NOT NULL,
  report          TEXT NOT NULL,
  created         INTEGER NOT NULL,
  updated         INTEGER NOT NULL,
  checksum        TEXT NOT NULL,
  UNIQUE (experiment, number)
) STRICT;
CREATE TABLE additions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
  first_id   INTEGER NOT NULL,
  rows       INTEGER NOT NULL,
  checksum   TEXT NOT NULL,
  UNIQUE (generation, first_id)
) STRICT;
CREATE TABLE addition_chunks (
  id       INTEGER PRIMARY KEY,
  addition INTEGER NOT NULL REFERENCES additions (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  sha256   TEXT NOT NULL,
  data     BLOB NOT NULL,
  UNIQUE (addition, position)
) STRICT;
CREATE TABLE requests (
  id         INTEGER PRIMARY KEY,
  experiment TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
  request_id TEXT NOT NULL,
  kind       TEXT NOT NULL,
  digest     TEXT NOT NULL,
  first_id   INTEGER NOT NULL,
  rows       INTEGER NOT NULL,
  total_rows INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  checksum   TEXT NOT NULL,
  UNIQUE (experiment, request_id)
) STRICT;
CREATE INDEX requests_created ON requests (created);
PRAGMA application_id = 1265202280;
PRAGMA user_version = 1;
)sql";

}  // namespace kith::storage

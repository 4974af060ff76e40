-- What a provider keeps beside an account, written in the same transaction as its events: the
-- bridge to a live venue notes which of its orders stand for which of ours.
CREATE TABLE memos (
    account  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (account, kind, key)
) WITHOUT ROWID;

-- Amounts and prices are decimal text, moments are microseconds since 1970 (UTC).
-- The JSON of every entity is written once, in `events`; the other tables say which event holds the
-- present snapshot, and carry what is searched for.

CREATE TABLE accounts (
    account    TEXT    NOT NULL PRIMARY KEY,
    balance    TEXT    NOT NULL,
    deposits   TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    warned     INTEGER NOT NULL,                -- told that its margin runs short
    last_time  INTEGER NOT NULL,                -- the largest timestamp given out
    version    INTEGER NOT NULL                 -- id of the account's newest event
) WITHOUT ROWID;

CREATE TABLE events (
    id        INTEGER NOT NULL PRIMARY KEY,     -- in commit order; gaps are possible
    account   TEXT    NOT NULL REFERENCES accounts,
    type      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    symbol    TEXT,
    at        INTEGER NOT NULL,
    document  TEXT    NOT NULL
);

CREATE INDEX events_of_account ON events (account, id);

CREATE TABLE orders (
    id               TEXT    NOT NULL PRIMARY KEY,
    account          TEXT    NOT NULL REFERENCES accounts,
    symbol           TEXT    NOT NULL,
    side             TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    terminal         INTEGER NOT NULL,
    client_order_id  TEXT,
    oco_group_id     TEXT,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER,                   -- null once terminal
    trigger_kind     TEXT,                      -- null unless it can trade: see triggers.py
    trigger_key      TEXT,
    filled           INTEGER NOT NULL,          -- whether any of it has traded
    event_id         INTEGER NOT NULL REFERENCES events
);

CREATE INDEX orders_by_time ON orders (account, terminal, created_at, symbol);
CREATE INDEX orders_by_client_id ON orders (account, client_order_id)
    WHERE client_order_id IS NOT NULL;
CREATE INDEX orders_by_oco_group ON orders (account, oco_group_id)
    WHERE oco_group_id IS NOT NULL;
CREATE INDEX orders_to_match ON orders (symbol, trigger_kind, trigger_key, created_at)
    WHERE trigger_kind IS NOT NULL;
CREATE INDEX orders_to_arrive ON orders (created_at)
    WHERE status = 'PENDING';
CREATE INDEX orders_to_expire ON orders (expires_at)
    WHERE expires_at IS NOT NULL;

CREATE TABLE positions (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES accounts,
    symbol     TEXT    NOT NULL,
    flat       INTEGER NOT NULL,
    leveraged  INTEGER NOT NULL,                -- open, and can lose more than was paid for it
    opened_at  INTEGER NOT NULL,
    event_id   INTEGER NOT NULL REFERENCES events
);

CREATE INDEX positions_by_time ON positions (account, flat, opened_at);
CREATE INDEX positions_at_risk ON positions (account) WHERE leveraged = 1;

CREATE TABLE trades (
    id        TEXT    NOT NULL PRIMARY KEY,
    account   TEXT    NOT NULL REFERENCES accounts,
    order_id  TEXT    NOT NULL REFERENCES orders,
    symbol    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    event_id  INTEGER NOT NULL REFERENCES events
);

CREATE INDEX trades_by_time ON trades (account, at, symbol);
CREATE INDEX trades_by_order ON trades (order_id);

-- A client order id is taken for ever.
CREATE TABLE submissions (
    account          TEXT NOT NULL REFERENCES accounts,
    client_order_id  TEXT NOT NULL,
    fingerprint      TEXT NOT NULL,
    order_id         TEXT NOT NULL REFERENCES orders,
    PRIMARY KEY (account, client_order_id)
) WITHOUT ROWID;

CREATE TABLE leases (
    name        TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    token       INTEGER NOT NULL,               -- grows each time the lease changes hands
    expires_at  INTEGER NOT NULL
) WITHOUT ROWID;

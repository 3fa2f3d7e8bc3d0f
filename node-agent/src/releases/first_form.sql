CREATE TABLE release (
    population TEXT NOT NULL,
    predicate BLOB NOT NULL,
    vec BLOB NOT NULL,
    epoch TEXT NOT NULL,
    protection TEXT NOT NULL,
    boxes BLOB NOT NULL,
    value BLOB NOT NULL,
    time INTEGER NOT NULL,
    question TEXT NOT NULL,
    project TEXT NOT NULL,
    principal TEXT NOT NULL,
    codebook TEXT NOT NULL,
    policy TEXT NOT NULL,
    PRIMARY KEY (population, predicate, vec, epoch, protection)
) WITHOUT ROWID;
CREATE INDEX release_by_time ON release (time, question);
CREATE TABLE message (
    question TEXT PRIMARY KEY NOT NULL,
    payload BLOB NOT NULL,
    message BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    state INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    close TEXT NOT NULL,
    time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX message_by_state ON message (state, time);
PRAGMA user_version = 1;

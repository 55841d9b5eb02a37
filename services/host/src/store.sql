-- The store of the views: all of it can be deleted and comes back.
CREATE TABLE views (
    name TEXT PRIMARY KEY,
    format BLOB NOT NULL, -- digest of its schema and the version of its fold
    tables TEXT NOT NULL, -- JSON: to be removed with it
    position INTEGER NOT NULL, -- up to where in the log it was folded
    digest BLOB -- of the event there
) STRICT, WITHOUT ROWID;

CREATE TABLE erased ( -- members of whom no view knows anything any more
    org TEXT NOT NULL,
    member BLOB NOT NULL,
    position INTEGER NOT NULL, -- of the event that last says so
    PRIMARY KEY (org, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_by_position ON erased (position);

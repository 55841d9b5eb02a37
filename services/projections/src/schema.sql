-- Views of the log: all of it can be deleted and comes back. Times are seconds since 1970 (UTC).
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    digest BLOB -- of the event there
) STRICT;
INSERT INTO checkpoint VALUES (1, 0, NULL);

CREATE TABLE programmes (
    org TEXT NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX programmes_by_name ON programmes (org, name, id);

CREATE TABLE groups (
    org TEXT NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    programme BLOB NOT NULL,
    details TEXT NOT NULL, -- JSON
    schedule TEXT, -- JSON
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_by_name ON groups (org, name, id);

CREATE TABLE enrolments (
    org TEXT NOT NULL,
    grp BLOB NOT NULL,
    member BLOB NOT NULL,
    began INTEGER NOT NULL, -- position of its first event
    stage TEXT NOT NULL, -- as recorded: active is computed
    asked_on TEXT, -- local date
    starts_on TEXT, -- local date; none before there is a place
    ends_on TEXT, -- local date, included
    queued INTEGER, -- while it waits: position of the event that put it on the waiting list
    proposed_by TEXT, -- who recorded it, while nobody with authority has confirmed it
    PRIMARY KEY (org, grp, member, began)
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolments_by_member ON enrolments (org, member);
CREATE INDEX enrolments_waiting ON enrolments (org, grp, queued) WHERE queued IS NOT NULL;

CREATE INDEX enrolments_unconfirmed ON enrolments (org, began) WHERE proposed_by IS NOT NULL;

CREATE TABLE capacities (
    org TEXT NOT NULL,
    grp BLOB NOT NULL,
    places INTEGER, -- none: as many as a roster can hold
    PRIMARY KEY (org, grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE meetings (
    key INTEGER PRIMARY KEY,
    org TEXT NOT NULL,
    id BLOB NOT NULL,
    grp BLOB NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    starts_at_local TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    heads TEXT NOT NULL DEFAULT '{}', -- JSON, by category
    UNIQUE (org, id)
) STRICT;
CREATE INDEX meetings_by_group ON meetings (org, grp, starts_at);
CREATE INDEX meetings_unreported ON meetings (org, ends_at, key) WHERE status IN ('planned', 'open');

CREATE TABLE attendance (
    meeting INTEGER NOT NULL,
    member BLOB NOT NULL,
    mark TEXT NOT NULL,
    mode TEXT,
    walk_in INTEGER NOT NULL,
    corrected INTEGER NOT NULL,
    PRIMARY KEY (meeting, member)
) STRICT, WITHOUT ROWID;
-- Its index by member is made once it has caught up: views.rs, BY_MEMBER.

CREATE TABLE members (
    org TEXT NOT NULL,
    id BLOB NOT NULL,
    position INTEGER NOT NULL, -- of the last event about them
    record TEXT, -- JSON, fields sealed; NULL once they were erased
    merged_into BLOB,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_position ON members (position);
CREATE INDEX members_erased ON members (position) WHERE record IS NULL;
CREATE INDEX members_merged ON members (org, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX members_with_broken_glass ON members (org, id) WHERE json_extract(record, '$.glass') <> '{}';

-- Under which record the person goes on: of records that are one person's, or once were.
CREATE TABLE persons (
    org TEXT NOT NULL,
    record BLOB NOT NULL,
    person BLOB NOT NULL,
    position INTEGER NOT NULL, -- where it was said last
    PRIMARY KEY (org, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX persons_by_person ON persons (org, person);
CREATE INDEX persons_by_position ON persons (position);

CREATE TABLE reasons ( -- written about members
    org TEXT NOT NULL,
    member BLOB NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (org, member, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE openings ( -- of personal data
    position INTEGER PRIMARY KEY,
    org TEXT NOT NULL,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    operation TEXT NOT NULL,
    register BLOB, -- the meeting whose register it was, if it was one
    roster BLOB, -- the group whose roster it was, if it was one
    people INTEGER NOT NULL, -- how many
    named_at INTEGER NOT NULL, -- position of the opening that names them, which can be this one
    fields TEXT NOT NULL, -- JSON
    glass INTEGER NOT NULL
) STRICT;
CREATE INDEX openings_by_org ON openings (org, position);
CREATE INDEX openings_again ON openings (named_at, position) WHERE named_at <> position;
CREATE TABLE opened_members (
    org TEXT NOT NULL,
    member BLOB NOT NULL,
    position INTEGER NOT NULL,
    listed INTEGER NOT NULL, -- whether it was a list, which others name again
    PRIMARY KEY (org, member, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX opened_members_by_position ON opened_members (position);
CREATE INDEX opened_members_listed ON opened_members (org, member, position) WHERE listed;

CREATE TABLE access (
    spi       INTEGER PRIMARY KEY REFERENCES security_association (spi) ON DELETE CASCADE,
    user_name TEXT    NOT NULL,
    class     BLOB    NOT NULL,
    interim   INTEGER,
    sessions  INTEGER NOT NULL DEFAULT 0,
    ends      INTEGER,
    cause     TEXT
) STRICT;
CREATE INDEX access_user_name ON access (user_name);
CREATE INDEX access_end ON access (ends) WHERE ends IS NOT NULL;
CREATE TABLE session (
    id                TEXT    PRIMARY KEY,
    spi               INTEGER NOT NULL,
    created           INTEGER NOT NULL,
    home_agent        TEXT    NOT NULL,
    instance          BLOB    NOT NULL CHECK (length(instance) = 16),
    number            INTEGER NOT NULL,
    user_name         TEXT    NOT NULL,
    class             BLOB    NOT NULL,
    interim           INTEGER,
    home6             BLOB    CHECK (length(home6) = 16),
    home4             BLOB    CHECK (length(home4) = 4),
    care_of           TEXT    NOT NULL,
    began             INTEGER NOT NULL,
    seconds           INTEGER NOT NULL,
    packets_from_node INTEGER NOT NULL,
    octets_from_node  INTEGER NOT NULL,
    packets_to_node   INTEGER NOT NULL,
    octets_to_node    INTEGER NOT NULL,
    reported          INTEGER NOT NULL,
    over              INTEGER NOT NULL,
    ended             TEXT,
    told              INTEGER
) STRICT;
CREATE UNIQUE INDEX session_binding ON session (spi, created, instance, number);
CREATE INDEX session_process ON session (home_agent, instance) WHERE ended IS NULL;
CREATE INDEX session_over ON session (over) WHERE ended IS NULL;
CREATE INDEX session_ended ON session (reported) WHERE ended IS NOT NULL;
CREATE INDEX session_start ON session (began) WHERE told IS NULL;
CREATE INDEX session_stop ON session (reported) WHERE ended IS NOT NULL AND told IS NOT NULL;
CREATE INDEX session_interim ON session (told + interim) WHERE ended IS NULL AND reported > told;
CREATE INDEX session_told ON session (told) WHERE ended IS NULL AND reported > told;
-- A subscriber may be given another home address while an association still names the one before.
DROP INDEX security_association_home6_held;
DROP INDEX security_association_home4_held;
CREATE INDEX security_association_home6 ON security_association (home6, subscriber);
CREATE INDEX security_association_home4 ON security_association (home4, subscriber);
ALTER TABLE lease ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0;

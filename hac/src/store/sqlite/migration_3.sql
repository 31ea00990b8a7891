-- Subscriber and home agent of an association may be gone: a column's NOT NULL and what a foreign key does are changed by copying
-- the table. The leases, which refer to it, wait in a table without foreign keys: dropping theirs first keeps them from going with
-- the rows. The triggers come after the copy: what is copied is counted already.
CREATE TABLE kept_lease AS SELECT spi, instance, number FROM lease;
DROP TABLE lease;
ALTER TABLE security_association RENAME TO security_association_2;
CREATE TABLE security_association (
    spi         INTEGER PRIMARY KEY CHECK (spi BETWEEN 4096 AND 268435455),
    subscriber  INTEGER REFERENCES subscriber (id) ON DELETE SET NULL,
    home_agent  TEXT    REFERENCES home_agent (name) ON DELETE SET NULL,
    suite       TEXT    NOT NULL,
    user_data   INTEGER NOT NULL CHECK (user_data IN (0, 1)),
    keys        BLOB,
    home6       BLOB    CHECK (length(home6) = 16),
    home4       BLOB    CHECK (length(home4) = 4),
    agent6      BLOB    CHECK (length(agent6) = 16),
    agent4      BLOB    CHECK (length(agent4) = 4),
    agent_port  INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    revision    INTEGER NOT NULL UNIQUE,
    ended       INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    profile     TEXT    NOT NULL DEFAULT 'rfc6618',
    CHECK (ended = 1 OR keys IS NOT NULL AND subscriber IS NOT NULL AND home_agent IS NOT NULL)
) STRICT;
INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, keys, home6, home4, agent6, agent4, agent_port,
    created, valid_until, revision, ended, profile)
SELECT spi, subscriber, home_agent, suite, user_data, keys, home6, home4, agent6, agent4, agent_port,
    created, valid_until, revision, ended, profile
FROM security_association_2;
DROP TABLE security_association_2;
CREATE INDEX security_association_subscriber ON security_association (subscriber);
CREATE INDEX security_association_log ON security_association (home_agent, revision);
CREATE INDEX security_association_end ON security_association (valid_until);
CREATE INDEX security_association_home_agent ON security_association (home_agent);
CREATE INDEX security_association_home6_held ON security_association (home6) WHERE subscriber IS NULL;
CREATE INDEX security_association_home4_held ON security_association (home4) WHERE subscriber IS NULL;
CREATE TRIGGER spi_taken AFTER INSERT ON security_association BEGIN
    INSERT INTO spi_block (block, used) VALUES (NEW.spi >> 12, 1) ON CONFLICT (block) DO UPDATE SET used = used + 1;
END;
CREATE TRIGGER spi_freed AFTER DELETE ON security_association BEGIN
    UPDATE spi_block SET used = used - 1 WHERE block = OLD.spi >> 12;
END;
CREATE TABLE lease (
    spi      INTEGER NOT NULL REFERENCES security_association (spi) ON DELETE CASCADE,
    instance BLOB    NOT NULL CHECK (length(instance) = 16),
    number   INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4096),
    PRIMARY KEY (spi, instance),
    UNIQUE (spi, number)
) STRICT, WITHOUT ROWID;
INSERT INTO lease (spi, instance, number) SELECT spi, instance, number FROM kept_lease;
DROP TABLE kept_lease;

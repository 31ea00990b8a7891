CREATE TABLE server (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    revision          INTEGER NOT NULL,
    pseudo_psk_secret BLOB    NOT NULL
) STRICT;

-- profile, suites (names with commas between them) and user_data are the subscriber's own policy; NULL is the HAC's default.
CREATE TABLE subscriber (
    id        INTEGER PRIMARY KEY,
    nai       TEXT    NOT NULL UNIQUE,
    psk       BLOB    NOT NULL,
    enabled   INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created   INTEGER NOT NULL,
    profile   TEXT,
    suites    TEXT,
    user_data INTEGER CHECK (user_data IN (0, 1))
) STRICT;

-- Sticky: a subscriber keeps what it was given.
CREATE TABLE home_address (
    subscriber INTEGER NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    family     INTEGER NOT NULL CHECK (family IN (4, 6)),
    address    BLOB    NOT NULL UNIQUE CHECK (length(address) = CASE family WHEN 6 THEN 16 ELSE 4 END),
    PRIMARY KEY (subscriber, family)
) STRICT, WITHOUT ROWID;

CREATE TABLE home_agent (
    name     TEXT    PRIMARY KEY,
    ha_group INTEGER NOT NULL CHECK (ha_group BETWEEN 0 AND 63),
    ip6      BLOB    CHECK (length(ip6) = 16),
    ip4      BLOB    CHECK (length(ip4) = 4),
    port     INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    -- Where it takes datagrams over TLS; NULL where it does not.
    fallback_port INTEGER CHECK (fallback_port BETWEEN 1 AND 65535),
    CHECK (ip6 IS NOT NULL OR ip4 IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- agent6, agent4 and agent_port are what the mobile node was told; keys is sealed, and NULL once the association has ended.
-- registered: the mobile node has registered under it at a home agent, and under none that is newer.
-- The row stays until the SPI and the home addresses may be given anew, and outlives subscriber and home agent: then they are NULL.
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
    registered  INTEGER NOT NULL DEFAULT 0 CHECK (registered IN (0, 1)),
    CHECK (ended = 1 OR keys IS NOT NULL AND subscriber IS NOT NULL AND home_agent IS NOT NULL)
) STRICT;
CREATE INDEX security_association_subscriber ON security_association (subscriber);
CREATE INDEX security_association_log ON security_association (home_agent, revision);
CREATE INDEX security_association_end ON security_association (valid_until);
-- With the SPI, which every index ends with: a home agent's associations in pages.
CREATE INDEX security_association_home_agent ON security_association (home_agent);
-- Who may still be served a home address: a removed subscriber, or one who has been given another.
CREATE INDEX security_association_home6 ON security_association (home6, subscriber);
CREATE INDEX security_association_home4 ON security_association (home4, subscriber);

-- How many SPIs of a block are taken, so that a free one is found without counting the table.
CREATE TABLE spi_block (
    block INTEGER PRIMARY KEY,
    used  INTEGER NOT NULL CHECK (used BETWEEN 0 AND 4096)
) STRICT;
CREATE TRIGGER spi_taken AFTER INSERT ON security_association BEGIN
    INSERT INTO spi_block (block, used) VALUES (NEW.spi >> 12, 1) ON CONFLICT (block) DO UPDATE SET used = used + 1;
END;
CREATE TRIGGER spi_freed AFTER DELETE ON security_association BEGIN
    UPDATE spi_block SET used = used - 1 WHERE block = OLD.spi >> 12;
END;

-- Which process of a home agent was given an association under which lease number, and how many sessions under it that process has
-- reported: one that an accounting server has heard the end of is not recorded anew.
CREATE TABLE lease (
    spi      INTEGER NOT NULL REFERENCES security_association (spi) ON DELETE CASCADE,
    instance BLOB    NOT NULL CHECK (length(instance) = 16),
    number   INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4096),
    sessions INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (spi, instance),
    UNIQUE (spi, number)
) STRICT, WITHOUT ROWID;

-- What a AAA server said of an association that it has authorised. class: every value behind its length in one octet. sessions: how
-- many there were under it. ends: when the server has it end, where that is before its validity end. cause: why the HAC has ended it,
-- where no operator did.
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

-- Sessions whose end an accounting server has not acknowledged. A row outlives its association, and has all that the server is told.
-- created: when the association was made. number: which binding under it in the process instance. reported: when it was reported
-- last, or found to have ended. over: when the association is over; 0 where it was ended, and when is not noted yet. ended: why, NULL
-- while it goes on. told: when an accounting server acknowledged something last.
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
-- What is due: of each kind the oldest is found without a look at what is not.
CREATE INDEX session_start ON session (began) WHERE told IS NULL;
CREATE INDEX session_stop ON session (reported) WHERE ended IS NOT NULL AND told IS NOT NULL;
CREATE INDEX session_interim ON session (told + interim) WHERE ended IS NULL AND reported > told;
CREATE INDEX session_told ON session (told) WHERE ended IS NULL AND reported > told;

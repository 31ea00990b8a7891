CREATE TABLE mobile_network (
    prefix     TEXT    PRIMARY KEY,
    subscriber INTEGER NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX mobile_network_subscriber ON mobile_network (subscriber);
ALTER TABLE security_association ADD COLUMN prefixes TEXT;
CREATE INDEX security_association_prefixes ON security_association (valid_until) WHERE prefixes IS NOT NULL AND ended = 0;

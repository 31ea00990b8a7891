ALTER TABLE home_agent ADD COLUMN fallback_port INTEGER CHECK (fallback_port BETWEEN 1 AND 65535);

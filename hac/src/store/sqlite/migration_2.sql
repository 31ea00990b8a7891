ALTER TABLE subscriber ADD COLUMN profile TEXT;
ALTER TABLE subscriber ADD COLUMN suites TEXT;
ALTER TABLE subscriber ADD COLUMN user_data INTEGER CHECK (user_data IN (0, 1));
ALTER TABLE security_association ADD COLUMN profile TEXT NOT NULL DEFAULT 'rfc6618';

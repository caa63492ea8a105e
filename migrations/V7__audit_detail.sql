-- Why something was done, where the action and its subject do not tell: the state that a worker found, or how many rows
-- an import brought. Never a secret.
alter table audit_log add column detail text;

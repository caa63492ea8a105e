-- The suppression list of one reason, which may be rare among millions of another. Events that suppress somebody wait while
-- this is built; where there are many millions of rows, build it `concurrently` by hand first.
create index if not exists suppressions_reason_idx on suppressions (tenant_id, reason, email_key);

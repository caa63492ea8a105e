-- Suppression files, erasure and retention.
--
-- Indexes are built here within the transaction of the file; on tables of many millions of rows build them
-- `concurrently` by hand first, under the same names.

-- The suppression list of one reason, which may be rare among millions of another.
create index if not exists suppressions_reason_idx on suppressions (tenant_id, reason, email_key);

-- When a body is next to be looked at for its age. A default that is the same for all rows rewrites nothing: what is
-- here already ages from this migration on. The index is in the order of time, so that what is old stands together.
alter table message_contents add column if not exists ages_from timestamptz not null default now();
create index if not exists message_contents_age_idx on message_contents (ages_from);

-- Events that are older than the oldest month, and first times of events without one, are deleted by their age.
create index if not exists delivery_events_older_age_idx on delivery_events_older (occurred_at);
create index if not exists untimed_events_age_idx on untimed_events (occurred_at);

-- An event whose person was erased: there is nothing left in it to be read again.
alter table delivery_events add column if not exists erased_at timestamptz;

-- Messages that go to others still, or wait to be settled, and whose content is to be erased then.
create table if not exists message_erasures (
    message_id uuid        not null,
    tenant_id  uuid        not null,
    created_at timestamptz not null default now(),
    constraint message_erasures_pkey primary key (message_id)
);

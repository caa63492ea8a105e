-- Erasure. This file and the four after it touch one table each, so that none holds one lock while it waits for another.

-- An event whose person was erased: there is nothing left in it to be read again.
alter table delivery_events add column if not exists erased_at timestamptz;

-- Events that are older than the oldest month are deleted by their age. There are few of them.
create index if not exists delivery_events_older_age_idx on delivery_events_older (occurred_at);

-- Messages that go to others still, or wait to be settled, and whose content is to be erased then.
create table if not exists message_erasures (
    message_id uuid        not null,
    tenant_id  uuid        not null,
    created_at timestamptz not null default now(),
    constraint message_erasures_pkey primary key (message_id)
);

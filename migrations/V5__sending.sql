-- Sending: what is due is taken account by account, so that the flood of one holds up nobody else; and a message that
-- failed can be tried again by hand.

-- The tenants that have anything waiting are found by stepping through these from one tenant to the next. They hold only
-- what waits. Workers of the release before, which take by time alone, do without an index until they are replaced.
create index if not exists messages_to_send_by_tenant_idx on messages (tenant_id, due_at)
    where due_at is not null and not asks;
create index if not exists messages_to_ask_by_tenant_idx on messages (tenant_id, due_at)
    where due_at is not null and asks;
drop index if exists messages_to_send_idx;
drop index if exists messages_to_ask_for_idx;

-- When somebody asked for another try of a message that had failed: its retry window begins anew.
alter table messages add column if not exists retried_at timestamptz;

-- Which account an attempt was made with: a digest of its API key. An account that was set afterwards has never heard of
-- the message, and must not be taken at its word about it.
alter table attempts add column if not exists account bytea;

-- Claims under which no call began, and which were given back. They count in `attempts`, whose number tells one claim from
-- another for ever, and not among the attempts that are shown.
alter table messages add column if not exists given_back integer not null default 0;

-- An attempt is written twice, when it begins and when it ends. With room on its page the second is no new index entry.
alter table attempts set (fillfactor = 70);

-- The history feed, and finding the message of an event by every id that a provider gives.

-- Numbers are given out before their rows are committed, so a reader that takes what it sees would pass over rows that
-- commit late. Each transaction that writes events therefore first announces, by a lock that ends with it, the last
-- number that was given out before it began: all that it will use are greater. The lock's key is that number below
-- 0x5241 << 48, where no other advisory lock of this schema is. Answers so many numbers, in their order. The last number
-- is asked of the function that takes the sequence's own lock: a plain select may see a value on its way into the log.
create function draw_event_numbers(count integer) returns setof bigint language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(
        (21057::bigint << 48) | coalesce(pg_sequence_last_value('delivery_event_sequence'), 0));
    return query select nextval('delivery_event_sequence') from generate_series(1, count);
end $$;

-- The number up to which every event that will ever be is visible to statements that begin after this one. What was
-- given out is read before the announcements: a transaction that announces itself in between writes above it.
create function event_feed_horizon() returns bigint language plpgsql volatile as $$
declare
    given     bigint := coalesce(pg_sequence_last_value('delivery_event_sequence'), 0);
    announced bigint;
begin
    select min(((classid::bigint & 65535) << 32) | objid::bigint) into announced
    from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = 21057
      and database = (select oid from pg_database where datname = current_database());
    return least(given, announced);
end $$;

-- The feed of one recipient, and that of one type, which may be rare among all or missing for a long stretch. Addresses
-- are only ever compared for equality, which is cheapest byte by byte.
create index if not exists delivery_events_recipient_idx
    on delivery_events (tenant_id, recipient_key collate "C", sequence);
create index if not exists delivery_events_kind_idx on delivery_events (tenant_id, kind collate "C", sequence);

-- Events that may yet find their message, by whichever id. `delivery_events_late_idx` holds only those with our own id,
-- and goes with a later file, as do the two below: the release before still needs them.
create index if not exists delivery_events_linkable_idx on delivery_events (received_at)
    where message_id is null
      and (custom_id is not null or provider_message_id is not null or provider_message_uuid is not null);
create index if not exists recipients_provider_uuid_idx on recipients (tenant_id, provider_message_uuid)
    where provider_message_uuid is not null;

-- Whether a worker that finds the message due asks what became of it, instead of sending it. Beside the status, so that
-- a status can change without any index having to: an event then rewrites nothing but the row. There is room on the
-- pages for the new rows. Workers of the release before find what is due without an index until they are replaced.
alter table messages add column asks boolean not null default false;
update messages set asks = true where status = 20;
create index if not exists messages_to_send_idx on messages (due_at) where due_at is not null and not asks;
create index if not exists messages_to_ask_for_idx on messages (due_at) where due_at is not null and asks;
alter table messages set (fillfactor = 70);
alter table recipients set (fillfactor = 70);

-- What is done from time to time by one worker, whichever comes first.
create table chores (
    name    text        not null,
    done_at timestamptz not null,
    constraint chores_pkey primary key (name)
);

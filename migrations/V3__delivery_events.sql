-- The append-only history of what providers told. Partitioned by month of `occurred_at`, so that retention drops
-- whole tables. A repeat of an event has the same time, so it meets its first copy in the same partition.

create sequence delivery_event_sequence;

create table delivery_events (
    tenant_id             uuid        not null,
    sequence              bigint      not null default nextval('delivery_event_sequence'),
    id                    uuid        not null,
    fingerprint           bytea       not null,
    kind                  text        not null,
    message_id            uuid,
    custom_id             uuid, -- our message id as the event carried it, for linking when the message appears
    recipient             text        not null,
    recipient_key         text        not null,
    recipient_status      smallint, -- where the event moves its recipient
    provider              text        not null,
    provider_message_id   text,
    provider_message_uuid uuid,
    occurred_at           timestamptz not null,
    received_at           timestamptz not null,
    reason                text,
    url                   text,
    ip                    text,
    geo                   text,
    user_agent            text,
    raw                   text        not null, -- the provider's JSON to the letter; jsonb would change numbers
    constraint delivery_events_fingerprint_key unique (tenant_id, fingerprint, occurred_at)
) partition by range (occurred_at);
create index delivery_events_message_idx on delivery_events (message_id, occurred_at) where message_id is not null;
create index delivery_events_sequence_idx on delivery_events (tenant_id, sequence);
create index delivery_events_unlinked_idx on delivery_events (custom_id)
    where message_id is null and custom_id is not null;
create index delivery_events_late_idx on delivery_events (received_at)
    where message_id is null and custom_id is not null;

-- Takes events older than the oldest month; newer months are always created ahead of their time.
create table delivery_events_older partition of delivery_events default;

-- The time of first arrival of an event that names no time of its own: its repeats are stored under the same time,
-- and so meet it.
create table untimed_events (
    tenant_id   uuid        not null,
    fingerprint bytea       not null,
    occurred_at timestamptz not null,
    constraint untimed_events_pkey primary key (tenant_id, fingerprint)
);

-- Creates the partitions of last month, this month and `ahead` more; those that exist are left as they are.
create function ensure_event_partitions(ahead integer) returns integer language plpgsql as $$
declare
    month   timestamptz;
    name    text;
    created integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('ensure_event_partitions'));
    for step in -1 .. ahead loop
        month := date_trunc('month', now() at time zone 'UTC') at time zone 'UTC';
        month := (month at time zone 'UTC' + make_interval(months => step)) at time zone 'UTC';
        name := 'delivery_events_' || to_char(month at time zone 'UTC', 'YYYYMM');
        if to_regclass(name) is null then
            begin
                execute format('create table %I partition of delivery_events for values from (%L) to (%L)',
                    name, month, (month at time zone 'UTC' + interval '1 month') at time zone 'UTC');
                created := created + 1;
            exception when check_violation then
                -- Events of that month came while it was missing, and are in the default partition: they stay there,
                -- where they are found all the same, and hold up no other month.
                raise warning 'the partition % cannot be created any more', name;
            end;
        end if;
    end loop;
    return created;
end $$;

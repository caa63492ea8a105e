-- Listing messages, newest first: all of a tenant, those of one status, those to one address, those with one tag.
--
-- This file copies from what is there, and holds its locks for minutes where there are millions of messages: stop the
-- workers first. Sends and webhooks are accepted meanwhile, and wait in RabbitMQ.
--
-- Everything is read backwards, and so stands in the order of time: Postgres packs pages well only where what is new
-- comes last.

create index if not exists messages_created_idx on messages (tenant_id, created_at, id);

-- The status as the API names it (both bounces are one), but for `sent` and `delivered`: most messages come to rest
-- there, and pass from one to the other. No index may hold `status` itself, or that step would write a new entry into
-- each of them; from null to null it rewrites nothing but the row. Adding a stored column rewrites the table, during
-- which nobody reads or writes it.
alter table messages add column if not exists listed_status smallint
    generated always as (case when status in (40, 60) then null when status = 80 then 50 else status end) stored;
create index if not exists messages_listed_idx on messages (tenant_id, listed_status, created_at, id)
    where listed_status is not null;

-- Nobody has used these since V4; and the conditions of the first two hold `status`.
drop index if exists messages_due_idx;
drop index if exists messages_uncertain_idx;
drop index if exists delivery_events_late_idx;

-- When the message was accepted, beside the address, so that one index leads to the newest messages to it. Workers of
-- the release before leave it to the default, which is moments later.
alter table recipients add column if not exists created_at timestamptz not null default now();
update recipients r set created_at = m.created_at
from messages m
where m.id = r.message_id and m.tenant_id = r.tenant_id and m.created_at <> r.created_at;
create index if not exists recipients_address_idx
    on recipients (tenant_id, email_key collate "C", created_at, message_id);

-- One row for each tag of a message. Tags are only ever compared for equality, which is cheapest byte by byte. Messages
-- that workers of the release before take on after this are not found by their tags.
create table if not exists message_tags (
    tenant_id  uuid             not null,
    tag        text collate "C" not null,
    created_at timestamptz      not null,
    message_id uuid             not null,
    constraint message_tags_pkey primary key (tenant_id, tag, created_at, message_id)
);
insert into message_tags (tenant_id, tag, created_at, message_id)
select distinct m.tenant_id, t.tag, m.created_at, m.id
from messages m cross join lateral unnest(m.tags) as t(tag)
on conflict do nothing;

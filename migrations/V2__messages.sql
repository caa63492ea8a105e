-- Messages and what became of them. Statuses are the numbers of domain::status, in the order of progress:
-- 0 scheduled, 10 queued, 20 sending, 30 failed, 40 sent, 50 soft bounce, 60 delivered, 70 blocked,
-- 80 hard bounce, 90 unsubscribed, 100 complained, 110 suppressed, 120 canceled.
-- No foreign keys on these tables: each insert would lock the tenant's row for every message of a flood.

create table messages (
    id            uuid        not null,
    tenant_id     uuid        not null,
    status        smallint    not null,
    sandbox       boolean     not null,
    attempts      integer     not null default 0,
    look_ups      integer     not null default 0, -- times the provider had not heard of the present attempt
    due_at        timestamptz, -- when a worker acts again: sends, or asks what became of an attempt
    scheduled_at  timestamptz,
    envelope      text        not null, -- JSON: from, to, cc, bcc as they were written
    subject       text,
    tags          text[]      not null default '{}',
    metadata      text, -- JSON
    digest        text        not null, -- of the request; tells a repeat from another body under the same idempotency key
    error_code    text,
    error_message text,
    created_at    timestamptz not null,
    updated_at    timestamptz not null default now(),
    constraint messages_pkey primary key (id)
) with (fillfactor = 85);
-- Only what is waiting has a due time, so these stay small whatever the table holds: what is to be sent, and what is
-- to be asked for.
create index messages_due_idx on messages (due_at) where due_at is not null and status <> 20;
create index messages_uncertain_idx on messages (due_at) where due_at is not null and status = 20;

-- Kept apart so that rows of `messages` stay small, and so that bodies can age out before their history.
create table message_contents (
    message_id uuid  not null,
    tenant_id  uuid  not null,
    content    bytea not null, -- the queued message, byte for byte
    constraint message_contents_pkey primary key (message_id)
);

-- One row for each distinct address of a message.
create table recipients (
    message_id            uuid     not null,
    email_key             text     not null, -- the address as it is compared
    tenant_id             uuid     not null,
    position              smallint not null,
    email                 text     not null,
    status                smallint not null,
    provider_message_id   bigint,
    provider_message_uuid uuid,
    constraint recipients_pkey primary key (message_id, email_key)
) with (fillfactor = 85);
create index recipients_provider_message_idx on recipients (tenant_id, provider_message_id)
    where provider_message_id is not null;

create table attempts (
    message_id  uuid        not null,
    attempt     integer     not null,
    tenant_id   uuid        not null,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    outcome     text,
    code        text,
    message     text,
    constraint attempts_pkey primary key (message_id, attempt),
    constraint attempts_outcome_check check (outcome in ('accepted', 'refused', 'not_sent', 'uncertain'))
);

create table suppressions (
    tenant_id  uuid        not null,
    email_key  text        not null,
    email      text        not null,
    reason     text        not null,
    event_id   uuid,
    created_at timestamptz not null default now(),
    constraint suppressions_pkey primary key (tenant_id, email_key),
    constraint suppressions_reason_check check (reason in ('manual', 'unsubscribed', 'hard_bounce', 'spam_complaint'))
);

-- Which of two reasons stays when an address gets a second one.
create function suppression_strength(reason text) returns integer language sql immutable
    return array_position(array['manual', 'unsubscribed', 'hard_bounce', 'spam_complaint'], reason);

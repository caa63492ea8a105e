-- Who may use this installation, and how they are recognised.

create table tenants (
    id         uuid        not null,
    name       text        not null,
    created_at timestamptz not null default now(),
    constraint tenants_pkey primary key (id)
);

create table api_keys (
    key_id       text        not null, -- 8 hex digits, public
    tenant_id    uuid        not null,
    secret_hash  bytea       not null, -- SHA-256 of the whole key
    scope        text        not null,
    test         boolean     not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint api_keys_pkey primary key (key_id),
    constraint api_keys_tenant_fkey foreign key (tenant_id) references tenants (id),
    constraint api_keys_scope_check check (scope in ('send', 'manage'))
);
create index api_keys_tenant_idx on api_keys (tenant_id);

create table providers (
    tenant_id         uuid        not null,
    provider          text        not null,
    from_email        text        not null,
    from_name         text,
    api_key_sealed    bytea       not null,
    api_secret_sealed bytea       not null,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    constraint providers_pkey primary key (tenant_id, provider),
    constraint providers_tenant_fkey foreign key (tenant_id) references tenants (id)
);

create table webhook_tokens (
    id         uuid        not null,
    tenant_id  uuid        not null,
    token_hash bytea       not null, -- SHA-256 of the token
    created_at timestamptz not null default now(),
    revoked_at timestamptz,
    constraint webhook_tokens_pkey primary key (id),
    constraint webhook_tokens_tenant_fkey foreign key (tenant_id) references tenants (id)
);
create index webhook_tokens_live_idx on webhook_tokens (tenant_id) where revoked_at is null;

-- One row that every process polls: it changes whenever a key, tenant or token does, and only then are the caches
-- of the ingest processes read again.
create table directory_version (
    only_row boolean not null default true,
    version  bigint  not null default 1,
    constraint directory_version_pkey primary key (only_row),
    constraint directory_version_only_row_check check (only_row)
);
insert into directory_version default values;

create function bump_directory_version() returns trigger language plpgsql as $$
begin
    update directory_version set version = version + 1;
    return null;
end $$;

create trigger tenants_changed after insert or update or delete on tenants
    for each statement execute function bump_directory_version();
create trigger api_keys_changed after insert or delete or update of secret_hash, scope, test, revoked_at on api_keys
    for each statement execute function bump_directory_version();
create trigger webhook_tokens_changed after insert or update or delete on webhook_tokens
    for each statement execute function bump_directory_version();

create table domains (
    id              uuid        not null,
    tenant_id       uuid        not null,
    domain          text        not null,
    status          text        not null default 'pending',
    sender_id       bigint,
    dns_id          bigint,
    records         text        not null default '[]', -- JSON: what to publish, and how each was found
    created_at      timestamptz not null default now(),
    verified_at     timestamptz,
    last_checked_at timestamptz,
    due_at          timestamptz, -- when a worker looks again
    constraint domains_pkey primary key (id),
    constraint domains_tenant_fkey foreign key (tenant_id) references tenants (id),
    constraint domains_tenant_domain_key unique (tenant_id, domain),
    constraint domains_status_check check (status in ('pending', 'verified'))
);

create table audit_log (
    id         bigint generated always as identity,
    tenant_id  uuid,
    actor      text        not null, -- a key id, or 'cli'
    action     text        not null,
    subject    text        not null,
    created_at timestamptz not null default now(),
    constraint audit_log_pkey primary key (id)
);
create index audit_log_tenant_idx on audit_log (tenant_id, id desc);

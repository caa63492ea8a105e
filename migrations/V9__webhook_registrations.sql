-- The webhooks that Raven keeps registered at Mailjet, and the tokens in their URLs.

-- What a tenant wants registered. URLs are sealed: they may carry credentials of the tenant's own.
create table webhook_registrations (
    tenant_id         uuid        not null,
    url_sealed        bytea       not null,
    backup_url_sealed bytea,
    events            text[]      not null,
    revision          bigint      not null default 1, -- grows with each change of the wish: a check of an older one is void
    created_at        timestamptz not null default now(),
    due_at            timestamptz not null, -- when a worker looks again
    checked_at        timestamptz, -- when Mailjet was last found to have, or was given, what is wanted
    fault             text, -- what was in the way of that since
    takings           integer     not null default 0, -- checks that found a stranger's URL in our place, since the time below
    takings_since     timestamptz,
    contested_at      timestamptz, -- since when such URLs are left alone
    constraint webhook_registrations_pkey primary key (tenant_id),
    constraint webhook_registrations_tenant_fkey foreign key (tenant_id) references tenants (id)
);
-- What is due: `take_due` in crates/store/src/webhook_registrations.rs.
create index webhook_registrations_due_idx on webhook_registrations (due_at);

-- Tokens that Raven made for these URLs. They do not count among those that are made by hand, and go some time after no URL
-- at Mailjet carries them any more. The release before counts them all the same until it is replaced.
alter table webhook_tokens add column managed boolean not null default false;
alter table webhook_tokens add column unused_since timestamptz;
-- What has gone unused for long enough: `revoke_unused` in crates/store/src/managed_tokens.rs.
create index webhook_tokens_unused_idx on webhook_tokens (unused_since)
    where unused_since is not null and revoked_at is null;

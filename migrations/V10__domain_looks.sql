-- Sending domains are looked at by any worker, in turns: often while they are new, and seldom later.

-- Since when the domain lacks something: its looks are frequent for a while from then on. A verified domain that loses a
-- record begins anew.
alter table domains add column if not exists pending_since timestamptz not null default now();

-- When somebody last began to look, whether or not anything came of it: looks on demand keep a distance from it.
-- `last_checked_at` is when the last look began that was answered.
alter table domains add column if not exists look_began_at timestamptz;

-- Why the last look was not answered.
alter table domains add column if not exists error_code text;
alter table domains add column if not exists error_message text;

-- Which domain is due next.
create index if not exists domains_due_idx on domains (due_at) where due_at is not null;

-- What was found holds for the account in which it was found. Whoever sets another is told within seconds. Sealing the
-- same credentials under another key leaves `updated_at`, and is no such change.
create function domains_follow_account() returns trigger language plpgsql as $$
begin
    update domains set due_at = now() where tenant_id = coalesce(new.tenant_id, old.tenant_id);
    return null;
end $$;
create trigger providers_changed after insert or delete or update of updated_at on providers
    for each row execute function domains_follow_account();

-- When a body is next to be looked at for its age. A default that is the same for all rows rewrites nothing: what is
-- here already ages from this migration on.
alter table message_contents add column if not exists ages_from timestamptz not null default now();

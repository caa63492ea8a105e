-- First times of events that named none are deleted by their age.
create index if not exists untimed_events_age_idx on untimed_events (occurred_at);

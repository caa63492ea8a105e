-- In the order of time, so that bodies that are old stand together. Messages are not taken on while this is built. Where
-- there are many millions of bodies, first run the statement of V12 by hand, and then this one `concurrently`.
create index if not exists message_contents_age_idx on message_contents (ages_from);

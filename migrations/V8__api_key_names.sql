-- What people call an API key, to tell their keys apart in a list.
alter table api_keys add column name text;
alter table api_keys add constraint api_keys_name_check check (char_length(name) between 1 and 100);

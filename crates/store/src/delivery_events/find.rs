//! Finding the message of an event.

/// Joins that find the message of each event `i`, within its tenant only: by our own id, else by the provider's number,
/// else by the provider's UUID. Each is a look-up of one row by an index: `limit 1` keeps the planner from reading whole
/// tables where it knows little of them. A number beyond what the provider's column holds is none of ours. The indexes are the primary key of `messages`,
/// `recipients_provider_message_idx` and `recipients_provider_uuid_idx`.
pub(super) const JOINS: &str = "
left join lateral (
    select m.id from messages m where m.id = i.custom_id and m.tenant_id = i.tenant_id limit 1
) by_custom_id on true
left join lateral (
    select r.message_id as id from recipients r
    where by_custom_id.id is null and r.tenant_id = i.tenant_id
      and r.provider_message_id = case when i.provider = 'mailjet' and length(i.provider_message_id) < 20
          and i.provider_message_id::numeric < 9223372036854775808 then i.provider_message_id::bigint end limit 1
) by_number on true
left join lateral (
    select r.message_id as id from recipients r
    where by_custom_id.id is null and by_number.id is null and r.tenant_id = i.tenant_id
      and r.provider_message_uuid = i.provider_message_uuid limit 1
) by_uuid on true";

/// What the joins found.
pub(super) const FOUND: &str = "coalesce(by_custom_id.id, by_number.id, by_uuid.id)";

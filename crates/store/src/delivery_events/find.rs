//! Finding the message of an event.

/// The message of event `i`, within its tenant only: by our own id, else by the provider's number, else by the provider's
/// UUID. Each is a look-up of one row by an index (the primary key of `messages`, `recipients_provider_message_idx`,
/// `recipients_provider_uuid_idx`), and only made when those before it found nothing. A number beyond what the
/// provider's column holds is none of ours.
pub(super) const FOUND: &str = "coalesce(
    (select m.id from messages m where m.id = i.custom_id and m.tenant_id is not distinct from i.tenant_id),
    (select r.message_id from recipients r
     where r.tenant_id = i.tenant_id
       and r.provider_message_id = case when i.provider = 'mailjet' and length(i.provider_message_id) < 20
           and i.provider_message_id::numeric < 9223372036854775808 then i.provider_message_id::bigint end limit 1),
    (select r.message_id from recipients r
     where r.tenant_id = i.tenant_id and r.provider_message_uuid = i.provider_message_uuid limit 1))";

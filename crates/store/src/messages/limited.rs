//! How many messages an account's limit at the provider holds back.

use domain::TenantId;

use crate::{Error, Store};

/// Waiting messages that are looked at: enough to tell, however many there are.
const LOOKED_AT: i64 = 1000;

/// What was seen among the messages of a tenant that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// How many of those that were looked at wait because of a limit.
    pub count: i64,
    /// The provider's words, of the latest of them.
    pub words: Option<String>,
}

/// Counts the waiting messages whose last attempt met the account's sending limit, or that wait because others' did.
/// `messages_to_send_by_tenant_idx` serves this query.
pub async fn limited(store: &Store, tenant: TenantId) -> Result<Limited, Error> {
    let client = store.client().await?;
    let row = client
        .query_one(
            "select count(*) as count, (array_agg(error_message order by updated_at desc))[1] as words
             from (select error_code, error_message, updated_at from messages
                   where tenant_id = $1 and due_at is not null and not asks
                   order by due_at limit $2) as waiting
             where error_code = 'sending_limit'
                or error_code = 'held_back' and error_message like '%(sending_limit)'",
            &[&tenant.0, &LOOKED_AT],
        )
        .await?;
    Ok(Limited { count: row.get("count"), words: row.get("words") })
}

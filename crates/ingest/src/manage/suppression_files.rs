//! `/v1/suppressions/import` and `…/export`: the whole suppression list as a CSV file, of any length, in bounded memory.

use std::io;
use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use actix_web::web::{Bytes, Data, Json, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::SuppressionReason;
use domain::TenantId;
use domain::api_key::Scope;
use domain::suppression::file::{self, BadHeader};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use store::Store;
use store::suppressions::{self, Filter, Import, Imported, Suppression};
use utoipa::{OpenApi, ToSchema};

use crate::auth::caller;
use crate::database::ask;
use crate::page::Parameters;
use crate::problem::{Code, Fault, Problem};
use crate::refusals::{Invalid, InvalidQuery, Usual};

/// Bytes of a file.
const LARGEST: usize = 256 * 1024 * 1024;
/// How long the next piece of a file may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows that are read at once.
const PAGE: i64 = 2_000;

#[derive(OpenApi)]
#[openapi(paths(import, export))]
pub(super) struct Docs;

/// A file, of which the first line names the column `email`.
#[derive(ToSchema)]
#[schema(format = "suppressions-csv")]
#[expect(dead_code, reason = "describes what is read, for the document of the API")]
struct SuppressionFile(String);

/// A reason, as the parameter names it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "its names are those of the domain, which reads them")]
enum OnlyReason {
    HardBounce,
    SpamComplaint,
    Unsubscribed,
    Manual,
}

/// What an import came to. The rows that were not rejected are added, changed or unchanged.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportResult {
    /// Rows of the file, without the first line.
    #[schema(minimum = 0, example = 3)]
    read: u64,
    /// Addresses that were not on the list.
    #[schema(minimum = 0, example = 1)]
    added: u64,
    /// Addresses that got a stronger reason.
    #[schema(minimum = 0, example = 0)]
    changed: u64,
    /// Addresses that were on the list already, or came in the file before.
    #[schema(minimum = 0, example = 1)]
    unchanged: u64,
    /// Rows that could not be read.
    #[schema(minimum = 0, example = 1)]
    rejected: u64,
    /// What is wrong with the first hundred of these.
    #[schema(max_items = 100)]
    faults: Vec<ImportFault>,
    /// Columns of the file that mean nothing here, and were passed over.
    ignored_columns: Vec<String>,
}

/// A row that could not be read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportFault {
    /// The line of the file on which the row begins; the first line is 1.
    #[schema(minimum = 1, example = 4)]
    line: u64,
    /// What is wrong with it.
    #[schema(example = "has no address")]
    detail: String,
}

impl From<Imported> for ImportResult {
    fn from(imported: Imported) -> Self {
        let Imported { read, added, changed, unchanged, rejected, faults, ignored_columns } = imported;
        let faults = faults.into_iter().map(|fault| ImportFault { line: fault.line, detail: fault.detail });
        Self { read, added, changed, unchanged, rejected, faults: faults.collect(), ignored_columns }
    }
}

/// Puts the addresses of a CSV file on the suppression list.
///
/// The first line names the columns, in any order and case: `email` is needed, `reason` may be missing or empty
/// (`manual`), others are passed over and named in the answer. UTF-8, with or without a byte order mark; any line ends;
/// quotes as in RFC 4180; up to 256 MiB. An address that is on the list keeps its date, and the stronger of both
/// reasons; nobody is taken off.
///
/// The file is imported while it arrives, in batches that count by themselves: if the connection breaks, or the answer is
/// an error, what was imported until then stays, and sending the whole file again does no harm. A row with a fault is
/// passed over and named by its line.
#[utoipa::path(
    post, path = "/v1/suppressions/import", operation_id = "importSuppressions", tag = "Suppressions",
    request_body(content = SuppressionFile, content_type = "text/csv", description = "The file.",
        example = "email,reason\nada@example.com,unsubscribed\nbob@example.com,\n"),
    responses((status = 200, description = "The whole file was read.", body = ImportResult), Usual, Invalid),
)]
pub(super) async fn import(
    request: HttpRequest,
    mut payload: Payload,
    store: Data<Store>,
) -> Result<Json<ImportResult>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > LARGEST) {
        return Err(too_large("Nothing was imported."));
    }
    let mut import = Import::new(&store, caller.tenant, caller.actor());
    let mut bytes = 0;
    while let Some(piece) = next(&mut payload).await? {
        bytes += piece.len();
        if bytes > LARGEST {
            return Err(too_large("What came before was imported."));
        }
        import.read(&piece).map_err(|fault| bad_header(&fault))?;
        while import.is_due() {
            ask(import.write()).await?;
        }
    }
    import.end().map_err(|fault| bad_header(&fault))?;
    while !import.is_done() {
        ask(import.write()).await?;
    }
    Ok(Json(import.finish().into()))
}

/// The next piece of the file; none at its end.
async fn next(payload: &mut Payload) -> Result<Option<Bytes>, Problem> {
    let late = |_| {
        let detail = format!(
            "Nothing came for {} s. What came before may be imported; send the file again.",
            PATIENCE.as_secs()
        );
        Problem::new(Code::RequestTimeout, detail)
    };
    let piece = tokio::time::timeout(PATIENCE, payload.next()).await.map_err(late)?;
    piece.transpose().map_err(|fault| {
        let detail =
            format!("The file could not be read to its end: {fault}. What came before may be imported.");
        Problem::new(Code::RequestTimeout, detail)
    })
}

fn too_large(what: &str) -> Problem {
    let detail = format!("A file may have at most {LARGEST} bytes; send it in parts. {what}");
    Problem::new(Code::PayloadTooLarge, detail)
}

fn bad_header(fault: &BadHeader) -> Problem {
    Problem::invalid(vec![Fault { pointer: String::new(), detail: format!("is no list to import: {fault}") }])
}

/// The suppression list as a CSV file.
///
/// Columns `email`, `reason`, `createdAt`, in the order of the addresses; import reads it again. Addresses stand as they
/// are on the list, also those that begin with `=`, `+`, `-` or `@`: have a spreadsheet take the column as text. What is
/// put on the list meanwhile may be in the file or not. A file that breaks off did so because the database went away: the
/// connection ends without the last chunk, which clients report as an error.
#[utoipa::path(
    get, path = "/v1/suppressions/export", operation_id = "exportSuppressions", tag = "Suppressions",
    params(("reason" = inline(Option<OnlyReason>), Query, description = "Only this reason.", example = "unsubscribed")),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "text/csv",
            example = "email,reason,createdAt\r\nada@example.com,unsubscribed,2026-11-21T12:00:00Z\r\n"),
        Usual, InvalidQuery,
    ),
)]
pub(super) async fn export(request: HttpRequest, store: Data<Store>) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut parameters = Parameters::of(&request);
    let reason = parameters
        .take("reason", |text| text.parse::<SuppressionReason>().map_err(|fault| fault.to_string()));
    parameters.finish()?;
    let filter = Filter { reason, ..Filter::default() };
    // The first page is asked for before the answer begins, so that a database that is away is a 503.
    let rows = ask(suppressions::list(&store, caller.tenant, &filter, PAGE)).await?;
    let file = pages(Store::clone(&store), caller.tenant, filter, rows);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"suppressions.csv\""))
        .streaming(file))
}

/// The file in pieces, each made when the one before has been sent.
fn pages(
    store: Store,
    tenant: TenantId,
    filter: Filter,
    first: Vec<Suppression>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let header = stream::once(async { Ok(Bytes::from_static(file::HEADER.as_bytes())) });
    let rows = stream::try_unfold((filter, Some(first)), move |(mut filter, rows)| {
        let store = store.clone();
        async move {
            let rows = if let Some(rows) = rows {
                rows
            } else {
                let page = ask(suppressions::list(&store, tenant, &filter, PAGE)).await;
                page.map_err(|problem| io::Error::other(problem.to_string()))?
            };
            let Some(last) = rows.last() else { return Ok(None) };
            filter.after = Some(last.email_key.clone());
            let mut text = String::new();
            for row in &rows {
                file::write(&mut text, &row.email, row.reason, row.created_at);
            }
            Ok(Some((Bytes::from(text), (filter, None))))
        }
    });
    header.chain(rows)
}

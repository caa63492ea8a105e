//! A path with its methods.

use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError as _, web};

use crate::metering::Meter;
use crate::openapi;
use crate::problem::{Code, Problem};

/// A path; methods that are not added answer 405 as problem+json. Its requests are measured under the path as it stands
/// here.
pub(crate) fn at(path: &'static str) -> Resource {
    #[cfg(test)]
    mounted::note(path);
    web::resource(path).app_data(Meter::of(path)).default_service(web::to(wrong_method))
}

/// A path does not tell its methods, but the OpenAPI document does, and a test holds the two together.
async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let problem = Problem::new(Code::MethodNotAllowed, "This address does not take this method.");
    let mut response = problem.error_response();
    let allowed = request.match_pattern().and_then(|path| openapi::allowed(&path));
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Which paths were mounted, for the test that all of them are documented.
#[cfg(test)]
pub(crate) mod mounted {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static PATHS: RefCell<BTreeSet<&'static str>> = RefCell::default();
    }

    pub(super) fn note(path: &'static str) {
        PATHS.with_borrow_mut(|paths| paths.insert(path));
    }

    /// Those of this thread.
    pub(crate) fn paths() -> BTreeSet<&'static str> {
        PATHS.with_borrow(Clone::clone)
    }
}

//! A path with its methods.

use actix_web::{Resource, web};

use crate::metering::Meter;
use crate::problem::{Code, Problem};

/// A path; methods that are not added answer 405 as problem+json. Its requests are measured under the path as it stands
/// here.
pub(crate) fn at(path: &'static str) -> Resource {
    web::resource(path).app_data(Meter::of(path)).default_service(web::to(wrong_method))
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "This address does not take this method.")
}

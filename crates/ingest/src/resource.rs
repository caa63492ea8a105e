//! A path with its methods.

use actix_web::{Resource, web};

use crate::problem::{Code, Problem};

/// A path; methods that are not added answer 405 as problem+json.
pub(crate) fn at(path: &str) -> Resource {
    web::resource(path.to_owned()).default_service(web::to(wrong_method))
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "This address does not take this method.")
}

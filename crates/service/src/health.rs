//! Whether a process can do its work now.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that work depends on.
#[derive(Clone)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether work stops without it. A dependency that the process can do without for a while is told, but does not
    /// make it unready.
    pub required: bool,
    /// What is wrong with it at present, if anything is. Must answer at once.
    pub fault: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Everything that work depends on.
#[derive(Clone, Default)]
pub struct Readiness(Vec<Check>);

/// What `/readyz` answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub struct Report {
    /// Whether work can be done.
    pub status: Status,
    /// Each dependency, with what is wrong with it.
    pub checks: Vec<CheckReport>,
}

/// Whether work can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReadinessStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can.
    Ready,
    /// It cannot.
    NotReady,
}

/// One dependency in a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadinessCheck)]
pub struct CheckReport {
    /// Its name.
    #[schema(example = "rabbitmq")]
    name: &'static str,
    /// Whether nothing is wrong with it.
    ok: bool,
    /// Whether work stops without it.
    required: bool,
    /// What is wrong, if anything is.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Readiness {
    /// Of these dependencies.
    pub fn new(checks: Vec<Check>) -> Self {
        Self(checks)
    }

    /// How things are, and whether that is good enough.
    pub fn report(&self) -> (bool, Report) {
        let checks: Vec<CheckReport> = self
            .0
            .iter()
            .map(|check| {
                let detail = (check.fault)();
                CheckReport { name: check.name, ok: detail.is_none(), required: check.required, detail }
            })
            .collect();
        let ready = checks.iter().all(|check| check.ok || !check.required);
        (ready, Report { status: if ready { Status::Ready } else { Status::NotReady }, checks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, required: bool, fault: Option<&'static str>) -> Check {
        Check { name, required, fault: Arc::new(move || fault.map(str::to_owned)) }
    }

    #[test]
    fn only_required_dependencies_make_unready() {
        let ready = |checks| Readiness::new(checks).report().0;
        assert!(ready(vec![check("a", true, None), check("b", false, Some("away"))]));
        assert!(!ready(vec![check("a", true, Some("away"))]));
    }
}

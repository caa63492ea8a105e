//! Whether a process can do its work now.

use std::sync::Arc;

use serde::Serialize;

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
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ready` or `not_ready`.
    pub status: &'static str,
    /// Each dependency, with what is wrong with it.
    pub checks: Vec<CheckReport>,
}

/// One dependency in a report.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    name: &'static str,
    ok: bool,
    required: bool,
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
        (ready, Report { status: if ready { "ready" } else { "not_ready" }, checks })
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

//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where no limit is known, this one is gone by.
const USUAL: u64 = 1024;

/// Raises the soft limit as far as the hard one allows. The soft one is low for the sake of programs that use `select`,
/// and would let a few idle connections keep everybody else out.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Where this is refused, the process goes by what it has.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// How many the process may have open now.
pub fn limit() -> usize {
    let current = getrlimit(Resource::Nofile).current.unwrap_or(USUAL);
    usize::try_from(current).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_used() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(512), maximum }).unwrap();
        assert_eq!(limit(), 512);
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}

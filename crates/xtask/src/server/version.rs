//! Choosing among directories that are named after versions.

use std::fs;
use std::path::{Path, PathBuf};

/// `parent/*/rest` for every version that has it, the highest first.
pub(super) fn newest_first(parent: &Path, rest: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(numbers(name)));
    names.into_iter().map(|name| parent.join(name).join(rest)).filter(|path| path.exists()).collect()
}

/// `rabbitmq_server-3.10.8` gives 3, 10, 8; so 10 comes after 9.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_only_complete_ones_count() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "16"] {
            fs::create_dir_all(dir.path().join(version).join("bin")).unwrap();
        }
        fs::create_dir(dir.path().join("17")).unwrap();

        let found = newest_first(dir.path(), "bin");
        let expected: Vec<PathBuf> = ["16", "15", "9.6"].map(|v| dir.path().join(v).join("bin")).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_around_a_version_do_not_count() {
        assert_eq!(numbers("rabbitmq_server-3.10.8"), [3, 10, 8]);
    }

    #[test]
    fn a_directory_that_is_missing_has_no_versions() {
        assert!(newest_first(Path::new("/nonexistent"), "bin").is_empty());
    }
}

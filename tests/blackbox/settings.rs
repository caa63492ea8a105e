//! Every setting of the services is documented, with its default, and Docker Compose hands it on.

use std::fs;

use crate::harness::{cli::run_program, servers::root};

/// The settings that a program's help names, with what it says of the default.
async fn settings(program: &str) -> Vec<(String, Option<String>)> {
    let help = run_program(program, &[], &["--help"], "").await.stdout;
    let lines = help.lines().skip_while(|line| !line.starts_with("Settings")).skip(1);
    let lines = lines.filter(|line| line.starts_with("  "));
    let read = |line: &str| {
        let name = line.split_whitespace().next().expect("a name").to_owned();
        let default = line.rsplit_once("(default ").map(|(_, rest)| rest.trim_end_matches(')').to_owned());
        (name, default.filter(|text| !text.is_empty()))
    };
    let settings: Vec<_> = lines.map(read).collect();
    assert!(settings.len() > 8, "{help}");
    settings
}

/// The part of the Compose file that is about one service, with the settings that all share.
fn of_service(compose: &str, service: &str) -> String {
    let shared = compose.split("services:").next().expect("a first part");
    let (_, own) = compose.split_once(&format!("\n  {service}:\n")).expect("the service");
    let own: Vec<&str> = own.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    format!("{shared}{}", own.join("\n"))
}

#[tokio::test]
async fn documents_compose_and_programs_agree_on_the_settings() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let (table, compose) = (read("deploy/settings.md"), read("docker-compose.yml"));
    let mut faults = Vec::new();
    for (program, service) in [("raven-ingest", "ingest"), ("raven-worker", "worker")] {
        let handed_on = of_service(&compose, service);
        for (name, default) in settings(program).await {
            let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let fits = |row: &str| default.as_ref().is_none_or(|is| row.contains(&format!("`{is}`")));
            match row {
                None => faults.push(format!("deploy/settings.md lacks {name}")),
                Some(row) if fits(row) => {}
                Some(row) => faults.push(format!("{name} of {program}: default {default:?}, but {row}")),
            }
            if !handed_on.contains(&format!("  {name}:")) {
                faults.push(format!("docker-compose.yml does not hand {name} on to {service}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

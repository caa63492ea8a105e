//! What runs, and on which ports: the file that the next command finds it by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::ports;
use crate::process::{Ladder, Mark, reap, stop};
use crate::workspace::digest;

/// The content of `state.json`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    /// The directory of this file, by which a copied clone is told from one that was moved.
    home: PathBuf,
    /// Tells the servers of this clone from those of others; a clone that is moved keeps it, and so its queues.
    id: String,
    /// Where the servers keep their data, when not beside this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    ports: BTreeMap<String, u16>,
    processes: BTreeMap<String, Recorded>,
}

/// A process that was started and not stopped since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    #[serde(flatten)]
    pub(crate) mark: Mark,
    /// What it was started with; another value means that it has to be started anew.
    pub(crate) recipe: String,
}

/// The state of one stack. Every change is on disk before the next step, so that a crash leaves nothing unrecorded.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    content: Content,
    /// What this command itself started, and stops again when it fails.
    started: Vec<String>,
}

impl State {
    /// Reads the file in `home`; where there is none, the state is empty and named `id`. A copy of a clone whose original
    /// is still there starts empty too: what is recorded belongs to the original.
    pub(crate) fn load(home: &Path, id: &str) -> Result<Self> {
        let path = home.join("state.json");
        let empty = || Content { home: home.to_owned(), id: id.to_owned(), ..Content::default() };
        let mut content = match files::read(&path)? {
            Some(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; remove it", path.display()))?,
            None => empty(),
        };
        if content.home != home {
            if content.home.join("state.json").exists() {
                content = empty();
            }
            home.clone_into(&mut content.home);
        }
        Ok(Self { path, content, started: Vec::new() })
    }

    /// The name that tells this stack's servers from others.
    pub(crate) fn id(&self) -> &str {
        &self.content.id
    }

    /// The recorded directory of the servers' data, when it is elsewhere.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.content.data.as_deref()
    }

    /// Records that the servers' data is elsewhere.
    pub(crate) fn set_data(&mut self, data: &Path) -> Result<()> {
        self.content.data = Some(data.to_owned());
        self.save()
    }

    /// The port that was chosen for a server.
    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.content.ports.get(name).copied()
    }

    /// A free port for a server that is about to start: the one it had, the preferred one, or any.
    pub(crate) fn choose_port(&mut self, name: &str, preferred: Option<u16>) -> Result<u16> {
        let ports = &self.content.ports;
        let wishes: Vec<u16> = ports.get(name).copied().into_iter().chain(preferred).collect();
        let others = |port| ports.iter().any(|(other, taken)| other != name && *taken == port);
        let seed = digest(format!("{} {name}", self.path.display()).as_bytes());
        let port = ports::choose(&wishes, seed, |port| !others(port) && ports::is_free(port))
            .with_context(|| format!("no free port for {name}"))?;
        self.content.ports.insert(name.to_owned(), port);
        self.save()?;
        Ok(port)
    }

    /// The process of this name, if exactly that process still runs.
    pub(crate) fn alive(&self, name: &str) -> Option<&Recorded> {
        self.content.processes.get(name).filter(|recorded| recorded.mark.is_alive())
    }

    /// Whether there is a record of this name, of a process that runs or not.
    pub(crate) fn is_recorded(&self, name: &str) -> bool {
        self.content.processes.contains_key(name)
    }

    /// The names of everything that is recorded.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = &str> {
        self.content.processes.keys().map(String::as_str)
    }

    /// What was started since the file was read.
    pub(crate) fn started(&self) -> &[String] {
        &self.started
    }

    /// Records a process that was just started.
    pub(crate) fn record(&mut self, name: &str, mark: Mark, recipe: &str) -> Result<()> {
        self.started.push(name.to_owned());
        self.content.processes.insert(name.to_owned(), Recorded { mark, recipe: recipe.to_owned() });
        self.save()
    }

    /// Stops the process of this name and forgets it; says whether it was running.
    pub(crate) fn stop(&mut self, name: &str, ladder: Ladder) -> Result<bool> {
        let Some(recorded) = self.content.processes.get(name) else { return Ok(false) };
        let stopped = stop(&recorded.mark, ladder);
        reap(&recorded.mark);
        self.content.processes.remove(name);
        self.save()?;
        Ok(stopped)
    }

    fn save(&self) -> Result<()> {
        files::write_private(&self.path, &serde_json::to_vec_pretty(&self.content)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(dir: &tempfile::TempDir) -> State {
        State::load(dir.path(), "1").unwrap()
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = empty(&dir);
        let port = state.choose_port("amqp", None).unwrap();
        state.record("rabbitmq", Mark::of(std::process::id()).unwrap(), "as it was").unwrap();
        state.set_data(Path::new("/var/tmp/raven")).unwrap();

        let again = empty(&dir);
        assert_eq!(again.content, state.content);
        assert_eq!(again.port("amqp"), Some(port));
        assert!(again.alive("rabbitmq").is_some());
        assert!(again.started().is_empty(), "another command started it");
    }

    #[test]
    fn a_stale_record_is_not_alive_and_stopping_it_forgets_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = empty(&dir);
        let mark = Mark { started: 1, ..Mark::of(std::process::id()).unwrap() };
        state.record("postgres", mark, "").unwrap();

        assert!(state.alive("postgres").is_none());
        assert!(state.is_recorded("postgres"));
        assert!(!state.stop("postgres", &[]).unwrap());
        assert!(!empty(&dir).is_recorded("postgres"));
    }

    #[test]
    fn ports_are_kept_while_free_and_never_shared() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = empty(&dir);
        let amqp = state.choose_port("amqp", None).unwrap();
        assert_eq!(state.choose_port("amqp", None).unwrap(), amqp);
        assert_ne!(state.choose_port("ingest", Some(amqp)).unwrap(), amqp);

        let _taken = std::net::TcpListener::bind(("127.0.0.1", amqp)).unwrap();
        assert_ne!(state.choose_port("amqp", None).unwrap(), amqp);
    }

    #[test]
    fn a_copied_clone_starts_empty_and_a_moved_one_goes_on() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        empty(&old).record("worker", Mark::of(std::process::id()).unwrap(), "").unwrap();
        std::fs::copy(old.path().join("state.json"), new.path().join("state.json")).unwrap();

        let copied = State::load(new.path(), "2").unwrap();
        assert_eq!((copied.id(), copied.is_recorded("worker")), ("2", false));
        std::fs::remove_file(old.path().join("state.json")).unwrap();
        let moved = State::load(new.path(), "2").unwrap();
        assert_eq!((moved.id(), moved.is_recorded("worker")), ("1", true));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("state.json"), "{").unwrap();
        assert!(State::load(dir.path(), "1").unwrap_err().to_string().contains("state.json"));
    }
}

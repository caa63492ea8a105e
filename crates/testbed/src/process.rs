//! A program of ours that runs until it is told to end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use tokio::time::{Instant, sleep};

/// How long an end may take before it counts as never: longer than the services' own grace.
const END: Duration = Duration::from_secs(45);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// A running program. It is killed with this value.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// The test ended it.
    stopped: bool,
    log: PathBuf,
}

impl Process {
    /// Starts a program with these variables and no others; its output goes to a file in `folder`.
    pub fn start(program: &Path, name: &str, folder: &Path, variables: &[(&str, String)]) -> Self {
        fs::create_dir_all(folder).expect("a folder for logs");
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let mut command = Command::new(program);
        command.env_clear().env("NO_COLOR", "1").envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log file")).stderr(file);
        let child = command.spawn().unwrap_or_else(|fault| panic!("{}: {fault}", program.display()));
        Self { name: name.to_owned(), child, stopped: false, log }
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Forgets how much memory it had at its peak; answers how much it has, in bytes.
    pub fn forget_peak(&self) -> u64 {
        fs::write(self.proc("clear_refs"), "5").expect("to reset the peak");
        self.memory("VmRSS:")
    }

    /// How much memory it had at its peak, in bytes.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }

    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("the status of a child");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its memory");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kilobytes * 1024
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Whether whoever started it ended it.
    pub fn was_ended(&self) -> bool {
        self.stopped
    }

    /// Asks it to end.
    pub fn ask_to_end(&mut self) {
        self.stopped = true;
        self.signal(Signal::TERM);
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end();
        self.end("SIGTERM").await
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.stopped = true;
        self.child.kill().expect("to kill a child");
        self.child.wait().expect("the end of a child");
    }

    /// Has it abort where nothing but itself is in the way of a core dump; answers how it ended.
    pub async fn abort(&mut self) -> ExitStatus {
        self.stopped = true;
        let maximum = getrlimit(Resource::Core).maximum;
        let limit = Rlimit { current: maximum, maximum };
        prlimit(Some(self.pid()), Resource::Core, limit).expect("to allow core dumps");
        self.signal(Signal::ABORT);
        self.end("SIGABRT").await
    }

    /// Stops it in its tracks: it holds its connections and does nothing, as one that is starved of processor time.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    async fn end(&mut self, signal: &str) -> ExitStatus {
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end after {signal}", self.name);
            sleep(PAUSE).await;
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("to signal a child");
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("the id of a child")
    }

    /// What is wrong with it, looked at when its test is over.
    pub fn fault(&mut self, secrets: &[String]) -> Option<String> {
        if let Some(status) = self.ended().filter(|_| !self.stopped) {
            return Some(format!("{} ended by itself: {status}", self.name));
        }
        let log = self.log();
        if log.contains("panicked") {
            return Some(format!("{} panicked", self.name));
        }
        let leak = secrets.iter().find(|secret| log.contains(secret.as_str()))?;
        Some(format!("the log of {} holds a secret: {}…", self.name, leak.get(..4).unwrap_or_default()))
    }

    /// Shows the end of its log.
    pub fn show(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(40);
        eprintln!("---- {} ({})\n{}", self.name, self.log.display(), lines[from..].join("\n"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Processes that end with the test, however it ends.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Starts the rest of its arguments, says their process id, and kills them when its own standard input ends: a pipe's
/// other end is closed by the system, also when a test is killed.
const KEEPER: &str =
    r#"exec 3<&0; "$@" </dev/null >&2 & pid=$!; echo $pid; cat <&3 >/dev/null; kill -KILL $pid"#;

/// A process that is killed when this is dropped, or when the process that holds it ends.
pub struct Guarded {
    keeper: Child,
    input: Option<ChildStdin>,
    pid: i32,
}

impl Guarded {
    /// Starts a command; its output is thrown away.
    pub fn spawn(command: &Command) -> Self {
        Self::spawn_into(command, Stdio::null())
    }

    /// Starts a command; its output goes to the end of a file.
    pub fn spawn_logging(command: &Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("the log can be written");
        Self::spawn_into(command, log.into())
    }

    fn spawn_into(command: &Command, output: Stdio) -> Self {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            keeper.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(name, value),
                None => keeper.env_remove(name),
            };
        }
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output);
        // A signal to all of a terminal's processes must not end the keeper before what it keeps.
        keeper.process_group(0);
        let mut keeper = keeper.spawn().expect("sh is there");
        let input = keeper.stdin.take();
        let mut line = String::new();
        let output = keeper.stdout.take().expect("standard output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the keeper says a process id");
        let pid = line.trim().parse().expect("a process id is a number");
        Self { keeper, input, pid }
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid).expect("a process id is positive");
        kill_process(pid, signal).expect("the process runs");
    }

    /// Whether the process runs; one that ended and was not waited for does not.
    pub fn is_running(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    /// The process, not its keeper.
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.keeper.wait();
    }
}

/// A port of loopback that is free at the moment.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Waits until something holds that does not say so itself.
pub fn wait_until(what: &str, patience: std::time::Duration, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < patience, "waited {patience:?} in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

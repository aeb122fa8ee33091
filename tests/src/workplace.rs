//! A temporary folder with a campaign in it, and the program under test.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the repository")
        .to_owned()
}

/// A program of this repository: built by `make build`, in the folder where the one that asks was built too.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    // Programs are in target/release, tests in target/release/deps.
    let folder = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let program = folder.expect("a program is in a folder").join(name);
    assert!(program.exists(), "{} is missing: run `make build` first", program.display());
    program
}

/// A campaign in a folder of its own. The demo model unpacks into the folder's own cache.
pub struct Workplace {
    folder: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A run of the program that is under way.
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Workplace {
    /// A folder with `campaign.yaml` and `recipients.csv`.
    pub fn new(campaign: &str, recipients: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Self { folder };
        place.write("campaign.yaml", campaign);
        place.write("recipients.csv", recipients);
        place
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a path below the folder")).expect("a folder for the file");
        fs::write(path, content).expect("the temporary folder takes files");
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces text of the campaign file; it must be there.
    pub fn edit_campaign(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("campaign.yaml")).expect("the campaign file");
        assert!(text.contains(from), "the campaign file holds no {from:?}");
        self.write("campaign.yaml", text.replacen(from, to, 1));
    }

    /// The program with arguments, in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("copymill"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // Tests run side by side: threads of several engines that wait for each other would keep the cores from working.
        command.env("OMP_THREAD_LIMIT", "1");
        command.env("XDG_CACHE_HOME", self.path(".cache")).env("NO_COLOR", "1").env_remove("COPYMILL_LOG");
        command
    }

    /// Runs the program to its end.
    pub fn copymill(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.command(arguments))
    }
}

impl Running {
    /// Starts a command with its output captured.
    pub fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut out = child.stdout.take().expect("standard output is a pipe");
        let stdout = std::thread::spawn(move || {
            let mut text = Vec::new();
            out.read_to_end(&mut text).expect("standard output can be read");
            String::from_utf8(text).expect("standard output is UTF-8")
        });
        let stderr = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        Self { child, stdout, stderr, seen: String::new() }
    }

    /// Reads standard error until a line holds `text`; fails where the program ends before.
    pub fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("standard error is UTF-8");
            assert!(read > 0, "the program ended without saying {text:?}; it said:\n{}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Waits until a condition on the folder holds; fails where the program ends before.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        while !holds() {
            let ended = self.child.try_wait().expect("the program can be waited for");
            assert!(ended.is_none() || holds(), "the program ended before {what}");
            std::thread::yield_now();
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the program is running");
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Finished {
        self.stderr.read_to_string(&mut self.seen).expect("standard error is UTF-8");
        let code = self.child.wait().expect("the program ends").code();
        Finished { code, stdout: self.stdout.join().expect("standard output is UTF-8"), stderr: self.seen }
    }
}

impl Finished {
    /// Fails unless the program ended well.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "stderr:\n{}\nstdout:\n{}", self.stderr, self.stdout);
        self
    }

    /// Fails unless the program ended with this code and said each of these on standard error.
    #[track_caller]
    pub fn fails(self, code: i32, says: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "stderr:\n{}\nstdout:\n{}", self.stderr, self.stdout);
        for text in says {
            assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

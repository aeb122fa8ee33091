//! A real RabbitMQ node on private ports, with everything it writes in a temporary folder.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::guarded::{Guarded, free_port, wait_until};

/// A node boots in about 3 s on a quiet machine.
const BOOT: Duration = Duration::from_secs(120);
/// Guest and its password, as HTTP's basic authentication writes them.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";
const COOKIE: &str = "COPYMILLTESTCOOKIE";

/// A node.
pub struct RabbitMq {
    folder: TempDir,
    name: String,
    port: u16,
    management: u16,
    distribution: u16,
    epmd_port: u16,
    epmd: Option<Guarded>,
    node: Option<Guarded>,
    vhosts: AtomicU32,
}

impl RabbitMq {
    /// Starts a node and waits until it serves.
    pub fn start() -> Self {
        let mut node = Self::prepare("t1", free_port());
        node.start_epmd();
        node.boot();
        node
    }

    /// The node that tests share which do it no harm; it ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn prepare(name: &str, epmd_port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cookie = folder.path().join(".erlang.cookie");
        fs::write(&cookie, COOKIE).expect("the folder takes files");
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).expect("one's own file");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("the folder takes files")
        };
        write("enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus].\n");
        write("environment", "");
        let (port, management, distribution) = (free_port(), free_port(), free_port());
        let configuration = format!(
            "listeners.tcp.default = 127.0.0.1:{port}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
             prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {}\nloopback_users = none\n",
            free_port()
        );
        write("rabbitmq.conf", &configuration);
        let (epmd, node) = (None, None);
        let name = format!("{name}@localhost");
        Self {
            folder,
            name,
            port,
            management,
            distribution,
            epmd_port,
            epmd,
            node,
            vhosts: AtomicU32::new(0),
        }
    }

    fn start_epmd(&mut self) {
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &self.epmd_port.to_string()]);
        self.epmd = Some(Guarded::spawn(&epmd));
        let port = self.epmd_port;
        wait_until("epmd listens", BOOT, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    fn boot(&mut self) {
        self.node = Some(Guarded::spawn(&self.command("rabbitmq-server")));
        wait_until("the node serves", BOOT, || self.api("GET", "/api/vhosts", None).is_some());
    }

    /// One of RabbitMQ's own scripts with the environment of a private node. The wrappers in `/usr/sbin` would change
    /// user and folder.
    fn command(&self, script: &str) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(scripts().join(script));
        command
            .env("HOME", self.folder.path())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .env("RABBITMQ_CONF_ENV_FILE", path("environment"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", path("generated"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            // The script then becomes the node instead of watching it, and its process id is the node's.
            .env("RUNNING_UNDER_SYSTEMD", "true");
        command
    }

    /// The port of AMQP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The default vhost.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// A vhost that nobody else uses.
    pub fn new_vhost(&self) -> String {
        let name = format!("test-{}", self.vhosts.fetch_add(1, Ordering::SeqCst));
        self.api("PUT", &format!("/api/vhosts/{name}"), Some("{}")).expect("a vhost can be made");
        format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.port)
    }

    /// Asks the management API; none where it does not answer, or not well.
    pub fn api(&self, method: &str, path: &str, body: Option<&str>) -> Option<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.management);
        let request = ureq::request(method, &url).set("Authorization", GUEST).timeout(BOOT);
        let answer = match body {
            Some(body) => request.set("Content-Type", "application/json").send_string(body),
            None => request.call(),
        };
        answer.ok()?.into_string().ok()
    }

    /// Ends the node at once, as a power cut would.
    pub fn kill(&mut self) {
        self.node = None;
    }

    /// Ends the node in order.
    pub fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.signal(Signal::TERM);
            wait_until("the node is down", BOOT, || !node.is_running());
        }
    }

    /// Starts a node that was ended, with the data that it had.
    pub fn start_again(&mut self) {
        self.boot();
    }

    /// Removes all data of a node that was ended.
    pub fn empty(&mut self) {
        assert!(self.node.is_none(), "a node that runs needs its data");
        fs::remove_dir_all(self.folder.path().join("data")).expect("the data is ours");
    }
}

/// Where the package keeps its scripts.
fn scripts() -> PathBuf {
    let library = Path::new("/usr/lib/rabbitmq/lib");
    let versions = fs::read_dir(library).expect("rabbitmq-server is installed: `make test` installs it");
    let version =
        versions.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("rabbitmq_server-"));
    version.expect("the package has one version").path().join("sbin")
}

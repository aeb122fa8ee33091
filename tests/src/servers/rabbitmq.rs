//! A real RabbitMQ node on private ports, with everything it writes in a temporary folder.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::certificates::Certificates;
use super::guarded::{Guarded, free_port, wait_until};

/// A node boots in about 3 s on a quiet machine.
const BOOT: Duration = Duration::from_secs(120);
/// Guest and its password, as HTTP's basic authentication writes them.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";
const COOKIE: &str = "COPYMILLTESTCOOKIE";

/// A node.
pub struct RabbitMq {
    folder: Folder,
    name: String,
    ports: Ports,
    /// The name service of Erlang; nodes of a cluster share it.
    epmd: Arc<(u16, Guarded)>,
    node: Option<Guarded>,
    vhosts: AtomicU32,
}

/// Where a node keeps everything that it writes.
enum Folder {
    Temporary(TempDir),
    Own(PathBuf),
}

struct Ports {
    amqp: u16,
    amqps: u16,
    management: u16,
    metrics: u16,
    distribution: u16,
}

impl RabbitMq {
    /// Starts a node and waits until it serves.
    pub fn start() -> Self {
        Self::started(Folder::temporary(), "")
    }

    /// Starts a node that also speaks TLS, to clients with a certificate.
    pub fn start_with(certificates: &Certificates) -> Self {
        let port = free_port();
        let mut node = Self::prepare(Folder::temporary(), "t1", epmd(), &certificates.configuration(port));
        node.ports.amqps = port;
        node.boot();
        node
    }

    /// Starts a node with what it keeps in a folder, which it may have kept there before.
    pub fn start_in(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        Self::started(Folder::Own(folder.to_owned()), "")
    }

    /// Starts three nodes that are one cluster.
    pub fn cluster() -> [Self; 3] {
        let epmd = epmd();
        let names = ["t1", "t2", "t3"];
        let members: String = names
            .iter()
            .zip(1..)
            .map(|(name, number)| {
                format!("cluster_formation.classic_config.nodes.{number} = {name}@localhost\n")
            })
            .collect();
        let configuration = format!("cluster_formation.peer_discovery_backend = classic_config\n{members}");
        let mut nodes =
            names.map(|name| Self::prepare(Folder::temporary(), name, Arc::clone(&epmd), &configuration));
        // One after the other: a node that starts while another one founds the cluster waits for long.
        nodes.iter_mut().for_each(Self::boot);
        wait_until("three nodes are one cluster", BOOT, || {
            let running = nodes[0].api("GET", "/api/nodes?columns=running", None).unwrap_or_default();
            running.matches("true").count() == nodes.len()
        });
        nodes
    }

    /// The node that tests share which do it no harm; it ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn started(folder: Folder, configuration: &str) -> Self {
        let mut node = Self::prepare(folder, "t1", epmd(), configuration);
        node.boot();
        node
    }

    fn prepare(folder: Folder, name: &str, epmd: Arc<(u16, Guarded)>, configuration: &str) -> Self {
        let cookie = folder.path().join(".erlang.cookie");
        if !cookie.exists() {
            fs::write(&cookie, COOKIE).expect("the folder takes files");
            fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).expect("one's own file");
        }
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("the folder takes files")
        };
        write("enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus,rabbitmq_auth_mechanism_ssl].\n");
        write("environment", "");
        let (amqp, management, metrics) = (free_port(), free_port(), free_port());
        let ports = Ports { amqp, amqps: 0, management, metrics, distribution: free_port() };
        let configuration = format!(
            "listeners.tcp.default = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {}\nloopback_users = none\ncollect_statistics_interval = 1000\n{configuration}",
            ports.amqp, ports.management, ports.metrics
        );
        write("rabbitmq.conf", &configuration);
        // Quorum queues tell their length each 5 s otherwise, which is too seldom for who watches it.
        write("advanced.config", "[{rabbit, [{quorum_tick_interval, 1000}]}].\n");
        let name = format!("{name}@localhost");
        Self { folder, name, ports, epmd, node: None, vhosts: AtomicU32::new(0) }
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
            .env("ERL_EPMD_PORT", self.epmd.0.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
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
        self.ports.amqp
    }

    /// The port of AMQP over TLS, of a node that speaks it.
    pub fn tls_port(&self) -> u16 {
        self.ports.amqps
    }

    /// The port of the management page.
    pub fn management_port(&self) -> u16 {
        self.ports.management
    }

    /// The port where Prometheus reads the node's numbers.
    pub fn metrics_port(&self) -> u16 {
        self.ports.metrics
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The default vhost.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// A vhost that nobody else uses.
    pub fn new_vhost(&self) -> String {
        let name = format!("test-{}", self.vhosts.fetch_add(1, Ordering::SeqCst));
        self.api("PUT", &format!("/api/vhosts/{name}"), Some("{}")).expect("a vhost can be made");
        format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.ports.amqp)
    }

    /// Asks the management API; none where it does not answer, or not well.
    pub fn api(&self, method: &str, path: &str, body: Option<&str>) -> Option<String> {
        ask(self.ports.management, method, path, body)
    }

    /// Asks the management API from another thread.
    pub fn asker(&self) -> impl Fn(&str) -> Option<String> + Send + 'static {
        let port = self.ports.management;
        move |path| ask(port, "GET", path, None)
    }

    /// The node's process, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.node.as_ref().map(Guarded::pid)
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

impl Folder {
    fn temporary() -> Self {
        Self::Temporary(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Own(folder) => folder,
        }
    }
}

/// Starts a name service on a port of its own.
fn epmd() -> Arc<(u16, Guarded)> {
    let port = free_port();
    let mut epmd = Command::new("epmd");
    epmd.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    let epmd = Guarded::spawn(&epmd);
    wait_until("epmd listens", BOOT, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Arc::new((port, epmd))
}

fn ask(port: u16, method: &str, path: &str, body: Option<&str>) -> Option<String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let request = ureq::request(method, &url).set("Authorization", GUEST).timeout(BOOT);
    let answer = match body {
        Some(body) => request.set("Content-Type", "application/json").send_string(body),
        None => request.call(),
    };
    answer.ok()?.into_string().ok()
}

/// Where the package keeps its scripts.
fn scripts() -> PathBuf {
    let library = Path::new("/usr/lib/rabbitmq/lib");
    let versions = fs::read_dir(library).expect("rabbitmq-server is installed: `make test` installs it");
    let version =
        versions.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("rabbitmq_server-"));
    version.expect("the package has one version").path().join("sbin")
}

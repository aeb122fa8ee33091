//! Where RabbitMQ is and who asks. Secrets may come from files, as Kubernetes mounts them.

use std::path::{Path, PathBuf};

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPUri, SASLMechanism};
use serde::{Deserialize, Serialize};

/// Seconds between AMQP heartbeats: a dead peer is noticed at the second look without one, 10 to 15 s after the last.
const HEARTBEAT_S: u16 = 5;
/// Milliseconds until a connection has to stand.
const CONNECT_MS: u64 = 10_000;

/// How RabbitMQ is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerSettings {
    /// `amqp://host:5672/vhost` or `amqps://…`; a vhost `/` is written `%2f`. User and password may stand in it.
    pub url: String,
    /// Further nodes of the same cluster, `host` or `host:port`: connections are spread over all of them, and whoever
    /// loses one goes to another. Everything else is as in the URL.
    pub nodes: Vec<String>,
    /// User, in place of the URL's.
    pub username: Option<String>,
    /// File that holds the user's name.
    pub username_file: Option<PathBuf>,
    /// File that holds the password, in place of the URL's.
    pub password_file: Option<PathBuf>,
    /// Certificates of an `amqps` connection.
    pub tls: TlsSettings,
}

/// Certificates, as PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// Authorities that the broker's certificate may be signed by, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate chain.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's private key, PKCS #8.
    pub key_file: Option<PathBuf>,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            url: "amqp://127.0.0.1:5672/%2f".into(),
            nodes: Vec::new(),
            username: None,
            username_file: None,
            password_file: None,
            tls: TlsSettings::default(),
        }
    }
}

impl BrokerSettings {
    /// The addresses of all nodes, at least one.
    pub(super) fn uris(&self) -> Result<Vec<AMQPUri>, String> {
        let first = self.uri()?;
        let others = self.nodes.iter().map(|node| {
            let mut uri = first.clone();
            uri.authority.host.clone_from(node);
            if let Some((host, port)) = node.rsplit_once(':') {
                let error = |_| format!("broker.nodes: `{node}` is no host and no host:port");
                uri.authority.port = port.parse().map_err(error)?;
                uri.authority.host = host.to_owned();
            }
            Ok(uri)
        });
        std::iter::once(Ok(first.clone())).chain(others).collect()
    }

    /// The address with credentials filled in; the error says which setting is wrong.
    fn uri(&self) -> Result<AMQPUri, String> {
        let mut uri: AMQPUri =
            self.url.parse().map_err(|error| format!("broker.url is no AMQP URL: {error}"))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        uri.query.connection_timeout.get_or_insert(CONNECT_MS);
        let user = &mut uri.authority.userinfo;
        if let Some(name) = &self.username {
            user.username.clone_from(name);
        }
        if let Some(path) = &self.username_file {
            user.username = secret("broker.username_file", path)?;
        }
        if let Some(path) = &self.password_file {
            user.password = secret("broker.password_file", path)?;
        }
        if self.tls.certificate_file.is_some() && self.password_file.is_none() && !self.url.contains('@') {
            uri.query.auth_mechanism.get_or_insert(SASLMechanism::External);
        }
        Ok(uri)
    }

    /// Certificates, read anew at every connection so that they can be renewed.
    pub(super) fn tls(&self) -> Result<OwnedTLSConfig, String> {
        let identity = match (&self.tls.certificate_file, &self.tls.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(OwnedIdentity::PKCS8 {
                pem: read("broker.tls.certificate_file", certificate)?.into_bytes(),
                key: read("broker.tls.key_file", key)?.into_bytes(),
            }),
            _ => return Err("broker.tls.certificate_file and broker.tls.key_file belong together".into()),
        };
        let cert_chain =
            self.tls.ca_file.as_deref().map(|path| read("broker.tls.ca_file", path)).transpose()?;
        Ok(OwnedTLSConfig { identity, cert_chain })
    }
}

/// The address without its secrets, for messages to people.
pub(super) fn place(uri: &AMQPUri) -> String {
    format!(
        "{}://{}:{}/{}",
        uri.scheme,
        uri.authority.host,
        uri.authority.port,
        uri.vhost.trim_start_matches('/')
    )
}

fn secret(setting: &str, path: &Path) -> Result<String, String> {
    read(setting, path).map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
}

fn read(setting: &str, path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("{setting}: {} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_files_and_stay_out_of_messages() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "p@ss/word%\n").unwrap();
        let settings = BrokerSettings {
            url: "amqps://someone:old@broker.example/shop?heartbeat=9".into(),
            username: Some("copymill".into()),
            password_file: Some(password),
            ..BrokerSettings::default()
        };
        let uri = settings.uri().unwrap();
        let user = &uri.authority.userinfo;
        assert_eq!((user.username.as_str(), user.password.as_str()), ("copymill", "p@ss/word%"));
        assert_eq!(uri.query.heartbeat, Some(9));
        assert_eq!(place(&uri), "amqps://broker.example:5671/shop");
    }

    #[test]
    fn further_nodes_differ_in_host_and_port_alone() {
        let nodes = vec!["two".into(), "three:5673".into()];
        let url = "amqps://user:word@one:5670/shop".into();
        let settings = BrokerSettings { url, nodes, ..BrokerSettings::default() };
        let uris = settings.uris().unwrap();
        let places: Vec<String> = uris.iter().map(place).collect();
        assert_eq!(places, ["amqps://one:5670/shop", "amqps://two:5670/shop", "amqps://three:5673/shop"]);
        assert!(uris.iter().all(|uri| uri.authority.userinfo.password == "word"));
        let wrong = BrokerSettings { nodes: vec!["one:amqp".into()], ..settings };
        assert!(wrong.uris().unwrap_err().starts_with("broker.nodes: `one:amqp`"));
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named() {
        let error =
            |settings: BrokerSettings| settings.uris().map(drop).and_then(|()| settings.tls().map(drop));
        let broken = |edit: fn(&mut BrokerSettings)| {
            let mut settings = BrokerSettings::default();
            edit(&mut settings);
            error(settings).unwrap_err()
        };
        assert!(broken(|s| s.url = "http://x".into()).starts_with("broker.url"));
        assert!(
            broken(|s| s.password_file = Some("/none".into())).starts_with("broker.password_file: /none")
        );
        assert!(broken(|s| s.tls.ca_file = Some("/none".into())).starts_with("broker.tls.ca_file: /none"));
        assert!(broken(|s| s.tls.key_file = Some("/none".into())).contains("belong together"));
    }
}

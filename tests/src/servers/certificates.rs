//! An authority of one's own, and what it signs: for a broker that speaks TLS.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// The user that the client's certificate names.
pub const CLIENT: &str = "guest";

/// PEM files in a folder of their own.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes an authority, and certificates of a server on loopback and of a client.
    pub fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("valid parameters");
        let made = Self { folder };
        fs::write(made.authority(), authority.pem()).expect("the folder takes files");
        for (name, subject) in [("server", "localhost"), ("client", CLIENT)] {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut parameters = CertificateParams::new(names).expect("valid names");
            parameters.distinguished_name.push(DnType::CommonName, subject);
            let key = key();
            let signed = parameters.signed_by(&key, &authority).expect("valid parameters");
            fs::write(made.path(&format!("{name}.pem")), signed.pem()).expect("the folder takes files");
            fs::write(made.path(&format!("{name}.key")), key.serialize_pem())
                .expect("the folder takes files");
        }
        made
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// A certificate of `server` or `client`.
    pub fn certificate(&self, of: &str) -> PathBuf {
        self.path(&format!("{of}.pem"))
    }

    /// Its private key, PKCS #8.
    pub fn key(&self, of: &str) -> PathBuf {
        self.path(&format!("{of}.key"))
    }

    /// What a node's configuration says, so that it serves clients with a certificate of this authority alone.
    pub fn configuration(&self, port: u16) -> String {
        let show = |path: &Path| path.display().to_string();
        format!(
            "listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
             ssl_options.keyfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n\
             ssl_cert_login_from = common_name\nauth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = PLAIN\n",
            show(&self.authority()),
            show(&self.certificate("server")),
            show(&self.key("server"))
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system gives random numbers")
}

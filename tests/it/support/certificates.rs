//! Certificates for servers of a test, made by `openssl`, and an authority that signs them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::own_mariadb::OwnMariadb;
use super::own_postgres::OwnPostgres;
use super::own_server::is_root;

/// An authority, with the certificates that it signed, in a directory that goes with it.
pub struct Authority {
    directory: TempDir,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let authority = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        authority.openssl(&[
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-subj",
            &format!("/CN={name}"),
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    /// The file by which it is known.
    pub fn file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate for these names (`DNS:…`, `IP:…`) that is valid from one time to the other, each
    /// as `20240401000000Z`.
    pub fn sign(&self, file: &str, names: &str, valid: [&str; 2]) -> Certificate {
        let [key, request, certificate] =
            ["key", "csr", "pem"].map(|extension| format!("{file}.{extension}"));
        self.openssl(&[
            "req",
            "-new",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-subj",
            &format!("/CN={file}"),
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let settings = format!(
            "[ca]\ndefault_ca = one\n[one]\nnew_certs_dir = .\ndatabase = {file}.index\n\
             rand_serial = yes\ndefault_md = sha256\npolicy = any\nx509_extensions = server\n\
             [any]\ncommonName = supplied\n[server]\nsubjectAltName = {names}\n\
             extendedKeyUsage = serverAuth\nbasicConstraints = CA:FALSE\n"
        );
        fs::write(self.path(&format!("{file}.cnf")), settings).expect("settings");
        fs::write(self.path(&format!("{file}.index")), "").expect("an index");
        let [from, until] = valid;
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            &format!("{file}.cnf"),
            "-cert",
            "ca.pem",
            "-keyfile",
            "ca.key",
            "-startdate",
            from,
            "-enddate",
            until,
            "-in",
            &request,
            "-out",
            &certificate,
        ]);
        Certificate {
            certificate: self.path(&certificate),
            key: self.path(&key),
        }
    }

    /// A file with this content beside the others.
    pub fn write(&self, file: &str, content: &str) -> PathBuf {
        let path = self.path(file);
        fs::write(&path, content).expect("a file");
        path
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .expect("openssl runs");
        assert!(
            done.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

impl Certificate {
    /// Puts it where a server reads it, as that server's user must find it.
    pub fn install(&self, into: &Certificate, owner: Option<&str>) {
        for (from, to) in [
            (&self.certificate, &into.certificate),
            (&self.key, &into.key),
        ] {
            fs::copy(from, to).expect("a copy");
            set_owner(to, owner);
        }
    }
}

fn set_owner(file: &Path, owner: Option<&str>) {
    for (program, argument) in [Some(("chmod", "600")), owner.map(|owner| ("chown", owner))]
        .into_iter()
        .flatten()
    {
        let done = Command::new(program).arg(argument).arg(file).status();
        assert!(done.expect(program).success(), "{program} {argument}");
    }
}

/// The certificates of a server, one after the other in the same place.
pub struct Place {
    pub authority: Authority,
    pub other: Authority,
    pub right: Certificate,
    pub expired: Certificate,
    pub elsewhere: Certificate,
    /// Where the server reads them.
    served: Certificate,
    owner: Option<&'static str>,
    _directory: TempDir,
}

impl Place {
    /// `user` is whom the server runs as when the test is root.
    pub fn new(user: &'static str) -> Self {
        let authority = Authority::new("ours");
        let here = "DNS:localhost,IP:127.0.0.1,IP:0.0.0.0";
        let valid = ["20200101000000Z", "20790101000000Z"];
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("a mode");
        let place = Self {
            right: authority.sign("right", here, valid),
            expired: authority.sign("expired", here, ["20200101000000Z", "20210101000000Z"]),
            elsewhere: authority.sign("elsewhere", "DNS:db.example.org", valid),
            served: Certificate {
                certificate: directory.path().join("server.pem"),
                key: directory.path().join("server.key"),
            },
            other: Authority::new("another"),
            authority,
            owner: is_root().then_some(user),
            _directory: directory,
        };
        place.right.install(&place.served, place.owner);
        place
    }

    pub fn serve(&self, certificate: &Certificate) {
        certificate.install(&self.served, self.owner);
    }

    pub async fn start_postgres(&self) -> OwnPostgres {
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", self.served.certificate.display()),
            format!("ssl_key_file={}", self.served.key.display()),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        OwnPostgres::start(&settings, Vec::new()).await
    }

    pub async fn start_mariadb(&self) -> OwnMariadb {
        let options = [
            format!("--ssl-cert={}", self.served.certificate.display()),
            format!("--ssl-key={}", self.served.key.display()),
        ];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        OwnMariadb::start_with(&options).await
    }
}

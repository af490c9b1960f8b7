//! Certificates for servers of a test, made by `openssl`, and an authority that signs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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

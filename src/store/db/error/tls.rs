//! Why an encrypted connection did not come about. The reason stands inside of an I/O error, as
//! rustls gave it; none of its own text is shown, because it quotes what the server sent.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};
use sea_orm::sqlx;

/// What to do about `error`, if it is one of TLS.
pub(super) fn advice(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Io(error) => of_io(error),
        sqlx::Error::Tls(error) => match error.downcast_ref::<Error>() {
            Some(error) => Some(of_rustls(error)),
            None => Some(of_text(&error.to_string())),
        },
        _ => None,
    }
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    error.get_ref()?.downcast_ref().map(of_rustls)
}

/// sqlx has only text for what it finds out by itself.
fn of_text(text: &str) -> &'static str {
    if text == "server does not support TLS" {
        "the server offers no TLS, so that it was sent no password; switch TLS on at the server (ssl = on for \
         PostgreSQL, ssl_cert and ssl_key for MariaDB), or, only if nobody else can listen or answer on the way, \
         do without in [database] url (sslmode=disable for PostgreSQL, ssl-mode=DISABLED for MariaDB)"
    } else {
        BAD_FILE
    }
}

const BAD_FILE: &str = "a TLS file of [database] url cannot be used; the file of the authority \
     (sslrootcert or ssl-ca) and that of the certificate (sslcert or ssl-cert) hold certificates in \
     PEM, and that of the key (sslkey or ssl-key) the key of this certificate";

const UNKNOWN_AUTHORITY: &str = "the server's certificate is not signed by an authority that \
     retentiond knows; name the file with the authority's certificate in [database] url \
     (sslrootcert=FILE for PostgreSQL, ssl-ca=FILE for MariaDB)";

fn of_rustls(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        // The server says it: of our certificate.
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => {
            "the server refused the certificate of this client; set sslcert and sslkey (ssl-cert \
             and ssl-key for MariaDB) in [database] url to a certificate that the server accepts \
             and that has not expired"
        }
        Error::InconsistentKeys(_) | Error::NoCertificatesPresented => BAD_FILE,
        _ => {
            "no encrypted connection was possible: the server speaks no TLS 1.2 or 1.3 that \
             retentiond knows; check its TLS settings, and what stands between"
        }
    }
}

fn of_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; renew it at the server, and reload the server"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check the clock of this machine, or renew \
             the certificate"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host name than the one in [database] url; \
             connect by a name that it is for, or have the server's name put into it (subject \
             alternative name)"
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => UNKNOWN_AUTHORITY,
        CertificateError::Revoked => {
            "the server's certificate has been revoked; give the server another one"
        }
        _ => {
            "the server's certificate cannot be used; it must be one for servers in X.509 version 3, \
             signed by an authority, and not be the authority's own"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_io(error: Error) -> sqlx::Error {
        sqlx::Error::Io(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn a_reason_of_tls_is_found_wherever_sqlx_puts_it() {
        let expired = || Error::InvalidCertificate(CertificateError::Expired);
        for error in [in_io(expired()), sqlx::Error::Tls(Box::new(expired()))] {
            let said = advice(&error).expect("a sentence");
            assert!(said.contains("has expired"), "{said}");
        }
        let required = Error::AlertReceived(AlertDescription::CertificateRequired);
        let said = advice(&in_io(required)).expect("a sentence");
        assert!(said.contains("certificate of this client"), "{said}");
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(advice(&sqlx::Error::Io(refused)), None);
    }
}

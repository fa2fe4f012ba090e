//! Trusted authorities from files that variables name: `SSL_CERT_FILE` and `SSL_CERT_DIR` for everything, `AWS_CA_BUNDLE` for AWS alone. In: variables and
//! files. Out: what to trust, or a sentence that names the variable. Reads files.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} names {path:?}, which {reason}")]
pub struct BadCertificates {
    variable: &'static str,
    path: PathBuf,
    reason: String,
}

/// Checks what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; the TLS libraries read it themselves, and only warn. Returns the file.
pub fn check_system(
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<(&'static str, PathBuf)>, BadCertificates> {
    let folders = variable(FOLDERS).unwrap_or_default();
    for path in std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()) {
        if let Err(error) = fs::read_dir(&path) {
            return Err(BadCertificates { variable: FOLDERS, path, reason: format!("cannot be read: {error}") });
        }
    }
    let Some(path) = variable(FILE).map(PathBuf::from) else { return Ok(Vec::new()) };
    read(FILE, &path)?;
    Ok(vec![(FILE, path)])
}

/// Trusts the authorities in this file and no others.
pub fn bundle(variable: &'static str, path: &Path) -> Result<TlsContext, BadCertificates> {
    let store = TrustStore::empty().with_pem_certificate(read(variable, path)?);
    TlsContext::builder().with_trust_store(store).build().map_err(|error| BadCertificates {
        variable,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The text of a file that holds at least one certificate, and no certificate that is broken: the SDK panics if it meets one.
fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, BadCertificates> {
    let bad = |reason: String| BadCertificates { variable, path: path.to_owned(), reason };
    let text = fs::read(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| bad(format!("is not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| bad(format!("holds a certificate that cannot be used: {error}")))?;
    }
    if roots.is_empty() { Err(bad("holds no certificate in PEM format".to_owned())) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_refused_by_the_name_of_its_variable() {
        let folder = std::env::temp_dir().join(format!("certificates-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (name, content, says) in
            [("empty", "", "no certificate"), ("broken", broken, "cannot be used"), ("cut", &broken[..30], "PEM")]
        {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            let text = bundle("AWS_CA_BUNDLE", &path).unwrap_err().to_string();
            assert!(text.contains("AWS_CA_BUNDLE") && text.contains(name) && text.contains(says), "{text}");
        }
        let missing = folder.join("missing");
        for variable in [FILE, FOLDERS] {
            let value = |asked: &str| (asked == variable).then(|| missing.clone().into_os_string());
            let text = check_system(value).unwrap_err().to_string();
            assert!(text.contains(variable) && text.contains("missing"), "{text}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_with_certificates_is_trusted_and_nothing_is_asked_for_without_a_variable() {
        let folder = std::env::temp_dir().join(format!("trusted-{}", std::process::id()));
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&folder, own.cert.pem()).unwrap();
        bundle("AWS_CA_BUNDLE", &folder).unwrap();
        assert_eq!(
            check_system(|name| (name == FILE).then(|| folder.clone().into())).unwrap(),
            [(FILE, folder.clone())]
        );
        assert!(check_system(|_| None).unwrap().is_empty());
        fs::remove_file(&folder).unwrap();
    }
}

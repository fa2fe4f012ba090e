//! Trusted authorities from files that variables name: `SSL_CERT_FILE` and `SSL_CERT_DIR` for everything, `AWS_CA_BUNDLE` for AWS alone. In: variables and
//! files. Out: what to trust, or a sentence that names the variable. Reads files.

use std::{
    ffi::OsString,
    fmt, fs,
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

/// Which authorities are trusted, for the message about a certificate that none of them has signed.
#[derive(Clone, Debug)]
pub struct Trusted(String);

impl Trusted {
    /// Those that `who` names.
    pub fn only(who: &str) -> Self {
        Self(format!("only {who} is trusted"))
    }

    /// Those of this machine, or what the variables name in their place. `variables` would name the authority of a proxy.
    pub fn system(variable: impl Fn(&str) -> Option<OsString>, variables: &str) -> Self {
        let named = [FILE, FOLDERS].into_iter().filter_map(|name| Some(named(name, Path::new(&variable(name)?))));
        let named = named.collect::<Vec<_>>().join(" and ");
        if named.is_empty() {
            Self(format!(
                "only the authorities of this system are trusted: a proxy that inspects TLS needs its authority in {variables}"
            ))
        } else {
            Self(format!("only the authorities in {named} are trusted"))
        }
    }

    /// For another server, only what `who` names.
    #[must_use]
    pub fn besides(&self, who: &str, server: &str) -> Self {
        Self(format!("for {server} only {who} is trusted, and for the proxy {}", self.0))
    }

    /// Those in a file.
    pub fn file(file: &CertificateFile) -> Self {
        Self(format!("only the authorities in {} are trusted", named(file.variable, &file.path)))
    }
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn named(variable: &str, value: &Path) -> String {
    format!("{} ({variable})", value.display())
}

/// A file that was read at the start and that counts only then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFile {
    /// The variable that names it.
    pub variable: &'static str,
    path: PathBuf,
    text: Vec<u8>,
}

impl CertificateFile {
    fn read(variable: &'static str, path: PathBuf) -> Result<Self, BadCertificates> {
        Ok(Self { variable, text: read(variable, &path)?, path })
    }

    /// Whether the file holds other certificates now.
    ///
    /// # Errors
    /// It cannot be used now: a process that starts now would be refused.
    pub fn has_changed(&self) -> Result<bool, BadCertificates> {
        Ok(read(self.variable, &self.path)? != self.text)
    }
}

/// Checks what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; the TLS libraries read it themselves, and only warn. Returns the file.
pub fn check_system(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<CertificateFile>, BadCertificates> {
    let folders = variable(FOLDERS).unwrap_or_default();
    for path in std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()) {
        if let Err(error) = fs::read_dir(&path) {
            return Err(BadCertificates { variable: FOLDERS, path, reason: format!("cannot be read: {error}") });
        }
    }
    variable(FILE).map(|path| CertificateFile::read(FILE, path.into())).transpose()
}

/// Trusts the authorities in this file and no others.
pub fn bundle(variable: &'static str, path: PathBuf) -> Result<(TlsContext, CertificateFile), BadCertificates> {
    let file = CertificateFile::read(variable, path)?;
    let store = TrustStore::empty().with_pem_certificate(file.text.as_slice());
    match TlsContext::builder().with_trust_store(store).build() {
        Ok(context) => Ok((context, file)),
        Err(error) => Err(BadCertificates { variable, path: file.path, reason: error.to_string() }),
    }
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
            let text = bundle("AWS_CA_BUNDLE", path).unwrap_err().to_string();
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
        let path = std::env::temp_dir().join(format!("trusted-{}", std::process::id()));
        fs::write(&path, pem()).unwrap();
        bundle("AWS_CA_BUNDLE", path.clone()).unwrap();
        let file = check_system(|name| (name == FILE).then(|| path.clone().into())).unwrap().unwrap();
        assert_eq!((file.variable, &file.path), (FILE, &path));
        assert_eq!(check_system(|_| None).unwrap(), None);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_has_changed_if_it_holds_other_certificates_and_not_while_it_cannot_be_used() {
        let path = std::env::temp_dir().join(format!("changed-{}", std::process::id()));
        let first = pem();
        fs::write(&path, &first).unwrap();
        let (_, file) = bundle("AWS_CA_BUNDLE", path.clone()).unwrap();
        assert!(!file.has_changed().unwrap());
        fs::write(&path, "").unwrap();
        file.has_changed().unwrap_err();
        fs::remove_file(&path).unwrap();
        file.has_changed().unwrap_err();
        fs::write(&path, pem()).unwrap();
        assert!(file.has_changed().unwrap());
        fs::write(&path, &first).unwrap();
        assert!(!file.has_changed().unwrap());
        fs::remove_file(&path).unwrap();
    }

    fn pem() -> String {
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
    }
}

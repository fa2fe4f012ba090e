//! Trusted authorities from files that variables name: `SSL_CERT_FILE` and `SSL_CERT_DIR` for everything, `AWS_CA_BUNDLE` for AWS alone. In: variables and
//! files. Out: what to trust, or a sentence that names the variable. Reads files.

use std::{
    collections::{BTreeSet, hash_map::DefaultHasher},
    ffi::OsString,
    fmt, fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";
const NONE: &str = "holds no certificate in PEM format";

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
    #[must_use]
    pub fn only(who: &str) -> Self {
        Self(format!("only {who} is trusted"))
    }

    /// Those of this machine, or what the variables name in their place. `variables` would name the authority of a proxy.
    #[must_use]
    pub fn system(variable: impl Fn(&str) -> Option<OsString>, variables: &str) -> Self {
        let named = [FILE, FOLDERS].into_iter().filter_map(|name| Some(named(name, Path::new(&variable(name)?))));
        let named = named.collect::<Vec<_>>().join(" and ");
        let place = if named.is_empty() { "of this system".to_owned() } else { format!("in {named}") };
        Self(format!(
            "only the authorities {place} are trusted: a proxy that inspects TLS needs its authority in {variables}"
        ))
    }

    /// For another server, only what `who` names.
    #[must_use]
    pub fn besides(&self, who: &str, server: &str) -> Self {
        Self(format!("for {server} only {who} is trusted, and for the proxy {}", self.0))
    }

    /// Those in the file that a variable names.
    #[must_use]
    pub fn file(variable: &str, path: &Path) -> Self {
        Self(format!("only the authorities in {} are trusted", named(variable, path)))
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

/// Certificates that were read at the start and that count only then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The variable that names them.
    pub variable: &'static str,
    place: Place,
    seen: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Folders(Vec<PathBuf>),
}

impl Certificates {
    fn read(variable: &'static str, place: Place) -> Result<Self, BadCertificates> {
        Ok(Self { variable, seen: content(variable, &place)?, place })
    }

    /// Whether there are other certificates now.
    ///
    /// # Errors
    /// They cannot be used now: a process that starts now would be refused.
    pub fn have_changed(&self) -> Result<bool, BadCertificates> {
        Ok(content(self.variable, &self.place)? != self.seen)
    }
}

/// Checks what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; the TLS libraries read it themselves, and only warn.
pub fn check_system(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Certificates>, BadCertificates> {
    let folders = variable(FOLDERS).unwrap_or_default();
    let folders = std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
    let folders = (!folders.is_empty()).then(|| Certificates::read(FOLDERS, Place::Folders(folders)));
    let file = variable(FILE).map(|path| Certificates::read(FILE, Place::File(path.into())));
    folders.into_iter().chain(file).collect()
}

/// Trusts the authorities in this file and no others.
pub fn bundle(variable: &'static str, path: PathBuf) -> Result<(TlsContext, Certificates), BadCertificates> {
    let store = TrustStore::empty().with_pem_certificate(read(variable, &path)?);
    match TlsContext::builder().with_trust_store(store).build() {
        Ok(context) => Ok((context, Certificates::read(variable, Place::File(path))?)),
        Err(error) => Err(BadCertificates { variable, path, reason: error.to_string() }),
    }
}

/// Stands for what is there now.
fn content(variable: &'static str, place: &Place) -> Result<u64, BadCertificates> {
    let mut hasher = DefaultHasher::new();
    match place {
        Place::File(path) => read(variable, path)?.hash(&mut hasher),
        Place::Folders(paths) => folders(variable, paths)?.hash(&mut hasher),
    }
    Ok(hasher.finish())
}

/// The certificates in the files of these folders. What is no certificate does not count, as it does not for the TLS libraries.
fn folders(variable: &'static str, paths: &[PathBuf]) -> Result<BTreeSet<Vec<u8>>, BadCertificates> {
    let mut found = BTreeSet::new();
    for folder in paths {
        let bad =
            |error| BadCertificates { variable, path: folder.clone(), reason: format!("cannot be read: {error}") };
        for entry in fs::read_dir(folder).map_err(bad)? {
            let path = entry.map_err(bad)?.path();
            // Volumes have folders beside the links to files, and whatever is no file may not end.
            if !path.is_file() {
                continue;
            }
            let text = fs::read(path).unwrap_or_default();
            found.extend(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).map(|it| it.to_vec()));
        }
    }
    if found.is_empty() {
        let path = std::env::join_paths(paths).unwrap_or_default().into();
        return Err(BadCertificates { variable, path, reason: NONE.to_owned() });
    }
    Ok(found)
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
    if roots.is_empty() { Err(bad(NONE.to_owned())) } else { Ok(text) }
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
        let read = check_system(|name| (name == FILE).then(|| path.clone().into())).unwrap();
        assert_eq!(
            read.iter().map(|it| (it.variable, &it.place)).collect::<Vec<_>>(),
            [(FILE, &Place::File(path.clone()))]
        );
        assert_eq!(check_system(|_| None).unwrap(), []);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_has_changed_if_it_holds_other_certificates_and_not_while_it_cannot_be_used() {
        let path = std::env::temp_dir().join(format!("changed-{}", std::process::id()));
        let first = pem();
        fs::write(&path, &first).unwrap();
        let (_, file) = bundle("AWS_CA_BUNDLE", path.clone()).unwrap();
        assert!(!file.have_changed().unwrap());
        fs::write(&path, "").unwrap();
        file.have_changed().unwrap_err();
        fs::remove_file(&path).unwrap();
        file.have_changed().unwrap_err();
        fs::write(&path, pem()).unwrap();
        assert!(file.have_changed().unwrap());
        fs::write(&path, &first).unwrap();
        assert!(!file.have_changed().unwrap());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_folder_has_changed_if_it_holds_other_certificates_and_not_while_it_has_none() {
        let folder = std::env::temp_dir().join(format!("folder-{}", std::process::id()));
        let other = folder.join("other");
        fs::create_dir_all(&other).unwrap();
        let value = std::env::join_paths([&folder, &other]).unwrap();
        let check = || check_system(|name| (name == FOLDERS).then(|| value.clone()));
        let text = check().unwrap_err().to_string();
        assert!(text.contains("SSL_CERT_DIR") && text.contains("no certificate"), "{text}");
        let first = pem();
        fs::write(folder.join("a.pem"), &first).unwrap();
        let read = check().unwrap();
        let changed = || read[0].have_changed();
        fs::write(folder.join("notes"), "-----BEGIN CERTIFICATE-----\nAA").unwrap();
        assert!(!changed().unwrap());
        fs::rename(folder.join("a.pem"), other.join("b.pem")).unwrap();
        assert!(!changed().unwrap(), "the same certificate in another file");
        fs::write(folder.join("a.pem"), pem()).unwrap();
        assert!(changed().unwrap());
        fs::remove_file(folder.join("a.pem")).unwrap();
        assert!(!changed().unwrap());
        fs::remove_file(other.join("b.pem")).unwrap();
        changed().unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        changed().unwrap_err();
    }

    fn pem() -> String {
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
    }
}

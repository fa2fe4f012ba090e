//! Trusted authorities from files that variables name: `SSL_CERT_FILE` and `SSL_CERT_DIR` for everything, `AWS_CA_BUNDLE` for AWS alone. In: variables and
//! files. Out: what to trust, or a sentence that names the variable. Reads files.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    ffi::{OsStr, OsString},
    fmt, fs,
    hash::{Hash, Hasher},
    io,
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
        let of = |name| variable(name).filter(|value| split(value).next().is_some());
        let named = [FILE, FOLDERS].into_iter().filter_map(|name| Some(named(name, Path::new(&of(name)?))));
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
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Folders(Vec<PathBuf>),
}

/// What a place holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Stands for what was read.
    hash: u64,
    /// Files in folders that could not be used, and why: the TLS libraries pass them over.
    passed_over: BTreeMap<PathBuf, String>,
}

impl Seen {
    fn of(content: impl Hash, passed_over: BTreeMap<PathBuf, String>) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Self { hash: hasher.finish(), passed_over }
    }
}

impl Certificates {
    fn read(variable: &'static str, place: Place) -> Result<Self, BadCertificates> {
        Ok(Self { variable, seen: look(variable, &place)?, place })
    }

    /// Whether there are other certificates now.
    ///
    /// # Errors
    /// They cannot be used now: a process that starts now would be refused, or would do without a file that is perhaps being written.
    pub fn have_changed(&self) -> Result<bool, BadCertificates> {
        let Seen { hash, passed_over } = look(self.variable, &self.place)?;
        match passed_over.into_iter().find(|(path, _)| !self.seen.passed_over.contains_key(path)) {
            Some((path, reason)) => Err(BadCertificates { variable: self.variable, path, reason }),
            None => Ok(hash != self.seen.hash),
        }
    }
}

/// Checks what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; the TLS libraries read it themselves, and only warn.
pub fn check_system(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Certificates>, BadCertificates> {
    let folders = split(&variable(FOLDERS).unwrap_or_default()).collect::<Vec<_>>();
    let folders = (!folders.is_empty()).then(|| Certificates::read(FOLDERS, Place::Folders(folders)));
    let file = variable(FILE).map(|path| Certificates::read(FILE, Place::File(path.into())));
    folders.into_iter().chain(file).collect()
}

/// The paths in a variable; the TLS libraries pass empty ones over.
fn split(paths: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty())
}

/// Trusts the authorities in this file and no others.
pub fn bundle(variable: &'static str, path: PathBuf) -> Result<(TlsContext, Certificates), BadCertificates> {
    let text = read(variable, &path)?;
    let seen = Seen::of(&text, BTreeMap::new());
    match TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(text)).build() {
        Ok(context) => Ok((context, Certificates { variable, place: Place::File(path), seen })),
        Err(error) => Err(BadCertificates { variable, path, reason: error.to_string() }),
    }
}

fn look(variable: &'static str, place: &Place) -> Result<Seen, BadCertificates> {
    match place {
        Place::File(path) => Ok(Seen::of(read(variable, path)?, BTreeMap::new())),
        Place::Folders(paths) => folders(variable, paths),
    }
}

/// The certificates in the files of these folders.
fn folders(variable: &'static str, paths: &[PathBuf]) -> Result<Seen, BadCertificates> {
    let (mut found, mut passed_over) = (BTreeSet::new(), BTreeMap::new());
    for folder in paths {
        let bad = |error| BadCertificates { variable, path: folder.clone(), reason: unreadable(&error) };
        for entry in fs::read_dir(folder).map_err(bad)? {
            let path = entry.map_err(bad)?.path();
            let (certificates, wrong) = in_file(&path);
            found.extend(certificates);
            passed_over.extend(wrong.map(|wrong| (path, wrong)));
        }
    }
    if found.is_empty() {
        let path = std::env::join_paths(paths).unwrap_or_default().into();
        return Err(BadCertificates { variable, path, reason: NONE.to_owned() });
    }
    Ok(Seen::of(found, passed_over))
}

/// The certificates in a file of a folder, and why it cannot be used as it is.
fn in_file(path: &Path) -> (Vec<Vec<u8>>, Option<String>) {
    let text = match fs::metadata(path) {
        Ok(file) if file.is_file() => fs::read(path),
        // Volumes have folders beside the links to files, and whatever is no file may not end.
        Ok(_) => return (Vec::new(), None),
        Err(error) => Err(error),
    };
    match text {
        // As a file is at first when another is copied onto it.
        Ok(text) if text.is_empty() => (Vec::new(), Some("is empty".to_owned())),
        Ok(text) => parse(&text),
        // A link that leads nowhere, or a file that has just been removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(unreadable(&error))),
    }
}

/// The text of a file that holds at least one certificate, and no certificate that is broken: the SDK panics if it meets one.
fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, BadCertificates> {
    let bad = |reason: String| BadCertificates { variable, path: path.to_owned(), reason };
    let text = fs::read(path).map_err(|error| bad(unreadable(&error)))?;
    match parse(&text) {
        (_, Some(reason)) => Err(bad(reason)),
        (certificates, None) if certificates.is_empty() => Err(bad(NONE.to_owned())),
        (_, None) => Ok(text),
    }
}

/// The certificates that can be used, and what is wrong with the last of those that cannot.
fn parse(text: &[u8]) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut certificates, mut wrong) = (Vec::new(), None);
    for certificate in CertificateDer::pem_slice_iter(text) {
        match certificate.map(|it| (RootCertStore::empty().add(it.clone()), it)) {
            Ok((Ok(()), certificate)) => certificates.push(certificate.to_vec()),
            Ok((Err(error), _)) => wrong = Some(format!("holds a certificate that cannot be used: {error}")),
            Err(error) => wrong = Some(format!("is not PEM: {error}")),
        }
    }
    (certificates, wrong)
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
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
        fs::write(folder.join("notes"), "The authorities of example.com").unwrap();
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

    #[test]
    fn a_folder_has_not_changed_while_one_of_its_files_cannot_be_used_although_another_can() {
        let folder = std::env::temp_dir().join(format!("one-of-two-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (first, second) = (folder.join("first.pem"), folder.join("second.pem"));
        let (whole, next) = (pem(), pem());
        fs::write(&first, &whole).unwrap();
        fs::write(&second, pem()).unwrap();
        let check = || check_system(|name| (name == FOLDERS).then(|| folder.clone().into())).unwrap();
        let read = check();
        let changed = || read[0].have_changed();
        for (cut, says) in [(0, "is empty"), (60, "is not PEM"), (whole.len() - 30, "is not PEM")] {
            fs::write(&first, &whole[..cut]).unwrap();
            let text = changed().unwrap_err().to_string();
            assert!(text.contains("SSL_CERT_DIR") && text.contains("first.pem") && text.contains(says), "{text}");
        }
        let other = check();
        assert!(!other[0].have_changed().unwrap(), "a file that was passed over at the start still is");
        fs::write(&first, &whole).unwrap();
        assert!(!changed().unwrap() && other[0].have_changed().unwrap());
        fs::write(&first, whole.clone() + &next[..60]).unwrap();
        changed().unwrap_err();
        fs::write(&first, whole + &next).unwrap();
        assert!(changed().unwrap());
        fs::remove_file(&first).unwrap();
        assert!(changed().unwrap(), "a file that is removed counts");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_variable_without_a_path_is_not_said_to_name_authorities() {
        for empty in ["", ":"] {
            let text = Trusted::system(|name| (name == FOLDERS).then(|| empty.into()), "AWS_CA_BUNDLE").to_string();
            assert!(text.starts_with("only the authorities of this system are trusted"), "{text}");
        }
    }

    fn pem() -> String {
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
    }
}

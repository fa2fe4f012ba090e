//! Keys, certificates and kubeconfigs of one control plane. In: a folder. Out: files in it. Writes them; nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use crate::error::{Error, Result};
use crate::random;

/// The secret of the one user of the static token file, a member of `system:masters`.
pub(super) struct AdminToken(String);

impl AdminToken {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes all files that kube-apiserver needs: `ca.crt`, `tls.crt`, `tls.key`, `sa.key`, `sa.pub`, `tokens.csv`; also `client.crt` and `client.key`, with
/// which the admin proves its name without a token.
pub(super) fn write(folder: &Path) -> Result<AdminToken> {
    let put = |name: &str, content: String| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(Error::io("write", &path))
    };
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate()?;
    put("ca.crt", authority.self_signed(&authority_key)?.pem())?;

    let serving_key = KeyPair::generate()?;
    let issuer = Issuer::new(authority, authority_key);
    let names = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
    put("tls.crt", names.signed_by(&serving_key, &issuer)?.pem())?;
    put("tls.key", serving_key.serialize_pem())?;

    let client_key = KeyPair::generate()?;
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "admin");
    client.distinguished_name.push(DnType::OrganizationName, "system:masters");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    put("client.crt", client.signed_by(&client_key, &issuer)?.pem())?;
    put("client.key", client_key.serialize_pem())?;

    let service_accounts = KeyPair::generate()?;
    put("sa.key", service_accounts.serialize_pem())?;
    put("sa.pub", service_accounts.public_key_pem())?;

    let token = AdminToken(random::hex::<16>()?);
    put("tokens.csv", format!("{},admin,admin,system:masters\n", token.as_str()))?;
    Ok(token)
}

/// Writes `<name>.kubeconfig` for the holder of the token, with a default namespace. JSON is YAML.
pub(super) fn kubeconfig(folder: &Path, name: &str, namespace: &str, server: &str, token: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.kubeconfig"));
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name, "namespace": namespace}}],
        "current-context": "testbed",
    });
    fs::write(&path, format!("{content:#}\n")).map_err(Error::io("write", &path))?;
    Ok(path)
}

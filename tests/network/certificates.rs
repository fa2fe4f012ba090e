//! A proxy that inspects TLS with an authority of its own: what each variable for certificates does, at the address of AWS itself.

use testbed::{Authority, ForwardProxy, Operator, OperatorBuilder, Result, Testbed};

use crate::steps;

/// Where CloudFront is for everybody; the proxy leads to the simulator.
const AWS: &str = "https://cloudfront.amazonaws.com";

/// A bed, a proxy before its CloudFront, and a file with the proxy's authority.
async fn inspected() -> Result<(Testbed, ForwardProxy, String)> {
    let bed = steps::bed().await?;
    let authority = Authority::new()?;
    let file = steps::file(&bed, "authority.pem", authority.pem()).to_string_lossy().into_owned();
    let proxy = ForwardProxy::inspecting(authority, steps::address(&bed)).await?;
    Ok((bed, proxy, file))
}

fn behind(bed: &Testbed, proxy: &ForwardProxy) -> OperatorBuilder {
    let url = format!("http://{}", proxy.address());
    steps::operator(bed, AWS).env("HTTPS_PROXY", url).env("NO_PROXY", "127.0.0.1")
}

#[tokio::test]
async fn the_authority_in_aws_ca_bundle_is_trusted_and_a_change_of_the_file_ends_the_process() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let mut operator = behind(&bed, &proxy).env("AWS_CA_BUNDLE", &file).start().await?;
    steps::works(&bed).await?;
    assert!(proxy.asked().contains(&"CONNECT cloudfront.amazonaws.com:443 200".to_owned()), "{:?}", proxy.asked());
    std::fs::write(&file, "").expect("it can be written");
    steps::says(operator.log(), "which holds no certificate in PEM format", 1).await?;
    assert!(operator.process().is_running());
    std::fs::write(&file, Authority::new()?.pem()).expect("it can be written");
    let status = operator.process().wait_exit(steps::PATIENCE).await?;
    assert!(!status.success());
    let text = steps::text(operator.log());
    assert!(text.contains("the certificates that AWS_CA_BUNDLE names have changed"), "{text}");
    Ok(())
}

#[tokio::test]
async fn the_authority_in_ssl_cert_file_is_trusted() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let _operator = behind(&bed, &proxy).env("SSL_CERT_FILE", &file).start().await?;
    steps::works(&bed).await
}

#[tokio::test]
async fn the_authority_in_ca_bundle_of_the_profile_is_trusted() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let config = steps::file(&bed, "config", &format!("[profile behind-proxy]\nca_bundle = {file}\n"));
    let operator = behind(&bed, &proxy).env("AWS_CONFIG_FILE", config.to_string_lossy());
    let _operator = operator.env("AWS_PROFILE", "behind-proxy").start().await?;
    steps::works(&bed).await
}

#[tokio::test]
async fn a_ca_bundle_of_the_profile_that_comes_late_or_changes_ends_the_process_once_it_can_be_used() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let config = steps::file(&bed, "late", "");
    std::fs::remove_file(&config).expect("it is there");
    let settings =
        |bundle: &str| std::fs::write(&config, format!("[default]\nca_bundle = {bundle}\n")).expect("written");
    let operator = || behind(&bed, &proxy).env("AWS_CONFIG_FILE", config.to_string_lossy()).start();
    let mut first = operator().await?;
    steps::create(&bed).await?;
    steps::settled(&bed, "ServiceUnavailable").await?;
    let next = steps::file(&bed, "next.pem", "");
    settings(&next.to_string_lossy());
    steps::says(first.log(), "which holds no certificate in PEM format", 1).await?;
    assert!(first.process().is_running());
    std::fs::copy(&file, &next).expect("it can be copied");
    ends_because_of_the_profile(&mut first).await?;

    let mut second = operator().await?;
    steps::settled(&bed, "Deployed").await?;
    std::fs::write(&config, "").expect("it can be written");
    steps::says(second.log(), "(AWS_CONFIG_FILE) cannot be read or is empty", 1).await?;
    assert!(second.process().is_running());
    settings(&file);
    ends_because_of_the_profile(&mut second).await
}

async fn ends_because_of_the_profile(operator: &mut Operator) -> Result<()> {
    let status = operator.process().wait_exit(steps::PATIENCE).await?;
    let text = steps::text(operator.log());
    assert!(!status.success() && text.contains("ca_bundle of the AWS profile has changed"), "{text}");
    Ok(())
}

#[tokio::test]
async fn the_authorities_in_ssl_cert_dir_are_trusted_and_a_change_of_its_files_ends_the_process() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let folder = bed.control_plane.folder().join(format!("authorities-{}", bed.namespace));
    std::fs::create_dir(&folder).expect("it can be created");
    std::fs::copy(&file, folder.join("authority.pem")).expect("it can be copied");
    let mut operator = behind(&bed, &proxy).env("SSL_CERT_DIR", folder.to_string_lossy()).start().await?;
    steps::works(&bed).await?;
    std::fs::remove_file(folder.join("authority.pem")).expect("it is there");
    steps::says(operator.log(), "which holds no certificate in PEM format", 1).await?;
    assert!(operator.process().is_running());
    std::fs::write(folder.join("next.pem"), Authority::new()?.pem()).expect("it can be written");
    let status = operator.process().wait_exit(steps::PATIENCE).await?;
    let text = steps::text(operator.log());
    assert!(!status.success() && text.contains("the certificates that SSL_CERT_DIR names have changed"), "{text}");
    Ok(())
}

#[tokio::test]
async fn aws_ca_bundle_replaces_the_other_authorities_as_it_does_for_the_aws_cli() -> Result<()> {
    let (bed, proxy, file) = inspected().await?;
    let other = steps::file(&bed, "other.pem", Authority::new()?.pem());
    let operator = behind(&bed, &proxy).env("SSL_CERT_FILE", &file).env("AWS_CA_BUNDLE", other.to_string_lossy());
    let _operator = operator.start().await?;
    steps::create(&bed).await?;
    let message = steps::settled(&bed, "ServiceUnavailable").await?;
    assert!(message.contains("invalid peer certificate"), "{message}");
    assert!(bed.simulator.admin.requests(0).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_no_trusted_authority_has_signed_is_reported_with_the_variable_that_names_them() -> Result<()>
{
    let (bed, proxy, _) = inspected().await?;
    let other = steps::file(&bed, "other.pem", Authority::new()?.pem()).to_string_lossy().into_owned();
    // The image sets `SSL_CERT_FILE`, so a Pod without a bundle sees this, too.
    let inspecting = "a proxy that inspects TLS needs its authority in AWS_CA_BUNDLE or SSL_CERT_FILE";
    let host = format!("cloudfront.amazonaws.com through the proxy http://{}", proxy.address());
    for (variable, trusted) in [
        ("AWS_CA_BUNDLE", format!("only the authorities in {other} (AWS_CA_BUNDLE) are trusted")),
        ("SSL_CERT_FILE", format!("only the authorities in {other} (SSL_CERT_FILE) are trusted: {inspecting}")),
        ("UNSET", format!("only the authorities of this system are trusted: {inspecting}")),
    ] {
        let bed = steps::bed().await?;
        let _operator = behind(&bed, &proxy).env(variable, &other).start().await?;
        steps::create(&bed).await?;
        let message = steps::settled(&bed, "ServiceUnavailable").await?;
        let cause = format!("{host}: invalid peer certificate: ");
        assert!(message.contains(&cause) && message.contains(&trusted), "{variable}: {message}");
    }
    Ok(())
}

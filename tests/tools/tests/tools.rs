//! Where the control plane's binaries come from. Runs `tools`.

use std::error::Error;
use std::fs;
use std::process::Command;

use testbed::RunFolder;

#[test]
fn prebuilt_binaries_take_precedence_and_a_missing_one_is_named() -> Result<(), Box<dyn Error>> {
    let folder = RunFolder::create()?;
    let ask = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tools")).args(words).env("KUBEBUILDER_ASSETS", folder.path()).output()
    };

    for name in ["etcd", "kubectl", "kube-controller-manager", "helm"] {
        fs::write(folder.path().join(name), "")?;
    }
    let answer = ask(&[])?;
    assert_eq!(answer.status.code(), Some(1));
    let sentence = String::from_utf8(answer.stderr)?;
    let expected = format!("KUBEBUILDER_ASSETS is {}, and there is no kube-apiserver in it", folder.path().display());
    assert!(sentence.contains(&expected), "{sentence}");

    fs::write(folder.path().join("kube-apiserver"), "")?;
    for name in ["kube-controller-manager", "helm"] {
        fs::remove_file(folder.path().join(name))?;
    }
    let answer = ask(&["control-plane"])?;
    assert_eq!(String::from_utf8(answer.stdout)?.trim(), folder.path().to_string_lossy());
    assert!(String::from_utf8(ask(&[])?.stderr)?.contains("no kube-controller-manager, no helm in it"));
    assert_eq!(ask(&["everything"])?.status.code(), Some(2));
    Ok(())
}

#[test]
fn without_go_it_reports_what_is_needed() -> Result<(), Box<dyn Error>> {
    let folder = RunFolder::create()?;
    // A target folder of its own, in which nothing is built: the binary searches beside itself.
    let profile = folder.path().join("target/debug");
    fs::create_dir_all(&profile)?;
    let tools = profile.join("tools");
    // A link, not a copy: a file that is being written cannot be executed, and another test may hold the copy open for a moment.
    fs::hard_link(env!("CARGO_BIN_EXE_tools"), &tools)?;
    let answer = Command::new(tools).env_clear().env("PATH", folder.path()).output()?;
    assert_eq!(answer.status.code(), Some(1));
    let sentence = String::from_utf8(answer.stderr)?;
    let expected = "Go 1.26.0 or later is needed to build etcd, kube-apiserver, kubectl, kube-controller-manager, helm, and `go` cannot be run";
    assert!(sentence.contains(expected), "{sentence}");
    Ok(())
}

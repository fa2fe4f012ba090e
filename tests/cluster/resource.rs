//! The resource as kubectl shows it: defaults, explanations, columns, selectors, and the CRD file that is installed.
//! No operator runs here.

use serde_json::{Value, json};
use testbed::Result;

use crate::steps;

#[tokio::test]
async fn an_empty_spec_shows_its_defaults_and_an_unreconciled_object_reports_that() -> Result<()> {
    let bed = steps::bed().await?;
    bed.apply(&steps::manifest("edge", &json!({})).to_string()).await?;
    let shown = bed.kubectl(&["get", "cfcg", "edge", "-o", "json"]).await?;
    let shown: Value = serde_json::from_str(&shown).expect("kubectl prints JSON");
    let defaults = json!({
        "enabled": true,
        "ipv6Enabled": true,
        "mode": "Manage",
        "adoptionPolicy": "Never",
        "deletionPolicy": "Delete",
        "deletionProtection": false,
        "suspend": false,
    });
    assert_eq!(shown["spec"], defaults);
    assert_eq!(shown["status"], json!({ "observedGeneration": -1, "status": "NoGroupKnown" }));
    Ok(())
}

#[tokio::test]
async fn kubectl_explain_has_a_sentence_for_every_field() -> Result<()> {
    let bed = steps::bed().await?;
    let shown = bed.kubectl(&["get", "crd", "connectiongroups.cloudfront.kube-operators.dev", "-o", "json"]).await?;
    let shown: Value = serde_json::from_str(&shown).expect("kubectl prints JSON");
    let properties = &shown["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    for part in ["spec", "status"] {
        let fields = properties[part]["properties"].as_object().expect("the schema has fields");
        assert!(fields.len() >= 10, "{part}: {fields:?}");
        let explained = steps::explained(&bed, part).await?;
        for field in fields.keys() {
            let mut lines = explained.lines().skip_while(|line| !line.starts_with(&format!("  {field}\t<")));
            assert!(lines.next().is_some(), "{part}.{field} is not in:\n{explained}");
            let described = lines.find(|line| !line.starts_with("  enum: ") && !line.starts_with("  required: "));
            let words = described.filter(|line| line.starts_with("    ")).map_or(0, |line| line.split(' ').count());
            assert!(words > 4 + 3, "{part}.{field} has no sentence in:\n{explained}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_get_has_the_columns_that_users_need() -> Result<()> {
    let bed = steps::bed().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let header = async |args: &[&str]| -> Result<Vec<String>> {
        let table = bed.kubectl(args).await?;
        let header = table.lines().next().unwrap_or_default().to_owned();
        Ok(header.split_whitespace().map(ToOwned::to_owned).collect())
    };
    assert_eq!(header(&["get", "cfcg"]).await?, ["NAME", "READY", "REASON", "STATUS", "ENABLED", "ENDPOINT", "AGE"]);
    let wide = header(&["get", "connectiongroup", "-o", "wide"]).await?;
    assert_eq!(wide.get(7..), Some(&["ID", "ETAG", "ANYCAST", "IPV6", "MESSAGE"].map(str::to_owned)[..]));
    Ok(())
}

#[tokio::test]
async fn objects_are_found_by_group_name_and_by_the_category_aws() -> Result<()> {
    let bed = steps::bed().await?;
    steps::create(&bed, "named", json!({ "name": "edge" })).await?;
    steps::create(&bed, "unnamed", json!({})).await?;
    let found = bed.kubectl(&["get", "cfcg", "--field-selector", "spec.name=edge", "-o", "name"]).await?;
    assert_eq!(found.trim(), "connectiongroup.cloudfront.kube-operators.dev/named");
    let of_category = bed.kubectl(&["get", "aws", "-o", "name"]).await?;
    assert_eq!(of_category.lines().count(), 2, "{of_category}");
    Ok(())
}

#[tokio::test]
async fn the_crd_in_the_repository_is_the_one_that_the_binary_prints() -> Result<()> {
    let printed = tokio::process::Command::new(testbed::find("connection-group-operator")?).arg("crd").output().await;
    let printed = String::from_utf8(printed.expect("the binary runs").stdout).expect("YAML is text");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/connectiongroups.yaml");
    let shipped = std::fs::read_to_string(path).expect("the CRD is in the repository");
    assert!(printed == shipped, "run: make generate");
    Ok(())
}

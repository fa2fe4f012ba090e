//! `docs/reasons.md` and `docs/runbook.md`: whatever reason a condition shows has its section, and each section says whether traffic is affected.

use super::{Names, OF_ITS_OWN, read, reasons_of_ready, section};

/// Reasons that a condition can have.
fn reasons() -> Names {
    reasons_of_ready().into_iter().chain(OF_ITS_OWN.map(|reason| reason.as_str().to_owned())).collect()
}

#[test]
fn every_reason_of_a_condition_has_its_section_and_no_other_has() {
    let part = section("docs/reasons.md", "## Reasons");
    let told = part.lines().filter_map(|line| line.strip_prefix("### ")).map(ToOwned::to_owned).collect::<Names>();
    assert_eq!(told, reasons());
}

#[test]
fn every_section_on_a_reason_says_what_it_means_whether_traffic_is_affected_what_to_check_and_what_to_do() {
    for reason in reasons() {
        let text = section("docs/reasons.md", &format!("### {reason}"));
        for part in ["**Meaning.**", "**Traffic.**", "**Check.**", "**Do.**"] {
            assert_eq!(text.matches(part).count(), 1, "{part} in {reason}");
        }
    }
}

#[test]
fn every_section_on_an_alert_says_what_it_means_whether_traffic_is_affected_and_what_to_do() {
    let part = section("docs/runbook.md", "## Alerts");
    let alerts = part.split("\n### ").skip(1).collect::<Vec<_>>();
    assert!(alerts.len() > 10, "the sections were not found");
    for text in alerts {
        for part in ["**Meaning.**", "**Traffic.**", "**Impact.**", "**Diagnosis.**", "**Fix.**", "**Escalation.**"] {
            assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
        }
    }
}

#[test]
fn a_command_that_edits_the_spec_edits_a_field_that_exists() {
    let schema = super::spec_schema();
    let pages = ["runbook", "reasons", "troubleshoot", "emergency"].map(|page| read(&format!("docs/{page}.md")));
    for rest in pages.iter().flat_map(|text| text.split(r#"{"spec":{""#).skip(1)) {
        let field = rest.split('"').next().unwrap_or_default();
        assert!(schema.contains_key(field), "{field}");
    }
}

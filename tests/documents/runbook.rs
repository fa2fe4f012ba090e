//! `docs/runbook.md`: whatever reason a condition shows has its section.

use super::{Names, OF_ITS_OWN, read, reasons_of_ready, section};

/// Reasons that a condition can have.
fn reasons() -> Names {
    reasons_of_ready().into_iter().chain(OF_ITS_OWN.map(|reason| reason.as_str().to_owned())).collect()
}

#[test]
fn every_reason_of_a_condition_has_its_section_and_no_other_has() {
    let part = section("docs/runbook.md", "## Reasons");
    let told = part.lines().filter_map(|line| line.strip_prefix("### ")).map(ToOwned::to_owned).collect::<Names>();
    assert_eq!(told, reasons());
}

#[test]
fn every_section_on_a_reason_says_what_it_means_what_to_check_and_what_to_do() {
    for reason in reasons() {
        let text = section("docs/runbook.md", &format!("### {reason}"));
        for part in ["**Meaning.**", "**Check.**", "**Do.**"] {
            assert_eq!(text.matches(part).count(), 1, "{part} in {reason}");
        }
    }
}

#[test]
fn a_command_that_edits_the_spec_edits_a_field_that_exists() {
    let schema = super::spec_schema();
    let text = read("docs/runbook.md");
    for rest in text.split(r#"{"spec":{""#).skip(1) {
        let field = rest.split('"').next().unwrap_or_default();
        assert!(schema.contains_key(field), "{field}");
    }
}

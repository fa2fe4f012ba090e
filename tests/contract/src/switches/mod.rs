//! What a target does where AWS's documentation is silent. In: a target, and optionally an Anycast list to use. Out: one answer for each switch of
//! the simulator, in the words of that switch. Talks to the target; creates one group and leaves it to the clean-up.

mod probes;
pub mod raw;

use std::time::Duration;

use cloudfront_simulator::Switches;
use serde::Serialize;

use self::probes::Probe;
use crate::{cloud::Cloud, target::Broken};

pub use self::raw::Raw;

/// What was found out about a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the target did, as the value of the switch that makes the simulator do the same.
    Seen(String),
    /// It was tried, and the answer was not one that the switch knows.
    Unclear(String),
    /// Why not.
    NotTried(&'static str),
}

impl From<Result<Answer, Broken>> for Answer {
    fn from(tried: Result<Answer, Broken>) -> Self {
        tried.unwrap_or_else(|broken| Self::Unclear(broken.to_string()))
    }
}

/// One switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub switch: &'static str,
    /// The simulator's default.
    pub assumed: String,
    /// What the target does.
    pub answer: Answer,
}

/// The value of a switch as flags and the admin path write it.
fn text(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

fn seen(value: impl Serialize) -> Answer {
    Answer::Seen(text(&value))
}

/// A measured duration, not to the millisecond.
fn span(measured: Duration) -> Answer {
    let rounded = Duration::from_millis(u64::try_from(measured.as_millis()).unwrap_or(u64::MAX) / 100 * 100);
    Answer::Seen(humantime::format_duration(rounded).to_string())
}

macro_rules! answers {
    ($($switch:ident: $answer:expr),+ $(,)?) => {{
        // Before the names of the switches hide those of the answers.
        let answers = [$(Answer::from($answer)),+];
        // Without `..`: a switch that has no answer does not compile.
        let Switches { $($switch),+ } = Switches::DEFAULT;
        let rows = [$((stringify!($switch), text(&$switch))),+];
        rows.into_iter().zip(answers).map(|((switch, assumed), answer)| Row { switch, assumed, answer }).collect()
    }};
}

const NEEDS_A_LIST: &str = "needs an Anycast IP list, which is expensive: --anycast-ip-list names one to use";
const NEEDS_A_DISTRIBUTION: &str = "needs a multi-tenant distribution to fall back on";
const MORE_LISTS: &str = "would take further Anycast IP lists, which are expensive";

/// Determines everything that one group can show.
///
/// # Errors
/// If that group cannot be created.
pub async fn ask(cloud: &mut Cloud, raw: &Raw, list: Option<&str>) -> Result<Vec<Row>, Broken> {
    let probe = Probe::begin(cloud, raw).await?;
    // From here on in this order: each probe takes the group as the previous one has left it.
    let get_echoes_tags = probe.get_echoes_tags().await;
    let update_in_progress = probe.update_in_progress().await;
    let (propagation, read_lag) = probe.update().await;
    let (tag_lag, tags_move_etag) = probe.tags().await;
    let tags_per_resource = probe.tags_per_resource().await;
    let implausible_if_match = probe.implausible_if_match().await;
    let write_precedence = probe.write_precedence().await;
    let write_by = probe.write_by().await;
    let if_match_star = probe.if_match_star().await;
    let empty_update = probe.empty_update().await;
    let unknown_filter = probe.unknown_filter().await;
    let page_size = probe.page_size().await;
    let (oversized_page, page_size_max) = probe.oversized_page().await;
    let (omission_detaches, detach) = match list {
        Some(list) => probe.detach(list).await,
        None => (Ok(Answer::NotTried(NEEDS_A_LIST)), Ok(Answer::NotTried(NEEDS_A_LIST))),
    };
    let delete_in_progress = probe.delete_in_progress().await;
    Ok(answers! {
        account_id: probe.account_id,
        seed: Answer::NotTried("the simulator's own: AWS's ids come from nowhere"),
        propagation: propagation,
        status_flap: Answer::NotTried("no read tells how long a status will last"),
        read_lag: read_lag,
        tag_lag: tag_lag,
        list_lag: Answer::NotTried("would take changes that nothing else is measured by"),
        tenant_lag: Answer::NotTried("would take a distribution tenant with a domain and a certificate"),
        past_versions: Answer::NotTried("the simulator's own: how much it keeps to answer from"),
        name_reuse_delay: Answer::NotTried("would take a second group of the same name"),
        groups_per_account: Answer::NotTried("would take as many groups as the account may have"),
        groups_per_list: Answer::NotTried("would take more than one group"),
        lists_per_account: Answer::NotTried(MORE_LISTS),
        tags_per_resource: tags_per_resource,
        page_size: page_size,
        page_size_max: page_size_max,
        oversized_page: oversized_page,
        unknown_filter: unknown_filter,
        names: probe.names,
        write_by: write_by,
        create_enabled: probe.create_enabled,
        list_address_type: Answer::NotTried(MORE_LISTS),
        create_precedence: Answer::NotTried("would take as many groups as the account may have"),
        update_in_progress: update_in_progress,
        delete_in_progress: delete_in_progress,
        disable_with_tenants: Answer::NotTried("would take a distribution tenant with a domain and a certificate"),
        empty_update: empty_update,
        detach: detach,
        omission_detaches: omission_detaches,
        omission_clears: Answer::NotTried(NEEDS_A_DISTRIBUTION),
        default_group_deletion: Answer::NotTried("the default group is not ours to delete"),
        unknown_list: Answer::NotTried(MORE_LISTS),
        full_list: Answer::NotTried(MORE_LISTS),
        ipv6_on_ipv4_list: Answer::NotTried(MORE_LISTS),
        done_answer: Answer::NotTried("each success counts, whatever its status"),
        write_precedence: write_precedence,
        if_match_star: if_match_star,
        implausible_if_match: implausible_if_match,
        tags_move_etag: tags_move_etag,
        create_echoes_tags: probe.create_echoes_tags,
        get_echoes_tags: get_echoes_tags,
        left_out: Answer::NotTried("every answer of the suite shows it"),
        rate: Answer::NotTried("would throttle everybody else in the account"),
        burst: Answer::NotTried("would throttle everybody else in the account"),
        throttling: Answer::NotTried("would throttle everybody else in the account"),
    })
}

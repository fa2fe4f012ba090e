//! Reads that lag by most of a consistency window, each operation by its own time, and a roll-out of minutes, in the proportions of the real CloudFront. Reconciles
//! and lists run when the operator would run them, second by second. In: an account whose reads lag. Out: what was sent and reported.

use std::time::Duration;

use cloudfront_simulator::{
    Millis, Switches,
    admin::{GroupPatch, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::Mode,
    cloudfront::{
        ErrorClass,
        Operation::{self, CreateConnectionGroup, DeleteConnectionGroup, TagResource, UpdateConnectionGroup},
    },
    reconcile::Event,
};
use port::Fault;

use crate::world::{World, spec};

/// The ways in which reads may lag, all below the consistency window of a minute: Get, lists, tags, tenants.
const LAGS: [[u64; 4]; 5] = [[40, 50, 50, 50], [50, 20, 5, 55], [0, 50, 0, 0], [50, 0, 0, 0], [5, 5, 55, 5]];

/// Long enough for the slowest lifecycle below.
const LONG: Duration = Duration::from_mins(15);

/// A world whose reads lag.
struct Life {
    world: World,
    lags: [u64; 4],
}

impl Life {
    fn new(lags: [u64; 4]) -> Self {
        let [read_lag, list_lag, tag_lag, tenant_lag] = lags.map(Millis::seconds);
        let switches = Switches { read_lag, list_lag, tag_lag, tenant_lag, ..Switches::default() };
        Self { world: World::with_switches(spec(), switches), lags }
    }

    /// An object that has been ready for an hour.
    fn ready(lags: [u64; 4]) -> Self {
        let mut life = Self::new(lags);
        life.until("Ready", |world| world.ready().0 == "True");
        life.pass_time(Duration::from_hours(1));
        life.world.calls();
        life.world.events.clear();
        life
    }

    fn pass_time(&mut self, time: Duration) {
        self.world.go_on_for(time, |_| ());
    }

    /// Sets the tag `team` in the spec to that value, or removes it.
    fn edit_tag(&mut self, value: Option<&str>) {
        let tags = value.map(|value| ("team".to_owned(), value.to_owned())).into_iter().collect();
        self.world.edit(|spec| spec.tags = tags);
    }

    fn tag(&self) -> Option<String> {
        self.world.tags().get("team").cloned()
    }

    #[track_caller]
    fn until(&mut self, what: &str, reached: impl Fn(&World) -> bool) {
        let reached = self.world.go_on_until(LONG, |world| world.object.status.is_some() && reached(world));
        assert!(reached, "{:?}: not {what}: {:?} {}", self.lags, self.world.ready(), self.world.message());
    }

    #[track_caller]
    fn until_gone(&mut self) {
        self.pass_time(LONG);
        let world = &self.world;
        assert!(world.is_released(), "{:?}: not gone: {:?} {}", self.lags, world.ready(), world.message());
    }

    /// What was sent, refused or not, since the last call of this function. Asserts that no change by others, who did nothing, and no refusal was reported.
    #[track_caller]
    fn sent(&mut self) -> Vec<Operation> {
        let reported = self.world.events.iter().find(|event| is_failure(event));
        assert_eq!(reported, None, "{:?}", self.lags);
        self.sent_or_refused()
    }

    /// The same for a process that cannot know what the one before has done: its calls may be refused.
    #[track_caller]
    fn sent_or_refused(&mut self) -> Vec<Operation> {
        for reason in ["DeletedOutside", "DriftCorrected", "DriftFlapping"] {
            let reported = self.world.events.iter().find(|event| event.reason.as_str() == reason);
            assert_eq!(reported, None, "{:?}", self.lags);
        }
        assert_eq!(self.world.drift, Vec::<String>::new(), "{:?}", self.lags);
        self.world.mutations()
    }
}

/// Whether an event says that a call failed or was refused.
fn is_failure(event: &Event) -> bool {
    match event.reason.as_str() {
        "AlreadyExists" | "Conflict" | "ServiceUnavailable" | "UnexpectedResponse" => true,
        "InUse" => event.note.starts_with("CloudFront refused "),
        _ => false,
    }
}

#[test]
fn a_group_that_was_just_created_is_not_mistaken_for_gone_and_created_again() {
    for lags in LAGS {
        let mut life = Life::new(lags);
        life.until("Ready", |world| world.ready().0 == "True");
        assert_eq!(life.sent(), [CreateConnectionGroup], "{lags:?}");
        assert_eq!(life.world.group_count(), 1);
    }
}

#[test]
fn each_edit_is_one_update_although_reads_show_the_version_before() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.edit(|spec| spec.ipv6_enabled = false);
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 2);
        assert_eq!(life.sent(), [UpdateConnectionGroup], "{lags:?}");
        assert!(!life.world.group().unwrap().resource.ipv6_enabled);
        life.pass_time(LONG);
        assert_eq!(life.sent(), [], "{lags:?}");
    }
}

#[test]
fn edits_that_come_faster_than_reads_catch_up_are_all_applied() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        for generation in 2..6 {
            life.world.edit(|spec| spec.ipv6_enabled = generation % 2 == 1);
            life.pass_time(Duration::from_secs(10));
        }
        life.world.edit(|spec| spec.ipv6_enabled = false);
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 6);
        let sent = life.sent();
        assert!(sent.len() <= 5 && sent.iter().all(|call| *call == UpdateConnectionGroup), "{lags:?}: {sent:?}");
        assert!(!life.world.group().unwrap().resource.ipv6_enabled, "{lags:?}");
    }
}

#[test]
fn a_group_is_switched_off_as_soon_as_a_read_shows_the_newest_version() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.edit(|spec| spec.ipv6_enabled = false);
        life.pass_time(Duration::from_secs(5));
        life.world.edit(|spec| spec.enabled = false);
        // The lag, and the pause between two reads.
        life.pass_time(Duration::from_secs(lags[0] + 10));
        assert!(!life.world.group().unwrap().resource.enabled, "{lags:?}");
        life.until("Disabled", |world| world.ready().1 == "Disabled");
        assert_eq!(life.sent(), [UpdateConnectionGroup, UpdateConnectionGroup], "{lags:?}");
    }
}

#[test]
fn tags_are_set_once_although_reads_show_those_before() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.edit(|spec| {
            spec.ipv6_enabled = false;
            spec.tags = [("team".to_owned(), "edge".to_owned())].into();
        });
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 2);
        assert_eq!(life.sent(), [UpdateConnectionGroup, TagResource], "{lags:?}");
    }
}

#[test]
fn a_tag_that_is_removed_from_the_spec_and_put_back_before_reads_catch_up_is_there_in_the_end() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        for value in [Some("a"), None, Some("a"), Some("b"), Some("a")] {
            life.edit_tag(value);
            life.pass_time(Duration::from_secs(10));
        }
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 6);
        assert_eq!(life.tag().as_deref(), Some("a"), "{lags:?}");
        life.pass_time(LONG);
        assert_eq!(life.tag().as_deref(), Some("a"), "{lags:?}");
        assert!(life.sent().len() <= 5, "{lags:?}");
    }
}

#[test]
fn a_tag_that_is_removed_from_the_spec_before_reads_show_it_is_gone_in_the_end() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        for value in [Some("a"), None] {
            life.edit_tag(value);
            life.pass_time(Duration::from_secs(10));
        }
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 3);
        life.pass_time(LONG);
        assert_eq!(life.tag(), None, "{lags:?}");
    }
}

/// Only reads of tags lag: what an old read settles stays so until the next full read, hours later.
fn ready_with_tag() -> Life {
    let mut life = Life::new([0, 0, 50, 0]);
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_hours(1));
    life.world.calls();
    life.world.events.clear();
    life
}

#[test]
fn a_tag_that_is_put_back_before_reads_show_its_removal_survives_although_another_process_takes_over() {
    let mut life = ready_with_tag();
    life.edit_tag(None);
    life.pass_time(Duration::from_secs(5));
    life.edit_tag(Some("a"));
    life.world.crash();
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.tag().as_deref(), Some("a"));
}

#[test]
fn a_tag_that_is_put_back_before_reads_show_its_removal_survives_although_its_call_is_refused_at_first() {
    let mut life = ready_with_tag();
    life.edit_tag(None);
    life.pass_time(Duration::from_secs(5));
    life.world.fail(TagResource, Fault::Error(ErrorClass::Throttled));
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.world.port.faults_left(), []);
    assert_eq!(life.tag().as_deref(), Some("a"));
}

#[test]
fn an_edit_of_a_tag_that_is_reverted_before_reads_show_it_is_undone_at_once() {
    let mut life = ready_with_tag();
    life.edit_tag(Some("b"));
    life.pass_time(Duration::from_secs(5));
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_secs(5));
    assert_eq!(life.tag().as_deref(), Some("a"));
}

#[test]
fn a_tag_that_is_dropped_before_reads_show_it_is_gone_as_soon_as_they_do() {
    let mut life = Life::ready([0, 0, 50, 0]);
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_secs(5));
    life.edit_tag(None);
    life.pass_time(Duration::from_secs(70));
    assert_eq!(life.tag(), None);
}

#[test]
fn tags_that_were_set_before_the_mode_became_observe_are_not_a_difference_once_reads_show_them() {
    let mut life = ready_with_tag();
    life.edit_tag(Some("b"));
    life.pass_time(Duration::from_secs(5));
    life.world.edit(|spec| spec.mode = Mode::Observe);
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.world.status().drift, []);
}

#[test]
fn a_tag_is_gone_in_the_end_although_its_timed_out_call_took_effect_after_the_spec_dropped_it() {
    let mut life = Life::ready([0, 0, 50, 0]);
    life.world.fail(TagResource, Fault::Error(ErrorClass::TimedOut));
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_millis(500));
    life.edit_tag(None);
    life.pass_time(Duration::from_secs(20));
    let set_tags = [("team".to_owned(), "a".to_owned())].into();
    life.world.someone_edits(GroupPatch { set_tags, ..GroupPatch::default() });
    life.pass_time(LONG);
    assert_eq!((life.tag(), life.world.port.faults_left()), (None, vec![]));
}

#[test]
fn an_old_read_does_not_hide_from_mode_observe_what_mode_manage_did_just_before() {
    let mut life = ready_with_tag();
    life.edit_tag(Some("b"));
    life.pass_time(Duration::from_secs(5));
    life.world.edit(|spec| {
        spec.mode = Mode::Observe;
        spec.tags = [("team".to_owned(), "a".to_owned())].into();
    });
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.world.status().drift.len(), 1, "{:?}", life.world.status().drift);
}

#[test]
fn an_object_new_to_the_process_trusts_no_read_of_tags_that_may_predate_what_its_predecessor_did() {
    let mut life = ready_with_tag();
    life.edit_tag(None);
    life.pass_time(Duration::from_secs(2));
    // The object was deleted and created again; the operator does not have to restart for that.
    life.world.forget();
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.tag().as_deref(), Some("a"));
}

#[test]
fn a_requested_tag_call_that_is_refused_does_not_make_a_lagging_read_a_change_by_others() {
    let mut life = ready_with_tag();
    life.edit_tag(Some("b"));
    life.pass_time(Duration::from_secs(5));
    life.world.fail(TagResource, Fault::Error(ErrorClass::Throttled));
    life.world.request_reconcile("now");
    life.pass_time(Duration::from_mins(2));
    assert_eq!(life.tag().as_deref(), Some("b"));
    life.sent_or_refused();
    assert_eq!(life.world.port.faults_left(), []);
}

#[test]
fn a_reconcile_that_is_requested_before_reads_show_a_tag_does_not_report_it_as_changed_by_others() {
    let mut life = ready_with_tag();
    life.edit_tag(Some("b"));
    life.pass_time(Duration::from_secs(5));
    life.world.request_reconcile("now");
    life.pass_time(Duration::from_mins(2));
    assert_eq!((life.tag().as_deref(), life.sent_or_refused()), (Some("b"), vec![TagResource, TagResource]));
}

#[test]
fn a_tag_that_others_remove_just_after_it_was_set_is_set_again_despite_another_edit_in_between() {
    // A lagging read may show the tag once more, and the next full read comes hours later.
    let mut life = Life::ready([0; 4]);
    life.edit_tag(Some("a"));
    life.pass_time(Duration::from_secs(10));
    life.world.someone_edits(GroupPatch { remove_tags: vec!["team".to_owned()], ..GroupPatch::default() });
    life.pass_time(Duration::from_secs(5));
    life.world.edit(|spec| spec.ipv6_enabled = false);
    life.pass_time(LONG);
    assert_eq!(life.tag().as_deref(), Some("a"));
    assert!(!life.world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn an_edit_that_waits_for_reads_to_catch_up_reads_less_and_less_often() {
    let mut life = Life::ready([50, 0, 0, 0]);
    for ipv6 in [false, true] {
        life.world.edit(|spec| spec.ipv6_enabled = ipv6);
        life.pass_time(Duration::from_secs(1));
    }
    life.world.calls();
    life.until("updated again", |world| world.group().unwrap().resource.ipv6_enabled);
    let reads = life.world.calls().into_iter().filter(|call| *call == Operation::GetConnectionGroup).count();
    assert!(reads <= 12, "{reads} reads in less than a minute");
}

#[test]
fn a_list_is_attached_and_detached_once() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        let list = NewList::named("static", IpAddressType::Dualstack);
        let list = life.world.port.account(|account, now| account.outside_create_list(now, list)).id;
        for (generation, wanted) in [(2, Some(list)), (3, None)] {
            life.world.edit(|spec| spec.anycast_ip_list_id.clone_from(&wanted));
            life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == generation);
            assert_eq!(life.sent(), [UpdateConnectionGroup], "{lags:?}");
            assert_eq!(life.world.group().unwrap().resource.anycast_ip_list_id, wanted);
        }
    }
}

#[test]
fn a_change_by_others_is_corrected_once_and_reported_once() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() });
        life.until("on again", |world| world.group().unwrap().resource.enabled);
        life.pass_time(LONG);
        assert_eq!((life.world.mutations(), life.world.ready().1), (vec![UpdateConnectionGroup], "Deployed".into()));
        let reported = life.world.event_reasons().into_iter().filter(|reason| *reason == "DriftCorrected");
        assert_eq!(reported.count(), 1, "{lags:?}");
    }
}

#[test]
fn a_deletion_disables_and_deletes_once_and_ends() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.delete();
        life.until_gone();
        assert_eq!(life.sent(), [UpdateConnectionGroup, DeleteConnectionGroup], "{lags:?}");
        assert_eq!(life.world.group(), None);
    }
}

#[test]
fn an_object_that_is_deleted_right_after_its_group_was_created_takes_the_group_with_it() {
    for lags in LAGS {
        let mut life = Life::new(lags);
        life.pass_time(Duration::from_secs(2));
        life.world.delete();
        life.until_gone();
        assert_eq!(life.sent(), [CreateConnectionGroup, UpdateConnectionGroup, DeleteConnectionGroup], "{lags:?}");
        assert_eq!(life.world.group(), None);
    }
}

#[test]
fn a_deletion_continues_once_the_last_tenant_has_left_and_is_no_longer_listed() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.tenant_comes("shop");
        life.pass_time(Duration::from_mins(1));
        life.world.delete();
        life.until("InUse", |world| world.ready().1 == "InUse");
        life.world.tenant_goes("shop");
        life.until_gone();
        assert_eq!(life.sent(), [UpdateConnectionGroup, DeleteConnectionGroup], "{lags:?}");
    }
}

#[test]
fn a_process_that_dies_after_its_create_finds_its_group_once_reads_show_it() {
    for lags in LAGS {
        let mut life = Life::new(lags);
        life.world.advance(Duration::from_secs(1));
        life.world.reconcile_without_storing();
        assert_eq!(life.world.mutations(), [CreateConnectionGroup]);
        life.world.crash();
        life.until("Ready", |world| world.ready().0 == "True");
        assert_eq!(life.world.group_count(), 1, "{lags:?}");
        life.pass_time(LONG);
        let sent = life.sent_or_refused();
        assert_eq!(sent.into_iter().find(|call| *call != CreateConnectionGroup), None, "{lags:?}");
    }
}

#[test]
fn a_process_that_dies_after_its_update_neither_repeats_it_nor_reports_it_as_someone_elses() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.edit(|spec| spec.ipv6_enabled = false);
        life.world.reconcile_without_storing();
        life.world.crash();
        life.until("Ready", |world| world.ready().0 == "True" && world.status().observed_generation == 2);
        life.pass_time(LONG);
        life.sent_or_refused();
        assert_eq!(life.world.group().unwrap().etag, "ETVPDKIKX0DER", "{lags:?}: the second version, not a third");
    }
}

#[test]
fn a_group_whose_name_stays_taken_after_someone_deleted_it_is_created_once_the_name_is_free() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.switch(|switches| switches.name_reuse_delay = Millis::seconds(300));
        life.world.someone_deletes_the_group();
        life.until("taken", |world| world.ready().1 == "AlreadyExists");
        assert_eq!(life.world.group_count(), 0);
        life.until("Ready", |world| world.ready().0 == "True");
        assert_eq!(life.world.group_count(), 1, "{lags:?}");
    }
}

#[test]
fn a_group_that_someone_deleted_is_created_again_once() {
    for lags in LAGS {
        let mut life = Life::ready(lags);
        life.world.someone_deletes_the_group();
        life.until("created", |world| world.group().is_some());
        life.until("Ready", |world| world.ready().0 == "True");
        assert_eq!(life.world.mutations(), [CreateConnectionGroup], "{lags:?}");
        let reported = life.world.event_reasons().into_iter().filter(|reason| *reason == "DeletedOutside");
        assert_eq!(reported.count(), 1, "{lags:?}");
    }
}

#[test]
fn a_deployment_status_that_goes_back_is_shown_and_changes_nothing() {
    for lags in LAGS {
        let mut life = Life::new(lags);
        life.world.switch(|switches| switches.status_flap = Millis::seconds(120));
        life.until("Ready", |world| world.ready().0 == "True");
        life.until("not Ready", |world| world.ready().1 == "Deploying");
        life.until("Ready", |world| world.ready().0 == "True");
        life.pass_time(LONG);
        assert_eq!((life.sent(), life.world.ready().1), (vec![CreateConnectionGroup], "Deployed".into()));
        life.world.delete();
        life.until_gone();
        assert_eq!(life.sent(), [UpdateConnectionGroup, DeleteConnectionGroup], "{lags:?}");
    }
}

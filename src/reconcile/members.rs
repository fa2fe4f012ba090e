//! Which members of the configuration the next update carries. Pure: (members that differ, refusals on record, attempts so far, now) -> [`Selection`].
//!
//! Members are independent. All that differ go into one update. If CloudFront refuses it because of its content, each is tried alone, so that one refused
//! member does not hold up the others. Once all were tried, those still refused wait for a slow backoff. Disabling the group always goes first, alone.

use std::{collections::BTreeSet, time::Duration};

use super::backoff::Backoff;
use crate::{
    api::{Member, RefusedMember},
    clock::Moment,
    cloudfront::{AnycastIpListId, Config, Members},
};

/// A set of members, in the order in which they are tried.
pub type MemberSet = BTreeSet<Member>;

/// A member's value as the spec writes it, empty for no list; `None` if CloudFront did not state it.
#[must_use]
pub fn value(members: &Members, member: Member) -> Option<String> {
    // No `..`: a new member must be shown.
    let Members { enabled, ipv6_enabled, anycast_ip_list_id } = members;
    match member {
        Member::Enabled => enabled.map(|enabled| enabled.to_string()),
        Member::Ipv6Enabled => ipv6_enabled.map(|enabled| enabled.to_string()),
        Member::AnycastIpListId => {
            Some(anycast_ip_list_id.as_ref().map(AnycastIpListId::to_string).unwrap_or_default())
        }
    }
}

/// The members in which a group differs from what is wanted; what CloudFront did not state is not a difference.
#[must_use]
pub fn differing(wanted: &Config, read: &Members) -> MemberSet {
    contradictions(read, &wanted.clone().into())
}

/// Whether an answer shows something other than what was sent.
#[must_use]
pub fn contradicts(shown: &Members, sent: &Members) -> bool {
    !contradictions(shown, sent).is_empty()
}

/// The members in which two configurations differ; what one of them does not state is not a difference.
#[must_use]
pub fn contradictions(one: &Members, other: &Members) -> MemberSet {
    let differs = |member: &Member| match (value(one, *member), value(other, *member)) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    };
    Member::ALL.iter().copied().filter(differs).collect()
}

/// The configuration as it was read, except that these members are as wanted.
#[must_use]
pub fn carrying(members: &MemberSet, wanted: &Config, read: &Members) -> Members {
    let wanted = wanted.clone().into();
    let from = |member| if members.contains(&member) || bug!(UpdateCarriesEverything) { &wanted } else { read };
    Members {
        enabled: from(Member::Enabled).enabled,
        ipv6_enabled: from(Member::Ipv6Enabled).ipv6_enabled,
        anycast_ip_list_id: from(Member::AnycastIpListId).anycast_ip_list_id.clone(),
    }
}

/// The refusals on record that still hold: the member still differs, and the refused value is still the wanted one.
#[must_use]
pub fn still_refused(on_record: &[RefusedMember], wanted: &Config, differing: &MemberSet) -> Vec<RefusedMember> {
    let wanted = wanted.clone().into();
    let holds = |refused: &&RefusedMember| {
        differing.contains(&refused.member) && value(&wanted, refused.member).as_ref() == Some(&refused.desired)
    };
    on_record.iter().filter(holds).cloned().collect()
}

/// What one update carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The members that it changes.
    pub members: MemberSet,
    /// Other members that differ, and that were refused in this round.
    pub tried: MemberSet,
}

impl Selection {
    /// The member, if it is the only one.
    #[must_use]
    pub fn only_member(&self) -> Option<Member> {
        self.members.first().copied().filter(|_| self.members.len() == 1)
    }
}

/// Which members have been tried for one generation of the spec, or since a reconcile was requested. Lost on restart: then they are tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemberAttempts {
    asked: (i64, Option<String>),
    round: Round,
    /// Rounds that ended with a refusal since the last successful update.
    rounds: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Round {
    /// Everything that differs goes into one update.
    #[default]
    Together,
    /// One by one; these were refused alone.
    Apart(MemberSet),
    /// Each was tried; the next round begins at this time.
    Over(Moment),
}

impl MemberAttempts {
    /// The record for this generation and this request; a new generation of the spec or a requested reconcile begins a new one.
    #[must_use]
    pub fn of(&self, generation: i64, requested: Option<&str>) -> Self {
        let asked = (generation, requested.map(ToOwned::to_owned));
        if self.asked == asked { self.clone() } else { Self { asked, ..Self::default() } }
    }

    /// The members of the next update, from `open`, which differ. `refused` are those on record as refused. `None` if all have to wait.
    #[must_use]
    pub fn next(&self, open: &MemberSet, refused: &MemberSet, wanted: &Config, now: Moment) -> Option<Selection> {
        let tried = match &self.round {
            Round::Apart(tried) if !open.is_subset(tried) => tried & open,
            Round::Over(until) if now < *until => refused & open,
            Round::Together | Round::Apart(_) | Round::Over(_) => MemberSet::new(),
        };
        let due = open - &tried;
        if !refused.is_empty() && bug!(RefusedMemberHoldsUpOthers) {
            return None;
        }
        let first = *due.first()?;
        let switches_off = first == Member::Enabled && !wanted.enabled;
        let alone = switches_off || matches!(self.round, Round::Apart(_)) || bug!(EachMemberAlone);
        let members = if alone { MemberSet::from([first]) } else { due };
        Some(Selection { members, tried })
    }

    /// Records a refused update; `open` are all members that differ.
    pub fn refused(&mut self, selection: &Selection, open: &MemberSet, uid: &str, now: Moment) {
        let Selection { members, tried } = selection;
        let tried = if members.len() > 1 { tried.clone() } else { tried | members };
        self.round = if open.is_subset(&tried) {
            let pause = Backoff::Slow.delay(self.rounds, uid);
            self.rounds = self.rounds.saturating_add(1);
            Round::Over(now + pause)
        } else {
            Round::Apart(tried)
        };
    }

    /// Records a successful update: what was refused before may be accepted now.
    pub fn carried_out(&mut self) {
        self.round = Round::Together;
        self.rounds = 0;
    }

    /// How long until what is refused is tried again.
    #[must_use]
    pub fn pause(&self, now: Moment) -> Duration {
        match self.round {
            Round::Together | Round::Apart(_) => Duration::ZERO,
            Round::Over(until) => until.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Member::{AnycastIpListId as List, Enabled, Ipv6Enabled as Ipv6};

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn wanted(enabled: bool) -> Config {
        Config { enabled, ipv6_enabled: true, anycast_ip_list_id: None }
    }

    fn set<const N: usize>(members: [Member; N]) -> MemberSet {
        MemberSet::from(members)
    }

    fn sent(
        attempts: &MemberAttempts,
        open: &MemberSet,
        refused: &MemberSet,
        enabled: bool,
        second: u64,
    ) -> Option<MemberSet> {
        attempts.next(open, refused, &wanted(enabled), at(second)).map(|selection| selection.members)
    }

    fn refuse(
        attempts: &mut MemberAttempts,
        open: &MemberSet,
        refused: &MemberSet,
        enabled: bool,
        second: u64,
    ) -> MemberSet {
        let selection = attempts.next(open, refused, &wanted(enabled), at(second)).unwrap();
        attempts.refused(&selection, open, "uid", at(second));
        selection.members
    }

    #[test]
    fn all_go_together_then_one_by_one_in_order_and_then_wait() {
        let (open, none) = (set([Enabled, Ipv6, List]), MemberSet::new());
        let mut attempts = MemberAttempts::default();
        let order = [(); 4].map(|()| refuse(&mut attempts, &open, &none, true, 100));
        assert_eq!(order, [open.clone(), set([Enabled]), set([Ipv6]), set([List])]);
        assert_eq!(sent(&attempts, &open, &open, true, 101), None);
        assert_eq!(
            sent(&attempts, &open, &set([Ipv6, List]), true, 101),
            Some(set([Enabled])),
            "what newly differs does not wait"
        );
        assert_eq!(sent(&attempts, &open, &open, true, 130), Some(open), "the next round begins together");
    }

    #[test]
    fn switching_off_goes_first_and_alone_and_waits_for_no_refusal_but_its_own() {
        let open = set([Enabled, Ipv6, List]);
        let mut attempts = MemberAttempts::default();
        assert_eq!(sent(&attempts, &open, &set([Ipv6, List]), false, 0), Some(set([Enabled])));
        assert_eq!(refuse(&mut attempts, &open, &MemberSet::new(), false, 0), set([Enabled]));
        assert_eq!(refuse(&mut attempts, &open, &MemberSet::new(), false, 0), set([Ipv6]));
        assert_eq!(refuse(&mut attempts, &open, &MemberSet::new(), false, 0), set([List]));
        assert_eq!(sent(&attempts, &open, &open, false, 1), None);
        assert_eq!(sent(&attempts, &set([Enabled, List]), &set([List]), false, 1), Some(set([Enabled])));
    }

    #[test]
    fn a_single_member_needs_no_second_try_and_its_pause_grows_until_an_update_succeeds() {
        let open = set([List]);
        let mut attempts = MemberAttempts::default();
        let mut now = 0;
        let pauses = [(); 5].map(|()| {
            refuse(&mut attempts, &open, &open, true, now);
            let pause = attempts.pause(at(now));
            now += pause.as_secs() + 1;
            pause
        });
        assert!(pauses.is_sorted() && pauses[0] <= Duration::from_secs(30), "{pauses:?}");
        attempts.carried_out();
        refuse(&mut attempts, &open, &open, true, now);
        assert_eq!(attempts.pause(at(now)), pauses[0]);
    }

    #[test]
    fn a_new_generation_or_a_request_begins_anew() {
        let open = set([List]);
        let mut attempts = MemberAttempts::default().of(1, None);
        refuse(&mut attempts, &open, &open, true, 0);
        assert_eq!(sent(&attempts.of(1, None), &open, &open, true, 1), None);
        for anew in [attempts.of(2, None), attempts.of(1, Some("now"))] {
            assert_eq!(sent(&anew, &open, &open, true, 1), Some(open.clone()));
        }
    }

    #[test]
    fn a_member_that_alone_still_differs_is_tried_again_although_it_was_refused_in_this_round() {
        let open = set([Ipv6, List]);
        let mut attempts = MemberAttempts::default();
        refuse(&mut attempts, &open, &MemberSet::new(), true, 0);
        refuse(&mut attempts, &open, &MemberSet::new(), true, 0);
        assert_eq!(sent(&attempts, &set([Ipv6]), &MemberSet::new(), true, 0), Some(set([Ipv6])));
    }

    #[test]
    fn an_update_changes_its_members_and_carries_the_others_as_they_were_read() {
        let list = Some(AnycastIpListId::new("aip_1"));
        let read = Members { enabled: Some(true), ipv6_enabled: Some(false), anycast_ip_list_id: list };
        let off = Config { enabled: false, ipv6_enabled: true, anycast_ip_list_id: None };
        assert_eq!(differing(&off, &read), set([Enabled, Ipv6, List]));
        assert_eq!(carrying(&set([Enabled]), &off, &read), Members { enabled: Some(false), ..read.clone() });
        assert_eq!(carrying(&set([Enabled, Ipv6, List]), &off, &read), Members::from(off));
    }

    #[test]
    fn what_cloudfront_did_not_state_is_no_difference_and_is_left_out_of_an_update_of_others() {
        let read = Members { enabled: None, ipv6_enabled: Some(false), anycast_ip_list_id: None };
        assert_eq!(differing(&wanted(true), &read), set([Ipv6]));
        let sent = carrying(&set([Ipv6]), &wanted(true), &read);
        assert_eq!(sent, Members { enabled: None, ipv6_enabled: Some(true), anycast_ip_list_id: None });
        assert!(!contradicts(&Members { enabled: Some(true), ..sent.clone() }, &sent));
    }
}

//! The parts of an operator that the rules can distinguish: its memory, its list, its reconcile in flight, and the calls that it abandoned.

use std::time::Duration;

use cloudfront_simulator::Timestamp;
use connection_group_operator::{
    api::{Member, RECONCILE_REQUESTED_AT},
    clock::Moment,
    cloudfront::{ApiError, Config, Group, Snapshot},
    reconcile::{
        ObjectState,
        members::{MemberAttempts, MemberSet},
    },
};
use kube::ResourceExt;

use super::{Canon, since_epoch, steps, token};
use crate::{
    replay::{Answer, Call, Entry},
    state::{Operator, Pass, TICK},
};

impl<'a> Canon<'a> {
    pub(super) fn operator(&mut self, operator: &'a Operator) {
        let remembered = &operator.remembered;
        let uid = token(&mut self.uids, remembered.incarnation);
        self.put(uid);
        self.optional(remembered.status.as_deref(), |canon, status| canon.status(status, remembered.incarnation));
        self.memory(&remembered.memory, operator.snapshot.as_deref(), operator, self.state.now);
        self.optional(operator.snapshot.as_deref(), |canon, list| canon.snapshot(list, operator.process_start));
        self.error(operator.inventory_error.as_ref());
        self.optional(operator.pass.as_deref(), |canon, pass| canon.pass(pass, operator));
    }

    /// The remembered times of an operator, as far as the rules can distinguish them.
    fn memory(&mut self, memory: &'a ObjectState, list: Option<&Snapshot>, operator: &Operator, now: Duration) {
        let start = operator.process_start;
        let at = |moment: Moment| start + moment.since(Moment::START);
        self.put(memory.last_write.map(|write| steps(now) > steps(at(write))));
        self.put(steps(now) > steps(at(memory.last_claim)));
        let oldest = self.oldest_list();
        self.put(list.map(|list| (steps(now) - steps(at(list.began))).min(oldest)));
        self.put(list.map(|list| memory.is_covered_by(list)));
        self.put(list.map(|list| steps(at(list.began)) > steps(at(memory.last_claim))));
        let consistency_window = self.settings.consistency_window;
        let now = Moment::after_start(now.saturating_sub(start));
        self.optional(memory.unowned.as_ref(), |canon, seen| {
            canon.id(seen.id.as_str());
            canon.put(memory.unowned_for(&seen.id, now) >= consistency_window);
        });
        self.put(memory.absent_for(now).map(|time| time >= consistency_window));
        let may_show = |at: &Moment| now.since(*at) < consistency_window;
        let replaced = memory.versions.replaced.versions().filter(|(.., at)| may_show(at)).collect::<Vec<_>>();
        self.put(replaced.len());
        for (id, etag, _) in replaced {
            let id = self.id(id.as_str());
            self.etag(id, etag.as_str());
        }
        self.optional(memory.tags.confirmed.may_not_show(now), |canon, (id, tags)| {
            canon.id(id.as_str());
            canon.put(tags);
        });
        // The remaining whole steps: the last one counts, however short.
        self.put(memory.tags.visible_at.map(|at| at.since(now).as_secs().div_ceil(TICK.as_secs())));
        self.put(memory.awaits);
        self.put(memory.has_seen_group);
        self.put(memory.unlisted_use.is_known());
        self.put(memory.usage_unknown_for(now).map(|time| time >= consistency_window));
        self.put(memory.owner_unstated_since.map(|since| now.since(since) >= consistency_window));
        self.put(memory.unlisted_use.holds(now, consistency_window));
        self.member_attempts(&memory.member_attempts, operator, now);
        let dispute = &memory.drift_backoff;
        self.put((
            dispute.rounds(now),
            dispute.pause("", now).is_some(),
            dispute.is_exempt(),
            dispute.uncorrected().clone(),
        ));
        self.put((now >= memory.resync_due(), memory.resync_overdue(&self.settings, now)));
    }

    /// What the next update carries: with nothing on record as refused, or with everything.
    fn member_attempts(&mut self, member_attempts: &MemberAttempts, operator: &Operator, now: Moment) {
        let object = self.state.objects[operator.object].current.as_deref();
        let asked = object.map(|object| (object.metadata.generation, object.annotations().get(RECONCILE_REQUESTED_AT)));
        let (generation, requested) = asked.unwrap_or_default();
        let of = |member_attempts: &MemberAttempts| {
            member_attempts.of(generation.unwrap_or_default(), requested.map(String::as_str))
        };
        let member_attempts = of(member_attempts);
        let under_way = member_attempts != of(&MemberAttempts::default());
        self.put(under_way);
        if !under_way {
            return;
        }
        let all = Member::ALL.iter().copied().collect::<MemberSet>();
        for enabled in [true, false] {
            let wanted = Config { enabled, ipv6_enabled: true, anycast_ip_list_id: None };
            for refused in [&MemberSet::new(), &all] {
                let next = member_attempts.next(&all, refused, &wanted, now);
                self.put(next.map(|selection| (selection.members, selection.tried)));
            }
        }
    }

    /// The number of steps after which a list is too old for any use.
    fn oldest_list(&self) -> u64 {
        self.settings.inventory_interval.saturating_mul(3).as_secs().div_ceil(TICK.as_secs())
    }

    fn snapshot(&mut self, list: &'a Snapshot, start: Duration) {
        let age = steps(self.state.now) - steps(start + list.began.since(Moment::START));
        self.put(age.min(self.oldest_list()));
        for (name, row) in &list.groups {
            self.put(name);
            let id = self.id(row.id.as_str());
            self.etag(id, row.etag.as_str());
            self.put((row.enabled, &row.anycast_ip_list_id, &row.deployment));
        }
        self.put(list.groups.len());
    }

    fn pass(&mut self, pass: &'a Pass, operator: &'a Operator) {
        let input = &pass.input;
        let uid = token(&mut self.uids, pass.incarnation);
        self.put(uid);
        let latest = operator.snapshot.as_deref();
        if let Some((outcome, memory)) = pass.ended() {
            self.status(&outcome.status, pass.incarnation);
            self.put((outcome.finalizer, pass.variant));
            self.generation(pass.incarnation, input.object.metadata.generation.unwrap_or_default());
            self.memory(memory, latest, operator, self.state.now);
            return;
        }
        self.put(pass.variant);
        self.stored(&input.object, pass.incarnation);
        self.memory(&input.memory, input.snapshot.as_deref(), operator, input.started);
        self.memory(&input.memory, latest, operator, self.state.now);
        self.optional(input.snapshot.as_deref(), |canon, list| canon.snapshot(list, operator.process_start));
        self.error(input.inventory_error.as_ref());
        self.put((pass.log.len(), steps(self.state.now) - steps(input.started) > 0));
        let mut before = input.started;
        for entry in &pass.log {
            self.put(steps(entry.at) > steps(before));
            before = entry.at;
            self.entry(entry, latest, operator.process_start);
        }
    }

    fn entry(&mut self, entry: &'a Entry, latest: Option<&Snapshot>, start: Duration) {
        self.is_past(entry.at);
        self.put(latest.map(|list| start + list.began.since(Moment::START) > entry.at));
        self.error(entry.answer.error());
        match &entry.answer {
            Answer::Described(Ok(Some(described))) => {
                self.group(&described.group);
                self.put(&described.tags);
                let created = described.group.created.map_or(0, jiff::Timestamp::as_millisecond);
                self.put(steps(entry.at) > steps(since_epoch(Timestamp(created))));
            }
            Answer::Group(Ok(group)) => self.group(group),
            Answer::Tenants(Ok(tenants)) => self.put(tenants),
            Answer::AnycastIpList(Ok(family)) => self.put(family),
            Answer::Tags(Ok(tags)) => self.put(tags),
            Answer::Listed(_) => unreachable!("a reconcile never lists"),
            Answer::Described(Ok(None) | Err(_))
            | Answer::Group(Err(_))
            | Answer::Done(_)
            | Answer::Tenants(Err(_))
            | Answer::AnycastIpList(Err(_))
            | Answer::Tags(Err(_)) => self.put(0),
        }
    }

    fn group(&mut self, group: &'a Group) {
        let id = self.id(group.id.as_str());
        self.etag(id, group.etag.as_str());
        self.put((&group.config, &group.deployment, group.is_default));
    }

    fn error(&mut self, error: Option<&ApiError>) {
        self.put(error.map(|error| (error.operation, error.class)));
    }

    pub(super) fn late(&mut self, call: &'a Call) {
        self.put(call.operation());
        match call {
            Call::Create(new) => self.put(new),
            Call::Update(group, config) => {
                self.group(group);
                self.put(config);
            }
            Call::Delete(group) => self.group(group),
            Call::Tag(arn, tags) => {
                self.id(arn.as_str().rsplit('/').next().unwrap_or_default());
                self.put(tags);
            }
            Call::Untag(arn, keys) => {
                self.id(arn.as_str().rsplit('/').next().unwrap_or_default());
                self.put(keys);
            }
            Call::Describe(_) | Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => {}
        }
    }
}

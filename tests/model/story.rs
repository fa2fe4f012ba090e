//! Describes a counterexample: what happened, step by step, and the world it ended in. In: the actions from the start. Out: text. Pure.

use std::fmt::Write;

use crate::{
    actions::{Action, Cache, Dying, Struck, act},
    outside::Outside,
    properties::Violation,
    replay::{Answer, Call, Stage},
    state::{Scenario, State},
};

pub fn tell(scenario: &Scenario, actions: &[Action], violation: &Violation) -> String {
    let mut text = format!("\nIn scenario \"{}\":\n", scenario.name);
    let mut state = scenario.start();
    for (number, action) in actions.iter().enumerate() {
        let _ = write!(text, "{:>3}. {}", number + 1, sentence(&state, *action));
        match act(scenario, &state, *action) {
            Ok(Some(next)) => {
                text += &came_of_it(*action, &next);
                state = next;
            }
            Ok(None) => text += " (nothing came of it)",
            Err(_) => text += " <- here",
        }
        text.push('\n');
    }
    let _ = write!(text, "{violation}\n\nThe world then:\n{}", world(&state));
    text
}

fn sentence(state: &State, action: Action) -> String {
    let pending = |operator: usize| match &state.operators[operator].pass.as_ref().map(|pass| &pass.stage) {
        Some(Stage::Asking(call)) => asked(call),
        Some(Stage::Confirming(_) | Stage::Ended(..)) | None => "nothing".to_owned(),
    };
    match action {
        Action::Start(operator, Cache::UpToDate) => format!("operator {operator} reconciles the object"),
        Action::Start(operator, Cache::Behind(version)) => {
            let behind = state.object_of(operator).history.len() - version;
            format!("operator {operator} reconciles the object as it was {behind} changes ago")
        }
        Action::Answer(operator, struck) => {
            format!("operator {operator} asks for {}{}", pending(operator), fate(struck))
        }
        Action::Store(operator) => format!("the outcome of operator {operator}'s reconcile is stored"),
        Action::StoreFails(operator) => {
            format!("the API server does not accept the outcome of operator {operator}'s reconcile")
        }
        Action::Crash(operator, dying) => {
            let when = match dying {
                Dying::BeforeTheCall => "before",
                Dying::AfterTheCall => "after CloudFront has carried out",
                Dying::CallLandsLater => "just after it has sent",
            };
            format!("operator {operator} dies {when} {}; another process begins", pending(operator))
        }
        Action::Inventory(operator, struck) => format!("operator {operator} lists the account{}", fate(struck)),
        Action::Edit(object, spec) => format!("someone changes object {object} to spec {spec}"),
        Action::Request(object) => format!("someone requests a reconcile of object {object}"),
        Action::Delete(object) => format!("someone deletes object {object}"),
        Action::MakeAgain(object) => format!("someone recreates object {object}"),
        Action::Outside(what) => match what {
            Outside::TurnsIpv6Off => "someone turns IPv6 of the group off",
            Outside::Disables => "someone disables the group",
            Outside::Enables => "someone enables the group",
            Outside::Deletes => "someone deletes the group",
            Outside::CreatesUnowned => "someone creates a group of that name without an owner",
            Outside::CreatesForeign => "another owner creates a group of that name",
            Outside::TakesOwnerTagOff => "someone removes the owner tag",
            Outside::PutsForeignOwnerTag => "another owner puts its tag on the group",
            Outside::TakesTagsOff => "someone removes the tag \"team\"",
            Outside::TenantComes => "a tenant is attached",
            Outside::TenantGoes => "the tenant is removed",
            Outside::ForgesStatus => "someone makes the status point at another group",
            Outside::PutsOldStatusBack => "someone restores the previous status",
            Outside::AttachesList => "someone attaches an Anycast list",
            Outside::PutsTheTag => "someone sets the tag \"team\", with the value of the spec",
            Outside::ChangesTheTag => "someone gives the tag \"team\" another value",
            Outside::RestoresBackup => "the second cluster's object is given the status that the first one's has",
            Outside::ReplacesByUnowned => "someone deletes the group and creates another without an owner",
        }
        .to_owned(),
        Action::Propagate => "all changes are rolled out".to_owned(),
        Action::Land(index) => format!("{} takes effect after all", asked(&state.late[index])),
        Action::Tick => "a minute elapses".to_owned(),
        Action::DeepTick => "hours elapse".to_owned(),
    }
}

const fn fate(struck: Struck) -> &'static str {
    match struck {
        Struck::No => "",
        Struck::Refused(_) => ", and is refused",
        Struck::AnswerLost(_) => "; it is done, but the answer is lost",
        Struck::LandsLater => "; no answer comes, and it may take effect yet",
        Struck::Stale => ", and is answered from the past",
        Struck::StaleGroup => ", and the group is from the past",
        Struck::StaleTags => ", and the tags are from the past",
        Struck::NotThere => ", and is answered that there is none",
        Struck::WithoutTags => ", and the answer is without its tags",
        Struck::WithoutValues => ", and the answer has its tags without their values",
        Struck::Lacking => ", and all that is optional is left out",
    }
}

fn asked(call: &Call) -> String {
    match call {
        Call::Describe(lookup) => format!("the group {lookup:?}"),
        Call::Tags(arn) => format!("the tags of {arn}"),
        Call::Create(new) => format!("Create({:?}, {:?})", new.config, new.tags),
        Call::Update(group, config) => format!("Update({}, {}, {config:?})", group.id, group.etag),
        Call::Delete(group) => format!("Delete({}, {})", group.id, group.etag),
        Call::Tag(arn, tags) => format!("Tag({arn}, {tags:?})"),
        Call::Untag(arn, keys) => format!("Untag({arn}, {keys:?})"),
        Call::Tenants(id) => format!("the tenants of {id}"),
        Call::AnycastIpList(id) => format!("the Anycast list {id}"),
        Call::List => "all groups".to_owned(),
    }
}

fn came_of_it(action: Action, after: &State) -> String {
    let (Action::Answer(operator, _) | Action::Start(operator, _)) = action else { return String::new() };
    let pass = after.operators[operator].pass.as_ref().or(after.just_ended.as_ref());
    let Some(pass) = pass else { return String::new() };
    let answer =
        pass.log.last().map_or(String::new(), |entry| format!("\n       the answer is {}", heard(&entry.answer)));
    let end = pass.ended().map_or(String::new(), |(outcome, _)| {
        let reason = outcome.status.conditions.first().map_or("", |ready| ready.reason.as_str());
        format!("\n       the reconcile ends: {reason}, finalizer {:?}", outcome.finalizer)
    });
    answer + &end
}

fn heard(answer: &Answer) -> String {
    match answer {
        Answer::Described(Ok(Some(described))) => {
            let group = &described.group;
            format!("{} {} {:?} {:?} {:?}", group.id, group.etag, group.config, group.deployment, described.tags)
        }
        Answer::Described(Ok(None)) => "there is no such group".to_owned(),
        Answer::Group(Ok(group)) => format!("{} {} {:?} {:?}", group.id, group.etag, group.config, group.deployment),
        Answer::Done(Ok(())) => "done".to_owned(),
        Answer::Tenants(Ok(tenants)) => format!("{} tenants", tenants.count),
        other => other.error().map_or_else(|| format!("{other:?}"), ToString::to_string),
    }
}

fn world(state: &State) -> String {
    let mut text = String::new();
    for group in state.account.groups(state.timestamp()) {
        let _ = writeln!(text, "  group {:?} {}", group.resource, group.etag);
    }
    for object in &state.objects {
        let Some(object) = &object.current else {
            text += "  no object\n";
            continue;
        };
        let deleting = if object.metadata.deletion_timestamp.is_some() { ", being deleted" } else { "" };
        let _ = writeln!(text, "  object of generation {:?}{deleting}: {:?}", object.metadata.generation, object.spec);
        for condition in object.status.iter().flat_map(|status| &status.conditions) {
            let _ = writeln!(
                text,
                "    {}={} {}: {}",
                condition.type_, condition.status, condition.reason, condition.message
            );
        }
    }
    for call in &state.late {
        let _ = writeln!(text, "  on its way: {}", asked(call));
    }
    text
}
